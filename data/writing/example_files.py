"""Writes serialized tf.Examples into gzipped TFRecord files, one per split, while others are made.

Compressing leaves Python's lock alone, so a thread of its own takes it off the encoder. Called by
`pipeline.components.columnar_example_gen`. Imports TensorFlow when the first file is opened.
"""

import concurrent.futures
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from data.reading.batches import Batch
from data.writing.encode import encode_examples

_WAITING = 2  # batches between encoder and writer
ROWS_AT_ONCE = 16_384
_LEVEL = 1  # of gzip; its default takes three to four times as long for 6 to 25 % less


class SplitWriter:
    """Takes batches and puts each row into its split's file.

    Args:
        files: A `tf.io.TFRecordWriter` for each split.
    """

    def __init__(self, files: Sequence[Any]):
        self._files = files
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "examples")
        self._pending: list[concurrent.futures.Future] = []
        self.counts = np.zeros(len(files), np.int64)

    def write(self, batch: Batch, split: np.ndarray) -> None:
        """Encodes and writes rows.

        Args:
            batch: At most some ten thousand rows.
            split: int [rows], indices into the files.
        """
        examples = encode_examples(batch.columns, batch.rows)
        self.counts += np.bincount(split, minlength=len(self._files))
        if len(self._pending) >= _WAITING:
            self._pending.pop(0).result()
        self._pending.append(self._pool.submit(self._append, examples, split))

    def _append(self, examples: np.ndarray, split: np.ndarray) -> None:
        for index, file in enumerate(self._files):
            for example in examples[split == index]:
                file.write(example)

    def finish(self) -> None:
        """Waits until everything is written."""
        for pending in self._pending:
            pending.result()
        self._pool.shutdown()


@contextlib.contextmanager
def open_split_files(paths: Sequence[str]) -> Iterator[SplitWriter]:
    """Opens one gzipped TFRecord file per split; the folders are there.

    Args:
        paths: Paths, also of a remote file system that TensorFlow knows.
    """
    import tensorflow as tf

    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=_LEVEL)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tf.io.TFRecordWriter(path, options)) for path in paths]
        writer = SplitWriter(files)
        yield writer
        writer.finish()


class RecordWriter:
    """Encodes batches and writes them into one gzipped TFRecord file, in a thread of its own.

    Args:
        path: Path of the file.
        encode: Batch to records.
    """

    def __init__(self, path: str, encode: Callable[[Any], Iterable[bytes]]):
        import tensorflow as tf

        options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=_LEVEL)
        self._file = tf.io.TFRecordWriter(path, options)
        self._encode = encode
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "examples")
        self._pending: list[concurrent.futures.Future] = []

    def write(self, batch: Any) -> None:
        """Takes a batch; raises what went wrong with one before it."""
        if len(self._pending) >= _WAITING:
            self._pending.pop(0).result()
        self._pending.append(self._pool.submit(self._append, batch))

    def _append(self, batch: Any) -> None:
        for record in self._encode(batch):
            self._file.write(record)

    def close(self) -> None:
        """Waits until everything is written."""
        try:
            for pending in self._pending:
                pending.result()
        finally:
            self._pool.shutdown()
            self._file.close()
