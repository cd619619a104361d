"""SHA-256 of files and folders, the name of content in all records and checks.

One definition for all packages, since one package writes digests and another checks them.
"""

import hashlib
import os
from collections.abc import Collection, Iterator
from typing import BinaryIO

_BLOCK_BYTES = 1 << 20


def sha256_of_file(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file's bytes, in 64 hexadecimal digits; memory stays bounded.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, "rb") as reader:
        return sha256_of_stream(reader)


def sha256_of_stream(reader: BinaryIO) -> str:
    """Returns the SHA-256 of the bytes from here to the end, in 64 hexadecimal digits."""
    digest = hashlib.sha256()
    while block := reader.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def sha256_of_folder(folder: str | os.PathLike, leave_out: Collection[str] = ()) -> str:
    """Returns one SHA-256 over the sorted relative paths, sizes and bytes of all files.

    Args:
        folder: Folder, of any depth.
        leave_out: Relative paths of files that do not count.

    Raises:
        OSError: A file in the folder cannot be read.
    """
    digest = hashlib.sha256()
    for relative, path in files_below(folder):
        if relative in leave_out:
            continue
        # The size closes off the bytes, so that no two trees read as one stream.
        digest.update(f"{relative}\0{os.path.getsize(path)}\0".encode())
        for block in _blocks(path):
            digest.update(block)
    return digest.hexdigest()


def files_below(folder: str | os.PathLike) -> Iterator[tuple[str, str]]:
    """Yields (path relative to `folder`, full path) of every file, sorted by the relative path."""
    found = []
    for parent, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = os.path.join(parent, name)
            found.append((os.path.relpath(path, folder).replace(os.sep, "/"), path))
    yield from sorted(found)


def _blocks(path: str | os.PathLike) -> Iterator[bytes]:
    with open(path, "rb") as reader:
        while block := reader.read(_BLOCK_BYTES):
            yield block
