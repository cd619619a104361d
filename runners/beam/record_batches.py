"""TFRecord files of tf.Examples, read and written in batches by the components of a local run.

Beam's TFRecord source hands on record by record, and its sink takes them so, all in Python: half of
the time of StatisticsGen and Transform. Here TensorFlow reads ahead, two threads decode, and a
thread compresses what Transform writes. Records, their order and the files are the same. Batches
are of a fixed size, where Beam sizes them by the clock; so Transform's float32 sums repeat exactly.

Called by `runners.beam.engine`. Imports Beam and TFX's libraries.
"""

import collections
import concurrent.futures
import dataclasses
import glob
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filebasedsink import FileBasedSink
from tfx.components.transform import labels
from tfx_bsl.tfxio import record_based_tfxio
from tfx_bsl.tfxio.tf_example_record import TFExampleRecord

from data.reading.examples import read_records
from data.writing.example_files import RecordWriter
from runners.beam.replacing import is_known, replaces

ROWS, ROWS_WITH_RECORDS = 4096, 1000  # of a batch; TFMA keeps the records, and is used to 1,000
BYTES = 32 << 20  # of the records of a batch; each costs as much as some hundred rows, by column
DECODERS = 2  # decoding leaves Python's lock alone
WAITING = 2  # batches for each decoder


def read_and_write_batches() -> None:
    """Replaces the source and the sink; once per process.

    Where they are not as this module knows them, they stay as they are, and the log says so.
    """
    from tfx.components.transform.executor import TransformProcessor

    if is_known(TFExampleRecord, "BeamSource", "self", "batch_size") and _has_files_and_schema():
        TFExampleRecord.BeamSource = _source_or(TFExampleRecord.BeamSource)
    known = ("schema", "file_format", "output_path")
    if is_known(TransformProcessor, "_EncodeAndWrite", *known):
        original = TransformProcessor._EncodeAndWrite
        encoder = getattr(TransformProcessor, "_RecordBatchToExamplesFn", None)
        if encoder is not None:
            TransformProcessor._EncodeAndWrite = staticmethod(_sink_or(original, encoder))


def _has_files_and_schema() -> bool:
    """Whether a TFExampleRecord keeps these where they are looked for."""
    attributes = vars(TFExampleRecord("*", telemetry_descriptors=["a"]))
    return attributes.get("_file_pattern") == ["*"] and hasattr(
        TFExampleRecord, "_GetSchemaForDecoding"
    )


def _source_or(original: Callable) -> Callable:
    @replaces(original)
    def BeamSource(self, batch_size: int | None = None) -> beam.PTransform:  # noqa: N802 - TFX's name
        """See TFX-BSL; local files are read by `ReadBatches`, others as ever."""
        paths = [path for pattern in self._file_pattern for path in sorted(glob.glob(pattern))]
        if not paths or any("://" in pattern for pattern in self._file_pattern):
            return original(self, batch_size)
        schema = self._GetSchemaForDecoding()
        name = self.raw_record_column_name
        rows = batch_size or (ROWS if name is None else ROWS_WITH_RECORDS)
        decoding = Decoding(schema and schema.SerializeToString(), name, rows)
        return ReadBatches(paths, decoding)

    return BeamSource


@dataclasses.dataclass(frozen=True)
class Decoding:
    """Converts records to record batches.

    Attributes:
        schema: Schema of the features, serialized; None: as the records have them.
        record_column: Column for the records themselves; None: none.
        rows: Rows of a batch, at most.
    """

    schema: bytes | None
    record_column: str | None
    rows: int

    def decoder(self) -> Callable[[list[bytes]], pa.RecordBatch]:
        """Returns what decodes a batch, in one thread at a time."""
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        decoder = ExamplesToRecordBatchDecoder(*([] if self.schema is None else [self.schema]))

        def decode(records: list[bytes]) -> pa.RecordBatch:
            batch = decoder.DecodeBatch(records)
            if self.record_column is None:
                return batch
            return record_based_tfxio.AppendRawRecordColumn(batch, self.record_column, records)

        return decode


