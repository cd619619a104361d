"""Facts of a column: type, number of values, the values, their range, missing values.

No judgement is made here; that is in `data.profile.kinds`. Called by `data.profile.profile`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.profile.spellings import KNOWN, candidates, spelled_dates, spelled_numbers, spelled_texts
from data.profile.times import share_of_times
from data.reading.batches import UNKNOWN
from data.reading.column_types import (
    held_kind,
    is_beyond_int64,
    is_list,
    plain_array,
    stored_type,
)
from data.reading.csv_batches import convert_cells
from data.reading.csv_header import CsvFormat, number_spelling
from data.reading.pieces import kind_of_column
from fareline.kinds import FLOAT, INT, STRING

LIST, OTHER = "list", "other"  # types of which no feature can be made
MOST_VALUES = 1_000  # whose counts are kept
_LOOKED_AT = 1_000  # distinct texts
_EXACT = 2**53  # below it a float is the whole number that was written


@dataclasses.dataclass
class Facts:
    """Facts of a column.

    Attributes:
        name: Name of the column.
        type: `int`, `float`, `string` or `unknown` as the reader has it; or `list`, `other`.
        rows: Rows of the table.
        missing: Rows without a value, those with a spelling of missing included.
        distinct: Number of different values, without missing ones.
        counts: Value to rows, the most frequent first; of at most `MOST_VALUES` of them.
        array: The values: int64, float64, or a dictionary of texts; null where missing.
        spellings: Spelling of missing to its rows.
        low: The least number.
        high: The greatest.
        is_time: Whether the file says so.
        times: Share of the distinct texts that are written as times.
        padded: Rows of numbers that begin with a 0 that says nothing.
        words: Words of a text, on average.
        length: Characters of a text, on average.
        held: Type of the elements of lists.
    """

    name: str
    type: str
    rows: int
    missing: int = 0
    distinct: int = 0
    counts: dict[str | int | float, int] = dataclasses.field(default_factory=dict)
    array: pa.Array | None = None
    spellings: dict[str, int] = dataclasses.field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    is_time: bool = False
    times: float = 0.0
    padded: int = 0
    words: float = 0.0
    length: float = 0.0
    held: str | None = None

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers."""
        return self.type in (INT, FLOAT)

    @property
    def is_whole(self) -> bool:
        """Whether they are whole numbers, be they written as floats."""
        if self.type == INT:
            return True
        if self.type != FLOAT or not self.counts or max(-self.low, self.high) >= _EXACT:
            return False
        return _all_whole(self.array)

    @property
    def examples(self) -> list[str]:
        """Some values, the most frequent first."""
        return [str(value) for value in list(self.counts)[:3]]

    def numbers(self) -> np.ndarray:
        """float64 [rows], NaN where missing."""
        return _np(pc.fill_null(self.array.cast(pa.float64(), safe=False), float("nan")))


@dataclasses.dataclass(frozen=True)
class Distinct:
    """The different values of a column, and where each is.

    Attributes:
        values: Each once; text or numbers.
        counts: int64, rows of each.
        places: int32 [rows], place in `values`; null where missing.
    """

    values: pa.Array
    counts: np.ndarray
    places: pa.Array

    @classmethod
    def of(cls, array: pa.Array) -> "Distinct":
        """The distinct values of a column."""
        found = array.dictionary_encode()
        counts = np.bincount(_np(found.indices.drop_null()), minlength=len(found.dictionary))
        return cls(found.dictionary, counts.astype(np.int64), found.indices)

    @property
    def rows(self) -> int:
        """Number of rows of the column."""
        return len(self.places)

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.places.null_count

    @property
    def array(self) -> pa.Array:
        """The column, as a dictionary."""
        return pa.DictionaryArray.from_arrays(self.places, self.values)

    def most(self) -> dict[str, int]:
        """Text to rows, the most frequent first, and any that may spell missing."""
        order = np.argsort(-self.counts, kind="stable")
        rest = order[MOST_VALUES:]
        if len(rest):
            known = _np(pc.is_in(self.values, value_set=KNOWN))
            order = np.concatenate([order[:MOST_VALUES], rest[known[rest]]])
        names = self.values.take(pa.array(order)).to_pylist()
        return dict(zip(names, self.counts[order].tolist(), strict=True))

    def without(self, texts: Sequence[str]) -> "Distinct":
        """The distinct values if these texts count as missing."""
        if not texts:
            return self
        gone = _np(pc.is_in(self.values, value_set=pa.array(texts, self.values.type)))
        new = np.cumsum(~gone) - 1
        moved = pa.array(new.astype(np.int32), mask=gone)
        kept = pa.array(~gone)
        return Distinct(self.values.filter(kept), self.counts[~gone], moved.take(self.places))


