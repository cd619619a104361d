"""Notes beside the artifacts that data has passed the gate: the source of the previous span.

The same on every runner: a cluster's platform resolves no artifact of the span before this one, and
every step reaches the pipeline root. A note is written once, whole, and never changed. Called by
`pipeline.components.data_gate`, which writes notes, and `pipeline.components.drift_monitor`.
"""

import dataclasses
import datetime
import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

from tfx import types
from tfx.components.example_gen.utils import FINGERPRINT_PROPERTY_NAME, SPAN_PROPERTY_NAME
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from fareline.recorded import DATA_SHA256, SPANS
from fareline.recorded.data import parse_spans


@dataclasses.dataclass(frozen=True)
class DataSet:
    """One set of Examples.

    Attributes:
        span: Its number, of a window that of the last; 0 where the source has none.
        first_span: First span of a window; otherwise the same as `span`.
        identity: The digest of the files it was read from, or their fingerprint, or where it is.
        uri: URI of the artifact.
        splits: Their names.
        passed: When it passed the gate, ISO, UTC; empty if it has not yet.
    """

    span: int
    first_span: int
    identity: str
    uri: str
    splits: tuple[str, ...]
    passed: str = ""


def data_set(examples: types.Artifact) -> DataSet:
    """Returns the data set of Examples; they have not passed the gate yet."""
    # Where a container was handed the artifact as JSON, a number may be a property of its type.
    span = _number(examples.get_custom_property(SPAN_PROPERTY_NAME) or examples.span)
    return DataSet(
        span=span,
        first_span=_first_span(examples, span),
        # TFX's fingerprint is of sizes and times alone: two files may have the same.
        identity=examples.get_custom_property(DATA_SHA256)
        or examples.get_custom_property(FINGERPRINT_PROPERTY_NAME)
        or examples.uri,
        uri=examples.uri,
        splits=tuple(sorted(artifact_utils.decode_split_names(examples.split_names))),
    )


def note_passed(folder: str, passed: DataSet) -> None:
    """Notes that data has passed the gate; data that did before keeps its first note.

    Args:
        folder: Folder of the notes of a pipeline.
        passed: Data that passed.
    """
    digest = hashlib.sha256(f"{passed.identity}\0{passed.uri}".encode()).hexdigest()[:16]
    path = os.path.join(folder, f"{passed.span:010d}-{digest}.json")
    if fileio.exists(path):
        return
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds")
    fileio.makedirs(folder)
    with fileio.open(f"{path}.part", "w") as file:
        file.write(json.dumps(dataclasses.asdict(dataclasses.replace(passed, passed=now))))
    fileio.rename(f"{path}.part", path, overwrite=True)


def find_previous(folder: str, current: DataSet) -> DataSet | None:
    """Finds what data is compared with.

    Args:
        folder: Folder of the notes of a pipeline.
        current: The data.

    Returns:
        Of other data that passed the gate and whose files are still there: that of the highest
        span below all of its spans, or else of the same spans; of several the one that passed
        last. A window that has some of its spans and others is compared with none of its rows.
    """
    others = [note for note in _notes(folder) if note.identity != current.identity]
    below = [note for note in others if note.span < current.first_span]
    same = [n for n in others if (n.first_span, n.span) == (current.first_span, current.span)]
    below.sort(key=lambda note: (note.span, note.passed), reverse=True)
    same.sort(key=lambda note: note.passed, reverse=True)
    return next((note for note in (*below, *same) if fileio.isdir(note.uri)), None)


def _notes(folder: str) -> Iterator[DataSet]:
    if not fileio.isdir(folder):
        return
    for name in sorted(fileio.listdir(folder)):
        if name.endswith(".json"):
            with fileio.open(os.path.join(folder, name), "r") as file:
                content = json.loads(file.read())
            yield DataSet(**{**content, "splits": tuple(content["splits"])})


def _number(value: Any) -> int:
    """A span: a text or a whole number, in a cluster 3.0 as well."""
    return int(float(value)) if value else 0


def _first_span(examples: types.Artifact, last: int) -> int:
    """The earliest span of a window; of one span itself."""
    spans = parse_spans(examples.get_custom_property(SPANS))
    return min((span for span, _ in spans), default=last)
