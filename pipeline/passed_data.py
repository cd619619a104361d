"""Which data has passed the gate, noted beside the artifacts: how the previous span is found.

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

from tfx import types
from tfx.components.example_gen.utils import FINGERPRINT_PROPERTY_NAME, SPAN_PROPERTY_NAME
from tfx.dsl.io import fileio
from tfx.types import artifact_utils


@dataclasses.dataclass(frozen=True)
class DataSet:
    """One set of Examples.

    Attributes:
        span: Its number; 0 where the source has none.
        identity: The fingerprint of the files it was read from, or else where it is.
        uri: Of the artifact.
        splits: Their names.
        passed: When it passed the gate, ISO, UTC; empty if it has not yet.
    """

    span: int
    identity: str
    uri: str
    splits: tuple[str, ...]
    passed: str = ""


def data_set(examples: types.Artifact) -> DataSet:
    """What a note says of an artifact that has not passed yet."""
    span = _property(examples, SPAN_PROPERTY_NAME)
    return DataSet(
        span=int(span or 0),
        identity=_property(examples, FINGERPRINT_PROPERTY_NAME) or examples.uri,
        uri=examples.uri,
        splits=tuple(sorted(artifact_utils.decode_split_names(examples.split_names))),
    )


def note_passed(folder: str, passed: DataSet) -> None:
    """Notes that data has passed the gate; data that did before keeps its first note.

    Args:
        folder: Of the notes of a pipeline.
        passed: What.
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
        folder: Of the notes of a pipeline.
        current: The data.

    Returns:
        Of other data that passed the gate and whose files are still there: that of the highest
        span below, or else of the same span; of several the one that passed last.
    """
    others = [note for note in _notes(folder) if note.identity != current.identity]
    below = [note for note in others if note.span <= current.span]
    for note in sorted(below, key=lambda n: (n.span < current.span, n.span, n.passed))[::-1]:
        if fileio.isdir(note.uri):
            return note
    return None


def _notes(folder: str) -> Iterator[DataSet]:
    if not fileio.isdir(folder):
        return
    for name in sorted(fileio.listdir(folder)):
        if name.endswith(".json"):
            with fileio.open(os.path.join(folder, name), "r") as file:
                content = json.loads(file.read())
            yield DataSet(**{**content, "splits": tuple(content["splits"])})


def _property(artifact: types.Artifact, name: str) -> str:
    """A custom property as text; spans are texts or whole numbers, in a cluster also 3.0."""
    properties = artifact.mlmd_artifact.custom_properties
    if name not in properties:  # asking for it would add it
        return ""
    value = properties[name]
    number = value.int_value or int(value.double_value)
    return value.string_value or (str(number) if number else "")
