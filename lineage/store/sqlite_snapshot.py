"""A copy of an SQLite store as it is at one moment, so that reading never holds up a pipeline.

A reader of an SQLite file holds a lock, and a writer waits for the lock. ML Metadata's writer gives
up after some 19 seconds, and the pipeline's node fails: a long answer, or a reader that is stopped
in the middle of it, would be enough. The lock is held here for as long as a file is copied. A copy
also answers every question of one command from one state.

Called by lineage.store.open, never in the process of a running pipeline: to close the file there
would drop the locks of ML Metadata's own SQLite.
"""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from fareline.disk import bytes_of, with_room
from fareline.errors import UserMistake
from fareline.scratch import scratch_folder

BUSY_SECONDS = 10  # how long a writer may take for one transaction
# Files in memory, on Linux: a large store is copied in a tenth of a second, whatever the disk does.
MEMORY_FOLDER = Path("/dev/shm")
_PART_OF_MEMORY = 8  # at most an eighth of what is free there


@contextlib.contextmanager
def snapshot(path: Path) -> Iterator[Path]:
    """Copies a store into a temporary folder, which is gone at the end of the block.

    The copy may stay open beyond that: a file that is open is there until it is closed.

    Args:
        path: An SQLite file.

    Raises:
        UserMistake: The store stays locked, or the disk has no space for the copy.
        sqlite3.DatabaseError: The file is not a database, or cannot be read.
    """
    parent = _folder_with_room(path)
    with scratch_folder("fareline-snapshot-", parent) as folder:
        copy = Path(folder) / "metadata.db"
        try:
            _copy_locked(path, copy)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise UserMistake.explain(
                    str(path),
                    f"another process has been writing to it for {BUSY_SECONDS} s",
                    "expected a moment without a writer",
                    "try again, or look for a pipeline that was stopped while it wrote",
                ) from error
            if not _journal(path).exists():
                raise
            _copy_after_a_crash(path, copy)
        except OSError as error:
            room = with_room(error, parent, bytes_of(str(path)))
            raise UserMistake.explain(
                str(path),
                f"cannot be copied to {parent} ({error.strerror}){room}",
                "expected room for a copy, since reading the store itself would hold up a pipeline",
                "make room, or set TMPDIR to another folder",
            ) from error
        yield copy


def _folder_with_room(path: Path) -> str:
    try:
        free = shutil.disk_usage(MEMORY_FOLDER).free
    except OSError:  # not Linux
        free = 0
    if os.access(MEMORY_FOLDER, os.W_OK) and path.stat().st_size * _PART_OF_MEMORY < free:
        return str(MEMORY_FOLDER)
    return tempfile.gettempdir()


def _copy_locked(path: Path, copy: Path) -> None:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    source = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    with contextlib.closing(source):
        if source.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            with contextlib.closing(sqlite3.connect(copy)) as target:
                source.backup(target)  # what was written last is in a second file
                target.execute("PRAGMA journal_mode = DELETE")
            return
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()  # takes the lock
        # Ten times as fast as SQLite's own backup, page by page.
        shutil.copyfile(path, copy)


def _copy_after_a_crash(path: Path, copy: Path) -> None:
    """Copies a store whose writer was killed in a transaction; the copy is then rolled back.

    Such a store has no lock. The next writer rolls it back.
    """
    shutil.copyfile(_journal(path), _journal(copy))
    shutil.copyfile(path, copy)
    with contextlib.closing(sqlite3.connect(copy)) as repaired:
        repaired.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _journal(path: Path) -> Path:
    return path.with_name(path.name + "-journal")
