"""A file is written whole or not at all, whatever goes wrong."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fareline.disk import room_at
from fareline.errors import UserMistake
from fareline.files import (
    NotWritten,
    from_here,
    write_bytes,
    write_json,
    write_text,
    written_beside,
)

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_file_is_written_and_nothing_else(tmp_path, old):
    path = tmp_path / "one"
    if old is not None:
        path.write_bytes(old)
    write_bytes(path, b"\x00\r\n")
    assert path.read_bytes() == b"\x00\r\n"
    write_text(path, "ä\r\n")
    assert path.read_bytes() == b"\xc3\xa4\r\n"
    write_json(str(path), {"a": [1, None]}, indent=1)
    assert path.read_text() == json.dumps({"a": [1, None]}, indent=1)
    assert os.listdir(tmp_path) == ["one"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0, 0o666)])
def test_permissions_are_those_of_a_new_file(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "one", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == mode


def test_a_long_name_is_written(tmp_path):
    for name in ("a" * 255, "ä" * 127):
        write_text(tmp_path / name, "new")
        assert (tmp_path / name).read_text() == "new"


def test_of_a_link_the_file_that_it_names_is_replaced(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_text("old")
    (tmp_path / "link").symlink_to("below/file")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "below" / "file").read_text() == "new"
    assert os.listdir(tmp_path / "below") == ["file"]


def test_a_pipe_is_written_directly(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(tmp_path / "pipe", "new")
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)
    assert os.listdir(tmp_path) == ["pipe"]


# What can go wrong.


def no_room(*arguments, **more):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refused(*arguments, **more):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


OURS = "expected an existing folder that you may write to"
FAILURES = {
    "no folder": ("none/one", None, None, "No such file or directory", OURS),
    "a file in place of the folder": ("file/one", None, None, "Not a directory", OURS),
    "a folder in its place": ("folder", None, None, "Is a directory", "expected a file"),
    "folder not writable": ("one", "pathlib.Path.write_bytes", refused, "Permission denied", OURS),
    "no room at the end": (
        "one",
        "os.fsync",
        no_room,
        "No space left on device",
        "expected room for it",
    ),
    "not to be renamed": ("one", "os.replace", refused, "Permission denied", OURS),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_one_line_and_leaves_everything_as_it_was(tmp_path, monkeypatch, kind):
    name, function, failing, found, expected = FAILURES[kind]
    (tmp_path / "one").write_text("old")
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    if function:
        monkeypatch.setattr(function, failing)
    path = tmp_path / name
    with pytest.raises(NotWritten) as error:
        write_text(path, "new", hint="name another")
    monkeypatch.undo()
    room, hint = "", "name another"
    if function == "os.fsync":
        about = room_at(str(path))
        room = f", with {about} and 3 bytes needed on {about.mount}"
        hint = f"make room there; or {hint}"
    said = f"{path}: cannot be written ({found}){room}; {expected}. Hint: {hint}."
    assert str(error.value) == said
    assert isinstance(error.value, UserMistake) and isinstance(error.value, OSError)
    assert (tmp_path / "one").read_text() == (tmp_path / "file").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "one"]
    assert os.listdir(tmp_path / "folder") == []


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), KeyboardInterrupt("x")])
def test_an_error_in_the_middle_is_passed_on_as_it_is(tmp_path, error):
    (tmp_path / "one").write_text("old")
    with pytest.raises(type(error)) as raised, written_beside(tmp_path / "one") as part:
        part.write_text("half")
        raise error
    assert raised.value is error
    assert (tmp_path / "one").read_text() == "old"
    assert os.listdir(tmp_path) == ["one"]


def test_a_folder_in_its_place_is_found_before_anything_is_written(tmp_path):
    with pytest.raises(IsADirectoryError), written_beside(tmp_path):
        pytest.fail("reached")


def test_of_a_killed_writer_the_old_file_stays_and_the_next_one_writes(tmp_path):
    program = (
        "import os, signal\n"
        "from fareline.files import written_beside\n"
        "with written_beside('one') as part:\n"
        "    part.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "one").write_text("old")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    killed = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "one").read_text() == "old"
    write_text(tmp_path / "one", "new")
    assert (tmp_path / "one").read_text() == "new"
    # What the killed one left is hidden, and says by its name what it is.
    assert [n for n in os.listdir(tmp_path) if not n.startswith(".one.part-")] == ["one"]


def test_many_write_the_same_file_and_a_reader_never_finds_half(tmp_path):
    path = tmp_path / "one"
    texts = [letter * 100_000 for letter in "abcd"]
    write_text(path, texts[0])
    failed = []

    def write(text):
        try:
            for _ in range(10):
                write_text(path, text)
        except OSError as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_text() in texts
    assert failed == []
    assert path.read_text() in texts
    assert os.listdir(tmp_path) == ["one"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [("a/b", "b"), ("a", "."), ("ab/c", "{}/ab/c"), ("c", "{}/c"), ("a/../c", "../c")],
)
def test_a_path_is_shown_as_it_can_be_typed_here(tmp_path, monkeypatch, path, shown):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    found = from_here(tmp_path / path)
    assert found == shown.format(tmp_path)
    assert Path(found).resolve() == (tmp_path / path).resolve()
