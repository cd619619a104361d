"""The part of `verify` that looks at the disk: payloads, source files, published versions.

Called by `lineage.answers.verify.verify`.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from fareline import recorded
from fareline.digests import sha256_of_folder
from fareline.recorded.data import source_files
from lineage.answers.verify.findings import ERROR, NOTE, WARNING, Finding
from lineage.facts.payload import (
    DIFFERS,
    MISSING,
    NOT_LOOKED_AT,
    SAME,
    THERE,
    TOUCHED,
    Payload,
    check_digest,
    check_fingerprint,
    check_source_files,
    leftover,
    local_path,
    look_at,
    measure,
)
from lineage.facts.pushes import live_pushes, pushed_to
from lineage.graph.elements import Artifact
from lineage.graph.graph import Graph

# Of these an empty folder is no payload; of others, such as the logs of a training, it may be.
_NEVER_EMPTY = frozenset({"Examples", "ExampleStatistics", "Model", "Schema", "TransformGraph"})
_RUN_AGAIN = "restore it from a backup, or run the pipeline again, which executes what is missing"


@dataclasses.dataclass(frozen=True)
class ServingFolder:
    """A folder that models are pushed to, as it is on the disk.

    Attributes:
        base: Path, above the versions.
        versions: Numbers of those that are there.
        is_own: Whether only this workspace pushes to the folder.
    """

    base: str
    versions: Sequence[int]
    is_own: bool


class Checker:
    """Looks at payloads, each digest once.

    Args:
        hashing: Whether contents are compared where a digest is recorded.
    """

    def __init__(self, hashing: bool):
        self.hashing = hashing
        self.hashed = 0
        self.not_looked_at = 0

    def check_artifact(self, artifact: Artifact) -> Iterator[Finding]:
        """Checks one artifact: LIVE and there, or deleted and gone; with the recorded digest."""
        if artifact.state == "deleted":
            left = leftover(artifact.uri)
            if left:
                what = f"is marked as deleted, and {measure(left):,} bytes are there: {left[0]}"
                do = "`lineage prune --keep N --yes` removes them"
                yield Finding(WARNING, "deleted_but_there", artifact.key, what, do)
            return
        if artifact.state != "live":
            return
        payload = look_at(artifact.uri) if artifact.uri else Payload(THERE, files=1)
        self.not_looked_at += payload.status == NOT_LOOKED_AT
        if payload.status == MISSING:
            what = f"is LIVE, and its payload is missing: {artifact.uri}"
            yield Finding(ERROR, "payload_missing", artifact.key, what, _RUN_AGAIN)
        elif payload.status == THERE and not payload.files and artifact.type in _NEVER_EMPTY:
            what = f"is LIVE, and its folder is empty: {artifact.uri}"
            yield Finding(ERROR, "payload_empty", artifact.key, what, _RUN_AGAIN)
        elif self.hashing and recorded.SHA256 in artifact.properties:
            digest = check_digest(artifact)
            self.hashed += digest in (SAME, DIFFERS)
            if digest in (DIFFERS, MISSING):
                what = f"its payload is not what was recorded (SHA-256 {digest}): {artifact.uri}"
                do = "do not publish it; find out who changed it, and run again"
                yield Finding(ERROR, "payload_differs", artifact.key, what, do)


def check_sources(graph: Graph, checker: Checker) -> Iterator[Finding]:
    """Compares the files that examples were read from; each file with one content only once."""
    seen: dict[tuple[str, str], str] = {}
    spans = graph.artifacts_of_type(recorded.FEEDBACK_SPAN)
    erased = {f"{s.uri}/{recorded.SPAN_ROWS_FILE}" for s in spans if s.state == "deleted"}
    for examples in graph.artifacts_of_type("Examples"):
        if examples.state == "deleted":
            continue
        if recorded.SOURCE_FILES not in examples.properties:
            yield from _check_fingerprint(graph, examples)
            continue
        if all((f.path, f.sha256) in seen for f in source_files(examples)):
            continue
        for file in check_source_files(examples, checker.hashing):
            checker.hashed += checker.hashing and file.status in (SAME, DIFFERS)
            if (file.path, file.sha256) in seen:
                continue
            seen[file.path, file.sha256] = examples.key
            if file.status == DIFFERS:
                what = f"is not what {examples.key} was read from: its content differs"
                do = "keep data files unchanged, and give new data a new name; restore this one"
                yield Finding(ERROR, "source_differs", file.path, what, do)
            elif file.status == MISSING and file.path not in erased:
                what = f"is gone; {examples.key} was read from it"
                do = "restore it, or know that its models cannot be made again"
                yield Finding(WARNING, "source_missing", file.path, what, do)


def _check_fingerprint(graph: Graph, examples: Artifact) -> Iterator[Finding]:
    """Of stock stores: TFX's numbers, which say less than a digest."""
    reader = next((e for e in graph.producers(examples) if e.state == "executed"), None)
    if reader is None:
        return
    found = check_fingerprint(examples, reader.properties)
    base = str(reader.properties.get("input_base"))
    if found.status == DIFFERS:
        what = f"{base} is not what it was read from: number or size of the files differ"
        do = "keep data files unchanged, and give new data a new name; restore these"
        yield Finding(ERROR, "source_differs", examples.key, what, do)
    elif found.status == MISSING:
        what = f"the files that it was read from are gone: {base}"
        do = "restore them, or know that its models cannot be made again"
        yield Finding(WARNING, "source_missing", examples.key, what, do)
    elif found.status == TOUCHED:
        what = f"the files in {base} have other times of change; number and bytes are the same"
        do = "nothing, if they were copied or checked out anew; no digest of them is recorded"
        yield Finding(NOTE, "source_touched", examples.key, what, do)