def facts_of_cells(name: str, column: pa.ChunkedArray, csv_format: CsvFormat) -> Facts:
    """Facts of a CSV column: binary cells, null where empty."""
    cells = _whole(column)
    kind = _kind(cells, csv_format)
    spellings: dict[str, int] = {}
    if kind == STRING:
        texts = Distinct.of(_as_text(cells))
        spellings = _spellings_in(texts, csv_format)
        texts = texts.without(list(spellings))
        kind = _kind(texts.values, csv_format)
        if kind == STRING:
            return _of_texts(name, texts, spellings)
        cells = texts.array.cast(pa.string()).cast(pa.binary())
    if kind == UNKNOWN:
        return Facts(name, UNKNOWN, len(cells), len(cells), spellings=spellings)
    facts = _of_numbers(name, _to_numbers(cells, kind, csv_format), kind, spellings)
    padded = _count_padded(cells) if kind == INT else 0
    return dataclasses.replace(facts, padded=padded)


def _to_numbers(cells: pa.Array, kind: str, csv_format: CsvFormat) -> pa.Array:
    """Cells of which all are numbers."""
    try:
        return cells.cast(pa.string()).cast(pa.int64() if kind == INT else pa.float64())
    except pa.ArrowInvalid:  # with blanks around it, a comma within, or digits of another script
        return convert_cells(cells, kind, csv_format)[0]


def _count_padded(cells: pa.Array) -> int:
    """How many whole numbers begin with a 0 that says nothing."""
    padded = pc.and_(pc.starts_with(cells, "0"), pc.greater(pc.binary_length(cells), 1))
    return int(pc.sum(padded).as_py() or 0)


def _kind(values: pa.Array, csv_format: CsvFormat) -> str:
    """Of cells; what the first need, all of them do: a text or a fraction among many whole."""
    cells = values.cast(pa.binary())
    first = cells.take(pa.array(np.arange(min(_LOOKED_AT, len(cells)))))
    first = kind_of_column(first, UNKNOWN, csv_format)
    return first if first == STRING else kind_of_column(cells, first, csv_format)


def facts_of_values(name: str, column: pa.ChunkedArray) -> Facts:
    """Facts of a column of a typed file."""
    found, rows = column.type, len(column)
    kind = held_kind(found)
    if kind is None:
        return Facts(name, OTHER, rows)
    if is_list(stored_type(found)):
        array = _whole(column)
        lengths = pc.fill_null(pc.list_value_length(array.cast(_large(found))), 0)
        if not len(lengths) or pc.max(lengths).as_py() > 1:
            return Facts(name, LIST, rows, held=kind)
        return _of_single_lists(name, array.cast(_large(found)))
    if kind == UNKNOWN or column.null_count == rows:
        return Facts(name, UNKNOWN, rows, rows)
    array = _whole(column)
    if is_beyond_int64(array):  # a number, as the reader has it
        kind = FLOAT
    array = plain_array(array, kind)
    facts = _of_plain(name, array, kind)
    is_time = pa.types.is_timestamp(found) or pa.types.is_date(found)
    return dataclasses.replace(facts, is_time=is_time)


