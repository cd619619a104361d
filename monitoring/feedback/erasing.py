"""Erases an entity from the log, from the outcomes and, by new versions, from sealed spans.

What is to go is written down first, in `erasing.json`, so that an erasure that was killed is
carried on by the next one. The log and the outcomes are written anew without it, then each span
that held it gets another version without it. Versions that held it are named to the caller, who
has their folders removed once that is recorded. Called by `runners.feedback.erasure`.
"""

import dataclasses
import json
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fareline.errors import DataError, UserMistake
from fareline.files import write_json, written_beside
from fareline.recorded.feedback import SealedSpan
from monitoring.feedback.folders import MANIFEST, STATES, FeedbackFolder
from monitoring.feedback.sealing import seal_without
from serving.server.log_files import closed_files

_JOURNAL = "erasing.json"
_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+")  # of a prediction, in any text


@dataclasses.dataclass(frozen=True)
class Erasing:
    """A request to erase.

    Attributes:
        entity: The person or thing, as the log names it.
        ids: Ids of all predictions about it.
    """

    entity: str
    ids: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Erased:
    """The erased records.

    Attributes:
        predictions: About the entity, in the log or in sealed spans.
        lines: Lines of the log.
        outcomes: Number of outcomes.
        sealed: The new versions of spans.
        replaced: The versions that held it, whose folders are still there.
    """

    predictions: int
    lines: int
    outcomes: int
    sealed: tuple[SealedSpan, ...]
    replaced: tuple[SealedSpan, ...]


def require_no_erasure(folder: FeedbackFolder) -> None:
    """Refuses to continue if an earlier erasure was stopped before its end.

    Raises:
        UserMistake: An earlier erasure is not complete.
    """
    if (folder.root / _JOURNAL).is_file():
        raise UserMistake.explain(
            str(folder.root),
            "an erasure was stopped before its end",
            "expected it to be carried on first",
            "give the same `fareline feedback erase` again",
        )


def begin(folder: FeedbackFolder, entity: str) -> Erasing:
    """Finds the records to erase and lists them in a file, with leftovers of an earlier erasure.

    Args:
        folder: Feedback folder, locked by the caller.
        entity: The person or thing, as the log names it.

    Raises:
        UserMistake: No record is about the entity.
        DataError: A record cannot be read, or belongs to another entity.
    """
    ids = {line["id"] for _, line in _lines_about(folder, entity)}
    for versions in folder.sealed().values():
        for span in versions:
            ids.update(_ids_about(folder, span, entity))
    journal = folder.root / _JOURNAL
    if journal.is_file():
        ids.update(_read_journal(journal, entity))
    named = any(_count_of(path, entity, ()) for path in folder.outcome_files())
    if not ids and not named and not journal.is_file():
        raise UserMistake.explain(
            entity,
            "no closed file of the log, no outcome and no sealed span is about it",
            "expected a value of feedback.entity",
            "check how it is spelt; a file that a server has open closes within the hour",
        )
    write_json(journal, {"entity": entity, "ids": sorted(ids)})
    return Erasing(entity, tuple(sorted(ids)))


def _read_journal(journal: Path, entity: str) -> list[str]:
    try:
        content = json.loads(journal.read_text(encoding="utf-8"))
        if content["entity"] == entity:
            return content["ids"]
        found = "an erasure of another entity was stopped before its end"
    except (OSError, ValueError, KeyError, TypeError) as error:
        found = f"cannot be read ({error})"
    raise DataError.explain(
        str(journal),
        found,
        "expected the same entity as in it, for the erasure to be carried on",
        "erase that one again first",
    )


def erase(folder: FeedbackFolder, erasing: Erasing) -> Erased:
    """Removes the entity from the log, the outcomes and, by new versions, the sealed spans.

    Args:
        folder: Feedback folder, locked by the caller.
        erasing: From `begin`.
    """
    ids = frozenset(erasing.ids)
    lines = sum(_clean_log(path, erasing.entity, ids) for path in closed_files(folder.logs))
    outcomes = sum(_clean_outcomes(path, erasing) for path in folder.outcome_files())
    names_entity = _words(erasing.entity)
    for path in sorted(folder.set_apart.glob("*.jsonl")):
        with path.open("rb") as file:
            lines_there = list(file)
        left = [line for line in lines_there if not _is_about(line, names_entity, ids)]
        if len(left) < len(lines_there):
            _rewrite(path, left)
    sealed, replaced = [], []
    for versions in folder.sealed().values():
        held = [span for span in versions if _holds(folder, span, ids)]
        if held and held[-1] == versions[-1]:
            sealed.append(seal_without(folder, versions[-1], ids))
        replaced += held
    return Erased(len(ids), lines, outcomes, tuple(sealed), tuple(replaced))


