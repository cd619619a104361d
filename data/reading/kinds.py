"""Kinds of columns without a schema: decided by all their values, not by the first ones.

As TFX's CsvExampleGen has it, a column is int if all its cells are integers, float if all are
numbers, and text otherwise; a cell without a character says nothing. Called by
`data.reading.pieces`.
"""

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from data.reading.batches import UNKNOWN
from data.reading.values import TRUTHS, check_value
from fareline.kinds import FLOAT, FLOAT32_MAX, INT, STRING, fits_int64

_WIDER = (UNKNOWN, INT, FLOAT, STRING)
_AT_ONCE = 1_000
_PLAIN = b"0123456789.-eE"  # nothing that is trimmed, or that Arrow and Python read differently


def merge_kinds(found: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The kinds that fit all parts of the data."""
    merged: dict[str, str] = {}
    for kinds in found:
        for name, kind in kinds.items():
            merged[name] = max(kind, merged.get(name, UNKNOWN), key=_WIDER.index)
    return merged


def kind_of_cells(array: pa.Array, at_least: str = UNKNOWN, truths: bool = False) -> str:
    """The narrowest kind that fits all cells.

    Args:
        array: Binary; null is an empty cell.
        at_least: Kind that other cells of the column already need.
        truths: Whether texts such as True are numbers, as where a schema says so.
    """
    if at_least == STRING or array.null_count == len(array):
        return at_least
    try:
        text = array.cast(pa.string())
    except pa.ArrowInvalid:
        return STRING
    hexadecimal = False
    if not _is_plain(array):
        text = pc.utf8_trim_whitespace(text)
        # Some versions of Arrow read a plus before a fraction, none before an integer.
        text = pc.replace_substring_regex(text, r"^\+([0-9.])", r"\1")
        hexadecimal = pc.any(pc.match_substring(text, "x", ignore_case=True)).as_py()
    if at_least != FLOAT and not hexadecimal and _casts(text, pa.int64()):
        return INT
    if not hexadecimal and (found := _casts(text, pa.float64())) is not None:
        return FLOAT if _finite(found) else STRING
    return _kind_by_python(_texts(text.unique()), at_least, truths)


def _texts(array: pa.Array) -> Iterator[str | None]:
    """Few at a time, since the first that is no number ends the search."""
    for start in range(0, len(array), _AT_ONCE):
        yield from array.slice(start, _AT_ONCE).to_pylist()


def kind_of_key(value: str) -> str:
    """Kind of the value in a folder's name: as in pyarrow, int or text."""
    try:
        pa.array([value], pa.string()).cast(pa.int32())
    except pa.ArrowInvalid:
        return STRING
    return INT


def _is_plain(array: pa.Array) -> bool:
    """Whether all cells are of these characters alone, and those beside a slice as well."""
    cells = array.buffers()[2]
    return cells is not None and not cells.to_pybytes().translate(None, _PLAIN)


def _casts(text: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return text.cast(kind)
    except pa.ArrowInvalid:
        return None


def _finite(array: pa.Array) -> bool:
    return bool(pc.all(pc.less_equal(pc.abs(array), FLOAT32_MAX)).as_py())


def _kind_by_python(texts: Iterable[str | None], kind: str, truths: bool) -> str:
    """What Arrow does not read, such as digits of other scripts, Python may."""
    kind = max(kind, INT, key=_WIDER.index)
    for text in texts:
        if text is None:
            continue
        if text.strip() in TRUTHS:
            if truths:
                continue
            return STRING
        if kind == INT and not _is_integer(text):
            kind = FLOAT
        if kind == FLOAT and (text == "" or check_value(text, FLOAT)[1] is not None):
            return STRING
    return kind


def _is_integer(text: str) -> bool:
    try:
        return "_" not in text and fits_int64(int(text))
    except ValueError:
        return False
