"""A temporary folder that is removed with its process, however the process ends.

`tempfile.TemporaryDirectory` removes its folder at the end of the block. A killed process does not
reach that end. The next process that creates a folder of the same kind removes its folder. And what
TensorFlow leaves there where a process ends at once. Standard library only.
"""

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator

# A hidden name of ours beside what the caller puts there.
_OURS = "fareline-"
_LOCK_FILE = ".in-use"
# Between a folder and its lock there is a moment without.
_NEW_SECONDS = 60
# Modules of TensorFlow's autograph, which writes each into a file to import it.
_GENERATED = "__autograph_generated_file"


@contextlib.contextmanager
def scratch_folder(kind: str, parent: str | None = None) -> Iterator[str]:
    """Makes a folder in the temporary directory and removes it at the end of the block.

    Args:
        kind: Its name begins so, `fareline-check-`. Folders of this kind, and of our other kinds,
            that ended processes of the same user left are removed first.
        parent: Where it is made; None: in the temporary directory.
    """
    parent = parent or tempfile.gettempdir()
    _sweep(kind, parent)
    folder = tempfile.mkdtemp(prefix=kind, dir=parent)
    lock = os.path.join(folder, _LOCK_FILE)
    kept = False
    try:
        # The kernel's lock: it is free as soon as this process is gone.
        with open(lock, "ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield folder
            kept = not os.path.exists(lock)
    except BaseException:
        kept = not os.path.exists(lock)
        raise
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


def keep(folder: str) -> None:
    """Keeps a folder after the end of its block, for a person to examine."""
    os.unlink(os.path.join(folder, _LOCK_FILE))


def remove_generated_sources() -> None:
    """Removes the files that TensorFlow wrote to import them; called before `os._exit`.

    TensorFlow removes them when the interpreter ends, which is what `os._exit` leaves out.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith(_GENERATED):
            cached = getattr(module, "__cached__", None)
            for path in (getattr(module, "__file__", None), cached):
                with contextlib.suppress(OSError, TypeError):
                    os.unlink(path)
            with contextlib.suppress(OSError, TypeError):
                os.rmdir(os.path.dirname(cached))


def _sweep(kind: str, parent: str) -> None:
    before = time.time() - _NEW_SECONDS
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if not entry.name.startswith((_OURS, kind)):
                continue
            if os.path.exists(os.path.join(entry.path, _LOCK_FILE)):
                if _is_left(entry, before):
                    shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name.startswith(kind) and _is_ours(entry, before):
                # Kept for a person; or empty, of a process that was killed while it made it.
                with contextlib.suppress(OSError):
                    os.rmdir(entry.path)


def _is_left(entry: os.DirEntry, before: float) -> bool:
    """Whether a folder is one of ours, not new, and its lock is free."""
    try:
        if not _is_ours(entry, before):
            return False
        with open(os.path.join(entry.path, _LOCK_FILE), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:  # of a lock that another process holds, too
        return False


def _is_ours(entry: os.DirEntry, before: float) -> bool:
    about = entry.stat(follow_symlinks=False)
    is_folder = entry.is_dir(follow_symlinks=False)
    return is_folder and about.st_uid == os.getuid() and about.st_mtime <= before
