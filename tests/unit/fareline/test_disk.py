"""fareline.disk: whatever a library says of a full disk is told in the same words."""

import errno
import os
import re
import subprocess
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli import app as cli
from data.writing.folders import folder_written_beside
from fareline.disk import DiskError, disk_error, room_at, size, with_room
from fareline.files import NotWritten, write_bytes, written_beside
from runners.workspace import Workspace
from serving.versions.publish import PublishError, publish

# As seen from these libraries on a file system of 1 MiB.
HDF5 = (
    "[Errno 28] Can't close file (file write failed: time = Mon Nov 30 02:00:00 2026\n, filename = "
    "'{path}', file descriptor = 7, errno = 28, error message = 'No space left on device', "
    "buf = 0x55, total write[0] = 4096, bytes this sub-write = 4096)"
)
FULL = {
    "python": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "arrow": OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left"),
    "tensorflow": RuntimeError("{path}.tmp; No space left on device [Op:SaveV2]"),
    "sqlite": RuntimeError("mysql_query failed: errno: , error: database or disk is full"),
    "hdf5": OSError(HDF5),
}


def chained(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("library", FULL)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_full_disk_is_named_with_what_is_free(tmp_path, library, wrapped):
    found = FULL[library]
    if library != "python":
        found = type(found)(str(found).format(path=tmp_path / "file.h5"))
    error = chained(ValueError("while saving"), found) if wrapped else found
    told = str(disk_error(error, [str(tmp_path)], needed=3 * 2**20))
    room = room_at(str(tmp_path))
    assert told.startswith(f"the disk at {room.mount}: is full (")
    assert f" of {size(room.total)} free)" in told
    assert "expected 3.0 MiB for what is written" in told
    assert told.endswith("Hint: make room there, or use another disk; finished work is kept.")
    assert (f"writing {tmp_path}/file.h5" in told) is (library in ("tensorflow", "hdf5"))
    assert "time =" not in told


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EDQUOT, "has no more room for this user: the quota is used up ("),
        (errno.EROFS, "can only be read"),
    ],
)
def test_what_else_a_disk_refuses(tmp_path, number, words):
    for error in (
        OSError(number, os.strerror(number), str(tmp_path / "x")),
        RuntimeError(f"writing failed: {os.strerror(number)}"),
    ):
        told = str(disk_error(error, [str(tmp_path)]))
        assert told.startswith(f"the disk at {room_at(str(tmp_path)).mount}: {words}")


def test_a_name_that_is_too_long_is_told_with_its_length(tmp_path):
    path = tmp_path / ("ä" * 200)
    with pytest.raises(OSError, match="too long") as raised:
        path.write_text("x")
    told = str(disk_error(raised.value))
    assert told.startswith(
        f"{path}: a name of 400 bytes is too long; expected names of at most 255"
    )


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "Permission denied"),
        ValueError("row 28 has no space"),
        OSError("errno = 2, error message = 'No such file or directory'"),
        KeyError(28),
    ],
)
def test_other_errors_are_left_alone(error):
    assert disk_error(error) is None
    assert with_room(error, "/") == ""


def test_the_disk_with_the_least_room_is_meant_where_the_error_does_not_say(tmp_path):
    rooms = {room_at(place).mount: room_at(place).free for place in (str(tmp_path), "/proc")}
    told = str(disk_error(OSError(errno.ENOSPC, "full"), [str(tmp_path), "/proc"]))
    assert told.startswith(f"the disk at {min(rooms, key=rooms.get)}: is full")


def test_the_command_line_says_so_too(monkeypatch, capsys):
    def full(**_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/proc/x")

    monkeypatch.setattr(cli, "app", full)
    assert cli._run_app() == 1
    assert capsys.readouterr().err.startswith("fareline: the disk at /proc: is full (")


@contextmanager
def small_disk(folder, kilobytes):
    """A file system of its own, where root may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _write_lines(place):
    with written_beside(place) as part, part.open("w") as lines:
        lines.writelines("x" * 999 + "\n" for _ in range(2**11))


def _write_rows(place):
    table = pa.table({"x": np.random.default_rng(0).random(2**18)})
    with written_beside(place) as part, pq.ParquetWriter(part, table.schema) as writer:
        writer.write_table(table)


def _write_folder(place):
    with folder_written_beside(place) as part, open(part / "one", "wb") as file:
        file.write(bytes(2**21))


@pytest.mark.parametrize("write", [_write_lines, _write_rows, _write_folder])
def test_an_open_file_that_meets_the_end_of_a_disk_says_which(tmp_path, write):
    with small_disk(tmp_path / "disk", 1024) as disk:
        with pytest.raises(DiskError) as raised:
            write(disk / "out")
        told = str(raised.value)
        assert re.match(rf"the disk at {disk}: is full \([\d.]+ \w+ of 1.0 MiB free\)", told)
        assert " (1.0 MiB of 1.0 MiB free)" not in told  # Before it made room again.
        assert os.listdir(disk) == []


def test_a_disk_that_is_really_full(tmp_path):
    with small_disk(tmp_path / "disk", 1024) as disk:
        with pytest.raises(NotWritten, match=rf"free and 2.0 MiB needed on {disk}; expected room"):
            write_bytes(disk / "large", bytes(2**21))
        assert os.listdir(disk) == []
        workspace = Workspace(disk / "ws")
        with workspace.locked(with_reserve=True):
            (disk / "filler").write_bytes(bytes(2**18))
            with pytest.raises(OSError, match="No space") as raised:
                (disk / "more").write_bytes(bytes(2**20))
            assert str(disk_error(raised.value, [str(disk)])).startswith(
                f"the disk at {disk}: is full (0 bytes of 1.0 MiB free)"
            )
            model = tmp_path / "model"
            model.mkdir()
            (model / "saved_model.pb").write_bytes(bytes(2**21))
            with pytest.raises(PublishError, match=rf"free and 2.0 MiB needed on {disk}; expected"):
                publish(str(model), str(disk / "serving"))
            workspace.give_back_reserve()  # so that a failure can be recorded
            assert room_at(str(disk)).free >= 2**19
        (disk / "more").unlink()
        (disk / "filler").write_bytes(bytes(2**20 - 2**18))
        with (
            pytest.raises(
                OSError, match=r"free and 512.0 KiB needed on .*; expected room for a run"
            ),
            workspace.locked(with_reserve=True),
        ):
            pass
        assert not (workspace.root / ".reserve").exists()
