"""View of the answer of `lineage show`. Called by cli.lineage.show.

Long values are cut with their length said, long lists with their count; --json has all.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lineage.text.harmless import text
from lineage.text.outline import line_of, outline
from lineage.text.times import clock_of, size

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 18  # of the names
_TIMES = ("created", "updated", "started", "ended")
_LEFT_OUT = ("kind", "id", "number")
_THERE = {"there": "there", "missing": "missing", "not_looked_at": "not looked at"}


def draw(console: "Console", content: Mapping[str, Any]) -> None:
    """Prints a description; see `lineage.answers.show.show.describe`."""
    console.print(text(content["id"], "bold"), text(content["kind"], "dim"), soft_wrap=True)
    for name, value in content.items():
        if name in _LEFT_OUT or (name == "name" and value is None):
            continue
        shown = _SPECIAL[name](value) if name in _SPECIAL else value
        if name in _TIMES and value is not None:
            shown = clock_of(value)
        _draw(console, name.replace("_", " "), shown)


def _draw(console: "Console", name: str, value: Any) -> None:
    line = line_of(value)
    label = text(f"  {name:<{_WIDTH}}", "cyan", None)
    if line is not None:
        style = "dim" if value in (None, [], {}) else ""
        console.print(label.append(line, style), soft_wrap=True)
        return
    console.print(label, soft_wrap=True)
    for row in outline(value):
        console.print(text(f"    {row}", limit=None), soft_wrap=True)


def _payload(payload: Mapping[str, Any]) -> str:
    said = _THERE[payload["status"]]
    if payload["status"] != "there":
        return said
    count = payload["files"]
    return f"{said}, {count:,} file{'' if count == 1 else 's'}, {size(payload['bytes'])}"


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    """The latest evaluation and the latest word of each judge; what they were before is counted."""
    shown = dict(model)
    judged = {b["by"].partition("@")[0]: b for b in model["blessings"]}
    for name, latest in (
        ("evaluations", model["evaluations"][-1:]),
        ("blessings", [*judged.values()]),
    ):
        shown[name] = latest
        if earlier := len(model[name]) - len(latest):
            shown[f"earlier {name}"] = f"{earlier:,} (--json)"
    shown["pushes"] = [push | {"later": _latest(push["later"])} for push in model["pushes"]]
    return shown


def _latest(verdicts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The last of each judge, in one line each."""
    last = {verdict["by"].partition("@")[0]: verdict for verdict in verdicts}
    return [f"{line_of(verdict['blessed'])}, by {verdict['by']}" for verdict in last.values()]


def _users(users: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """By node and key, since the users of shared data are many."""
    groups: dict[str, list[str]] = {}
    for user in users:
        keys = f" ({', '.join(user['keys'])})" if user["keys"] else ""
        groups.setdefault(f"{user['node']}{keys}", []).append(user["execution"])
    return {
        f"{name}, {len(found):,} times" if len(found) > 1 else name: found
        for name, found in groups.items()
    }


def _recorded(noted: Mapping[str, Any] | None) -> Any:
    """Packages by their number, the settings by their first lines."""
    if noted is None:
        return None
    shown = dict(noted)
    if isinstance(shown.get("packages"), dict):
        shown["packages"] = f"{len(shown['packages'])} (--json lists them)"
    if isinstance(shown.get("settings"), str):
        lines = shown["settings"].splitlines()
        shown["settings"] = f"{len(lines)} lines (--json has them)"
    return shown


def _columns(described: Any) -> Any:
    """Names of the columns, without their splits; what is known of each is in the JSON."""
    if not isinstance(described, dict):  # the schema of a run or a model is none of this
        return described
    shown = {n: v for n, v in described.items() if n != "unreadable" or v is not None}
    names = [name.rpartition(": ")[2] for name in shown.get("columns") or ()]
    return shown | {"columns": list(dict.fromkeys(names)) or None}


def _nodes(nodes: Sequence[Mapping[str, Any]]) -> list[str] | dict[str, str]:
    return {node["id"]: f"{node['state']}, {node['seconds']:g} s" for node in nodes}


def _error(error: str | None) -> Any:
    """All lines, since the cause of a failure is often in the last."""
    if error is None:
        return "none"
    lines = error.splitlines()
    return error if len(lines) < 2 else {str(i): line for i, line in enumerate(lines[-20:], 1)}


_SPECIAL = {
    "payload": _payload,
    "model": _model,
    "used_by": _users,
    "recorded": _recorded,
    "schema": _columns,
    "statistics": _columns,
    "nodes": _nodes,
    "error": _error,
}
