"""data.reading.column_types: what becomes of every type of column that a file may have."""

import datetime
import decimal
import uuid
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from data.reading.columnar import convert_column
from data.reading.pieces import kinds_in, plan_file, read_piece
from data.reading.rows import Wanted
from data.reading.rows_file import open_rows
from data.sources.files import check_source_files
from data.sources.sample import read_sample
from data.writing.rows import open_writer
from fareline.errors import DataError

OPEN = partial(open, mode="rb")
TIME = datetime.datetime(2024, 1, 2, 3, 4, 5, 500_000)
SECONDS = 1_704_164_645
UUID = uuid.UUID(int=7).bytes
HELD = {
    "timestamp_ms": (pa.array([TIME, None], pa.timestamp("ms")), "int", [SECONDS, None]),
    "timestamp_ns": (pa.array([TIME, None], pa.timestamp("ns")), "int", [SECONDS, None]),
    "timestamp_zone": (
        pa.array([TIME, None], pa.timestamp("us", "Europe/Berlin")),
        "int",
        [SECONDS, None],
    ),
    "timestamp_1969": (pa.array([-1, None], pa.timestamp("ms")), "int", [-1, None]),
    "date32": (pa.array([TIME.date(), None], pa.date32()), "int", [1_704_153_600, None]),
    "date64": (pa.array([TIME.date(), None], pa.date64()), "int", [1_704_153_600, None]),
    "time32": (pa.array([TIME.time(), None], pa.time32("ms")), "float", [11_045.5, None]),
    "time64": (pa.array([TIME.time(), None], pa.time64("ns")), "float", [11_045.5, None]),
    "duration": (pa.array([-1500, None], pa.duration("ms")), "float", [-1.5, None]),
    "decimal": (pa.array([decimal.Decimal("1.25"), None]), "float", [1.25, None]),
    "decimal256": (
        pa.array([decimal.Decimal("1.25"), None], pa.decimal256(50, 2)),
        "float",
        [1.25, None],
    ),
    "bool": (pa.array([True, None]), "int", [1, None]),
    "uint64": (pa.array([2**63 - 1, None], pa.uint64()), "int", [2**63 - 1, None]),
    "uint64_large": (pa.array([2**63, None], pa.uint64()), "float", [2.0**63, None]),
    "dictionary": (pa.array(["a", None]).dictionary_encode(), "string", [b"a", None]),
    "dictionary_of_times": (
        pa.array([TIME, None], pa.timestamp("us")).dictionary_encode(),
        "int",
        [SECONDS, None],
    ),
    "uuid": (pa.array([UUID, None], pa.binary(16)), "string", [UUID, None]),
    "binary": (pa.array([b"\xff\x00", None]), "string", [b"\xff\x00", None]),
    "large_text": (pa.array(["a", None], pa.large_string()), "string", [b"a", None]),
    "null": (pa.nulls(2), "unknown", [None, None]),
    "list": (pa.array([["a", "b"], None]), "string", [[b"a", b"b"], []]),
    "list_of_times": (pa.array([[TIME], None]), "int", [[SECONDS], []]),
    "fixed_list": (pa.array([[1, 2], None], pa.list_(pa.int32(), 2)), "int", [[1, 2], []]),
    "list_of_bytes": (pa.array([[b"ab"], None], pa.list_(pa.binary(2))), "string", [[b"ab"], []]),
}
FORMLESS = {
    "struct": pa.array([{"a": 1}, None]),
    "list_of_struct": pa.array([[{"a": 1}], None]),
    "list_of_lists": pa.array([[[1], []], None]),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
}
ARROW_ALONE = {
    "half": (pa.array([np.float16(1.5), None], pa.float16()), "float", [1.5, None]),
    "list_of_halves": (pa.array([[np.float16(1.5)], None]), "float", [[1.5], []]),
}


class Celsius(pa.ExtensionType):
    """A type of somebody else's, of numbers."""

    def __init__(self):
        super().__init__(pa.int16(), "tests.celsius")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


class Place(Celsius):
    """Another, of structs."""

    def __init__(self):
        pa.ExtensionType.__init__(self, pa.struct({"a": pa.int64()}), "tests.place")


