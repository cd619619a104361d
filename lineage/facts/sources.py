"""Sources outside the store: files of ExampleGen, an imported URI, a schema.

Called where a chain ends: by lineage.answers.chain.chain and lineage.answers.show.artifact.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from fareline import recorded
from fareline.recorded.data import RecordedFile, source_files
from lineage.facts.source_patterns import splits_read
from lineage.graph.elements import Artifact, Execution

_IMPORTED_FROM = "artifact_uri"  # parameter of TFX's Importer
_FINGERPRINT = "input_fingerprint"  # TFX's, of Examples: numbers, sizes and times, no digest


@dataclasses.dataclass(frozen=True)
class Source:
    """Something that an execution read and no execution of the store made.

    Attributes:
        execution: Execution that read the source.
        artifact: Artifact that was derived from the source.
        place: Path, URI, or folder and pattern.
        sha256: SHA-256 of its content; empty if it was not recorded.
        files: Number of files; None if not recorded.
        bytes: Size of all of them; None if not recorded.
        times_checksum: TFX's checksum of the times of change; empty if it recorded none.
    """

    execution: Execution
    artifact: Artifact
    place: str
    sha256: str = ""
    files: int | None = None
    bytes: int | None = None
    times_checksum: str = ""

    def to_json(self) -> dict[str, Any]:
        """Keys: execution, artifact, place, sha256, files, bytes, times_checksum."""
        return {
            "execution": self.execution.key,
            "artifact": self.artifact.key,
            "place": self.place,
            "sha256": self.sha256 or None,
            "files": self.files,
            "bytes": self.bytes,
            "times_checksum": self.times_checksum or None,
        }


def sources_of(execution: Execution, outputs: Iterable[Artifact]) -> list[Source]:
    """Finds what an execution read from outside.

    Args:
        execution: Execution of any type.
        outputs: Outputs of the execution.

    Returns:
        Recorded files; in a stock store folder and pattern of each split, with the numbers of TFX's
        fingerprint; a URI of an Importer; a schema with a digest. None for all other executions.
    """
    found: list[Source] = []
    for artifact in outputs:
        files = source_files(artifact) if artifact.type == "Examples" else []
        imported = execution.properties.get(_IMPORTED_FROM)
        if files:
            found += [_recorded_file(execution, artifact, file) for file in files]
        elif artifact.type == "Examples" and execution.properties.get("input_base"):
            found += _patterns(execution, artifact)
        elif imported:
            found.append(Source(execution, artifact, str(imported)))
        elif artifact.type == "Schema" and artifact.properties.get(recorded.SHA256):
            place = str(artifact.properties.get("source", artifact.uri))
            digest = str(artifact.properties[recorded.SHA256])
            found.append(Source(execution, artifact, place, digest, 1))
    return found


def _recorded_file(execution: Execution, artifact: Artifact, file: RecordedFile) -> Source:
    return Source(execution, artifact, file.path, file.sha256, 1, file.bytes)


def _patterns(execution: Execution, artifact: Artifact) -> Iterator[Source]:
    numbers = decode_fingerprint(artifact.properties.get(_FINGERPRINT))
    for name, base, pattern in splits_read(execution.properties):
        of_split = numbers.get(name, {})
        yield Source(
            execution,
            artifact,
            f"{base}/{pattern}" if pattern else base,
            files=_whole(of_split.get("num_files")),
            bytes=_whole(of_split.get("total_bytes")),
            times_checksum=of_split.get("sum_checksum", ""),
        )


def decode_fingerprint(fingerprint: Any) -> dict[str, dict[str, str]]:
    """Split to the parts of TFX's `split:all,num_files:1,total_bytes:7,…`; empty if invalid."""
    splits = {}
    for line in str(fingerprint or "").splitlines():
        parts = dict(part.partition(":")[::2] for part in line.split(","))
        if "split" in parts:
            splits[parts.pop("split")] = parts
    return splits


def _whole(digits: str | None) -> int | None:
    return int(digits) if digits and digits.isdecimal() else None
