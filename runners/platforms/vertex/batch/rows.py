"""Rows on their way to a batch prediction of Vertex AI, and the answers on their way back.

A row is a line of JSON: its number, and its serialized tf.Example as TensorFlow Serving takes it.
Vertex answers in any order and gives the number back. Imports no client,
and TensorFlow's message of an example inside a function.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from fareline.errors import DataError
from runners.platforms.jobs import PlatformError

KEY = "fareline_row"


class FailedJob(PlatformError):
    """A job has ended, and its answers are of no use; the next command starts another one."""


class Instances:
    """Writes rows as instances of a job.

    Attributes:
        count: Number of rows so far.
    """

    def __init__(self, file: IO[str], input_name: str):
        """Writes to a file.

        Args:
            file: Open to write text.
            input_name: Input of the model's signature.
        """
        self.count = 0
        self._file, self._input = file, input_name
        self._whole, self._batches = hashlib.sha256(), []

    def add(self, examples: np.ndarray) -> None:
        """Takes the next rows.

        Args:
            examples: Serialized tf.Examples, bytes [rows].
        """
        examples = _in_order(examples)
        for example in examples:
            row = {"b64": base64.b64encode(example).decode()}
            self._file.write(json.dumps({KEY: str(self.count), self._input: row}) + "\n")
            self.count += 1
        self._batches.append(_digest(examples))
        self._whole.update(self._batches[-1])

    @property
    def batches(self) -> tuple[bytes, ...]:
        """Digests of the rows, batch by batch."""
        return tuple(self._batches)

    @property
    def sha256(self) -> str:
        """Digest of all rows."""
        return self._whole.hexdigest()


class Answers:
    """Collects the answers of a job, and gives them in the order of the rows.

    A `Predictor` of `runners.publishing.batch_prediction`.

    Attributes:
        version: Version of the model.
    """

    def __init__(self, version: int, types: Mapping[str, np.dtype], instances: Instances, job: str):
        """Waits for answers.

        Args:
            version: Version of the model.
            types: Output of the signature to its type; object for texts.
            instances: Rows of the job.
            job: Name of the job, for messages.
        """
        self.version = version
        self._types, self._batches, self._job = types, list(instances.batches), job
        self._arrays: dict[str, np.ndarray] = {}
        self._seen = np.zeros(instances.count, bool)
        self._given = 0
        self._errors: list[str] = []

    def read(self, file: Path) -> None:
        """Takes a file of answers or of errors.

        Raises:
            FailedJob: A line is no answer to one of the rows.
        """
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    self._take(line, f"{file.name}:{number}")

    def require_all(self) -> None:
        """Refuses to go on without an answer to a row.

        Raises:
            FailedJob: There are rows without an answer.
        """
        missing = np.flatnonzero(~self._seen)
        if len(missing):
            said = f", the first error is: {self._errors[0]}" if self._errors else ""
            raise FailedJob.explain(
                self._job,
                f"{len(missing):,} of {len(self._seen):,} rows have no answer, the first is row "
                f"{missing[0] + 1:,}{said}",
                "expected one for each",
                "see whether the rows are what the model was trained for",
            )

    def predict(self, examples: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the answers to the next rows.

        Raises:
            DataError: The rows are not those of the job.
        """
        if not self._batches or self._batches.pop(0) != _digest(_in_order(examples)):
            raise DataError.explain(
                self._job,
                "the file of rows was changed while the job ran",
                "expected the same rows",
                "run the same command again",
            )
        start, self._given = self._given, self._given + len(examples)
        return {name: self._arrays[name][start : self._given] for name in self._types}

    def _take(self, line: str, where: str) -> None:
        try:
            answer = json.loads(line)
            if "prediction" not in answer:
                self._errors.append(_said(answer.get("error", answer)))
                return
            number = int(answer["key"])
            if not 0 <= number < len(self._seen):
                raise ValueError(f"row {number}")
            given = answer["prediction"]
            if not isinstance(given, dict):
                [name] = self._types
                given = {name: given}
            for name, kind in self._types.items():
                self._put(name, number, _value(given[name], kind))
            self._seen[number] = True
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FailedJob.explain(
                self._job,
                f"{where} is no answer to a row ({type(error).__name__}: {error})",
                f"expected a key and {', '.join(self._types)}",
                "see whether push.vertex.image answers as TensorFlow Serving does",
            ) from error

    def _put(self, name: str, number: int, value: np.ndarray) -> None:
        if name not in self._arrays:
            self._arrays[name] = np.empty((len(self._seen), *value.shape), value.dtype)
        array = self._arrays[name]
        if array.shape[1:] != value.shape:
            raise ValueError(f"{name} is of shape {list(value.shape)}")
        array[number] = value


def _value(given: Any, kind: np.dtype) -> np.ndarray:
    """A value as the model computes it: a number, or bytes of a text."""
    value = np.asarray(given, kind)
    if kind.kind != "O":
        return value
    texts = [each.encode() for each in value.reshape(-1)]
    return np.array(texts, object).reshape(value.shape)


def _in_order(examples: np.ndarray) -> list[bytes]:
    """The same examples with their features in order: the encoder writes them in any order."""
    from tensorflow.core.example.example_pb2 import Example

    return [Example.FromString(each).SerializeToString(deterministic=True) for each in examples]


def _digest(examples: list[bytes]) -> bytes:
    whole = hashlib.sha256()
    for example in examples:
        whole.update(len(example).to_bytes(8, "big"))
        whole.update(example)
    return whole.digest()


def _said(error: Any) -> str:
    """The message of a google.rpc.Status, or what there is instead."""
    text = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(text or error).split()).rstrip(".")
