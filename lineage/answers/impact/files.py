"""Source files in a store: as our pipelines record them, or the patterns that stock TFX records.

Called by lineage.answers.impact.origin.
"""

import dataclasses
import os
import re
from collections.abc import Iterable, Sequence

from fareline.digests import sha256_of_file
from fareline.errors import UserMistake
from fareline.recorded import DATA_SHA256, SHA256
from fareline.recorded.data import source_files
from lineage.facts.source_patterns import pattern_matches, patterns_of, splits_of
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from lineage.text.harmless import plain

DIGEST = re.compile(r"[0-9a-f]{8,64}")
_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Origin:
    """The requested source.

    Attributes:
        text: Text, as it was asked.
        matched_by: `content`, `path`, `file name`, `folder`, `pattern`, `sha256`, `span`, `id` or
            `prediction`.
        starts: The artifacts that hold it.
        notes: Remarks about the search for the reader.
    """

    text: str
    matched_by: str
    starts: tuple[Artifact, ...]
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """One source file.

    Attributes:
        examples: Examples with the rows of the file.
        path: Path, as it was recorded.
        sha256: SHA-256 of its content then.
    """

    examples: Artifact
    path: str
    sha256: str


def source_files_of(examples: Iterable[Artifact]) -> list[SourceFile]:
    """Lists the files that were recorded with Examples."""
    return [
        SourceFile(artifact, entry.path, entry.sha256)
        for artifact in examples
        for entry in source_files(artifact)
    ]