def _of_this_version():
    """Types that this version of Arrow has, where the oldest that we know has not."""
    texts, numbers = ["a", None], [[1, 2], None]
    if hasattr(pa, "string_view"):
        yield "text_view", pa.array(texts, pa.string_view()), "string", [b"a", None]
        yield "bytes_view", pa.array([b"\xff", None], pa.binary_view()), "string", [b"\xff", None]
    if hasattr(pa, "list_view"):
        for name, kind in (("view", pa.list_view), ("large_view", pa.large_list_view)):
            yield f"list_{name}", pa.array(numbers, kind(pa.int64())), "int", [[1, 2], []]
    if hasattr(pa, "RunEndEncodedArray"):
        for name, values, kind, held in (
            ("texts", pa.array(texts), "string", [b"a", None]),
            ("times", pa.array([TIME, None], pa.timestamp("us")), "int", [SECONDS, None]),
        ):
            made = pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), values)
            yield f"runs_of_{name}", made, kind, held
    if hasattr(pa, "decimal32"):
        numbers = [decimal.Decimal("1.25"), None]
        yield "decimal32", pa.array(numbers, pa.decimal32(5, 2)), "float", [1.25, None]
        yield "decimal64", pa.array(numbers, pa.decimal64(9, 2)), "float", [1.25, None]
    if hasattr(pa, "uuid"):
        made = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([UUID, None], pa.binary(16)))
        yield "uuid_type", made, "string", [UUID, None]
    if hasattr(pa, "json_"):
        made = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": 1}', None]))
        yield "json", made, "string", [b'{"a": 1}', None]
    if hasattr(pa, "bool8"):
        made = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, None], pa.int8()))
        yield "bool8", made, "int", [1, None]


ARROW_ALONE |= {name: tuple(more) for name, *more in _of_this_version()}
_DEGREES = pa.ExtensionArray.from_storage(Celsius(), pa.array([-3, None], pa.int16()))
_PLACES = pa.ExtensionArray.from_storage(Place(), pa.array([{"a": 1}, None]))
ARROW_ALONE |= {
    "extension": (_DEGREES, "int", [-3, None]),
    "dictionary_of_decimals": (
        pa.array([decimal.Decimal("1.25"), None]).dictionary_encode(),
        "float",
        [1.25, None],
    ),
}


def write(folder, ending, columns):
    path = folder / f"t{ending}"
    table = pa.table({"x": [1.0, 2.0], **columns})
    if ending == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        pyarrow.feather.write_feather(table, path)
    return path


def write_all(folder, ending):
    held = dict(HELD)
    formless = dict(FORMLESS)
    if ending != ".parquet":
        held |= ARROW_ALONE
        formless["extension_of_structs"] = _PLACES
        formless["interval"] = pa.array([(1, 2, 3), None], pa.month_day_nano_interval())
        formless["union"] = pa.UnionArray.from_sparse(
            pa.array([0, 0], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]
        )
    else:  # which has no such lists in every version
        held.pop("dictionary_of_times")
        held.pop("fixed_list")
    columns = {name: array for name, (array, *_) in held.items()} | formless
    return write(folder, ending, columns), held, formless


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".feather"])
def test_every_type_is_held_or_passed_over(tmp_path, ending):
    path, held, formless = write_all(tmp_path, ending)
    [piece] = plan_file(str(path), OPEN)[1]
    kinds = kinds_in(piece, {}, OPEN)
    assert kinds == {"x": "float", **{name: kind for name, (_, kind, _) in held.items()}}
    [batch] = read_piece(piece, kinds, OPEN)
    assert batch.bad == ()
    found = {name: array.to_pylist() for name, array in batch.columns.items()}
    assert found == {"x": [1.0, 2.0], **{name: values for name, (*_, values) in held.items()}}
    source = check_source_files(path, ["x"])
    assert len(source.notes) == 1 and all(repr(name) in source.notes[0] for name in formless)
    assert set(read_sample(path, {}).kinds) == set(kinds)


