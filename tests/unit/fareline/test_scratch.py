"""fareline.scratch: a folder goes with its block; a killed process's with the next one."""

import os
import re
import signal
import subprocess
import sys
import tempfile

import pytest

from fareline import scratch
from fareline.packages import CHECKOUT, PACKAGES

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


def _left(temporary, name):
    """What a killed process leaves, long ago."""
    folder = temporary / name
    folder.mkdir()
    (folder / ".in-use").touch()
    (folder / "rows").write_text("a")
    _make_old(folder)


def test_folders_of_our_other_kinds_go_too(temporary):
    for name in ("fareline-reproduce-a", "fareline-query-b", f"{_KIND}c"):
        _left(temporary, name)
    _left(temporary, "others-d")
    with scratch.scratch_folder(_KIND) as folder:
        assert sorted(os.listdir(temporary)) == sorted([os.path.basename(folder), "others-d"])


@pytest.mark.parametrize("error", [None, ValueError])
def test_what_is_kept_stays_for_good(temporary, error):
    try:
        with scratch.scratch_folder(_KIND) as folder:
            with open(os.path.join(folder, "log"), "w") as writer:
                writer.write("why")
            scratch.keep(folder)
            if error:
                raise error
    except ValueError:
        pass
    assert os.listdir(folder) == ["log"]
    _make_old(folder)
    with scratch.scratch_folder(_KIND):
        pass
    assert os.listdir(folder) == ["log"]


def test_an_empty_folder_without_a_lock_is_of_a_killed_process(temporary):
    (temporary / f"{_KIND}a").mkdir()
    _make_old(temporary / f"{_KIND}a")
    with scratch.scratch_folder(_KIND):
        pass
    assert os.listdir(temporary) == []


def test_a_folder_may_be_elsewhere(temporary, tmp_path_factory):
    parent = tmp_path_factory.mktemp("parent")
    _left(parent, f"{_KIND}a")
    with scratch.scratch_folder(_KIND, str(parent)) as folder:
        assert os.listdir(parent) == [os.path.basename(folder)]
    assert os.listdir(parent) == []


# Folders below one that is ours, or that a test or a set-up makes.
_OWN_WAYS = {"fareline/scratch.py", "serving/validation/process.py", "runners/workspace.py"}


def test_nobody_makes_temporary_folders_in_another_way():
    makers = set()
    for package in PACKAGES:
        for path in (CHECKOUT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if re.search(r"tempfile\.(mk|Temporary|Named|Spooled)\w*\(", text):
                makers.add(path.relative_to(CHECKOUT).as_posix())
    assert makers == _OWN_WAYS


def test_sources_that_tensorflow_wrote_for_itself_go(temporary):
    """With the names and the folder that the installed TensorFlow gives them."""
    from tensorflow.python.autograph.pyct import loader

    before = set(sys.modules)
    loader.load_source("number = 7", delete_on_exit=False)
    (added,) = set(sys.modules) - before
    try:
        assert os.listdir(temporary)
        scratch.remove_generated_sources()
        assert os.listdir(temporary) == []
        scratch.remove_generated_sources()  # and a second call finds nothing to do
    finally:
        del sys.modules[added]
