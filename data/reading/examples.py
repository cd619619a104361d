"""Reads TFRecord files of tf.Examples into batches.

Called by `data.reading.pieces`, and by what looks into Examples artifacts. Imports TensorFlow and
tfx_bsl when a file is opened.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.reading.batches import UNKNOWN, Batch
from data.reading.columnar import convert_column
from data.reading.packed import require_whole
from data.reading.rows import BadRow
from data.reading.values import Fault, convert
from fareline.errors import DataError
from fareline.kinds import FLOAT, INT, STRING

NOT_AN_EXAMPLE, WRONG_KIND = "not_an_example", "wrong_kind"
_RECORDS = 16_384
_INNER = {INT: pa.int64(), FLOAT: pa.float32(), STRING: pa.large_binary()}


def read(path: str, kinds: Mapping[str, str]) -> Iterator[Batch]:
    """Reads all records; see `data.reading.pieces.read_piece`."""
    first = 1
    for records in read_records(path):
        yield _to_batch(path, records, first, kinds)
        first += len(records)


def read_columns(
    paths: Iterable[str], choose: Callable[[int], np.ndarray] | None = None
) -> Iterator[dict[str, pa.Array]]:
    """Reads files of an Examples artifact, in the memory of one batch.

    Args:
        paths: TFRecord files of tf.Examples, gzipped where the name ends in .gz.
        choose: Called with the number of records of each batch, once, before that batch is yielded;
            returns the indices of those to decode. Reading takes far less than decoding. None: all.

    Yields:
        Columns by name: large_lists of int64, float32 or large_binary, null where the feature is
        missing; a column without any value in the batch is of nulls.
    """
    for path in paths:
        for records in read_records(path):
            if choose is not None:
                records = [records[index] for index in choose(len(records))]
            batch, faults = _decode(path, records)
            if faults:
                raise DataError.explain(
                    path,
                    f"{len(faults)} of its records are not tf.Examples",
                    "expected tf.Examples, as ExampleGen writes them",
                    "if they are an artifact of a run, `fareline run --no-cache` makes them again",
                )
            yield dict(zip(batch.schema.names, batch.columns, strict=True))


def kinds(path: str, known: Mapping[str, str]) -> dict[str, str]:
    """Kinds of the features that `known` lacks."""
    found: dict[str, str] = {}
    for records in read_records(path):
        batch, _ = _decode(path, records)
        for field in batch.schema:
            if field.name not in known:
                kind = _kind_of(field.type)
                if found.setdefault(field.name, kind) == UNKNOWN:
                    found[field.name] = kind
    return found


def read_records(path: str, count: int = _RECORDS) -> Iterator[list[bytes]]:
    """Reads a TFRecord file, one batch of records ahead of what is asked for.

    Args:
        path: Gzipped where its name ends in .gz.
        count: Count of the records of each batch but the last.

    Raises:
        DataError: The file is damaged, or cut off.
    """
    import tensorflow as tf

    require_whole(path, lambda path: tf.io.gfile.GFile(path, "rb"))
    packed = "GZIP" if path.endswith(".gz") else ""
    dataset = tf.data.TFRecordDataset(path, packed).batch(count).prefetch(1)
    done = 0
    try:
        for batch in dataset.as_numpy_iterator():
            yield batch.tolist()
            done += len(batch)
    except tf.errors.OpError as error:
        raise DataError.explain(
            path,
            f"damaged behind record {done:,} ({_damage(error.message)})",
            "expected a whole TFRecord file",
            "write or copy it again",
        ) from error


def _damage(message: str) -> str:
    """What TensorFlow says of a file, without the names of its own operations."""
    own = r"{{function_node .*?}} |' failed with .*| *\[Op:.*"
    return re.sub(own, "", message, flags=re.DOTALL)


def _of_two_kinds(path: str, message: str) -> DataError:
    """The error of a feature that is of one kind in some examples and of another in others."""
    told = re.search(r'expected (\w+), found (\w+) for feature "(.*)"', message, re.DOTALL)
    found = message.partition("\n")[0]
    if told is not None:
        found = f"feature {told[3]!r} is {told[1]} in some examples and {told[2]} in others"
    return DataError.explain(
        path, found, "expected each feature to be of one kind", "write the feature with one kind"
    )


def _decode(path: str, records: list[bytes]) -> tuple[pa.RecordBatch, dict[int, Fault]]:
    """The examples among the records, and which of them are none."""
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    decoder = ExamplesToRecordBatchDecoder()
    try:
        return decoder.DecodeBatch(records), {}
    except (RuntimeError, ValueError) as error:
        faults = {}
        good = []
        for index, record in enumerate(records):
            try:
                decoder.DecodeBatch([record])
                good.append(record)
            except (RuntimeError, ValueError):
                faults[index] = Fault(NOT_AN_EXAMPLE, "not a tf.Example; expected one")
        if not faults:  # each for itself is fine: a feature of several kinds
            raise _of_two_kinds(path, str(error)) from error
        return decoder.DecodeBatch(good), faults


def _kind_of(kind: pa.DataType) -> str:
    if pa.types.is_null(kind):
        return UNKNOWN
    inner = kind.value_type
    if pa.types.is_integer(inner):
        return INT
    return FLOAT if pa.types.is_floating(inner) else STRING


def _set_apart_odd(
    batch: pa.RecordBatch, faults: dict[int, Fault], count: int, kinds: Mapping[str, str]
) -> tuple[pa.RecordBatch, dict[int, Fault]]:
    """Has numbers be as in every other format.

    NaN is a missing value and an infinite number a fault; an integer is a number, and a number
    without a fraction an integer, where this is what the column holds.

    Args:
        batch: The examples that are none of the faults.
        faults: By record.
        count: Count of the records.
        kinds: Kinds of values by column.
    """
    places = np.setdiff1d(np.arange(count), np.fromiter(faults, np.int64, len(faults)))
    made, found = [], dict(faults)
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        own, kind, wrong = _kind_of(array.type), kinds.get(name), {}
        is_other = {own, kind} == {INT, FLOAT}
        if is_other or (own == FLOAT and not np.isfinite(_floats(array)).all()):
            wanted = kind if is_other else own
            convert_all = convert_column if _is_long(array) else _convert_single
            array, wrong = convert_all(array, wanted)
        for row, (reason, message) in wrong.items():
            found.setdefault(int(places[row]), Fault(reason, f"{name}: {message}"))
        made.append(array)
    batch = pa.RecordBatch.from_arrays(made, batch.schema.names)
    if len(found) == len(faults):
        return batch, faults
    keep = pa.array([place not in found for place in places.tolist()])
    return batch.filter(keep), found


def _floats(array: pa.Array) -> np.ndarray:
    return array.flatten().to_numpy(zero_copy_only=False)


def _is_long(array: pa.Array) -> bool:
    """Whether some row holds several values."""
    return (pc.max(pc.list_value_length(array)).as_py() or 0) > 1


def _convert_single(array: pa.Array, kind: str) -> tuple[pa.Array, dict[int, Fault]]:
    """Rows of at most one value: of NaN none is left."""
    there = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False) > 0
    places = pa.array(np.cumsum(there) - 1, mask=~there)
    one, faults = convert(array.flatten().take(places), kind)
    kept = one.is_valid().to_numpy(zero_copy_only=False)
    ends = np.concatenate([[0], np.cumsum(kept)])
    inner = one.drop_null().cast(_INNER[kind], safe=False)
    return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), inner), faults


def _to_batch(path: str, records: list[bytes], first: int, kinds: Mapping[str, str]) -> Batch:
    batch, faults = _decode(path, records)
    batch, faults = _set_apart_odd(batch, faults, len(records), kinds)
    columns: dict[str, pa.Array] = {}
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        own, kind = _kind_of(array.type), kinds[name]
        if own not in (UNKNOWN, kind):
            raise DataError.explain(
                path,
                f"feature {name!r} holds {own}",
                f"expected {kind}, as other examples or the schema have it",
                "write the feature with that kind",
            )
        if own == UNKNOWN:
            columns[name] = pa.nulls(len(array)).cast(pa.large_list(_INNER.get(kind, pa.int64())))
        else:
            columns[name] = array.cast(pa.large_list(_INNER[kind]))
    bad = [
        BadRow(first + index, fault, records[index].decode(errors="backslashreplace"))
        for index, fault in sorted(faults.items())
    ]
    rows = len(records) - len(bad)
    assert all(len(array) == rows for array in columns.values())
    return Batch(path, columns, int(np.int64(rows)), bad)
