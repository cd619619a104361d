"""Differences and equalities between two runs or two models, in groups.

Called by cli.lineage.diff; drawn by lineage.answers.diff.view.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from fareline import recorded
from fareline.recorded.data import source_files, split_names
from fareline.recorded.evaluation import metrics_of, slice_metrics_of
from fareline.recorded.texts import parse_json
from fareline.recorded.tuning import hyperparameters_of
from fareline.yaml_text import load_yaml
from lineage.answers.diff.sides import Side, find_side
from lineage.answers.diff.values import Group, compare, replace_texts, to_decimals, to_significant
from lineage.facts.payload_contents import Unreadable, hyperparameters_in, schema_of, statistics_of
from lineage.graph.graph import Graph
from lineage.text.flat import flatten

METRIC_DECIMALS = 6
STATISTIC_DIGITS = 6
NOT_RECORDED = "not recorded"
_FEATURES = "features."
# Recorded from what TFX itself was given, and compared in groups of their own.
_NOT_PARAMETERS = frozenset({"input_fingerprint", "span", "version", "tfx_version"})


@dataclasses.dataclass(frozen=True)
class Diff:
    """Two sides and what was compared of them.

    Attributes:
        a: The one.
        b: The other.
        groups: In the order in which they are shown.
    """

    a: Side
    b: Side
    groups: tuple[Group, ...]

    @property
    def differs(self) -> list[str]:
        """Names of the groups in which something differs."""
        return [group.name for group in self.groups if group.changes]


def find_diff(graph: Graph, a: str, b: str) -> Diff:
    """Compares two runs or models.

    Args:
        graph: To read.
        a: Id of the one, or one that leads to it.
        b: Second side.

    Raises:
        UserMistake: An id leads to neither a run nor a model.
    """
    one, other = find_side(graph, a), find_side(graph, b)
    groups = [
        _data(one, other),
        _of_payload("statistics", one, other, _statistics, to_significant(STATISTIC_DIGITS)),
        _of_payload("schema", one, other, _schema, float),
        *_settings(one, other),
        _recorded("code", one, other, _code),
        _hyperparameters(one, other),
        _recorded("packages", one, other, lambda side: side.record.packages),
        _recorded("stack", one, other, _properties(recorded.STACK, recorded.PYTHON)),
        _recorded("runner", one, other, _properties(*_OF_THE_RUNNER)),
        _metrics("metrics", one, other, _overall),
        _metrics("slices", one, other, _slices),
        compare("blessings", _blessings(one), _blessings(other)),
        compare("pushed", _pushed(one), _pushed(other)),
    ]
    return Diff(one, other, tuple(groups))


_OF_THE_RUNNER = (recorded.RUNNER, recorded.HOST_KIND, recorded.USER)
_Collect = Callable[[Side], Mapping[str, Any]]


def _data(a: Side, b: Side) -> Group:
    one, other = _data_of(a), _data_of(b)
    notes = []
    if not any(path.startswith("file ") for path in (*one, *other)):
        notes.append("source files are not recorded")
    # A file of the same content at another place is the same data.
    moved = {v: k for k, v in one.items() if k.startswith("file ") and k not in other}
    for path in [p for p in other if p.startswith("file ") and p not in one]:
        if (before := moved.pop(other[path], None)) is not None:
            other[before] = other.pop(path)
            notes.append(f"{before} was {path} in b: the same content")
    return compare("data", one, other, notes)


def _data_of(side: Side) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("span", "version"):
        numbers = {str(a.properties[name]) for a in side.examples if name in a.properties}
        if numbers:
            found[name] = ", ".join(sorted(numbers, key=lambda n: (len(n), n)))
    splits = {s for a in side.examples for s in split_names(a)}
    if splits:
        found["splits"] = sorted(splits)
    for artifact in side.examples:
        for file in source_files(artifact):
            path = replace_texts(file.path, side.replacements)
            found[f"file {path}"] = file.sha256
        fingerprint = artifact.properties.get("input_fingerprint")
        if fingerprint and not source_files(artifact):
            found["sizes and times, as TFX has them"] = fingerprint
    return found


def _of_payload(
    name: str, a: Side, b: Side, read: _Collect, rounded: Callable[[float], float]
) -> Group:
    """Compares payloads; if one of them is missing, nothing is compared and the note says why."""
    values: list[Mapping[str, Any]] = []
    notes: dict[str, list[str]] = {}
    for label, side in (("a", a), ("b", b)):
        try:
            values.append(read(side))
        except Unreadable as error:
            notes.setdefault(str(error), []).append(label)
    if len(values) < 2:
        words = [f"{why} in {' and '.join(labels)}" for why, labels in notes.items()]
        return Group(name, (), (), tuple(words))
    rounding = []
    if name == "statistics":
        rounding = [f"compared to {STATISTIC_DIGITS} significant digits"]
    return compare(name, *values, rounding, rounded)


def _statistics(side: Side) -> dict[str, Any]:
    if not side.statistics:
        raise Unreadable("no statistics were made")
    found: dict[str, Any] = {}
    for artifact in side.statistics:
        found |= statistics_of(artifact)
    return found


def _schema(side: Side) -> dict[str, Any]:
    if side.schema is None:
        raise Unreadable("no schema was read")
    found = schema_of(side.schema)
    if digest := side.schema.properties.get(recorded.SHA256):
        found["(file).sha256"] = digest
    return found


def _settings(a: Side, b: Side) -> list[Group]:
    """Feature settings and the others; parameters of the nodes where settings are not recorded."""
    texts = [side.record.text(recorded.SETTINGS) for side in (a, b)]
    parsed = [_parsed_settings(side) for side in (a, b)]
    if None in parsed:
        note = "settings are not recorded: the parameters of each node are compared"
        if any(texts):
            note = "settings are not recorded on both sides: the parameters of each node are"
        return [compare("parameters", _parameters(a), _parameters(b), [note])]
    one, other = (settings or {} for settings in parsed)
    groups = []
    for name, wanted in (("features", True), ("settings", False)):
        sides = [
            {path: v for path, v in flat.items() if path.startswith(_FEATURES) is wanted}
            for flat in (one, other)
        ]
        groups.append(compare(name, *sides))
    return groups


def _parsed_settings(side: Side) -> dict[str, Any] | None:
    try:
        content = load_yaml(side.record.text(recorded.SETTINGS) or "")
    except yaml.YAMLError:
        return None
    return flatten(replace_texts(content, side.replacements)) if content else None


def _parameters(side: Side) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for execution in side.executions:
        node = execution.place.node
        found[node] = "there"
        for name, value in execution.properties.items():
            if name in _NOT_PARAMETERS:
                continue
            parsed = parse_json(value)
            value = replace_texts(value if parsed is None else parsed, side.replacements)
            found |= flatten(value, f"{node}.{name}")
    return found


def _recorded(name: str, a: Side, b: Side, collect: _Collect) -> Group:
    one, other = collect(a), collect(b)
    missing = [label for label, found in (("a", one), ("b", other)) if not found]
    notes = [f"{NOT_RECORDED} in {' and '.join(missing)}"] if missing else []
    return Group(name, (), (), tuple(notes)) if missing else compare(name, one, other)


def _properties(*names: str) -> _Collect:
    return lambda side: {n: side.record.properties[n] for n in names if n in side.record.properties}


def _code(side: Side) -> dict[str, Any]:
    names = (recorded.GIT_COMMIT, recorded.GIT_DIRTY, recorded.CODE_FINGERPRINT)
    return dict(_properties(*names)(side))


def _hyperparameters(a: Side, b: Side) -> Group:
    return _of_payload("hyperparameters", a, b, _hyperparameters_of, to_significant(12))


def _hyperparameters_of(side: Side) -> dict[str, Any]:
    if side.facts and (found := hyperparameters_of(side.facts.model)):
        return flatten(found)
    if side.hyperparameters is None:
        raise Unreadable(NOT_RECORDED)
    return hyperparameters_in(side.hyperparameters)


def _metrics(name: str, a: Side, b: Side, collect: _Collect) -> Group:
    group = _recorded(name, a, b, collect)
    if group.notes:
        return group
    note = f"compared to {METRIC_DECIMALS} decimals"
    return compare(name, collect(a), collect(b), [note], to_decimals(METRIC_DECIMALS))


def _overall(side: Side) -> Mapping[str, float]:
    return metrics_of(side.evaluation) if side.evaluation else {}


def _slices(side: Side) -> dict[str, float]:
    slices = slice_metrics_of(side.evaluation) if side.evaluation else {}
    return {f"{part}: {name}": v for part, found in slices.items() for name, v in found.items()}


def _blessings(side: Side) -> dict[str, Any]:
    """The latest word of each judge."""
    words = {True: "yes", False: "no", None: "not recorded"}
    return {b.execution.place.node: words[b.blessed] for b in side.judged}


def _pushed(side: Side) -> dict[str, Any]:
    if side.facts is None:
        return {"model": "none"}
    # Version numbers are times: every push has another one. The head of the answer shows them.
    return {"pushed": "yes" if side.pushes else "no"}
