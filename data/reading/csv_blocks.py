"""Cuts a CSV file into blocks of whole records, by where its quotes open and close.

A quote opens a quoted cell only at the start of a cell, as in Python's csv module and in Arrow's
parser; a line end inside one is no end of a record. Called by `data.reading.pieces` and
`data.reading.csv_batches`. Imports numpy alone.
"""

import csv
import dataclasses
import gzip
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from data.reading.csv_header import LONGEST_RECORD_BYTES, long_cells, require_distinct_header
from fareline.errors import DataError

BLOCK_BYTES = 8 << 20
_BOM = b"\xef\xbb\xbf"
_LF, _CR, _QUOTE, _COMMA = b"\n"[0], b"\r"[0], b'"'[0], b","[0]
# A quoted cell, closed or not; what follows its closing quote is not quoted any more.
_QUOTED = re.compile(rb'(?<![^,\r\n])"[^"]*(?:""[^"]*)*"?')


@dataclasses.dataclass(frozen=True)
class Block:
    """Whole records of a file.

    Attributes:
        data: Their bytes.
        start: Where they begin in the (unpacked) file, in bytes.
        first_line: The line that they begin in, from 1.
        unclosed: Whether a quote is still open where the file ends; then `data` ends before the
            record that it is in, and `rest` is that record.
        rest: See `unclosed`; else empty.
    """

    data: bytes
    start: int
    first_line: int
    unclosed: bool = False
    rest: bytes = b""

    @property
    def lines(self) -> int:
        """How many lines end in it."""
        return count_lines(self.data)


@dataclasses.dataclass(frozen=True)
class Header:
    """The first record of a file.

    Attributes:
        names: The column names.
        end: Where the next record begins, in bytes.
        lines: How many lines it takes.
    """

    names: tuple[str, ...]
    end: int
    lines: int


def unpacked(stream: BinaryIO, path: str) -> BinaryIO:
    """The stream itself, or what gzip packed into it if the path ends in `.gz`."""
    return gzip.GzipFile(fileobj=stream) if path.endswith(".gz") else stream


def read_header(stream: BinaryIO, path: str) -> Header:
    """Reads the column names from the start of an unpacked stream.

    Raises:
        DataError: There are none, or one twice, or they are no UTF-8.
    """
    block = next(iter_blocks(stream, path, block_bytes=1 << 16), None)
    data = (block.data or block.rest) if block else b""
    ends = record_ends(data)
    end = int(ends[0]) if len(ends) else len(data)
    try:
        text = data[:end].removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        raise DataError.explain(
            path,
            f"not UTF-8 text (byte 0x{error.object[error.start]:02x} in the header)",
            "expected a UTF-8 CSV file with the column names in its first line",
            "convert it, for example with iconv -f WINDOWS-1252 -t UTF-8",
        ) from error
    if "\0" in text:  # Python's csv module refuses it before 3.11, and reads it since
        raise DataError.explain(
            path,
            "a zero byte in the header",
            "expected a UTF-8 CSV file with the column names in its first line",
            "see whether it is a CSV file, and in UTF-8; a zero byte is no part of any name",
        )
    with long_cells():
        names = next(csv.reader(io.StringIO(text, newline="")), [])
    if not names:
        raise DataError.explain(
            path,
            "the file is empty" if not data else "the first line is blank",
            "expected a UTF-8 CSV file with the column names in its first line",
            "export the file again, with its header",
        )
    require_distinct_header(path, names)
    return Header(tuple(names), end, count_lines(data[:end]))


