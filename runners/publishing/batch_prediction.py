"""From a file of rows to a file of predictions: read, encode, predict, write, batch after batch.

Called by `cli.predict`. Imports no TensorFlow itself: the predictor is handed in.
"""

import collections
import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from data.reading.rows import BadRow, Rows
from data.reading.values import decode
from data.writing.encode import encode_examples
from data.writing.rows import RowWriter, open_writer
from fareline.errors import DataError, UserMistake
from fareline.files import written_beside
from serving.model.outputs import name_outputs

MODEL_VERSION, PREDICTION_ID = "model_version", "prediction_id"
QUARANTINE_SUFFIX = ".quarantine.jsonl"
_SHOWN = 5
# Takes examples, outputs and, if it is known, whom or what each row is about; returns the id of
# each row in the prediction log, None where it is not logged.
Note = Callable[[np.ndarray, Mapping[str, np.ndarray], Sequence[Any] | None], list[str | None]]
# A file of which half is bad after so many rows is the wrong file; it need not be read to its end,
# unless so many bad rows were said to be bearable.
_HOPELESS_ROWS, _HOPELESS_SHARE = 10_000, 0.5


class Predictor(Protocol):
    """What answers: `serving.model.batch.BatchPredictor`."""

    version: int

    def predict(self, examples: np.ndarray) -> dict[str, np.ndarray]:
        """Output name to array [rows, …]."""


class TooManyBadRows(DataError):
    """More rows are bad than were said to be bearable."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What to do.

    Attributes:
        input: File of rows.
        output: File to write.
        columns: That the model reads.
        batch_size: Rows that the model gets at once, at most.
        max_bad_share: Of the rows, above which nothing is written.
        note: Has answers logged; None: there is no log.
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
    """How far it is.

    Attributes:
        predicted: Rows.
        reasons: Bad rows by reason.
        blank: Lines without any value.
        first: The first bad rows.
    """

    predicted: int = 0
    reasons: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    blank: int = 0
    first: list[BadRow] = dataclasses.field(default_factory=list)

    @property
    def bad(self) -> int:
        """Bad rows."""
        return sum(self.reasons.values())

    @property
    def rows(self) -> int:
        """All rows."""
        return self.predicted + self.bad

    @property
    def bad_share(self) -> float:
        """Of the rows; 0 if there is none."""
        return self.bad / self.rows if self.rows else 0.0


def predict_file(
    job: Job, batches: Iterator[Rows], predictor: Predictor, tell: Callable[[int], None]
) -> Counts:
    """Predicts all rows of a file, in their order.

    The output appears complete or not at all; the quarantine whenever a row was bad.

    Args:
        job: What to do.
        batches: From `data.reading.rows_file`.
        predictor: Answers.
        tell: Gets the number of rows predicted so far, after each batch.

    Raises:
        TooManyBadRows: The share of bad rows is above the limit; the output is as it was before.
        DataError: The input cannot be read on, or has no row.
    """
    counts = Counts()
    with contextlib.ExitStack() as outer:
        quarantine = outer.enter_context(_Quarantine(job))
        with open_writer(job.output) as writer:
            for rows in batches:
                quarantine.take(rows.bad, counts)
                counts.blank += rows.blank
                for part in _slices(rows, job.batch_size):
                    _predict(job, part, predictor, writer)
                    counts.predicted += len(part)
                    tell(counts.predicted)
                if _is_hopeless(job, counts):
                    break
            _require_few_bad(job, counts)
    return counts


def _is_hopeless(job: Job, counts: Counts) -> bool:
    """Whether to give up; then the share of the rows so far is above the limit."""
    wrong = counts.rows >= _HOPELESS_ROWS and counts.bad_share > _HOPELESS_SHARE
    return wrong and job.max_bad_share < _HOPELESS_SHARE


def _predict(job: Job, rows: Rows, predictor: Predictor, writer: RowWriter) -> None:
    read = {name: array for name, array in rows.features.items() if name in job.columns}
    examples = encode_examples(read, len(rows))
    outputs = predictor.predict(examples)
    added = name_outputs(outputs)
    added[MODEL_VERSION] = pa.array(np.full(len(rows), predictor.version, np.int64))
    if job.note is not None:
        ids = job.note(examples, outputs, _entities(job, rows))
        added[PREDICTION_ID] = pa.array(ids, pa.string())
    added = {_own_name(name, job.columns): array for name, array in added.items()}
    taken = sorted(set(added).intersection(rows.source.schema.names))
    if taken:
        raise UserMistake.explain(
            str(job.input),
            f"has a column {taken[0]!r} already",
            f"expected the names {', '.join(added)} to be free",
            "rename the column",
        )
    writer.write(rows, added)


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
    if counts.bad_share > job.max_bad_share:
        lines = [f"  line {each.line}: {each.fault.message}" for each in counts.first]
        message = TooManyBadRows.explain(
            str(job.input),
            f"{counts.bad:,} of {counts.rows:,} rows are bad ({counts.bad_share:.2%})",
            f"expected at most {job.max_bad_share:.2%}; no prediction was written",
            f"see {job.quarantine}; --max-bad-share sets the limit",
        )
        raise TooManyBadRows("\n".join([str(message), *lines]))
    if not counts.predicted:
        raise DataError.explain(
            str(job.input), "has no row to predict", "expected at least one", "check the file"
        )


class _Quarantine:
    """The file of bad rows: JSON lines with source, line, reason, message and the row."""

    def __init__(self, job: Job):
        self._job = job
        self._stack = contextlib.ExitStack()
        self._file: Any = None

    def __enter__(self) -> "_Quarantine":
        return self

    def __exit__(self, *exception: Any) -> None:
        """Keeps the file whatever happened: it says what is wrong. One of before is removed."""
        if self._file is None:
            self._job.quarantine.unlink(missing_ok=True)
        self._stack.close()

    def take(self, bad: list[BadRow], counts: Counts) -> None:
        """Writes bad rows down, and counts them."""
        for row in bad:
            counts.reasons[row.fault.reason] += 1
            if len(counts.first) < _SHOWN:
                counts.first.append(row)
            if self._file is None:
                part = self._stack.enter_context(written_beside(self._job.quarantine))
                self._file = self._stack.enter_context(part.open("w", encoding="utf-8"))
            content = {
                "source": str(self._job.input),
                "line": row.line,
                "reason": row.fault.reason,
                "message": row.fault.message,
                "row": row.row,
            }
            self._file.write(json.dumps(content, ensure_ascii=False, default=str) + "\n")


class Progress:
    """Tells how many rows are done, and how fast; a line now and then."""

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