class ReadBatches(beam.PTransform):
    """Files to a PCollection of RecordBatch, in the order of the files.

    Args:
        paths: TFRecord files of tf.Examples.
        decoding: Rules of the conversion.
    """

    def __init__(self, paths: Sequence[str], decoding: Decoding):
        super().__init__()
        self._paths = list(paths)
        self._decoding = decoding

    def expand(self, pipeline: Any) -> beam.PCollection:
        """See Beam."""
        return (
            pipeline
            | "Files" >> beam.Create([self._paths], reshuffle=False)
            | "Read" >> beam.ParDo(_Read(self._decoding)).with_output_types(pa.RecordBatch)
        )


class _Read(beam.DoFn):
    def __init__(self, decoding: Decoding):
        self._decoding = decoding

    def process(self, paths: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return read_batches(paths, self._decoding)


def read_batches(paths: Sequence[str], decoding: Decoding) -> Iterator[pa.RecordBatch]:
    """Reads files, some batches ahead of what is asked for.

    Raises:
        DataError: A file is damaged.
    """
    # One thread for each decoder, which cannot be used by two.
    workers = [
        (concurrent.futures.ThreadPoolExecutor(1, "decode"), decoding.decoder())
        for _ in range(DECODERS)
    ]
    waiting: collections.deque[concurrent.futures.Future] = collections.deque()
    try:
        for number, records in enumerate(_batches_of_records(paths, decoding.rows)):
            if len(waiting) == WAITING * DECODERS:
                yield waiting.popleft().result()
            pool, decode = workers[number % DECODERS]
            waiting.append(pool.submit(decode, records))
        while waiting:
            yield waiting.popleft().result()
    finally:
        for pool, _ in workers:
            pool.shutdown(cancel_futures=True)


def _batches_of_records(paths: Sequence[str], rows: int) -> Iterator[list[bytes]]:
    """Batches of so many rows, or of fewer where these are large."""
    for path in paths:
        for records in read_records(path, rows):
            share = -(-sum(map(len, records)) // BYTES)
            size = max(1, -(-len(records) // max(1, share)))
            for start in range(0, len(records), size):
                yield records[start : start + size]


def _sink_or(original: Callable, encoder: type[beam.DoFn]) -> Callable:
    @replaces(original)
    def _EncodeAndWrite(*args: Any, **kwargs: Any) -> beam.PTransform:  # noqa: N802 - TFX's name
        """See TFX; gzipped TFRecords in local files are written by `BatchSink`, others as ever."""
        asked = inspect.signature(original).bind(*args, **kwargs).arguments
        path = asked["output_path"]
        if asked["file_format"] != labels.FORMAT_TFRECORD or "://" in path:
            return original(*args, **kwargs)
        return beam.io.iobase.Write(BatchSink(path, encoder(asked["schema"])))

    return _EncodeAndWrite


class BatchSink(FileBasedSink):
    """Writes what Transform made into gzipped TFRecord files, as `beam.io.WriteToTFRecord` does.

    Args:
        prefix: Prefix of the files' paths.
        encoder: TFX's, a batch to pairs of a key and a tf.Example.
    """

    def __init__(self, prefix: str, encoder: beam.DoFn):
        super().__init__(prefix, beam.coders.BytesCoder(), file_name_suffix=".gz")
        self._encoder = encoder

    def open(self, temp_path: str) -> RecordWriter:
        """See Beam."""
        return RecordWriter(temp_path, self._encode)

    def write_record(self, file_handle: RecordWriter, value: Any) -> None:
        """Writes a batch."""
        file_handle.write(value)

    def _encode(self, batch: Any) -> Iterator[bytes]:
        return (example for _, example in self._encoder.process(batch))
