"""A folder for files of the moment, which goes with the process that made it, however that ends.

`tempfile.TemporaryDirectory` removes its folder when the block is left. A process that is killed
leaves no block: what it leaves behind is removed by the next one that makes a folder of the same
kind. Standard library and filelock only.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator

import filelock

# A hidden name of ours beside what the caller puts there.
_LOCK_FILE = ".in-use"
# Between a folder and its lock there is a moment without.
_NEW_SECONDS = 60


@contextlib.contextmanager
def scratch_folder(kind: str) -> Iterator[str]:
    """Makes a folder in the temporary directory and removes it at the end of the block.

    Args:
        kind: Its name begins so, `fareline-check-`. Folders of this kind that ended processes of
            the same user left are removed first.
    """
    _sweep(kind)
    folder = tempfile.mkdtemp(prefix=kind)
    try:
        # The kernel's lock: it is free as soon as this process is gone.
        with filelock.FileLock(os.path.join(folder, _LOCK_FILE)):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(kind: str) -> None:
    before = time.time() - _NEW_SECONDS
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(kind) and _is_left(entry, before):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_left(entry: os.DirEntry, before: float) -> bool:
    """Whether a folder is one of ours, not new, and nobody holds its lock."""
    try:
        about = entry.stat(follow_symlinks=False)
        ours = entry.is_dir(follow_symlinks=False) and about.st_uid == os.getuid()
        if not ours or about.st_mtime > before:
            return False
        lock = filelock.FileLock(os.path.join(entry.path, _LOCK_FILE))
        with lock.acquire(timeout=0):
            return True
    except (OSError, filelock.Timeout):
        return False
