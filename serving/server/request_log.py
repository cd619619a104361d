"""The prediction log: one JSON object for each of a share of the rows that were answered.

The bytes of a row decide whether it is in the share, so the same trip is always logged or never
logged. Only columns that the model reads are written, less those that the settings exclude, and the
one that says whom or what a row is about. A separate thread writes the log. A full or slow disk
loses log lines, but no answers.

Called by `serving.server.predictor` and, for a whole file of rows, by `cli.predict`. Must not
import TFX.
"""

import contextlib
import dataclasses
import datetime
import math
import os
import queue
import threading
import time
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fareline.digests import sha256_of_folder
from fareline.prediction_ids import IdMaker, row_id
from fareline.recorded.feedback import LoggedPrediction
from serving.model.servable import DEFAULT_SIGNATURE, Servable, Signature
from serving.server.log_files import FILE_BYTES, KEPT_FILES, LogFiles

_MOST_WAITING = 10_000
_MOST_WAITING_OF_A_JOB = 16  # batches of rows
_HASHES = 2**32


@dataclasses.dataclass(frozen=True)
class LogOptions:
    """Rules of the log: content and place.

    Attributes:
        folder: Folder of the files; made if missing.
        share: Share of the rows to log, above 0 and at most 1.
        base: The folder above the versions, whose digest says what has answered; None: not said.
        exclude: Columns that are never written, such as those about persons.
        entity: Column that says whom or what a row is about, which is written though no model reads
            it.
        pseudonym: Function for the pseudonym of an entity; None: entities are kept.
        tell: Called with a line when rows were lost.
        is_job: Whether the rows are those of one job, of which all are logged or none.
        file_bytes: Size at which a new file is begun.
        kept_files: Number of files to keep.
    """

    folder: str
    share: float
    base: str | None = None
    exclude: Collection[str] = ()
    entity: str | None = None
    pseudonym: Callable[[bytes], bytes] | None = None
    tell: Callable[[str], None] = lambda line: None
    is_job: bool = False
    file_bytes: int = FILE_BYTES
    kept_files: int = KEPT_FILES


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request that was answered.

    Attributes:
        version: Number of the version that answered.
        rows: Serialized tf.Examples.
        outputs: Output name to array [rows, …].
        protocol: `grpc`, `rest` or `batch`.
        entities: Person or thing of each row, if the examples do not have it.
    """

    version: int
    rows: Sequence[bytes]
    outputs: Mapping[str, np.ndarray]
    protocol: str
    entities: Sequence[Any] | None = None


@dataclasses.dataclass(frozen=True)
class Noted:
    """The logged part of a request.

    Attributes:
        request_id: The id that its caller gets.
        count: Rows of the request.
        chosen: Indexes of those that are logged, ascending.
    """

    request_id: str
    count: int
    chosen: tuple[int, ...]

    def ids(self) -> list[str | None]:
        """The prediction id of every row; None where it is not logged."""
        logged = frozenset(self.chosen)
        return [
            row_id(self.request_id, i, self.count) if i in logged else None
            for i in range(self.count)
        ]


class RequestLog:
    """Writes to files that close by the hour and by size; see `serving.server.log_files`."""

    def __init__(self, options: LogOptions, clock: Callable[[], float] = time.time):
        """Looks at the folder, and starts to write.

        Args:
            options: What is logged, and where.
            clock: Seconds since 1970.

        Raises:
            OSError: The folder cannot be written.
        """
        self._options = options
        self._below = options.share * _HASHES
        self._exclude = frozenset(options.exclude)
        self._clock = clock
        self._lost = 0
        self._discarded = False
        self._ids = IdMaker(lambda: int(clock() * 1e9))
        self._digests: dict[int, str] = {}
        most = _MOST_WAITING_OF_A_JOB if options.is_job else _MOST_WAITING
        self._waiting: queue.Queue = queue.Queue(most)
        self._files = LogFiles(
            options.folder, options.is_job, options.file_bytes, options.kept_files, clock
        )
        self._thread = threading.Thread(target=self._write, name="request log", daemon=True)
        self._thread.start()

    def note(self, servable: Servable, signature: Signature, asked: Asked) -> Noted | None:
        """Notes the rows of a request that fall into the share; a job may wait for that.

        Args:
            servable: Model version that answered.
            signature: Name of the signature; only predictions for tf.Examples are logged.
            asked: Request and answer.

        Returns:
            Ids; None if no row is logged.
        """
        if signature.examples_input is None or signature.name != DEFAULT_SIGNATURE:
            return None
        chosen = tuple(i for i, row in enumerate(asked.rows) if self._is_chosen(row))
        if not chosen:
            return None
        noted = Noted(self._ids.make(), len(asked.rows), chosen)
        known = signature.columns.keys() - self._exclude
        item = (servable.name, known, asked, noted, self._clock())
        try:
            self._waiting.put(item, block=self._options.is_job)
        except queue.Full:
            self._lose(len(chosen))
            return None
        return noted

    def close(self, discard: bool = False) -> None:
        """Writes what is waiting, closes the file, and ends.

        Args:
            discard: Whether nothing of it is to stay, as of a job that has failed.
        """
        self._discarded = discard
        self._waiting.put(None)
        self._thread.join()

    def _is_chosen(self, row: bytes) -> bool:
        return zlib.crc32(row) < self._below

    def _write(self) -> None:
        while (item := self._next()) is not None:
            if not self._discarded:
                self._write_rows(*item)
        with contextlib.suppress(OSError):  # of what was lost it has told
            if self._discarded:
                self._files.discard()
            else:
                self._files.close()

    def _next(self) -> Any:
        """Waits for what is to be written; closes a file whose hour ends meanwhile."""
        while True:
            try:
                return self._waiting.get(timeout=self._files.seconds_left())
            except queue.Empty:
                with contextlib.suppress(OSError):
                    self._files.close_if_over()

    def _write_rows(
        self, name: str, known: Collection[str], asked: Asked, noted: Noted, seconds: float
    ) -> None:
        when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        head = {
            "time": when.isoformat("T", "milliseconds"),
            "model": name,
            "version": asked.version,
            "sha256": self._digest_of(asked.version),
            "protocol": asked.protocol,
            "weight": 1 / self._options.share,
        }
        lines = []
        for i in noted.chosen:
            try:
                lines.append(self._line(head, known, asked, i, noted))
            except Exception:  # noqa: BLE001 - costs a line, not all to come
                self._lose(1)
        try:
            self._files.write("".join(lines).encode())
        except OSError:
            self._lose(len(lines))

    def _line(
        self, head: Mapping[str, Any], known: Collection[str], asked: Asked, i: int, noted: Noted
    ) -> str:
        row, options = asked.rows[i], self._options
        if asked.entities is not None:
            entity = _name(asked.entities[i], options.pseudonym)
        else:
            entity = as_entity(row, options.entity, options.pseudonym)
        return LoggedPrediction(
            id=row_id(noted.request_id, i, noted.count),
            **head,
            score=score_of(asked, i),
            features=read_features(row, known),
            entity=entity,
        ).line()

    def _digest_of(self, version: int) -> str:
        """Of the version's folder, as ML Metadata has it of a PushedModel; empty if it is gone."""
        if version not in self._digests:
            digest = ""
            if self._options.base is not None:
                with contextlib.suppress(OSError):
                    digest = sha256_of_folder(os.path.join(self._options.base, str(version)))
            self._digests[version] = digest
        return self._digests[version]

    def _lose(self, rows: int) -> None:
        before, self._lost = self._lost, self._lost + rows
        if not before or before // 1000 < self._lost // 1000:
            why = "(the disk is full, or too slow)"
            self._options.tell(f"request log: {self._lost} entries lost {why}")


