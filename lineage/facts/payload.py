"""Payloads of artifacts: existence, size, and whether the content has changed.

Called by `inputs`, `verify`, `prune`, `reproduce` and `show`. This module never
writes, never reads remote places, and does not trust the URIs of a store.
"""

import dataclasses
import glob
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fareline import recorded
from fareline.digests import sha256_of_file, sha256_of_folder
from fareline.recorded.data import source_files
from fareline.recorded.texts import parse_json
from lineage.graph.elements import Artifact

SAME, DIFFERS, MISSING = "same", "differs", "missing"
NOT_RECORDED, NOT_LOOKED_AT = "not_recorded", "not_looked_at"
THERE = "there"

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SCHEMA_FILE = "schema.pbtxt"
_FINGERPRINT = "input_fingerprint"  # TFX's property of the Examples that an ExampleGen puts out


@dataclasses.dataclass(frozen=True)
class Payload:
    """The payload at a URI.

    Attributes:
        status: `there`, `missing`, or `not_looked_at`: remote, or relative to a folder that the
            store does not name.
        bytes: Size of all files; 0 unless there.
        files: Number of files.
    """

    status: str
    bytes: int = 0
    files: int = 0


def local_path(uri: str) -> Path | None:
    """The path that a URI means on this machine; None for a remote one and for none at all."""
    if not uri or "\0" in uri:
        return None
    match = _SCHEME.match(uri)
    if match is None:
        return Path(uri)
    return Path(uri[match.end() :]) if match["scheme"].lower() == "file" else None


def look_at(uri: str) -> Payload:
    """Finds whether a payload is there and its size. Symbolic links inside are not followed."""
    path = local_path(uri)
    if path is None:
        return Payload(NOT_LOOKED_AT)
    try:
        if path.is_dir():
            return _measure_folder(path)
        return Payload(THERE, path.stat().st_size, 1)
    except OSError:
        # A relative URI is relative to where the pipeline ran, which the store does not say.
        return Payload(MISSING if path.is_absolute() else NOT_LOOKED_AT)


def _measure_folder(folder: Path) -> Payload:
    total = count = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            total += os.lstat(os.path.join(parent, name)).st_size
            count += 1
    return Payload(THERE, total, count)


def check_digest(artifact: Artifact) -> str:
    """Compares a Model's or Schema's payload with the SHA-256 that was recorded for it.

    Returns:
        `same`, `differs`, `missing`, `not_recorded` or `not_looked_at`.
    """
    wanted = artifact.properties.get(recorded.SHA256)
    if not (isinstance(wanted, str) and _DIGEST.fullmatch(wanted)):
        return NOT_RECORDED
    status = look_at(artifact.uri).status
    path = local_path(artifact.uri)
    if status != THERE or path is None:
        return status
    if path.is_dir() and artifact.type == "Schema":
        path = path / _SCHEMA_FILE
    return compare_digest(path, wanted)


def compare_digest(path: Path, wanted: str) -> str:
    """Compares a file's or folder's SHA-256 with a recorded one: `same`, `differs`, `missing`."""
    try:
        found = sha256_of_folder(path) if path.is_dir() else sha256_of_file(path)
    except OSError:
        return MISSING
    return SAME if found == wanted else DIFFERS


@dataclasses.dataclass(frozen=True)
class SourceFile:
    """A file that examples were read from, as recorded and as it is now.

    Attributes:
        path: Recorded path.
        bytes: Size, as recorded.
        sha256: SHA-256, as recorded.
        status: `same`, `differs`, `missing` or `not_looked_at`.
    """

    path: str
    bytes: int
    sha256: str
    status: str


def check_source_files(examples: Artifact, hashing: bool = True) -> list[SourceFile]:
    """Compares the recorded source files of Examples with what is on disk; or returns none.

    Args:
        examples: Output of an ExampleGen.
        hashing: Whether contents are compared; else existence and size are, and `same` means no
            more than that.
    """
    checked = []
    for entry in source_files(examples):
        path, size, digest = entry.path, entry.bytes or 0, entry.sha256
        checked.append(SourceFile(path, size, digest, _compare_file(path, size, digest, hashing)))
    return checked


