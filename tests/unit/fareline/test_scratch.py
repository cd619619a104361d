"""fareline.scratch: a folder goes with its block; a killed process's with the next one."""

import os
import signal
import subprocess
import sys
import tempfile

import pytest

from fareline import scratch
from fareline.packages import CHECKOUT

_KIND = "fareline-test-"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _make_old(folder):
    os.utime(folder, (0, 0))


def test_the_folder_is_gone_after_the_block(temporary):
    with scratch.scratch_folder(_KIND) as folder:
        assert os.path.dirname(folder) == str(temporary)
        assert os.path.basename(folder).startswith(_KIND)
        with open(os.path.join(folder, "file"), "w") as writer:
            writer.write("a")
    assert os.listdir(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_process_left_goes_with_the_next(temporary, number):
    script = (
        "import os, time\n"
        "from fareline.scratch import scratch_folder\n"
        f"with scratch_folder({_KIND!r}) as folder:\n"
        "    os.mkdir(folder + '/model')\n"
        "    print(folder, flush=True)\n"
        "    time.sleep(600)\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    )
    with owner.stdout:
        left = owner.stdout.readline().strip()
        _make_old(left)
        with scratch.scratch_folder(_KIND):
            assert os.path.isdir(left + "/model")  # Its owner lives.
        os.kill(owner.pid, number)
        owner.wait(10)
    assert os.path.isdir(left)
    _make_old(left)
    with scratch.scratch_folder(_KIND) as folder:
        assert os.listdir(temporary) == [os.path.basename(folder)]


def test_what_is_new_or_of_another_kind_or_no_folder_stays(temporary):
    (temporary / f"{_KIND}new").mkdir()
    (temporary / "fareline-other-a").mkdir()
    (temporary / f"{_KIND}file").write_text("a")
    (temporary / "target").mkdir()
    (temporary / f"{_KIND}link").symlink_to("target")
    for name in ("fareline-other-a", f"{_KIND}file", "target"):
        _make_old(temporary / name)
    before = sorted(os.listdir(temporary))
    with scratch.scratch_folder(_KIND):
        pass
    assert sorted(os.listdir(temporary)) == before
