"""A workspace has its folders, one run at a time, and one clear line where it cannot be used."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fareline.errors import TryLater, WorkspaceError
from fareline.packages import CHECKOUT
from runners.workspace import Workspace

HOLD = """
import sys
from pathlib import Path
from runners.workspace import Workspace
with Workspace(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Starts a process that holds a workspace until its stdin is closed."""
    processes = []

    def start(root):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(root)],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "locked\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_paths():
    workspace = Workspace(Path("/ws"))
    assert workspace.metadata_path == Path("/ws/metadata.db")
    assert workspace.artifacts_dir == Path("/ws/artifacts")
    assert workspace.logs_dir == Path("/ws/logs")
    assert workspace.serving_dir("taxi") == Path("/ws/serving/taxi")


def test_a_new_workspace_gets_its_folders_and_keeps_nothing_of_the_lock(tmp_path):
    workspace = Workspace(tmp_path / "deep" / "ws")
    with workspace.locked():
        assert (workspace.root / ".lock-owner").read_text() == str(os.getpid())
    assert workspace.artifacts_dir.is_dir()
    assert workspace.logs_dir.is_dir()
    assert not (workspace.root / ".lock-owner").exists()
    # No store is made before there is something to record.
    assert not workspace.metadata_path.exists()
    with workspace.locked():
        pass


def test_what_is_there_is_kept(tmp_path):
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "model").write_text("precious")
    (tmp_path / "metadata.db").write_bytes(b"store")
    with Workspace(tmp_path).locked():
        pass
    assert (tmp_path / "artifacts" / "model").read_text() == "precious"
    assert (tmp_path / "metadata.db").read_bytes() == b"store"


def test_a_second_run_is_refused_with_the_process_that_holds_it(tmp_path, hold):
    holder = hold(tmp_path)
    with pytest.raises(WorkspaceError) as caught, Workspace(tmp_path).locked():
        pass
    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        f"{tmp_path}: another run is using it (process {holder.pid}); expected a workspace of its "
        "own for each run at a time. Hint: wait for it to end, or name another --workspace."
    )
    # The refused one took nothing away from the holder.
    assert (tmp_path / ".lock-owner").read_text() == str(holder.pid)
    with pytest.raises(WorkspaceError), Workspace(tmp_path).locked():
        pass


def test_another_workspace_is_free(tmp_path, hold):
    hold(tmp_path / "a")
    with Workspace(tmp_path / "b").locked():
        assert (tmp_path / "b" / ".lock-owner").read_text() == str(os.getpid())


def test_a_killed_run_leaves_the_workspace_free(tmp_path, hold):
    holder = hold(tmp_path)
    holder.send_signal(signal.SIGKILL)
    assert holder.wait(10) == -signal.SIGKILL
    assert (tmp_path / ".lock-owner").read_text() == str(holder.pid)
    with Workspace(tmp_path).locked():
        assert (tmp_path / ".lock-owner").read_text() == str(os.getpid())


def test_idle_is_a_workspace_that_was_held_and_is_not(tmp_path, hold):
    workspace = Workspace(tmp_path)
    assert not workspace.is_idle()  # no run of ours was ever here
    holder = hold(tmp_path)
    assert not workspace.is_idle()
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    assert workspace.is_idle()

    workspace.remember_store("mysql://fareline@127.0.0.1/tfx")
    assert not workspace.is_idle()  # others may write there


def test_a_run_that_fails_leaves_the_workspace_free(tmp_path):
    with pytest.raises(ZeroDivisionError), Workspace(tmp_path).locked():
        raise ZeroDivisionError
    with Workspace(tmp_path).locked():
        pass


def refusal(root):
    with pytest.raises(WorkspaceError) as caught, Workspace(root).locked():
        pass
    assert caught.value.exit_code == 2
    return str(caught.value)


NOT_A_FOLDER = "expected a folder to write to. Hint: name another --workspace."


def test_a_file_where_the_workspace_should_be(tmp_path):
    (tmp_path / "ws").write_text("a file")
    assert refusal(tmp_path / "ws") == (
        f"{tmp_path}/ws: cannot be written (File exists); {NOT_A_FOLDER}"
    )
    assert refusal(tmp_path / "ws" / "below") == (
        f"{tmp_path}/ws/below: cannot be written (Not a directory); {NOT_A_FOLDER}"
    )
    assert (tmp_path / "ws").read_text() == "a file"


def test_a_file_where_one_of_its_folders_should_be(tmp_path):
    (tmp_path / "artifacts").write_text("a file")
    assert refusal(tmp_path) == f"{tmp_path}: cannot be written (File exists); {NOT_A_FOLDER}"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="Linux's /proc lets nobody write")
def test_a_folder_that_nobody_can_write_to():
    assert refusal(Path("/proc/fareline")) == (
        f"/proc/fareline: cannot be written (No such file or directory); {NOT_A_FOLDER}"
    )


def test_a_path_that_tfx_would_read_as_a_pattern_is_refused(tmp_path):
    root = tmp_path / "what?"
    with pytest.raises(WorkspaceError) as caught, Workspace(root).locked():
        pass
    assert str(caught.value) == (
        f"{root}: its path holds one of * ? [; expected a path that TFX does not read as a "
        "pattern. Hint: name another --workspace."
    )
    assert not root.exists()


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ("run-20261130-1", "run-20261130-1.html"),
        ("2026-11-30T02:03:04.5", "2026-11-30T02-03-04.5.html"),
        ("../../etc/passwd", "-..-etc-passwd.html"),
        ("...", "run.html"),
        ("<b> \u05d0", "-b---.html"),
        ("x" * 500, "x" * 200 + ".html"),
    ],
)
def test_the_page_of_a_run_is_in_the_folder_of_pages(tmp_path, run, name):
    assert Workspace(tmp_path).report_path(run) == tmp_path / "reports" / name


def test_steps_share_a_workspace_and_keep_whole_runs_from_it(tmp_path):
    workspace = Workspace(tmp_path / "ws")
    with workspace.shared(), workspace.shared():
        assert not workspace.is_idle()
        with pytest.raises(WorkspaceError, match="another run is using it"), workspace.locked():
            pass
    assert workspace.is_idle()
    with workspace.locked(), pytest.raises(TryLater) as later, workspace.shared():
        pass
    assert str(later.value) == (
        f"{workspace.root}: a whole run is using it (process {os.getpid()}); expected "
        "steps of runs alone. Hint: wait for it to end, or name another --workspace."
    )
