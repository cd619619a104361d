"""From a file of rows to a file of predictions: read, encode, predict, write, batch after batch.

Called by `cli.predict`. Imports no TensorFlow itself: the predictor is handed in.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa

from data.reading.rows import Rows
from data.reading.values import decode
from data.writing.encode import encode_examples
from data.writing.quarantine import Quarantine, is_too_many, require_few_bad
from data.writing.rows import RowWriter, open_writer
from fareline.errors import DataError, UserMistake
from fareline.files import written_beside
from serving.model.outputs import column_names, name_outputs

MODEL_VERSION, PREDICTION_ID = "model_version", "prediction_id"
QUARANTINE_SUFFIX = ".quarantine.jsonl"
# Takes examples, outputs and, if it is known, whom or what each row is about; returns the id of
# each row in the prediction log, None where it is not logged.
Note = Callable[[np.ndarray, Mapping[str, np.ndarray], Sequence[Any] | None], list[str | None]]
# A file of which half is bad after so many rows is the wrong file; it need not be read to its end,
# unless so many bad rows were said to be bearable.
_HOPELESS_ROWS, _HOPELESS_SHARE = 10_000, 0.5


class Predictor(Protocol):
    """The predictor: `serving.model.batch.BatchPredictor`."""

    version: int

    def predict(self, examples: np.ndarray) -> dict[str, np.ndarray]:
        """Output name to array [rows, …]."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A request for predictions.

    Attributes:
        input: File of rows.
        output: File to write.
        columns: Columns that the model reads.
        batch_size: Rows that the model gets at once, at most.
        max_bad_share: Highest share of bad rows; above it no file is written.
        note: Function that logs answers; None: no log.
        entity: Column that says whom or what a row is about, for the log.
    """

    input: Path
    output: Path
    columns: frozenset[str]
    batch_size: int
    max_bad_share: float
    note: Note | None = None
    entity: str | None = None

    @property
    def quarantine(self) -> Path:
        """Where bad rows go."""
        return self.output.with_name(self.output.name + QUARANTINE_SUFFIX)


@dataclasses.dataclass
class Counts:
    """The progress of predictions.

    Attributes:
        quarantine: The bad rows.
        predicted: Rows.
        blank: Lines without any value.
    """

    quarantine: Quarantine
    predicted: int = 0
    blank: int = 0

    @property
    def rows(self) -> int:
        """All rows."""
        return self.predicted + self.quarantine.bad


def predict_file(
    job: Job, batches: Iterator[Rows], predictor: Predictor, tell: Callable[[int], None]
) -> Counts:
    """Predicts all rows of a file, in their order.

    The output appears complete or not at all; the quarantine whenever a row was bad.

    Args:
        job: Request for predictions.
        batches: From `data.reading.rows_file`.
        predictor: Answers.
        tell: Called with the number of rows predicted so far, after each batch.

    Raises:
        TooManyBadRows: The share of bad rows is above the limit; the output is as it was before.
        DataError: The input cannot be read on, or has no row.
    """
    with _quarantine(job) as quarantine, open_writer(job.output) as writer:
        return _go_through(
            job, batches, quarantine, lambda part: _predict(job, part, predictor, writer), tell
        )


def read_file(
    job: Job, batches: Iterator[Rows], outputs: Collection[str], take: Callable[[np.ndarray], None]
) -> Counts:
    """Reads all rows of a file as `predict_file` does, with the same refusals, and predicts none.

    Args:
        job: Request for predictions; its output is not written.
        batches: From `data.reading.rows_file`.
        outputs: Names of the model's outputs.
        take: Takes serialized tf.Examples, bytes [rows], in the batches of `predict_file`.

    Raises:
        TooManyBadRows: The share of bad rows is above the limit.
        DataError: The input cannot be read on, or has no row.
    """
    names = [*column_names(outputs), MODEL_VERSION]

    def read(part: Rows) -> None:
        _added_names(job, part, names)
        take(_encode(job, part))

    with _quarantine(job) as quarantine:
        return _go_through(job, batches, quarantine, read, lambda rows: None)


def _go_through(
    job: Job,
    batches: Iterator[Rows],
    quarantine: Quarantine,
    act: Callable[[Rows], None],
    tell: Callable[[int], None],
) -> Counts:
    counts = Counts(quarantine)
    for rows in batches:
        quarantine.take(rows.bad)
        counts.blank += rows.blank
        for part in _slices(rows, job.batch_size):
            act(part)
            counts.predicted += len(part)
            tell(counts.predicted)
        if _is_hopeless(job, counts):
            break
    _require_few_bad(job, counts)
    return counts


@contextlib.contextmanager
def _quarantine(job: Job) -> Iterator[Quarantine]:
    """The quarantine of this job; one of before is removed where no row is bad."""

    @contextlib.contextmanager
    def open_file() -> Iterator[IO[str]]:
        with written_beside(job.quarantine) as part, part.open("w", encoding="utf-8") as file:
            yield file

    with Quarantine(str(job.input), open_file) as quarantine:
        try:
            yield quarantine
        finally:
            if not quarantine.bad:
                job.quarantine.unlink(missing_ok=True)


def _is_hopeless(job: Job, counts: Counts) -> bool:
    """Whether to give up; then the share of the rows so far is above the limit."""
    wrong = is_too_many(counts.quarantine.bad, counts.rows, _HOPELESS_SHARE)
    return wrong and counts.rows >= _HOPELESS_ROWS and job.max_bad_share < _HOPELESS_SHARE


def _predict(job: Job, rows: Rows, predictor: Predictor, writer: RowWriter) -> None:
    examples = _encode(job, rows)
    outputs = predictor.predict(examples)
    added = name_outputs(outputs)
    added[MODEL_VERSION] = pa.array(np.full(len(rows), predictor.version, np.int64))
    if job.note is not None:
        ids = job.note(examples, outputs, _entities(job, rows))
        added[PREDICTION_ID] = pa.array(ids, pa.string())
    names = _added_names(job, rows, added)
    writer.write(rows, dict(zip(names, added.values(), strict=True)))


def _encode(job: Job, rows: Rows) -> np.ndarray:
    read = {name: array for name, array in rows.features.items() if name in job.columns}
    return encode_examples(read, len(rows))


def _added_names(job: Job, rows: Rows, names: Iterable[str]) -> list[str]:
    """Names of the columns that are added.

    Raises:
        UserMistake: The file has a column of one of them.
    """
    added = [_own_name(name, job.columns) for name in names]
    taken = sorted(set(added).intersection(rows.source.schema.names))
    if taken:
        raise UserMistake.explain(
            str(job.input),
            f"has a column {taken[0]!r} already",
            f"expected the names {', '.join(added)} to be free",
            "rename the column",
        )
    return added


def _own_name(name: str, columns: Collection[str]) -> str:
    """The name of a column of ours, another one where the model reads a column of that name."""
    while name in columns:
        name = f"fareline_{name}"
    return name


def _entities(job: Job, rows: Rows) -> list[Any] | None:
    """Whom or what the rows are about, as their file says it; an empty cell says nothing."""
    if job.entity not in rows.source.schema.names:
        return None
    values = rows.source.column(rows.source.schema.names.index(job.entity)).to_pylist()
    texts = (decode(value) if isinstance(value, bytes) else value for value in values)
    return [None if text == "" else text for text in texts]


def _slices(rows: Rows, size: int) -> Iterator[Rows]:
    for start in range(0, len(rows), size):
        yield Rows(
            rows.source.slice(start, size),
            {name: array.slice(start, size) for name, array in rows.features.items()},
            None if rows.records is None else rows.records[start : start + size],
        )


def _require_few_bad(job: Job, counts: Counts) -> None:
    message = (
        str(job.input),
        "; no prediction was written",
        f"see {job.quarantine}; --max-bad-share sets the limit",
    )
    bad = counts.quarantine
    require_few_bad(counts.rows, bad.reasons, bad.first, job.max_bad_share, message)
    if not counts.predicted:
        raise DataError.explain(
            str(job.input), "has no row to predict", "expected at least one", "check the file"
        )


class Progress:
    """Returns how many rows are done, and how fast; a line now and then."""

    def __init__(self, say: Callable[[str], None], every_seconds: float):
        self._say = say
        self._every = every_seconds
        self._start = self._last = time.monotonic()

    def update(self, rows: int) -> None:
        """Takes the number of rows done so far."""
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            self._say(f"{rows:,} rows, {rows / (now - self._start):,.0f} rows/s")
