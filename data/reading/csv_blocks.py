"""Cuts a CSV file into blocks of whole records, by where its quotes open and close.

A quote opens a quoted cell only at the start of a cell, as in Python's csv module and in Arrow's
parser; a line end inside one is no end of a record. Called by `data.reading.pieces` and
`data.reading.csv_batches`. Imports numpy alone.
"""

import codecs
import csv
import dataclasses
import functools
import gzip
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from data.reading.csv_header import (
    COMMAS,
    EXPECTED,
    LONGEST_RECORD_BYTES,
    CsvFormat,
    long_cells,
    not_utf8,
    require_distinct_header,
    require_names,
    require_separator,
    require_text,
)
from fareline.errors import DataError

BLOCK_BYTES = 8 << 20
_BOM = b"\xef\xbb\xbf"
_LF, _CR, _QUOTE = b"\n"[0], b"\r"[0], b'"'[0]


@functools.cache
def _quoted(separator: str) -> re.Pattern[bytes]:
    """A quoted cell, closed or not; what follows its closing quote is not quoted any more."""
    before = re.escape(separator.encode())
    return re.compile(rb"(?<![^" + before + rb'\r\n])"[^"]*(?:""[^"]*)*"?')


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
        """Number of lines that end in it."""
        return count_lines(self.data)


@dataclasses.dataclass(frozen=True)
class Header:
    """The first record of a file.

    Attributes:
        names: The column names.
        end: Where the next record begins, in bytes.
        lines: Number of lines of the record.
    """

    names: tuple[str, ...]
    end: int
    lines: int


def unpacked(stream: BinaryIO, path: str, csv_format: CsvFormat = COMMAS) -> BinaryIO:
    """The stream itself; unpacked if the path ends in `.gz`; as UTF-8 if it is something else."""
    if path.endswith(".gz"):
        stream = gzip.GzipFile(fileobj=stream)
    return stream if csv_format.is_utf8 else io.BufferedReader(_AsUtf8(stream, csv_format.encoding))


class _AsUtf8(io.RawIOBase):
    """Text of another encoding as UTF-8; what is no text of it as a byte that is no UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str):
        codecs.register_error(_KEEP_WRONG, _keep_wrong)
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(_KEEP_WRONG)
        self._held = b""
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        """Fills the buffer; 0 at the end."""
        while not self._held:
            read = self._stream.read(1 << 20)
            text = self._decoder.decode(read, final=not read)
            self._held = text.encode(errors="surrogateescape")
            if not read:
                break
        found, self._held = self._held[: len(buffer)], self._held[len(buffer) :]
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)

    def tell(self) -> int:
        """Where it is in the UTF-8."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Forward by reading; back by beginning again."""
        assert whence == io.SEEK_SET, whence
        if offset < self._position:
            self._stream.seek(0)
            self._decoder.reset()
            self._held, self._position = b"", 0
        while self._position < offset and self.read(min(1 << 20, offset - self._position)):
            pass
        return self._position


_KEEP_WRONG = "fareline.keep_wrong"


def _keep_wrong(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


def read_header(stream: BinaryIO, path: str, csv_format: CsvFormat = COMMAS) -> Header:
    """Reads the column names from the start of an unpacked stream.

    Raises:
        DataError: There are none, or one twice, or they are no UTF-8, or another separator than
            the one that was named divides them.
    """
    separator = csv_format.separator
    block = next(iter_blocks(stream, path, block_bytes=1 << 16, separator=separator), None)
    data = (block.data or block.rest) if block else b""
    require_text(path, data, csv_format.encoding)
    ends = record_ends(data, separator)
    end = int(ends[0]) if len(ends) else len(data)
    try:
        text = data[:end].removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        raise not_utf8(path, data, error, " in the header") from error
    if "\0" in text:  # Python's csv module refuses it before 3.11, and reads it since
        raise DataError.explain(
            path,
            "a zero byte in the header",
            "expected a UTF-8 CSV file with the column names in its first line",
            "see whether it is a CSV file, and in UTF-8; no name has a zero byte",
        )
    require_names(path, text)
    with long_cells():
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    row = data[end : int(ends[1]) if len(ends) > 1 else len(data)].decode(errors="replace")
    require_separator(path, names, text, row, separator)
    if not names:
        raise DataError.explain(
            path,
            "the file is empty" if not data else "the first line is blank",
            EXPECTED,
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
    separator: str = COMMAS.separator,
) -> Iterator[Block]:
    """Reads whole records, about `block_bytes` at a time; one record that is longer comes whole.

    Args:
        stream: Stands at `start`, where a record begins.
        path: For messages.
        start: Offset of the stream.
        stop: Where to end, which is where a record ends; None for the end of the stream.
        first_line: The line at `start`.
        block_bytes: Bytes to hold.
        separator: Between cells.

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
                yield _last_block(held, position - len(held), first_line, separator)
            return
        end = _last_end(held, separator)
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


def _last_block(held: bytes, start: int, first_line: int, separator: str) -> Block:
    if not is_open_at_end(held, separator):
        return Block(held, start, first_line)
    ends = record_ends(held, separator)
    end = int(ends[-1]) if len(ends) else 0
    return Block(held[:end], start, first_line, unclosed=True, rest=held[end:])


def _last_end(held: bytes, separator: str) -> int:
    """Where the last record ends for certain, or 0: what follows a CR may be yet to come."""
    if _QUOTE not in held and (found := held.rfind(b"\n")) >= 0:
        return found + 1
    ends = record_ends(held, separator)
    if len(ends) and ends[-1] == len(held) and held[-1] == _CR:
        ends = ends[:-1]
    return int(ends[-1]) if len(ends) else 0


def count_lines(data: bytes) -> int:
    """Line ends: LF, CR LF, or CR alone."""
    count = data.count(b"\n")
    if b"\r" in data:
        count += data.count(b"\r") - data.count(b"\r\n")
    return count


def record_ends(data: bytes, separator: str = COMMAS.separator) -> np.ndarray:
    """Finds where records end that have a line end.

    Args:
        data: Begins with a record.
        separator: Between cells.

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
        ends = ends[np.searchsorted(_switches(data, codes, separator), ends) % 2 == 0]
    return ends + 1


def is_open_at_end(data: bytes, separator: str = COMMAS.separator) -> bool:
    """Whether a quoted cell is still open behind the last byte."""
    if _QUOTE not in data:
        return False
    codes = np.frombuffer(data, np.uint8)
    return len(_switches(data, codes, separator)) % 2 == 1


def _switches(data: bytes, codes: np.ndarray, separator: str) -> np.ndarray:
    """Offsets at which quoting begins or ends, ascending; the first one begins it.

    Where every other quote stands at the start of a cell, or right behind one that closed (which is
    an escaped quote), it is all quotes. Where not, some are plain characters, and a pattern finds
    those that are none.
    """
    quotes = np.flatnonzero(codes == _QUOTE)
    opening = quotes[::2]
    before = codes[np.maximum(opening, 1) - 1]
    at_start = (opening == 0) | (before == ord(separator)) | (before == _LF) | (before == _CR)
    escaped = before == _QUOTE
    escaped[:1] = False
    if np.all(at_start | escaped):
        return quotes
    switches: list[int] = []
    for match in _quoted(separator).finditer(data):
        switches.append(match.start())
        inner = data[match.start() + 1 : match.end()]
        if (len(inner) - len(inner.rstrip(b'"'))) % 2 == 1:  # closed, and no escaped quote at last
            switches.append(match.end() - 1)
    return np.array(switches, np.int64)