def as_entity(
    row: bytes, column: str | None, pseudonym: Callable[[bytes], bytes] | None
) -> str | None:
    """The logged person or thing of a row.

    Args:
        row: A serialized tf.Example.
        column: Column with the entity; None: no column.
        pseudonym: Function for its pseudonym; None: the entity is kept.
    """
    return None if column is None else _name(read_features(row, {column}).get(column), pseudonym)


def _name(named: Any, pseudonym: Callable[[bytes], bytes] | None) -> str | None:
    if named is None or pseudonym is None:
        return None if named is None else str(named)
    return pseudonym(str(named).encode()).decode()


def score_of(asked: Asked, i: int) -> Any:
    """The answer of the model for a row: a value, a list, or an object of several outputs."""
    whole = {n: a for n, a in asked.outputs.items() if a.shape[:1] == (len(asked.rows),)}
    values = {name: _plain(array[i]) for name, array in whole.items()}
    return values if len(values) > 1 else next(iter(values.values()), None)


def _plain(array: Any) -> Any:
    values = [_plain_value(value) for value in np.asarray(array).reshape(-1).tolist()]
    if np.asarray(array).dtype == np.float32:
        values = [value if value is None else float(str(np.float32(value))) for value in values]
    return values[0] if len(values) == 1 else values


def _plain_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_features(row: bytes, known: Collection[str]) -> dict[str, Any]:
    """Reads a serialized tf.Example as plain JSON values.

    Args:
        row: The tf.Example.
        known: Columns to keep; other columns of a request are never logged.

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