def end(folder: FeedbackFolder, erased: Erased) -> None:
    """Removes the versions with the entity, and records the end of the erasure."""
    for span in erased.replaced:
        place = folder.place(span.span, span.version)
        (place / MANIFEST).unlink()  # without it a folder is no version, and is swept
        shutil.rmtree(place)
    (folder.root / _JOURNAL).unlink(missing_ok=True)


def _lines_about(folder: FeedbackFolder, entity: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    wanted = json.dumps(entity).encode()
    for path in closed_files(folder.logs):
        with path.open("rb") as lines:
            for line in lines:
                if wanted in line and (content := _parse(line)) and content.get("entity") == entity:
                    yield path, content


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and isinstance(content.get("id"), str) else None


def _ids_about(folder: FeedbackFolder, span: SealedSpan, entity: str) -> list[str]:
    path = folder.place(span.span, span.version) / STATES
    table = pq.read_table(path, columns=["id"], filters=[("entity", "=", entity)])
    return table.column("id").to_pylist()


def _holds(folder: FeedbackFolder, span: SealedSpan, ids: Collection[str]) -> bool:
    table = pq.read_table(folder.place(span.span, span.version) / STATES, columns=["id"])
    return pc.any(pc.is_in(table.column("id"), pa.array(sorted(ids), pa.string()))).as_py() or False


def _clean_log(path: Path, entity: str, ids: Collection[str]) -> int:
    """Takes lines out of a file of the log; returns how many. A broken line that names it, too."""
    names_entity = _words(entity)
    with path.open("rb") as file:
        lines = list(file)
    kept = []
    for line in lines:
        content = _parse(line)
        gone = (
            _is_about(line, names_entity, ids)
            if content is None
            else (content["id"] in ids or content.get("entity") == entity)
        )
        kept += [] if gone else [line]
    if len(kept) < len(lines):
        _rewrite(path, kept)
    return len(lines) - len(kept)


def _words(entity: str) -> re.Pattern[bytes]:
    """Finds an entity as a word, as JSON or as it is: entity 7 is not named by 2017."""
    names = (json.dumps(entity).encode()[1:-1], entity.encode("utf-8", "surrogatepass"))
    return re.compile(rb"(?<!\w)(?:" + b"|".join(map(re.escape, names)) + rb")(?!\w)")


def _is_about(line: bytes, names_entity: re.Pattern[bytes], ids: Collection[str]) -> bool:
    """Whether a line that is no record names the entity, or a prediction about it."""
    if names_entity.search(line):
        return True
    return any(word.decode() in ids for word in _ID.findall(line))


def _rewrite(path: Path, lines: list[bytes]) -> None:
    if not lines:
        path.unlink()
        return
    with written_beside(path) as part:
        part.write_bytes(b"".join(lines))


def _count_of(path: Path, entity: str, ids: Collection[str]) -> int:
    return len(pq.read_table(path)) - len(_without(path, entity, ids))


def _without(path: Path, entity: str, ids: Collection[str]) -> pa.Table:
    table = pq.read_table(path)
    named = pc.equal(table.column("entity"), pa.scalar(entity, pa.string()))
    of_ids = pc.is_in(table.column("prediction_id"), pa.array(sorted(ids), pa.string()))
    gone = pc.or_(pc.fill_null(named, False), pc.fill_null(of_ids, False))
    return table.filter(pc.invert(gone))


def _clean_outcomes(path: Path, erasing: Erasing) -> int:
    """Takes outcomes out of a file of them; returns how many."""
    kept = _without(path, erasing.entity, erasing.ids)
    gone = len(pq.read_table(path, columns=["value"])) - len(kept)
    if gone and len(kept):
        with written_beside(path) as part:
            pq.write_table(kept, part)
    elif gone:
        path.unlink()
    return gone
