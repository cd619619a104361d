"""Divides source files into pieces that workers read one by one, and reads a piece in batches.

Which rows a piece holds depends on the file alone, never on who reads it. A large CSV file is cut
where records end, a Parquet file between row groups; a packed CSV file, one of JSON lines and one
of examples can only be read from the start. Called by `pipeline.components.columnar_example_gen`,
with a function that opens files wherever they are. Imports no TFX.
"""

import dataclasses
import hashlib
import os
import types
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.reading import columnar as columnar_files
from data.reading import examples as example_records
from data.reading.batches import UNKNOWN, Batch
from data.reading.csv_batches import read_block, read_cells, with_point
from data.reading.csv_blocks import Block, iter_blocks, read_header, unpacked
from data.reading.csv_header import (
    COMMAS,
    CsvFormat,
    require_no_keys,
    require_possible_names,
    spellings_of,
)
from data.reading.kinds import kind_of_cells, kind_of_key
from data.reading.missing import without_spelled
from data.reading.rows_json import find_kinds, read_batches
from data.reading.values import convert
from fareline.errors import DataError
from fareline.kinds import STRING

PIECE_BYTES = 30 << 20  # of a file: enough for some seconds of work
CSV, JSON, PARQUET, ARROW, EXAMPLES = "csv", "jsonl", "parquet", "arrow", "tfrecord"
FORMATS = {
    ".csv": CSV, ".csv.gz": CSV, ".jsonl": JSON, ".jsonl.gz": JSON, ".parquet": PARQUET,
    ".arrow": ARROW, ".feather": ARROW, ".tfrecord": EXAMPLES, ".tfrecord.gz": EXAMPLES,
}  # fmt: skip
Open = Callable[[str], BinaryIO]


@dataclasses.dataclass(frozen=True)
class Piece:
    """A part of a file.

    Attributes:
        path: The file.
        format: One of the values of `FORMATS`.
        number: Number of the part, from 0.
        names: Names of its columns; empty if only reading finds them.
        start: Where it begins: bytes of a CSV file, groups of rows of the others.
        stop: Where it ends; None: with the file.
        first_line: The line that it begins in, or the row, from 1.
        file_bytes: Size of the file when it was divided.
        csv_format: Format of a CSV file.
        keys: Columns that the names of its folders say, each with its value in every row, as text.
    """

    path: str
    format: str
    number: int
    names: tuple[str, ...]
    start: int = 0
    stop: int | None = None
    first_line: int = 1
    file_bytes: int = 0
    csv_format: CsvFormat = COMMAS
    keys: tuple[tuple[str, str | None], ...] = ()


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """A file as it was read.

    Attributes:
        path: Path of the file.
        bytes: Length of the piece.
        sha256: SHA-256 of its bytes, in hexadecimal digits.
    """

    path: str
    bytes: int
    sha256: str


def format_of(path: str) -> str:
    """The format that a name says; CSV if it says none that we know."""
    endings = [ending for ending in FORMATS if path.endswith(ending)]
    return FORMATS[max(endings, key=len)] if endings else CSV


def plan_file(
    path: str,
    open_file: Open,
    file_format: str | None = None,
    csv_format: CsvFormat = COMMAS,
    keys: Mapping[str, str | None] = types.MappingProxyType({}),
) -> tuple[SourceFile, list[Piece]]:
    """Reads a file once: its digest, and where it can be divided.

    Args:
        path: The file.
        open_file: Opens a path for reading bytes.
        file_format: In place of the one that the name says.
        csv_format: Format of a CSV file.
        keys: Columns that the names of its folders say.

    Raises:
        DataError: The file cannot be read, or holds no columns, or one that its folders say as
            well.
    """
    file_format = file_format or format_of(path)
    with reading(path), open_file(path) as stream:
        hashed = _Hashing(stream)
        if file_format == CSV and not path.endswith(".gz") and csv_format.is_utf8:
            pieces = _plan_csv(path, hashed, open_file, csv_format)
        elif file_format in (PARQUET, ARROW):
            pieces = [
                Piece(path, file_format, number, names, start, stop, first_row)
                for number, (names, start, stop, first_row) in enumerate(
                    columnar_files.plan(path, file_format, open_file)
                )
            ]
        else:
            names: tuple[str, ...] = ()
            first_line, start = 1, 0
            if file_format == CSV:
                with open_file(path) as packed:
                    header = read_header(unpacked(packed, path, csv_format), path, csv_format)
                names, start, first_line = header.names, header.end, 1 + header.lines
            elif file_format == JSON:
                with open_file(path) as packed:
                    names = tuple(find_kinds(unpacked(packed, path)))
            pieces = [Piece(path, file_format, 0, names, start, None, first_line)]
        while hashed.read(1 << 20):
            pass
        if path.endswith(".gz") and not hashed.bytes:
            raise EOFError("it is empty, as no gzip file is")
    require_no_keys(path, pieces[0].names, keys)
    more = {"file_bytes": hashed.bytes, "csv_format": csv_format, "keys": tuple(keys.items())}
    pieces = [dataclasses.replace(piece, **more) for piece in pieces]
    return SourceFile(path, hashed.bytes, hashed.digest.hexdigest()), pieces


