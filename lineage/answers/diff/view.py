"""The answer of `lineage diff`: as JSON, and drawn: what differs, then what is the same."""

import re
from typing import TYPE_CHECKING, Any

from lineage.answers.diff.diff import NOT_RECORDED, Diff
from lineage.answers.diff.sides import Side
from lineage.answers.diff.values import Change, Group
from lineage.text.flat import number
from lineage.text.harmless import plain, text
from lineage.text.tables import Column, print_line, print_table
from lineage.text.times import clock, iso

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_CHANGES = 10
_SHOWN_SAME = 8
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGITS = 12  # of a digest in the table; --json has all
_VALUE_LIMIT = 60  # characters of a value in the table


def diff_as_json(diff: Diff) -> dict[str, Any]:
    """One object; keys are stable.

    `a` and `b` (each `asked`, `run`, `model`, `created`, `pushed_versions`, `live`), `differs` and
    `same` (names of groups), `groups`: name to `changes` (each `path`, `a`, `b`, `difference`),
    `same` (paths) and `notes`. A group that could not be compared has notes only.
    """
    return {
        "a": _side_as_json(diff.a),
        "b": _side_as_json(diff.b),
        "differs": diff.differs,
        "same": [g.name for g in diff.groups if g.same and not g.changes],
        "groups": {
            group.name: {
                "changes": [
                    {
                        "path": change.path,
                        "a": _json_value(change.a),
                        "b": _json_value(change.b),
                        "difference": _json_value(change.difference),
                    }
                    for change in group.changes
                ],
                "same": list(group.same),
                "notes": list(group.notes),
            }
            for group in diff.groups
        },
    }


def draw_diff(console: "Console", diff: Diff, show_all: bool = False) -> None:
    """Prints both sides, the verdict, a table per group that differs, and what is the same.

    Args:
        console: To print on.
        diff: Comparison to draw.
        show_all: Whether every difference is listed, not only the largest of each group.
    """
    for label, side in (("a", diff.a), ("b", diff.b)):
        print_line(console, text(f"{label}: {_side_words(side)}", limit=None))
    differs = ", ".join(diff.differs)
    verdict = f"differs in: {differs}" if differs else "nothing differs"
    print_line(console, text(verdict, "bold", limit=None))
    for group in diff.groups:
        if group.changes:
            console.print()
            console.print(text(_title(group), "bold"))
            _print_changes(console, group, show_all)
            if not show_all and len(group.changes) > SHOWN_CHANGES:
                rest = len(group.changes) - SHOWN_CHANGES
                console.print(text(f"and {rest} more: --all shows them"))
    console.print()
    for group in diff.groups:
        if group.same and not group.changes:
            print_line(console, text(f"same {group.name}: {_same_words(group)}", limit=None))
    missing: dict[str, list[str]] = {}
    for group in diff.groups:
        for note in group.notes:
            if note.startswith(NOT_RECORDED):
                missing.setdefault(note, []).append(group.name)
            elif "compared to" not in note:
                print_line(console, text(f"{group.name}: {note}", limit=None))
    for note, names in missing.items():
        print_line(console, text(f"{note}: {', '.join(names)}", limit=None))


def _title(group: Group) -> str:
    rounded = [note for note in group.notes if "compared to" in note]
    details = [f"{len(group.same)} the same" if group.same else "", *rounded]
    words = "; ".join(filter(None, details))
    return f"{group.name} ({words})" if words else group.name


def _print_changes(console: "Console", group: Group, show_all: bool) -> None:
    numbers = any(change.difference is not None for change in group.changes)
    columns = [Column(name, is_path=True) for name in ("what", "a", "b")]
    columns += [Column("b - a", right=True)] if numbers else []
    changes = sorted(group.changes, key=lambda change: (-_size(group, change), change.path))
    shown = changes[: None if show_all else SHOWN_CHANGES]
    print_table(console, columns, [_cells(change, numbers) for change in shown])


def _size(group: Group, change: Change) -> float:
    """How large a difference is; from 0.0004 to 0.0003 is a small one of a metric or a share."""
    is_share = group.name in ("metrics", "slices") or change.path.endswith(".missing")
    return change.size(1.0 if is_share else 0.0)


def _cells(change: Change, with_difference: bool) -> list[str]:
    cells = [change.path, _words(change.a), _words(change.b)]
    if with_difference:
        cells.append("" if change.difference is None else f"{change.difference:+.6g}")
    return cells


def _words(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return f"{value[:_DIGITS]}…"
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return plain(value, _VALUE_LIMIT)


def _same_words(group: Group) -> str:
    if len(group.same) > _SHOWN_SAME:
        return f"{len(group.same)} values"
    return ", ".join(plain(path) for path in group.same)


def _side_words(side: Side) -> str:
    words = [side.asked]
    if side.run_id and side.run_id != side.asked:
        words.append(f"run {side.run_id}")
    if side.facts is None:
        return ", ".join([*words, "no model"])
    if side.facts.model.key != side.asked:
        words.append(side.facts.model.key)
    words.append(f"created {clock(side.facts.model.created)}")
    versions = _versions(side)
    words.append(f"pushed as {', '.join(versions)}" if versions else "not pushed")
    return ", ".join([*words, *(["LIVE"] if side.facts.live else [])])


def _versions(side: Side) -> list[str]:
    return list(dict.fromkeys(push.version for push in side.pushes if push.version))


def _side_as_json(side: Side) -> dict[str, Any]:
    return {
        "asked": side.asked,
        "run": side.run_id or None,
        "model": side.facts.model.key if side.facts else None,
        "created": iso(side.facts.model.created) if side.facts else None,
        "pushed_versions": _versions(side),
        "live": bool(side.facts and side.facts.live),
    }


def _json_value(value: Any) -> Any:
    """JSON has no NaN."""
    return number(value) if isinstance(value, float) else value