def _compare_file(uri: str, size: int, digest: str, hashing: bool) -> str:
    payload = look_at(uri)
    path = local_path(uri)
    if payload.status != THERE or path is None:
        return payload.status
    if payload.bytes != size:
        return DIFFERS
    return compare_digest(path, digest) if hashing else SAME


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """TFX's fingerprint of the files that an ExampleGen read: numbers, no digest of contents.

    Attributes:
        recorded: Fingerprint, as TFX recorded it.
        now: Fingerprint of the files now; empty if they cannot be read.
        status: `same`; `touched`: same number and bytes, other times; `differs`; `missing`;
            `not_recorded`; `not_looked_at`.
    """

    recorded: str
    now: str
    status: str


TOUCHED = "touched"


def check_fingerprint(examples: Artifact, parameters: Mapping[str, Any]) -> Fingerprint:
    """Computes TFX's `input_fingerprint` from the files on disk and compares.

    Args:
        examples: Output of an ExampleGen.
        parameters: Properties of the execution that read the files: `input_base` and
            `input_config`, in which TFX has put the span's number for its placeholder.

    Source: tfx.utils.io_utils.generate_fingerprint, the same in TFX 1.16 and 1.21.
    """
    was = examples.properties.get(_FINGERPRINT)
    base = local_path(str(parameters.get("input_base") or ""))
    config = parse_json(parameters.get("input_config"))
    if not isinstance(was, str) or not isinstance(config, dict):
        return Fingerprint("", "", NOT_RECORDED)
    splits = [s for s in config.get("splits", []) if isinstance(s, dict)]
    if base is None or not splits or any("{" in str(s.get("pattern")) for s in splits):
        return Fingerprint(was, "", NOT_LOOKED_AT)
    now = "\n".join(_fingerprint(base, str(s.get("name")), str(s.get("pattern"))) for s in splits)
    if now == was:
        return Fingerprint(was, now, SAME)
    if _without_times(now) == _without_times(was):
        return Fingerprint(was, now, TOUCHED)
    return Fingerprint(was, now, MISSING if "num_files:0," in now else DIFFERS)


def _fingerprint(base: Path, name: str, pattern: str) -> str:
    stats = [os.stat(path) for path in glob.glob(os.path.join(base, pattern))]
    xor = total = 0
    for found in stats:
        seconds = found.st_mtime_ns // 1_000_000_000
        xor ^= seconds
        total += seconds
    size = sum(found.st_size for found in stats)
    return (
        f"split:{name},num_files:{len(stats)},total_bytes:{size},"
        f"xor_checksum:{xor},sum_checksum:{total}"
    )


def _without_times(fingerprint: str) -> list[str]:
    return [line.partition(",xor_checksum:")[0] for line in fingerprint.split("\n")]


_BESIDE = ".pruned-"


def leftover(uri: str) -> list[Path]:
    """The remains of a payload that was to be removed, possibly renamed."""
    path = local_path(uri)
    if path is None or not path.is_absolute():
        return []
    path = Path(os.path.normpath(path))
    return [p for p in (path, _beside(path)) if os.path.lexists(p)]


def leftover_files(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder that `leftover` finds something of, by a pattern of their names."""
    found = {path.name for path in folder.glob(pattern)}
    found |= {path.name.removeprefix(_BESIDE) for path in folder.glob(_BESIDE + pattern)}
    return [folder / name for name in sorted(found)]


def measure(paths: Iterable[Path]) -> int:
    """Bytes of files and folders, without following symbolic links."""
    total = 0
    for path in paths:
        found = os.lstat(path)
        total += 0 if stat.S_ISDIR(found.st_mode) else found.st_size
        if stat.S_ISDIR(found.st_mode):
            for parent, _, names in os.walk(path):
                total += sum(os.lstat(os.path.join(parent, name)).st_size for name in names)
    return total


def _beside(path: Path) -> Path:
    return path.with_name(_BESIDE + path.name)