def check_pushes(graph: Graph, checker: Checker) -> Iterator[Finding]:
    """Looks for the published versions at their destinations."""
    live = set(live_pushes(graph).values())
    newest: dict[str, Artifact] = {}
    for pushed in graph.artifacts_of_type("PushedModel"):
        destination = str(pushed.properties.get("pushed_destination") or "")
        if pushed.properties.get("pushed") and destination:
            newest[destination] = pushed
    live_places = {str(pushed.properties.get("pushed_destination")) for pushed in live}
    for destination, pushed in newest.items():
        found = look_at(destination)
        if found.status == MISSING:
            if destination in live_places:
                what = f"is the live version by record, and is not there: {destination}"
                do = "run the pipeline again, which publishes what is missing"
                yield Finding(ERROR, "live_version_missing", pushed.key, what, do)
            else:
                what = f"was published, and the version is gone: {destination}"
                do = "no action: older versions are removed, by keep_versions or by hand"
                yield Finding(NOTE, "version_gone", pushed.key, what, do)
        elif found.status == THERE and checker.hashing:
            yield from _check_version(pushed, destination, checker)


def check_published(graph: Graph, folders: Sequence[ServingFolder]) -> Iterator[Finding]:
    """Looks for versions in serving folders that no record knows."""
    known = set(map(pushed_to, graph.artifacts_of_type("PushedModel")))
    for folder in folders:
        for number in folder.versions:
            if (folder.base, number) in known:
                continue
            what = "is published, but not recorded"
            do = "look at `fareline models`, which records what a killed run has pushed; else "
            do += "remove it, or keep it if another workspace pushes there"
            live = folder.is_own and number == max(folder.versions)
            severity = ERROR if live else WARNING
            path = f"{folder.base}/{number}"
            yield Finding(severity, "version_not_recorded", path, what, do)


def _check_version(pushed: Artifact, destination: str, checker: Checker) -> Iterator[Finding]:
    """A published version against the copy that the artifact holds."""
    version, copy = local_path(destination), local_path(pushed.uri)
    if version is None or copy is None or not copy.is_dir() or not version.is_dir():
        return
    if not any(copy.iterdir()):
        return  # a pusher of another kind, which keeps no copy
    wanted = pushed.properties.get(recorded.SHA256)
    try:
        wanted = wanted if isinstance(wanted, str) else sha256_of_folder(copy)
        same = sha256_of_folder(version) == wanted
    except OSError:
        same = False
    checker.hashed += 1
    if not same:
        what = f"the version at {destination} is not what was pushed"
        do = "publish again, and find out who changed it: it is not the model that was checked"
        yield Finding(ERROR, "version_differs", pushed.key, what, do)
