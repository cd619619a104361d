"""A step that is handed over to a warm process ends as one that is not, and leaves nothing behind.

What takes the place of the command line does what the name of the node says. No TFX is loaded.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fareline.packages import CHECKOUT
from runners.steps import hand_over, warm
from runners.workspace import Workspace

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not hand_over.is_possible(), reason="needs Linux"),
]

COMMAND = """
import json, os, signal, sys, time
from pathlib import Path
from runners import stopping
from runners.steps.hand_over import hand_over

def command():
    stopping.heed_signals()
    what, _, value = sys.argv[3].partition(":")
    by = "warm" if "runners.steps.warm" in sys.modules else "here"
    Path("by").write_text(by)
    umask = os.umask(0)
    print(json.dumps([sys.argv[1:], os.environ.get("GIVEN"), oct(umask), os.getcwd(),
                      sys.stdin.read(), sys.stdout.encoding, sys.stdout.errors]))
    print("err", file=sys.stderr)
    sys.stdout.flush()
    if what == "code":
        os._exit(int(value))
    if what == "raise":
        raise SystemExit(value)
    if what == "signal":
        os.kill(os.getpid(), int(value))
    if what == "sleep":
        Path(by + "-pid").write_text(str(os.getpid()))
        try:
            time.sleep(60 if by == "warm" else 0)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.stderr.flush()
            os._exit(stopping.exit_code())
"""
CLIENT = f"{COMMAND}\nhand_over()\nassert 'asyncio' not in sys.modules\ncommand()"
SERVER = f"""{COMMAND}
from runners.steps import warm
root = Path(sys.argv[1])
warm.IDLE_SECONDS = float(sys.argv[2])
warm.fingerprint_packages = lambda packages: Path(root, "sources").read_text()
listener = warm.listen(root)
print(flush=True)
warm.serve(root, "r", listener, lambda: command, ["json", "no_such_module"])
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(CHECKOUT), "GIVEN": "x"}


def start(code, *words, cwd, stdout=subprocess.PIPE, env=ENVIRONMENT):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], cwd=cwd, env=env, umask=0o027,
        stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


class Server:
    """A warm process in a workspace of its own, whose path is longer than an address."""

    def __init__(self, folder, idle=60):
        self.root = folder / ("long" * 30)
        self.root.mkdir()
        (self.root / "sources").write_text("1")
        self.process = start(SERVER, self.root, idle, cwd=folder)
        self.process.stdout.readline()

    def step(self, node, **given):
        words = ("step", "run", node, "--run", "r", "-w", self.root)
        return start(CLIENT, *words, cwd=self.root, **given)

    def sleeping(self):
        """A step that sleeps, and the process that it is."""
        (self.root / "warm-pid").unlink(missing_ok=True)
        client = self.step("sleep")
        return client, int(wait_for(lambda: text_of(self.root / "warm-pid")))

    def by(self, **given):
        """Which process has run a step."""
        self.step("code:0", **given).communicate()
        return (self.root / "by").read_text()


def text_of(path):
    return path.is_file() and path.read_text()


def wait_for(found):
    for _ in range(600):
        if what := found():
            return what
        time.sleep(0.05)
    raise AssertionError("it did not come")


