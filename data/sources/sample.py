"""Reads files of any format of the columnar reader, to examine them without splits.

Values of unexpected types do not stop the reading: they are the result. A column with values of
another kind is read as what it is, and its misfits are counted. Called by `cli.schema`. Imports no
TFX.
"""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from data.reading.batches import UNKNOWN, Batch
from data.reading.csv_header import COMMAS, CsvFormat
from data.reading.kinds import merge_kinds
from data.reading.pieces import CSV, EXAMPLES, Piece, kinds_in, plan_file, read_piece
from data.reading.rows import BadRow
from data.reading.values import convert
from data.sources.files import check_source_files
from data.sources.hive import keys_of
from fareline.errors import DataError
from fareline.kinds import FLOAT, INT, STRING

MAX_ROWS = 1_000_000
_FITTING = {(UNKNOWN, INT), (UNKNOWN, FLOAT), (UNKNOWN, STRING), (INT, FLOAT), (FLOAT, INT)}


@dataclasses.dataclass(frozen=True)
class Misfits:
    """Values of a column that are of another kind than expected.

    Attributes:
        rows: Number of rows that have one.
        example: The first, as text.
    """

    rows: int
    example: str


@dataclasses.dataclass(frozen=True)
class Sample:
    """Rows as they are.

    Attributes:
        batches: The rows that can be read; see `data.reading.batches`.
        bad: Those that cannot.
        misfits: By column: values that are not of the kind that was expected of it.
        kinds: Kinds of every column, as it was read.
        is_whole: Whether that is all, or the first rows only.
        notes: Sentences on what was passed over.
    """

    batches: Sequence[Batch]
    bad: Sequence[BadRow]
    misfits: Mapping[str, Misfits]
    kinds: Mapping[str, str]
    is_whole: bool
    notes: Sequence[str] = ()

    @property
    def rows(self) -> int:
        """Number of rows that could be read."""
        return sum(batch.rows for batch in self.batches)

    def columns(self) -> Iterator[Mapping[str, pa.Array]]:
        """The columns of each batch, at least of one; every batch has them all."""
        names = dict.fromkeys(name for batch in self.batches for name in batch.columns)
        for batch in self.batches:
            yield {name: batch.columns.get(name, pa.nulls(batch.rows)) for name in names}

    def without(self, names: Sequence[str]) -> "Sample":
        """The sample without some of the columns."""
        if not names:
            return self
        batches = [
            dataclasses.replace(
                batch, columns={n: a for n, a in batch.columns.items() if n not in names}
            )
            for batch in self.batches
        ]
        kinds = {name: kind for name, kind in self.kinds.items() if name not in names}
        return dataclasses.replace(self, batches=batches, kinds=kinds)


def read_sample(
    path: Path,
    expected: Mapping[str, str],
    max_rows: int = MAX_ROWS,
    csv_format: CsvFormat = COMMAS,
) -> Sample:
    """Reads a file, or the files of a folder.

    Args:
        path: Path of a format that `data.sources.files` knows.
        expected: Column to the kind that it should be; see `data.reading.batches`. Others are found
            out.
        max_rows: Approximate largest number of rows; the first ones are read.
        csv_format: Format of CSV files.

    Raises:
        DataError: There is no data to read, or it has no rows.
    """
    source = check_source_files(path, (), csv_format=csv_format)
    pieces = [
        piece
        for file in source.files
        for piece in plan_file(
            str(file), _open, csv_format=csv_format, keys=keys_of(str(file), source.pattern)
        )[1]
    ]
    numbers = [name for name, kind in expected.items() if kind in (INT, FLOAT)]
    found = merge_kinds(kinds_in(piece, {}, _open, numbers) for piece in pieces)
    kinds = {name: _kind_to_read(kind, expected.get(name), pieces) for name, kind in found.items()}
    batches, bad, is_whole = _read_rows(pieces, kinds, max_rows)
    fractions = [name for name, kind in kinds.items() if (found[name], kind) == (FLOAT, INT)]
    if bad and fractions:  # not all of them are whole numbers
        kinds |= dict.fromkeys(fractions, FLOAT)
        batches, bad, is_whole = _read_rows(pieces, kinds, max_rows)
    if not any(batch.rows for batch in batches):
        raise DataError.explain(
            str(path),
            f"holds no row that can be read{_say_bad(bad)}" if bad else "holds no row",
            "expected at least one",
            "check the file",
        )
    misfits = {
        name: told
        for name, kind in kinds.items()
        if name in expected
        and kind not in (UNKNOWN, expected[name])
        and (told := _count_misfits(batches, name, expected[name]))
    }
    return Sample(batches, bad, misfits, kinds, is_whole, source.notes)


def _say_bad(bad: Sequence[BadRow]) -> str:
    """How many rows cannot be read, and why most of them cannot."""
    (reason, count), *_ = Counter(row.fault.reason for row in bad).most_common(1)
    first = next(row for row in bad if row.fault.reason == reason)
    all_of_them = f"all {count:,}" if count == len(bad) else f"{count:,} of {len(bad):,}"
    return f": {all_of_them} {reason}, the first in line {first.line} ({first.fault.message})"


def _open(path: str):
    return open(path, "rb")


def _read_rows(
    pieces: Sequence[Piece], kinds: Mapping[str, str], max_rows: int
) -> tuple[list[Batch], list[BadRow], bool]:
    batches, bad, rows = [], [], 0
    for batch in itertools.chain.from_iterable(read_piece(p, kinds, _open) for p in pieces):
        if rows >= max_rows:
            return batches, bad, False
        batches.append(dataclasses.replace(batch, bad=()))
        bad += batch.bad
        rows += batch.rows
    return batches, bad, True


def _kind_to_read(found: str, expected: str | None, pieces: Sequence[Piece]) -> str:
    """As expected where the values allow it, and as they are where not."""
    if expected is None:
        return found
    fits = found == expected or (found, expected) in _FITTING
    if pieces[0].format == CSV:
        fits = fits or expected == STRING
    elif pieces[0].format == EXAMPLES:
        fits = found in (UNKNOWN, expected)  # an example says what it holds
    return expected if fits else found


def _count_misfits(batches: Sequence[Batch], name: str, expected: str) -> Misfits | None:
    rows, example = 0, None
    for batch in batches:
        array = batch.columns.get(name)
        if array is None or pa.types.is_null(array.type) or pa.types.is_large_list(array.type):
            continue
        if expected == STRING:  # numbers are no text, all of them
            wrong = range(len(array.drop_null()))
            array = array.drop_null()
        else:
            wrong = convert(array, expected)[1]
        rows += len(wrong)
        if example is None and len(wrong):
            value = array[next(iter(wrong))].as_py()
            example = value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
    return Misfits(rows, str(example)) if rows else None