class _Hashing:
    """A stream that remembers what went through it."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self.digest = hashlib.sha256()
        self.bytes = 0

    def read(self, size: int = -1) -> bytes:
        """Reads on."""
        found = self._stream.read(size)
        self.digest.update(found)
        self.bytes += len(found)
        return found


def _plan_csv(path: str, stream: Any, open_file: Open, csv_format: CsvFormat) -> list[Piece]:
    with open_file(path) as head:
        header = read_header(head, path, csv_format)
    pieces: list[Piece] = []
    start, line = header.end, 1 + header.lines
    for block in iter_blocks(stream, path, separator=csv_format.separator):
        stop = block.start + len(block.data) + len(block.rest)
        if stop - start >= PIECE_BYTES:
            pieces.append(Piece(path, CSV, len(pieces), header.names, start, stop, line))
            start, line = stop, block.first_line + block.lines
    if start < stop or not pieces:
        pieces.append(Piece(path, CSV, len(pieces), header.names, start, None, line))
    return pieces


def read_piece(piece: Piece, kinds: Mapping[str, str], open_file: Open) -> Iterator[Batch]:
    """Reads a piece.

    Args:
        piece: From `plan_file`.
        kinds: Kinds of every column that it may hold; see `data.reading.batches`.
        open_file: Function that opens the file; see `plan_file`.

    Raises:
        DataError: The file cannot be read on, or is not as long any more as when it was divided.
    """
    for batch in _read_piece(piece, kinds, open_file):
        yield without_spellings(batch, piece.csv_format)


def without_spellings(batch: Batch, csv_format: CsvFormat) -> Batch:
    """The batch, with null for what is spelled as missing."""
    if not csv_format.missing:
        return batch
    columns = {
        name: without_spelled(array, spellings_of(csv_format, name))
        for name, array in batch.columns.items()
    }
    return dataclasses.replace(batch, columns=columns)


def _read_piece(piece: Piece, kinds: Mapping[str, str], open_file: Open) -> Iterator[Batch]:
    with reading(piece.path):
        _require_same_length(piece, open_file)
        for batch in _batches(piece, kinds, open_file):
            yield _with_keys(batch, piece.keys, kinds)


def _batches(piece: Piece, kinds: Mapping[str, str], open_file: Open) -> Iterator[Batch]:
    if piece.format == CSV:
        for block in _blocks(piece, open_file):
            if block.data.strip(b"\r\n") or block.rest:
                yield read_block(block, piece.path, piece.names, kinds, piece.csv_format)
    elif piece.format == JSON:
        with open_file(piece.path) as raw:
            lines = unpacked(raw, piece.path)
            yield from read_batches(piece.path, lines, piece.names, kinds, piece.csv_format)
    elif piece.format == EXAMPLES:
        yield from example_records.read(piece.path, kinds)
    else:
        yield from columnar_files.read(
            piece.path, piece.format, (piece.start, piece.stop), piece.first_line, kinds, open_file
        )


def _with_keys(
    batch: Batch, keys: Sequence[tuple[str, str | None]], kinds: Mapping[str, str]
) -> Batch:
    """The batch with a column for each key, of the same value in all rows."""
    if not keys:
        return batch
    columns = dict(batch.columns)
    for name, value in keys:
        if kinds[name] == UNKNOWN:
            columns[name] = pa.nulls(batch.rows)
            continue
        one, faults = convert(pa.array([value], pa.large_string()), kinds[name])
        if faults:
            raise DataError.explain(
                batch.path,
                f"its folder is named {name}={value}, and {faults[0].message}",
                f"expected {kinds[name]}, as other folders or the schema have it",
                "rename the folder, or correct the schema",
            )
        columns[name] = one.take(pa.array(np.zeros(batch.rows, np.int64)))
    return dataclasses.replace(batch, columns=columns)


def _require_same_length(piece: Piece, open_file: Open) -> None:
    with open_file(piece.path) as stream:
        found = stream.seek(0, os.SEEK_END) or stream.tell()
    if found != piece.file_bytes:
        raise DataError.explain(
            piece.path,
            f"was {piece.file_bytes:,} bytes long and is {found:,}",
            "expected it to stay as it was while it is read",
            "leave the source alone while a run reads it",
        )


def kinds_in(
    piece: Piece, known: Mapping[str, str], open_file: Open, numbers: Collection[str] = ()
) -> dict[str, str]:
    """Kinds of the columns that `known` lacks, from this piece alone.

    Args:
        piece: Part of a file.
        known: Column to kind.
        open_file: Opens the file.
        numbers: Columns of CSV that a schema says are numbers: in them True is 1.
    """
    found = {
        name: UNKNOWN if value is None else kind_of_key(value)
        for name, value in piece.keys
        if name not in known
    }
    found |= _kinds_in_file(piece, known, open_file, numbers)
    require_possible_names(piece.path, found)
    return found


def _kinds_in_file(
    piece: Piece, known: Mapping[str, str], open_file: Open, numbers: Collection[str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    if piece.format == EXAMPLES:
        return example_records.kinds(piece.path, known)
    if piece.format == JSON:
        with open_file(piece.path) as raw:
            kinds = find_kinds(unpacked(raw, piece.path), piece.csv_format)
        return {name: kind for name, kind in kinds.items() if kind and name not in known}
    if piece.format != CSV:
        return columnar_files.kinds(
            piece.path, piece.format, known, open_file, (piece.start, piece.stop)
        )
    unknown = [name for name in piece.names if name not in known]
    if not unknown:
        return {}
    for block in _blocks(piece, open_file):
        if block.data.strip(b"\r\n"):
            cells = read_cells(block.data, piece.names, piece.csv_format)
            for name in unknown:
                spelled = spellings_of(piece.csv_format, name)
                filled = without_spelled(cells[name], spelled)
                at_least = found.get(name, UNKNOWN)
                found[name] = kind_of_column(filled, at_least, piece.csv_format, name in numbers)
    return {name: found.get(name, UNKNOWN) for name in unknown}


def kind_of_column(
    cells: pa.Array, at_least: str, csv_format: CsvFormat, truths: bool = False
) -> str:
    """The kind of cells, of which those with a point are texts where a comma is the mark."""
    if csv_format.decimal == COMMAS.decimal:
        return kind_of_cells(cells, at_least, truths)
    if pc.any(pc.match_substring(cells, COMMAS.decimal)).as_py():
        return STRING
    return kind_of_cells(with_point(cells, csv_format), at_least, truths)


def _blocks(piece: Piece, open_file: Open) -> Iterator[Block]:
    with open_file(piece.path) as raw:
        stream = unpacked(raw, piece.path, piece.csv_format)
        stream.seek(piece.start)
        yield from iter_blocks(
            stream,
            piece.path,
            piece.start,
            piece.stop,
            piece.first_line,
            separator=piece.csv_format.separator,
        )


class reading:  # noqa: N801 - used as a verb
    """Turns what a library says of a file that it cannot read into an error of ours."""

    def __init__(self, path: str):
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, OSError | EOFError | pa.ArrowException) and not isinstance(
            error, DataError
        ):
            found = str(error).partition("\n")[0].rstrip(".")
            raise DataError.explain(
                self._path,
                f"cannot be read ({found})",
                f"expected a {format_of(self._path)} file",
                "check the file and its permissions",
            ) from error
