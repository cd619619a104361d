"""Checks that a gzip file is complete, which some readers do not check.

Python's gzip module refuses a file that is cut off; TensorFlow's and DuckDB's readers end where the
bytes end, as if no more rows had been there. Called before these two read. Imports the standard
library alone.
"""

import zlib
from collections.abc import Callable
from typing import BinaryIO

from fareline.errors import DataError

_READ_BYTES = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS


def require_whole(path: str, open_file: Callable[[str], BinaryIO]) -> None:
    """Unpacks a gzip file without storing its content.

    Args:
        path: The file; of one whose name does not end in .gz nothing is asked.
        open_file: Opens a path for reading bytes.

    Raises:
        DataError: The file is truncated, or is not gzip.
    """
    if not path.endswith(".gz"):
        return
    with open_file(path) as stream:
        found = _mistake(stream)
    if found:
        raise DataError.explain(path, found, "expected a whole gzip file", "write or copy it again")


def _mistake(stream: BinaryIO) -> str | None:
    member, members, size = zlib.decompressobj(_GZIP), 0, 0
    while data := stream.read(_READ_BYTES):
        while data:
            if member.eof:  # another file behind the first, or zeros that fill up a block
                data = data.lstrip(b"\0")
                if not data:
                    break
                member = zlib.decompressobj(_GZIP)
            try:
                size += len(member.decompress(data, _READ_BYTES))
            except zlib.error as error:
                return f"damaged behind {size:,} unpacked bytes ({error})"
            members += member.eof
            data = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        return f"cut off behind {size:,} unpacked bytes" if size or members else "cut off, or empty"
    return None