def by_file(text: str, files: Sequence[SourceFile]) -> Origin | None:
    """By recorded path, or by the content of a file on disk, or by the name of the file alone."""
    paths = {text, os.path.abspath(text)}
    same = [file for file in files if file.path in paths]
    digest = sha256_of_file(text) if os.path.isfile(text) and files else None
    moved = [f for f in files if digest and f.sha256 == digest and f.path not in paths]
    if same:
        notes = []
        if digest and all(file.sha256 != digest for file in same):
            notes.append("the file on disk is not what was read: its SHA-256 is another now")
        if moved:
            names = ", ".join(sorted({plain(f.path) for f in moved}))
            notes.append(f"the same content was also read as {names}")
        if len({file.sha256 for file in same}) > 1:
            notes.append("was read with different contents; all of them are meant")
        return Origin(text, "path", starts_of([*same, *moved]), tuple(notes))
    if moved:
        names = ", ".join(sorted({plain(f.path) for f in moved}))
        notes = [f"recorded as {names}: the same SHA-256"]
        return Origin(text, "content", starts_of(moved), tuple(notes))
    folders = tuple(path.rstrip("/") + "/" for path in paths)
    if inside := [file for file in files if file.path.startswith(folders)]:
        return Origin(text, "folder", starts_of(inside))
    named = [file for file in files if os.path.basename(file.path) == text]
    names = sorted({file.path for file in named})
    if len(names) > 1:
        listed = ", ".join(map(plain, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
        found = f"is {len(names)} files: {listed}"
        raise UserMistake.explain(text, found, "expected one", "write the whole path")
    if not named:
        return None
    return Origin(text, "file name", starts_of(named), (f"read as {plain(names[0])}",))


def by_pattern(graph: Graph, text: str, examples: Sequence[Artifact]) -> Origin | None:
    """By the patterns that ExampleGen read, where the files themselves were not recorded."""
    if not ("/" in text or os.path.exists(text) or "." in text):
        return None
    found = [
        artifact
        for artifact, maker in unrecorded_makers(graph, examples)
        if _reads(maker, artifact, text)
    ]
    if not found:
        return None
    note = (
        "matched by path, not by content: TFX recorded the pattern that it read and no checksum, "
        "so a file that was renamed, or replaced since, is not noticed"
    )
    return Origin(text, "pattern", tuple(found), (note,))


def note_of_splits(graph: Graph, origin: Origin) -> Origin:
    """Adds a note if the file went into some of the splits alone, such as `eval`."""
    into, all_splits = set(), set()
    for artifact in origin.starts:
        span, version = number_of(artifact, "span"), number_of(artifact, "version")
        for maker in graph.producers(artifact)[:1]:
            paths = dict.fromkeys((origin.text, os.path.abspath(origin.text)))
            found = [splits_of(maker.properties, path, span, version) for path in paths]
            own, others = next((pair for pair in found if pair[0]), ([], []))
            if not own:
                return origin  # its rows were shared out, or it is not known
            into.update(own)
            all_splits.update(others)
    if not into or into == all_splits:
        return origin
    note = (
        f"was read into {', '.join(sorted(map(plain, into)))} alone, of the splits "
        f"{', '.join(sorted(map(plain, all_splits)))}: what a model did with each is not recorded, "
        "so that all count that read any"
    )
    return dataclasses.replace(origin, notes=(*origin.notes, note))


def unrecorded_makers(
    graph: Graph, examples: Iterable[Artifact]
) -> list[tuple[Artifact, Execution]]:
    """Examples whose source files are not recorded, and who ingested them."""
    unrecorded = {a.id: a for a in examples if not source_files(a)}
    links = [link for link in graph.links_of_artifacts(unrecorded) if link.is_output]
    makers = {link.artifact_id: link.execution_id for link in reversed(links)}
    executions = {e.id: e for e in graph.executions(makers.values())}
    return [(unrecorded[i], executions[e]) for i, e in sorted(makers.items()) if e in executions]


def _reads(maker: Execution, artifact: Artifact, text: str) -> bool:
    span, version = number_of(artifact, "span"), number_of(artifact, "version")
    return any(
        pattern_matches(pattern, path, span, version)
        for pattern in patterns_of(maker.properties)
        for path in (text, os.path.abspath(text), *_of_this_name(text, pattern))
    )


def _of_this_name(name: str, pattern: str) -> list[str]:
    """The file of a bare name in the folder of a pattern, if it is there."""
    folder = os.path.dirname(pattern)
    path = os.path.join(folder, name)
    return [path] if "/" not in name and folder and os.path.isfile(path) else []


def by_digest(
    graph: Graph, prefix: str, examples: Sequence[Artifact], files: Sequence[SourceFile]
) -> Origin | None:
    """By the SHA-256, or the start of one, of a file, a schema, a model or all data of a run.

    Raises:
        UserMistake: The text is not a SHA-256, or the beginning of several.
    """
    if not DIGEST.fullmatch(prefix):
        expected = "expected at least 8 hexadecimal digits of one"
        raise UserMistake.explain(prefix, "is not a SHA-256", expected, "write more of it")
    owners = [(file.sha256, file.examples) for file in files]
    owners += [(str(a.properties.get(DATA_SHA256, "")), a) for a in examples]
    for artifact in graph.artifacts_of_type("Schema", "Model"):
        owners.append((str(artifact.properties.get(SHA256, "")), artifact))
    found = [(digest, artifact) for digest, artifact in owners if digest.startswith(prefix)]
    digests = sorted({digest for digest, _ in found})
    if len(digests) > 1:
        listed = ", ".join(d[: len(prefix) + 4] + "…" for d in digests[:_SHOWN])
        words = f"is the start of {len(digests)}: {listed}"
        raise UserMistake.explain(prefix, words, "expected one", "write more of it")
    if not found:
        return None
    paths = sorted({plain(f.path) for f in files if f.sha256 == digests[0]})
    notes = (f"read as {', '.join(paths)}",) if paths else ()
    return Origin(prefix, "sha256", tuple(dict.fromkeys(a for _, a in found)), notes)


def starts_of(files: Iterable[SourceFile]) -> tuple[Artifact, ...]:
    """The Examples of files, each once, by id."""
    found = dict.fromkeys(file.examples for file in files)
    return tuple(sorted(found, key=lambda artifact: artifact.id))


def number_of(artifact: Artifact, name: str) -> int | None:
    """Span or version, which TFX has written as a number or as a text."""
    value = str(artifact.properties.get(name, ""))
    return int(value) if value.isdecimal() else None