@pytest.mark.parametrize("ending", [".parquet", ".arrow"])
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("struct", "its fields as columns of their own, .* SELECT column.a"),
        ("map", r"the values of its keys .* SELECT column\['key'\]"),
        ("list_of_struct", "write one flat list, or one value"),
        ("list_of_lists", "write one flat list, or one value"),
    ],
)
def test_a_column_without_a_form_is_refused_where_it_is_used(tmp_path, ending, name, hint):
    path = write(tmp_path, ending, FORMLESS)
    with pytest.raises(DataError, match=f"column '{name}' is .*; expected numbers.*{hint}"):
        check_source_files(path, [name])
    with pytest.raises(DataError, match=f"column '{name}' is "):
        check_source_files(path, ["x"], used=[name])


@pytest.mark.parametrize("ending", [".parquet", ".arrow"])
def test_several_values_in_a_row_are_refused_where_one_is_used(tmp_path, ending):
    path = write(tmp_path, ending, {"tags": [["a", "b"], []], "tag": [["a"], None]})
    check_source_files(path, ["tags", "tag"], single=["tag", "x"])
    with pytest.raises(DataError, match="column 'tags' holds several values in a row, up to 2"):
        check_source_files(path, ["tags"], single=["tags"])


def test_a_slice_of_a_column_is_what_the_column_is():
    for array, kind, values in [*HELD.values(), *ARROW_ALONE.values()]:
        known = not isinstance(array, pa.ExtensionArray) and not pa.types.is_dictionary(array.type)
        if kind != "unknown" and known:
            longer = pa.concat_arrays([array.slice(1), array, array])
            found, faults = convert_column(longer.slice(1, 2), kind)
            assert (found.to_pylist(), faults) == (values, {}), array.type


@pytest.mark.parametrize("name", ARROW_ALONE)
def test_a_column_of_a_new_type_is_read_alike_for_training_and_for_predictions(tmp_path, name):
    array, kind, values = ARROW_ALONE[name]
    path = write(tmp_path, ".arrow", {name: array})
    [piece] = plan_file(str(path), OPEN)[1]
    [batch] = read_piece(piece, {"x": "float", name: kind}, OPEN)
    [rows] = open_rows(path, Wanted({name: kind}))
    assert batch.columns[name].to_pylist() == rows.features[name].to_pylist() == values
    for output in (".csv", ".jsonl", ".parquet"):
        with open_writer(tmp_path / f"out{output}") as writer:
            for unread in open_rows(path, Wanted({"x": "float"})):
                writer.write(unread, {"prediction": pa.array([0.5, 0.25])})
        assert (tmp_path / f"out{output}").stat().st_size


def test_seconds_have_fractions_where_they_are_wanted():
    found, _ = convert_column(pa.array([TIME, None], pa.timestamp("us")), "float")
    assert found.to_pylist() == [SECONDS + 0.5, None]
    _, faults = convert_column(pa.array([1, 1500], pa.duration("ms")), "int")
    assert [fault.reason for fault in faults.values()] == ["wrong_type", "wrong_type"]


@pytest.mark.parametrize("output", [".csv", ".jsonl", ".parquet"])
def test_predictions_are_written_beside_columns_of_every_type(tmp_path, output):
    path, _, _ = write_all(tmp_path, ".parquet")
    with open_writer(tmp_path / f"out{output}") as writer:
        for rows in open_rows(path, Wanted({"x": "float", "timestamp_ms": "float"})):
            assert not rows.bad
            assert rows.features["timestamp_ms"].to_pylist() == [SECONDS + 0.5, None]
            writer.write(rows, {"prediction": pa.array([0.5, 0.25])})
    assert (tmp_path / f"out{output}").stat().st_size


def test_a_column_that_parquet_cannot_hold_is_refused_in_one_line(tmp_path):
    intervals = pa.array([(1, 2, 3), None], pa.month_day_nano_interval())
    path = write(tmp_path, ".arrow", {"interval": intervals})
    [rows] = open_rows(path, Wanted({"x": "float"}))
    with (
        pytest.raises(DataError, match="cannot be Parquet .*interval.*an --output that ends in"),
        open_writer(tmp_path / "out.parquet") as writer,
    ):
        writer.write(rows, {})


def test_a_prediction_refuses_a_column_without_a_form_that_the_model_reads(tmp_path):
    path = write(tmp_path, ".parquet", FORMLESS)
    with pytest.raises(DataError, match="column 'map' is map<string, int64.*; expected numbers"):
        next(open_rows(path, Wanted({"map": "int"})))
