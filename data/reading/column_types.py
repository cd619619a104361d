"""Kinds of columns of typed files in examples, and their conversion.

Times become seconds, decimals and half floats numbers, booleans 0 and 1, dictionaries their values.
Structs, maps, lists of lists and the like have no form in an example: such a column is passed over
where nothing uses it, and refused where something does. Called by `data.reading.columnar` and by
those who check a source. Imports no TFX.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.reading.batches import UNKNOWN
from fareline.errors import DataError
from fareline.kinds import FLOAT, INT, STRING, fits_int64

_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_EXPECTED = "expected numbers, texts, times or lists of them"
_LEAVE_OUT = "or leave the column out"


def held_kind(kind: pa.DataType) -> str | None:
    """The kind in examples of a column of this type; None: no kind."""
    kind = stored_type(kind)
    if is_list(kind):
        kind = stored_type(kind.value_type)
    of = pa.types
    if of.is_null(kind):
        return UNKNOWN
    if of.is_boolean(kind) or of.is_integer(kind) or of.is_timestamp(kind) or of.is_date(kind):
        return INT
    if of.is_floating(kind) or of.is_decimal(kind) or of.is_time(kind) or of.is_duration(kind):
        return FLOAT
    if is_text(kind) or is_bytes(kind):
        return STRING
    return None


def kind_of_type(path: str, name: str, kind: pa.DataType) -> str:
    """The kind in examples of a column of this type.

    Raises:
        DataError: They can hold nothing of it, such as of a struct.
    """
    found = held_kind(kind)
    if found is None:
        raise DataError.explain(
            path, f"column {name!r} is {_short(kind)}", _EXPECTED, _way_round(kind)
        )
    return found


def held_kinds(types: Mapping[str, pa.DataType]) -> dict[str, str]:
    """Column to what examples hold of it, without those of which they hold nothing."""
    found = {name: held_kind(kind) for name, kind in types.items()}
    return {name: kind for name, kind in found.items() if kind is not None}


def require_holdable(path: str, types: Mapping[str, pa.DataType], used: Iterable[str]) -> None:
    """Refuses a column that is used and that examples can hold nothing of.

    Raises:
        DataError: The column has such a type; the message has a solution for the type.
    """
    for name in used:
        if name in types:
            kind_of_type(path, name, types[name])


def say_passed_over(path: str, types: Mapping[str, pa.DataType]) -> list[str]:
    """A sentence on the columns that nothing uses and that examples can hold nothing of."""
    others = {name: kind for name, kind in types.items() if held_kind(kind) is None}
    return say_formless(path, {name: _short(kind) for name, kind in others.items()})


def say_formless(path: str, columns: Mapping[str, str]) -> list[str]:
    """Names columns that no example can hold; empty without such columns."""
    if not columns:
        return []
    listed = ", ".join(f"{name!r} ({held})" for name, held in columns.items())
    noun = "column" if len(columns) == 1 else "columns"
    return [f"{path}: {noun} {listed} passed over: examples have no form for such values"]


def require_single_values(path: str, columns: Mapping[str, pa.Array], names: Iterable[str]) -> None:
    """Refuses a column that is used as one value a row and holds several in some row.

    Raises:
        DataError: A row has several values; the message has their number.
    """
    for name in names:
        array = columns.get(name)
        if array is None or not is_list(array.type):
            continue
        lengths = pc.fill_null(pc.list_value_length(_large_list(array)), 0)
        if len(lengths) and (most := pc.max(lengths).as_py()) > 1:
            raise DataError.explain(
                path,
                f"column {name!r} holds several values in a row, up to {most}",
                "expected at most one, as it is used",
                "write one value in each row, or columns of their own; or leave it out of the "
                "settings",
            )


def _short(kind: pa.DataType) -> str:
    """A type in a few characters: structs may have hundreds of fields."""
    text = " ".join(str(kind).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _way_round(kind: pa.DataType) -> str:
    """What to do with a column of a type that no example can hold."""
    of = pa.types
    kind = stored_type(kind)
    if of.is_struct(kind) and kind.num_fields:
        field = kind[0].name
        return (
            f"write its fields as columns of their own, for example with data.source.sql and "
            f"SELECT column.{field}, {_LEAVE_OUT}"
        )
    if of.is_map(kind):
        return (
            "write the values of its keys as columns of their own, for example with "
            f"data.source.sql and SELECT column['key'], {_LEAVE_OUT}"
        )
    if is_list(kind):
        return f"write one flat list, or one value, in each row, {_LEAVE_OUT}"
    return f"write it as numbers or texts, {_LEAVE_OUT}"


def stored_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values themselves: of a dictionary's, of an extension's storage."""
    while True:
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        elif isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif _is(kind, "run_end_encoded"):
            kind = kind.value_type
        else:
            return kind