def is_gone(pid):
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for the tests that leave it as it is."""
    found = Server(tmp_path_factory.mktemp("warm"))
    yield found
    found.process.kill()
    found.process.communicate()


@pytest.fixture
def own_server(tmp_path):
    found = Server(tmp_path)
    yield found
    found.process.kill()
    found.process.communicate()


@pytest.mark.parametrize(
    "node",
    ["code:0", "code:1", "code:75", "raise:2", "raise:text", "raise:", "signal:9", "signal:11"],
)
def test_a_step_ends_and_says_the_same_in_both(server, tmp_path, node):
    ended = []
    for cwd in (server.root, tmp_path):
        words = ("step", "run", node, "--run", "r", "-w", cwd)
        client = start(CLIENT, *words, cwd=cwd)
        out, err = client.communicate()
        ended.append((out.replace(str(cwd), "W"), err, client.returncode, text_of(cwd / "by")))
    (*handed, by), (*not_handed, by_itself) = ended
    assert (by, by_itself) == ("warm", "here")
    assert handed == not_handed
    said = json.loads(handed[0])
    assert said[1:5] == ["x", "0o27", "W", ""]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_step(server, number):
    client, pid = server.sleeping()
    client.send_signal(number)
    _, err = client.communicate()
    assert (client.returncode, err) == (128 + number, "err\ninterrupted\n")
    assert is_gone(pid)


def test_a_step_does_not_outlive_who_asked_for_it(server):
    client, pid = server.sleeping()
    client.kill()
    wait_for(lambda: is_gone(pid))
    client.communicate()
    assert server.by() == "warm"


def test_steps_run_side_by_side(server):
    client, pid = server.sleeping()
    assert server.by() == "warm"
    assert not is_gone(pid)
    client.terminate()
    client.communicate()


def test_without_its_warm_process_a_step_is_killed_and_run_again(own_server):
    client, pid = own_server.sleeping()
    own_server.process.kill()
    assert client.wait() == 0
    assert is_gone(pid)
    assert text_of(own_server.root / "by") == "here"
    assert own_server.by() == "here"  # what is left of the socket is no hindrance
    client.communicate()


@pytest.mark.parametrize("name", ["TF_ENABLE_ONEDNN_OPTS", "PYTHONHASHSEED", "LC_ALL", "HOME"])
def test_what_differs_in_what_libraries_read_once_is_not_handed_over(server, name):
    assert server.by(env=ENVIRONMENT | {name: "0"}) == "here"
    assert server.by() == "warm"


def test_other_sources_than_were_loaded_end_it(own_server):
    client, pid = own_server.sleeping()
    (own_server.root / "sources").write_text("2")
    assert own_server.by() == "here"
    assert not is_gone(pid)  # what has begun goes on
    wait_for(lambda: not (own_server.root / hand_over.SOCKET).exists())
    client.terminate()
    client.communicate()
    assert own_server.process.wait() == 0


def test_it_ends_with_the_last_of_its_runs(own_server, monkeypatch):
    monkeypatch.setattr(os, "environ", ENVIRONMENT)
    workspace = Workspace(own_server.root)
    assert warm.start_warm(workspace, "r2", {})  # the one that is there
    for run_id in ("r2", "other"):
        warm.end_warm(workspace, run_id)
        assert own_server.by() == "warm"
    warm.end_warm(workspace, "r")
    assert own_server.process.wait() == 0
    assert not (own_server.root / hand_over.SOCKET).exists()
    warm.end_warm(workspace, "r")  # there is none: nothing to do


def test_it_ends_when_nothing_is_asked_for(tmp_path):
    server = Server(tmp_path, idle=0.5)
    client, pid = server.sleeping()
    time.sleep(1)
    assert not is_gone(pid)  # as long as a step is at work it does not
    client.terminate()
    client.communicate()
    assert server.process.wait() == 0


def test_it_is_for_its_user_alone(server, monkeypatch):
    assert (server.root / hand_over.SOCKET).stat().st_mode & 0o777 == 0o600
    connection = hand_over.connect(str(server.root))
    assert connection is not None
    connection.close()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert hand_over.connect(str(server.root)) is None


@pytest.mark.parametrize("request_", [b"", b"\n", b"\nno json\n", b'\n{"words": []}\n', b"\n[]\n"])
def test_a_request_of_nonsense_is_passed_over(server, request_):
    with hand_over.connect(str(server.root)) as connection:
        connection.sendall(request_)
    assert server.by() == "warm"


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        ("step run Trainer --run r", "workspace"),
        ("step run --run r -w ws Trainer --json", "ws"),
        ("--debug step run Trainer --run=r --workspace=ws", "ws"),
        ("step run Trainer --run r --help", None),
        ("step end --run r", None),
        ("run", None),
    ],
)
def test_plain_steps_alone_are_handed_over(words, folder, monkeypatch):
    monkeypatch.delenv("FARELINE_WORKSPACE", raising=False)
    assert hand_over._workspace_of(words.split()) == folder
    monkeypatch.setenv("FARELINE_WORKSPACE", "other")
    expected = "other" if folder == "workspace" else folder
    assert hand_over._workspace_of(words.split()) == expected
