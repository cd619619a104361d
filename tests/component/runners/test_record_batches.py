"""What runners.beam.record_batches reads and writes is what Beam's source and sink do."""

import glob
import os

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils
from tfx.components.transform import labels
from tfx.components.transform.executor import TransformProcessor
from tfx_bsl.tfxio.tf_example_record import TFExampleRecord

from fareline.errors import DataError
from runners.beam import record_batches
from runners.beam.engine import run_beam_in_process

SCHEMA = schema_utils.schema_from_feature_spec(
    {
        "number": tf.io.FixedLenFeature([], tf.float32),
        "count": tf.io.VarLenFeature(tf.int64),
        "text": tf.io.VarLenFeature(tf.string),
    }
)


@pytest.fixture
def untouched(monkeypatch):
    """TFX and TFX-BSL as installed, whoever changed them before; and again after the test."""
    for owner, name in ((TFExampleRecord, "BeamSource"), (TransformProcessor, "_EncodeAndWrite")):
        found = getattr(owner, name)
        monkeypatch.setattr(owner, name, staticmethod(getattr(found, "replaces", found)))
    source = TFExampleRecord.BeamSource
    monkeypatch.setattr(TFExampleRecord, "BeamSource", source)


def feature(values):
    kind = {bytes: "bytes", int: "int64", float: "float"}
    if values is None:
        return tf.train.Feature()
    if not values:
        return tf.train.Feature(int64_list=tf.train.Int64List())
    name = kind[type(values[0])]
    value = getattr(tf.train, f"{name.capitalize()}List")(value=values)
    return tf.train.Feature(**{f"{name}_list": value})


def write_files(folder, rows=(700, 1, 2300), seed=0, text=8):
    """Files of random examples: each feature none, once or several times, text of any length."""
    random = np.random.default_rng(seed)
    written = []
    for number, count in enumerate(rows):
        options = tf.io.TFRecordOptions(compression_type="GZIP")
        path = str(folder / f"data-{number:05d}.gz")
        with tf.io.TFRecordWriter(path, options) as writer:
            for _ in range(count):
                times = [None, *range(4)][random.integers(0, 5)]
                some = {
                    "number": feature([float(random.normal())]),
                    "count": feature(times and random.integers(0, 9, times).tolist()),
                    "text": feature([random.bytes(random.integers(0, text))]),
                    "more": feature([1]),
                }
                features = tf.train.Features(feature=some)
                written.append(tf.train.Example(features=features).SerializeToString())
                writer.write(written[-1])
    return written


READ = []


def take(batch):
    """Of this module, so that Beam's worker, a thread, finds this one and pickles no other."""
    READ.append(batch)


def read(tfxio, **options):
    """The rows by column, and how many each batch has."""
    run_beam_in_process()
    READ.clear()
    with beam.Pipeline() as pipeline:
        _ = pipeline | tfxio.BeamSource(**options) | beam.Map(take)
    columns = {name: [] for name in READ[0].schema.names}
    for batch in READ:
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            columns[name].extend(array.to_pylist())
    return columns, [batch.num_rows for batch in READ]


@pytest.mark.parametrize("schema", [SCHEMA, None], ids=["schema", "none"])
@pytest.mark.parametrize("column", ["record", None], ids=["records", "plain"])
def test_rows_are_those_of_beams_source_in_the_order_of_the_files(
    untouched, tmp_path, monkeypatch, schema, column
):
    written = write_files(tmp_path)
    tfxio = TFExampleRecord(str(tmp_path / "*"), schema=schema, raw_record_column_name=column)
    with monkeypatch.context() as kept:
        kept.setattr("runners.beam.engine.read_and_write_batches", lambda: None)
        expected, _ = read(tfxio)
    record_batches.read_and_write_batches()
    found, sizes = read(tfxio)
    assert sorted(zip(*expected.values(), strict=True), key=repr) == sorted(
        zip(*found.values(), strict=True), key=repr
    )
    numbers = [tf.train.Example.FromString(e).features.feature["number"] for e in written]
    assert found["number"] == [list(number.float_list.value) for number in numbers]
    assert list(found) == list(expected)
    assert sizes == ([700, 1, 1000, 1000, 300] if column else [700, 1, 2300])
    if column:
        assert found["record"] == [[example] for example in written]


def test_some_columns_of_batches_of_a_wanted_size(untouched, tmp_path):
    write_files(tmp_path, rows=(25,))
    record_batches.read_and_write_batches()
    tfxio = TFExampleRecord(str(tmp_path / "*"), schema=SCHEMA).Project(["number"])
    found, sizes = read(tfxio, batch_size=10)
    assert (list(found), sizes) == (["number"], [10, 10, 5])


def test_large_records_make_small_batches(untouched, tmp_path, monkeypatch):
    monkeypatch.setattr(record_batches, "BYTES", 4000)
    written = write_files(tmp_path, rows=(200,), text=400)
    decoding = record_batches.Decoding(None, None, 4096)
    batches = list(record_batches.read_batches(glob.glob(f"{tmp_path}/*"), decoding))
    assert sum(batch.num_rows for batch in batches) == 200
    assert len(batches) >= sum(map(len, written)) / 4000
    assert max(batch.num_rows for batch in batches) < 40