def is_text(kind: pa.DataType) -> bool:
    """Whether it must be UTF-8."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is(kind, "string_view")


def is_bytes(kind: pa.DataType) -> bool:
    """Whether it is bytes of no encoding, such as an image or a UUID."""
    of = pa.types
    return (
        of.is_binary(kind) or of.is_large_binary(kind) or of.is_fixed_size_binary(kind)
        or _is(kind, "binary_view")
    )  # fmt: skip


def is_list(kind: pa.DataType) -> bool:
    """Whether a row holds several values."""
    of = pa.types
    return (
        of.is_list(kind) or of.is_large_list(kind) or of.is_fixed_size_list(kind)
        or _is(kind, "list_view") or _is(kind, "large_list_view")
    )  # fmt: skip


def _is(kind: pa.DataType, name: str) -> bool:
    """Whether a type is one that some versions of Arrow do not know."""
    test = getattr(pa.types, f"is_{name}", None)
    return test is not None and test(kind)


def plain_array(array: pa.Array, kind: str) -> pa.Array:
    """The values of a column as integers, numbers, texts or bytes; or large_lists as they are.

    Args:
        array: Array of a type of which `held_kind` knows something.
        kind: Kind to convert to: whole seconds for int, otherwise with fractions.
    """
    array = _stored_array(array)
    of, found = pa.types, array.type
    if is_list(found):
        return _large_list(array)
    if of.is_boolean(found):
        return array.cast(pa.int8())
    if of.is_decimal(found):
        return array.cast(pa.float64())
    if of.is_float16(found):
        bits = pc.fill_null(array.view(pa.uint16()), 0).to_numpy(zero_copy_only=False)
        return _masked(bits.view(np.float16).astype(np.float32), array)
    if of.is_temporal(found):
        return _seconds(array, kind)
    if of.is_fixed_size_binary(found):
        # Of a slice Arrow 10 makes an array that ends the process when it is looked at.
        whole = array.take(pa.array(np.arange(len(array))))
        return whole.cast(pa.binary()).cast(pa.large_binary())
    if _is(found, "binary_view"):
        return array.cast(pa.large_binary())
    return array.cast(pa.large_string()) if _is(found, "string_view") else array


def plain_form(array: pa.Array) -> pa.Array:
    """The values in a type that every version of Arrow can filter, write and show."""
    if pa.types.is_dictionary(array.type) or _is(array.type, "run_end_encoded"):
        return plain_form(_stored_array(array))
    if _is(array.type, "list_view") or _is(array.type, "large_list_view"):
        return plain_form(_large_list(array))
    if pa.types.is_float16(array.type) or _is_view(array.type):
        return plain_array(array, FLOAT)
    if is_list(array.type) and not pa.types.is_fixed_size_list(array.type):
        inner = array.type.value_type
        if pa.types.is_float16(inner) or _is_view(inner):
            made = _large_list(array)
            offsets = made.offsets.take(pa.array(np.arange(len(made) + 1)))
            offsets = pc.if_else(pa.array([*made.is_valid().to_pylist(), True]), offsets, None)
            return pa.LargeListArray.from_arrays(offsets, plain_array(made.values, FLOAT))
    return array


def _is_view(kind: pa.DataType) -> bool:
    return _is(kind, "string_view") or _is(kind, "binary_view")


def _stored_array(array: pa.Array) -> pa.Array:
    while True:
        if isinstance(array, pa.DictionaryArray):
            array = array.dictionary_decode()
        elif isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif _is(array.type, "run_end_encoded"):
            array = pc.run_end_decode(array)
        else:
            return array


def _large_list(array: pa.Array) -> pa.Array:
    if _is(array.type, "list_view") or _is(array.type, "large_list_view"):
        return _of_list_view(array)
    if not pa.types.is_fixed_size_list(array.type):
        return array.cast(pa.large_list(array.type.value_type))
    # Some versions of Arrow cannot cast these, and keep what lies behind a null when they flatten.
    size, there = array.type.list_size, ~array.is_null().to_numpy(zero_copy_only=False)
    places = np.arange(array.offset * size, (array.offset + len(array)) * size)
    values = array.values.take(pa.array(places[np.repeat(there, size)]))
    ends = np.concatenate([[0], np.cumsum(there * size)]).astype(np.int64)
    offsets = pa.array(ends, mask=np.append(~there, False))
    return pa.LargeListArray.from_arrays(offsets, values)


def _of_list_view(array: pa.Array) -> pa.Array:
    """As lists, by hand: some versions of Arrow make empty lists of a slice when they cast it."""
    there = ~array.is_null().to_numpy(zero_copy_only=False)
    sizes = array.sizes.to_numpy(zero_copy_only=False).astype(np.int64) * there
    starts = array.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    places = np.arange(ends[-1]) + np.repeat(starts - ends[:-1], sizes)
    offsets = pa.array(ends, mask=np.append(~there, False))
    return pa.LargeListArray.from_arrays(offsets, array.values.take(pa.array(places)))


def _seconds(array: pa.Array, kind: str) -> pa.Array:
    """Times as seconds: since 1970 (UTC where no zone is named), since midnight, or that passed."""
    of, found = pa.types, array.type
    if of.is_date(found):
        array, per = array.cast(pa.timestamp("s")), 1
    else:
        unit = re.search(r"\[(\w+)", str(found))  # not every type of time has an attribute for it
        per = _SECOND[unit[1]]
    ticks = array.view(pa.int32() if of.is_time32(found) else pa.int64())
    values = pc.fill_null(ticks, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    whole, rest = np.divmod(values, per)
    has_day = of.is_date(found) or of.is_timestamp(found)
    if kind == INT and (has_day or not rest.any()):
        return _masked(whole, array)
    return _masked(whole + rest / per, array)


def _masked(values: np.ndarray, like: pa.Array) -> pa.Array:
    return pa.array(values, mask=like.is_null().to_numpy(zero_copy_only=False))


def is_beyond_int64(array: pa.Array) -> bool:
    """Whether some value is an integer that an example cannot hold as one."""
    if is_list(array.type):
        array = array.flatten()
    if not pa.types.is_uint64(array.type) or array.null_count == len(array):
        return False
    return not fits_int64(pc.max(array).as_py())
