"""A log of a share of the requests: one JSON object per line, in files of a bounded size.

Whether a row is in the share hangs on its bytes alone, so that the same trip is always logged or
never. Only columns that the model reads are written, less those that the settings exclude. Writing
is done in a thread of its own, and a disk that is full or slow costs log lines, never answers.

Called by `serving.server.predictor`. Must not import TFX.
"""

import contextlib
import datetime
import json
import logging
import logging.handlers
import math
import os
import queue
import threading
import zlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from serving.model.servable import Servable, Signature

LOG_FILE = "requests.jsonl"
_FILE_BYTES = 16 << 20
_KEPT_FILES = 8
_MOST_WAITING = 10_000
_HASHES = 2**32


class RequestLog:
    """Writes to `<folder>/requests.jsonl`, and to `.1` … `.8` what is older."""

    def __init__(
        self,
        folder: str,
        share: float,
        exclude: Collection[str] = (),
        tell: Callable[[str], None] = lambda line: None,
        file_bytes: int = _FILE_BYTES,
    ):
        """Opens the file.

        Args:
            folder: Made if missing.
            share: Share of the rows to log, above 0 and at most 1.
            exclude: Columns that are never written, such as those about persons.
            tell: Gets a line when rows were lost.
            file_bytes: Size at which a new file is begun.

        Raises:
            OSError: The folder cannot be written.
        """
        os.makedirs(folder, exist_ok=True)
        self._below = share * _HASHES
        self._exclude = frozenset(exclude)
        self._tell = tell
        self._lost = 0
        self._waiting: queue.Queue = queue.Queue(_MOST_WAITING)
        self._handler = logging.handlers.RotatingFileHandler(
            os.path.join(folder, LOG_FILE), maxBytes=file_bytes, backupCount=_KEPT_FILES
        )
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        self._handler.handleError = self._lose
        self._thread = threading.Thread(target=self._write, name="request log", daemon=True)
        self._thread.start()

    def note(
        self, servable: Servable, signature: Signature, arrays: Mapping[str, Any], protocol: str
    ) -> None:
        """Notes the rows of a request that fall into the share; returns at once.

        Args:
            servable: The version that answered.
            signature: What was called; only tf.Examples are logged.
            arrays: The request's inputs.
            protocol: `grpc` or `rest`.
        """
        if signature.examples_input is None:
            return
        rows = [row for row in arrays[signature.examples_input] if self._is_chosen(row)]
        if rows:
            head = {
                "time": datetime.datetime.now(datetime.timezone.utc).isoformat("T", "milliseconds"),
                "model": servable.name,
                "version": servable.version,
                "protocol": protocol,
            }
            known = signature.columns.keys() - self._exclude
            try:
                self._waiting.put_nowait((head, known, rows))
            except queue.Full:
                self._lose(None)

    def close(self) -> None:
        """Writes what is waiting, and ends."""
        self._waiting.put(None)
        self._thread.join()
        with contextlib.suppress(OSError):  # of what was lost it has told
            self._handler.close()

    def _is_chosen(self, row: bytes) -> bool:
        return zlib.crc32(row) < self._below

    def _write(self) -> None:
        while (item := self._waiting.get()) is not None:
            head, known, rows = item
            for row in rows:
                try:
                    line = json.dumps({**head, "features": read_features(row, known)})
                    self._handler.emit(logging.makeLogRecord({"msg": line}))
                except Exception as error:  # noqa: BLE001 - costs a line, not all to come
                    self._lose(error)

    def _lose(self, _: Any) -> None:
        self._lost += 1
        if self._lost == 1 or self._lost % 1000 == 0:
            self._tell(f"request log: {self._lost} entries lost (the disk is full, or too slow)")


def read_features(row: bytes, known: Collection[str]) -> dict[str, Any]:
    """Reads a serialized tf.Example as plain JSON values.

    Args:
        row: The tf.Example.
        known: The columns to keep; what else a client sends is nobody's business here.

    Returns:
        Column to value, a list where there are several; columns without a value are left out.
    """
    features = tf.train.Example.FromString(row).features.feature
    found = {}
    for name in sorted(set(features) & set(known)):
        kind = features[name].WhichOneof("kind")
        values = list(getattr(features[name], kind).value) if kind else []
        if kind == "bytes_list":
            values = [value.decode(errors="replace") for value in values]
        elif kind == "float_list":
            # As short as it can be: 12.6, not 12.600000381; and JSON has no NaN.
            values = [
                float(str(np.float32(value))) if math.isfinite(value) else None for value in values
            ]
        with contextlib.suppress(IndexError):
            found[name] = values if len(values) > 1 else values[0]
    return found