def _large(kind: pa.DataType) -> pa.DataType:
    return pa.large_list(kind.value_type)


def _of_single_lists(name: str, array: pa.Array) -> Facts:
    """Of lists of one value or none, as examples have them."""
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    places = np.full(len(array), -1)
    places[lengths == 1] = np.arange(int(lengths.sum()))
    flat = array.flatten()
    kind = held_kind(flat.type)
    if not len(flat) or kind in (None, UNKNOWN):
        return Facts(name, UNKNOWN, len(array), len(array))
    single = flat.take(pa.array(places, mask=places < 0))
    return _of_plain(name, plain_array(single, kind), kind)


def _of_plain(name: str, array: pa.Array, kind: str) -> Facts:
    if kind != STRING:
        wanted = pa.int64() if kind == INT else pa.float64()
        return _of_numbers(name, array.cast(wanted, safe=False), kind, {})
    texts = Distinct.of(_as_text(array))
    spellings = _spelled(texts, texts.most(), rest_is_numbers=False)
    return _of_texts(name, texts.without(list(spellings)), spellings)


def _spellings_in(texts: Distinct, csv_format: CsvFormat) -> dict[str, int]:
    """What spells missing among the texts of a column of CSV."""
    counts = texts.most()
    possible = candidates(counts)
    is_number = False
    if possible:
        rest = texts.without(possible)
        is_number = len(rest.values) > 0 and _kind(rest.values, csv_format) in (INT, FLOAT)
    if not is_number:
        others = [text for text in counts if text not in possible][:_LOOKED_AT]
        is_number = share_of_times(others) > 0.95
    return _spelled(texts, counts, is_number)


def _spelled(texts: Distinct, counts: dict[str, int], rest_is_numbers: bool) -> dict[str, int]:
    names = spelled_texts(counts, rest_is_numbers)
    names += [name for name in spelled_dates(counts) if name not in names]
    return {name: counts[name] for name in names}


def _of_texts(name: str, texts: Distinct, spellings: dict[str, int]) -> Facts:
    counts = dict(list(texts.most().items())[:MOST_VALUES])
    looked = list(counts)[:_LOOKED_AT]
    return Facts(
        name, STRING, texts.rows, texts.missing, len(texts.values), counts, texts.array, spellings,
        times=share_of_times(looked),
        words=float(np.mean([len(text.split()) for text in looked])) if looked else 0.0,
        length=float(np.mean([len(text) for text in looked])) if looked else 0.0,
    )  # fmt: skip


def _of_numbers(name: str, array: pa.Array, kind: str, spellings: dict[str, int]) -> Facts:
    if kind == FLOAT:
        wrong = pc.invert(pc.is_finite(array))
        array = pc.if_else(wrong, pa.scalar(None, array.type), array)
    values, counts = np.unique(_np(array.drop_null()), return_counts=True)
    for number in spelled_numbers(values, counts):
        place = int(np.searchsorted(values, number))
        spellings = {**spellings, number_spelling(number): int(counts[place])}
        same = pc.equal(array, pa.scalar(number).cast(array.type))
        array = pc.if_else(pc.fill_null(same, False), pa.scalar(None, array.type), array)
        values, counts = np.delete(values, place), np.delete(counts, place)
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    most = dict(zip(values[order].tolist(), counts[order].tolist(), strict=True))
    ends = (float(values[0]), float(values[-1])) if len(values) else (None, None)
    return Facts(
        name, kind, len(array), array.null_count, len(values), most, array, spellings, *ends
    )


def _as_text(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:  # bytes of no encoding
        values = (value.as_py() for value in array)
        return pa.array([v.decode(errors="replace") if isinstance(v, bytes) else v for v in values])


def _np(array: pa.Array) -> np.ndarray:
    return array.to_numpy(zero_copy_only=False)


def _all_whole(array: pa.Array) -> bool:
    return bool(pc.all(pc.equal(pc.floor(array), array)).as_py())


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