def test_a_damaged_file_is_named(untouched, tmp_path):
    write_files(tmp_path, rows=(3000,))
    [path] = tmp_path.glob("*")
    whole = path.read_bytes()
    path.write_bytes(whole[:20_000] + bytes(1000) + whole[21_000:])
    with pytest.raises(DataError, match=f"{path}: damaged behind "):
        list(record_batches.read_batches([str(path)], record_batches.Decoding(None, None, 100)))


def test_where_no_file_is_beam_says_so(untouched, tmp_path):
    record_batches.read_and_write_batches()
    with pytest.raises(OSError, match="No files found"):
        read(TFExampleRecord(str(tmp_path / "*")))


def written_by(pipeline_steps, folder):
    """The files in a folder and the examples of each."""
    with beam.Pipeline() as pipeline:
        pipeline_steps(pipeline, str(folder / "examples"))
    return {
        os.path.basename(path): [
            tf.train.Example.FromString(record)  # whose features are in no fixed order
            for record in tf.data.TFRecordDataset(path, "GZIP").as_numpy_iterator()
        ]
        for path in glob.glob(f"{folder}/*")
    }


def test_transform_writes_the_files_that_beam_writes(untouched, tmp_path, monkeypatch):
    run_beam_in_process()
    random = np.random.default_rng(0)
    schema = schema_utils.schema_from_feature_spec(
        {"x": tf.io.FixedLenFeature([], tf.float32), "n": tf.io.FixedLenFeature([], tf.int64)}
    )
    lists = [
        [pa.array([[v] for v in random.normal(size=rows).tolist()], pa.large_list(pa.float32())),
         pa.array([[v] for v in random.integers(0, 9, rows)], pa.large_list(pa.int64()))]
        for rows in (300, 1, 500)
    ]  # fmt: skip
    batches = [(pa.RecordBatch.from_arrays(each, ["x", "n"]), {}) for each in lists]

    def steps(pipeline, path):
        _ = (
            pipeline
            | beam.Create(batches, reshuffle=False)
            | TransformProcessor._EncodeAndWrite(
                schema=schema, file_format=labels.FORMAT_TFRECORD, output_path=path
            )
        )

    ours = TransformProcessor._EncodeAndWrite
    found = written_by(steps, tmp_path / "ours")
    monkeypatch.setattr(TransformProcessor, "_EncodeAndWrite", staticmethod(ours.replaces))
    expected = written_by(steps, tmp_path / "beam")
    assert list(found) == ["examples-00000-of-00001.gz"]
    assert found == expected
    assert len(found["examples-00000-of-00001.gz"]) == 801


def test_an_example_that_cannot_be_encoded_ends_the_component(untouched, tmp_path):
    run_beam_in_process()
    schema = schema_utils.schema_from_feature_spec({"x": tf.io.FixedLenFeature([], tf.float32)})
    batch = pa.RecordBatch.from_arrays([pa.array([["text"]], pa.large_list(pa.string()))], ["x"])

    def steps(pipeline, path):
        _ = (
            pipeline
            | beam.Create([(batch, {})])
            | TransformProcessor._EncodeAndWrite(
                schema=schema, file_format=labels.FORMAT_TFRECORD, output_path=path
            )
        )

    with pytest.raises(RuntimeError, match="Error encoding feature"):
        written_by(steps, tmp_path)


def test_what_is_not_as_expected_stays_as_it_is(untouched, monkeypatch):
    def source(self, batch_size=None, more=None):
        return None

    def write(schema, output_path):
        return None

    monkeypatch.setattr(TFExampleRecord, "BeamSource", source)
    monkeypatch.setattr(TransformProcessor, "_EncodeAndWrite", staticmethod(write))
    record_batches.read_and_write_batches()
    assert TFExampleRecord.BeamSource is source
    assert TransformProcessor._EncodeAndWrite is write


def test_a_tfxio_that_keeps_its_files_elsewhere_reads_as_ever(untouched, monkeypatch):
    before = TFExampleRecord.BeamSource

    def init(self, file_pattern, telemetry_descriptors=None):
        self.patterns = file_pattern

    monkeypatch.setattr(TFExampleRecord, "__init__", init)
    record_batches.read_and_write_batches()
    assert TFExampleRecord.BeamSource is before


def test_a_second_call_changes_nothing(untouched):
    record_batches.read_and_write_batches()
    before = TFExampleRecord.BeamSource, TransformProcessor._EncodeAndWrite
    record_batches.read_and_write_batches()
    assert before == (TFExampleRecord.BeamSource, TransformProcessor._EncodeAndWrite)


def test_other_files_and_formats_are_left_to_tfx(untouched, tmp_path):
    record_batches.read_and_write_batches()
    schema = schema_pb2.Schema()
    source = TFExampleRecord("gs://bucket/*", schema=schema).BeamSource()
    assert not isinstance(source, record_batches.ReadBatches)
    for file_format, path in (
        (labels.FORMAT_TFRECORD, "gs://bucket/x"),
        ("FILE_FORMAT_PARQUET", "/x"),
    ):
        sink = TransformProcessor._EncodeAndWrite(
            schema=schema, file_format=file_format, output_path=path
        )
        assert not isinstance(sink, beam.io.iobase.Write)
