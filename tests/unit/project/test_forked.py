"""A command in a fork is told, and tells, what a process of its own would be and would."""

import os
import subprocess
import sys
import time

import pytest

from tests.forked import run_forked

TOLD = """
import json, os, sys
print(json.dumps({
    "words": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ),
    "main": __name__, "stdin": sys.stdin.read(), "sources": sys.path[:2],
}))
print("ä warning", file=sys.stderr)
os.write(2, b"from below\\n")
"""
ENDS = {
    "code": "import sys; sys.exit(3)",
    "text": "import sys; sys.exit('no such file')",
    "error": "raise ValueError('planted')",
    "at once": "import os; os._exit(7)",
    "signal": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "interrupt": "import os, signal\ntry: os.kill(os.getpid(), signal.SIGINT)\n"
    "except KeyboardInterrupt: raise SystemExit(130)",
}


@pytest.fixture
def call(tmp_path):
    """A command that runs the module `told`, written into its folder."""

    def write(source, *words, **environment):
        (tmp_path / "told.py").write_text(source, encoding="utf-8")
        return {
            "args": [sys.executable, "-m", "told", *words],
            "cwd": tmp_path,
            "env": os.environ | {"PYTHONPATH": "/sources", **environment},
        }

    return write


def in_a_process(call):
    return subprocess.run(**call, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_it_gets_the_words_the_folder_and_the_environment(call, monkeypatch):
    monkeypatch.setenv("ONLY_HERE", "1")
    asked = call(TOLD, "--set", "a=b c", WHAT="ä")
    del asked["env"]["ONLY_HERE"]
    forked, process = run_forked(**asked), in_a_process(asked)
    assert (forked.stdout, forked.stderr) == (process.stdout, process.stderr)
    assert '"words": ["--set", "a=b c"]' in forked.stdout
    assert "ONLY_HERE" not in forked.stdout
    assert forked.stderr == "ä warning\nfrom below\n"


@pytest.mark.parametrize("end", ENDS)
def test_it_ends_as_a_process_does(call, end):
    asked = call(ENDS[end])
    forked, process = run_forked(**asked), in_a_process(asked)
    assert forked.returncode == process.returncode != 0
    # A traceback names frames of whoever started the module.
    assert forked.stderr.splitlines()[-1:] == process.stderr.splitlines()[-1:]


def test_no_fork_sees_what_another_has_imported(call):
    count = "import sys; print('counter' in sys.modules); sys.modules['counter'] = sys"
    assert [run_forked(**call(count)).stdout for _ in range(2)] == ["False\n"] * 2


def test_the_libraries_are_loaded_and_nothing_of_this_project(call):
    loaded = "import sys; print('tensorflow' in sys.modules, 'tests' in sys.modules, [m for m in "
    loaded += "sys.modules if m.split('.')[0] in ('fareline', 'pipeline', 'runners', 'models')])"
    assert run_forked(**call(loaded)).stdout == "True True []\n"


def test_one_that_does_not_end_is_killed_with_what_it_has_started(call, tmp_path):
    source = (
        "import subprocess, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    run_forked(**call(""))  # the libraries are loaded before the clock runs
    with pytest.raises(subprocess.TimeoutExpired):
        run_forked(**call(source), timeout=3)
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 10
    while os.path.exists(f"/proc/{pid}") and "State:\tZ" not in _status(pid):
        assert time.monotonic() < end
        time.sleep(0.05)


def _status(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return file.read()
    except OSError:
        return "State:\tZ"