def iter_blocks(
    stream: BinaryIO,
    path: str,
    start: int = 0,
    stop: int | None = None,
    first_line: int = 1,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """Reads whole records, about `block_bytes` at a time; one record that is longer comes whole.

    Args:
        stream: Stands at `start`, where a record begins.
        path: For messages.
        start: Offset of the stream.
        stop: Where to end, which is where a record ends; None for the end of the stream.
        first_line: The line at `start`.
        block_bytes: How much to hold.

    Raises:
        DataError: A record is longer than 256 MB.
    """
    held, wanted = b"", block_bytes
    position = start
    while True:
        most = wanted if stop is None else min(wanted, stop - position)
        read = stream.read(most) if most > 0 else b""
        position += len(read)
        held += read
        if not read:
            if held:
                yield _last_block(held, position - len(held), first_line)
            return
        end = _last_end(held)
        if end == 0:
            if len(held) > LONGEST_RECORD_BYTES:
                raise DataError.explain(
                    f"{path}, line {first_line}",
                    f"a row of more than {LONGEST_RECORD_BYTES >> 20} MB begins",
                    "expected rows that fit into memory",
                    "look for a quote that is never closed",
                )
            wanted = max(wanted, len(held))  # doubles, so that a long record is not read n² times
            continue
        block = Block(held[:end], position - len(held), first_line)
        yield block
        first_line += block.lines
        held, wanted = held[end:], block_bytes


def _last_block(held: bytes, start: int, first_line: int) -> Block:
    if not is_open_at_end(held):
        return Block(held, start, first_line)
    ends = record_ends(held)
    end = int(ends[-1]) if len(ends) else 0
    return Block(held[:end], start, first_line, unclosed=True, rest=held[end:])


def _last_end(held: bytes) -> int:
    """Where the last record ends for certain, or 0: what follows a CR may be yet to come."""
    if _QUOTE not in held and (found := held.rfind(b"\n")) >= 0:
        return found + 1
    ends = record_ends(held)
    if len(ends) and ends[-1] == len(held) and held[-1] == _CR:
        ends = ends[:-1]
    return int(ends[-1]) if len(ends) else 0


def count_lines(data: bytes) -> int:
    """Line ends: LF, CR LF, or CR alone."""
    count = data.count(b"\n")
    if b"\r" in data:
        count += data.count(b"\r") - data.count(b"\r\n")
    return count


def record_ends(data: bytes) -> np.ndarray:
    """Finds where records end that have a line end.

    Args:
        data: Begins with a record.

    Returns:
        int [records], the offsets behind the line ends that no quotes enclose, ascending.
    """
    codes = np.frombuffer(data, np.uint8)
    ends = codes == _LF
    if b"\r" in data:
        alone = codes == _CR
        alone[:-1] &= ~ends[1:]
        ends |= alone
    ends = np.flatnonzero(ends)
    if _QUOTE in data and len(ends):
        # Before an end, as many quotes have opened a cell as have closed one.
        ends = ends[np.searchsorted(_switches(data, codes), ends) % 2 == 0]
    return ends + 1


def is_open_at_end(data: bytes) -> bool:
    """Whether a quoted cell is still open behind the last byte."""
    if _QUOTE not in data:
        return False
    codes = np.frombuffer(data, np.uint8)
    return len(_switches(data, codes)) % 2 == 1


def _switches(data: bytes, codes: np.ndarray) -> np.ndarray:
    """Offsets at which quoting begins or ends, ascending; the first one begins it.

    Where every other quote stands at the start of a cell, or right behind one that closed (which is
    an escaped quote), it is all quotes. Where not, some are plain characters, and a pattern finds
    those that are none.
    """
    quotes = np.flatnonzero(codes == _QUOTE)
    opening = quotes[::2]
    before = codes[np.maximum(opening, 1) - 1]
    at_start = (opening == 0) | (before == _COMMA) | (before == _LF) | (before == _CR)
    escaped = before == _QUOTE
    escaped[:1] = False
    if np.all(at_start | escaped):
        return quotes
    switches: list[int] = []
    for match in _QUOTED.finditer(data):
        switches.append(match.start())
        inner = data[match.start() + 1 : match.end()]
        if (len(inner) - len(inner.rstrip(b'"'))) % 2 == 1:  # closed, and no escaped quote at last
            switches.append(match.end() - 1)
    return np.array(switches, np.int64)
