"""The section about the data: sources, every column in every split, drift, the gate."""

import contextlib
import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from fareline.recorded import QUARANTINE_FILE, REFERENCE
from fareline.recorded.data import rows_read, source_files, spans_in_words
from fareline.recorded.gate import decisions_of
from lineage.facts.payload_contents import Unreadable, statistics_by_split
from lineage.graph.elements import Artifact
from monitoring.drift.report import LABEL, ColumnDrift, Comparison
from report.run.document import Column, ColumnStats, Data, Drift
from report.run.sections.columns import column_stats, kind_of, name_of
from report.run.sections.schemas import stock_anomalies, suggested_changes
from report.run.sources import Sources, read_json, read_payload

DRIFT_FILE = "drift.json"
_COMPARED = ("previous", "serving")
_SHOWN_BAD_ROWS = 3  # of each reason
_LONGEST = 300


def gather_data(sources: Sources) -> Data:
    """Reads what is known of the data.

    Raises:
        Unreadable: The run read no data.
    """
    examples = next(iter(sources.run.examples), None)
    statistics = sources.last("ExampleStatistics", "statistics")
    if examples is None and statistics is None:
        raise Unreadable(sources.why_absent("data", "Examples"))
    notes: list[str] = []
    datasets = _datasets(sources, statistics, notes)
    read = rows_read(examples) if examples else None
    drift, reference = _drift(sources, notes)
    return Data(
        rows=read["rows"] if read else None,
        splits=_training_first(
            (read["splits"] if read else None)
            or {split: int(found.num_examples) for split, found in datasets.items()}
        ),
        files=[file.to_json() for file in source_files(examples)] if examples else [],
        quarantined=read["quarantined"] if read else {},
        bad_rows=_bad_rows(examples) if examples and read and read["quarantined"] else [],
        columns=_columns(sources, datasets, drift, _previous_statistics(sources, reference)),
        reference=reference,
        before=_data_before(sources, reference),
        decisions=_decisions(sources),
        proposals=suggested_changes(sources),
        notes=notes,
    )


def _datasets(sources: Sources, statistics: Artifact | None, notes: list[str]) -> dict[str, Any]:
    if statistics is None:
        notes.append(sources.why_absent("statistics of the data", "ExampleStatistics"))
        return {}
    try:
        return statistics_by_split(statistics)
    except Unreadable as reason:
        notes.append(f"{reason}.")
        return {}


def _bad_rows(examples: Artifact) -> list[dict[str, Any]]:
    """The first of each reason. Their content is left out: it may hold what is personal."""
    try:
        lines = read_payload(examples, QUARANTINE_FILE).splitlines()
    except Unreadable:
        return []
    shown: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        with contextlib.suppress(ValueError, AttributeError):
            row = json.loads(line)
            found = shown.setdefault(str(row.get("reason")), [])
            if len(found) < _SHOWN_BAD_ROWS:
                kept = {name: row.get(name) for name in ("source", "line", "reason", "message")}
                found.append({**kept, "message": str(kept["message"])[:_LONGEST]})
    return [row for reason in sorted(shown) for row in shown[reason]]


def _drift(sources: Sources, notes: list[str]) -> tuple[dict[str, list[Drift]], str | None]:
    """Column to its measures, and the URI of what it was compared with."""
    artifact = sources.last("DataDrift")
    if artifact is None:
        return {}, None
    try:
        content = read_json(artifact, DRIFT_FILE)
        compared = {
            name: Comparison.from_dict(content[name]) for name in _COMPARED if name in content
        }
    except (Unreadable, KeyError, TypeError) as reason:
        notes.append(f"Drift cannot be shown: {reason}.")
        return {}, None
    found: dict[str, list[Drift]] = {}
    for against, comparison in compared.items():
        for column in comparison.columns:
            found.setdefault(column.name, []).extend(_measures(against, column))
    return found, artifact.properties.get(REFERENCE) or None


def _measures(against: str, column: ColumnDrift) -> Iterable[Drift]:
    for measure in sorted(column.measures, key=lambda m: not m.drifted):
        yield Drift(
            against=against,
            measure=measure.name,
            value=measure.value,
            threshold=measure.threshold,
            drifted=measure.drifted,
            policy=column.policy,
            said=measure.in_words(),
        )


def _data_before(sources: Sources, reference: str | None) -> str:
    """Which data this one was compared with, in words."""
    for examples in sources.graph.artifacts_at(reference) if reference else ():
        made = sources.origin(examples)
        words = [examples.key, f"of {made.place.run_id}" if made else ""]
        words.append(f"span {spans}" if (spans := spans_in_words(examples)) else "")
        return ", ".join(filter(None, [" ".join(filter(None, words[:2])), words[2]]))
    return ""


def _previous_statistics(sources: Sources, reference: str | None) -> Mapping[str, ColumnStats]:
    """The training split of the previous data."""
    if not reference:
        return {}
    for examples in sources.graph.artifacts_at(reference):
        for execution in sources.graph.consumers(examples):
            for statistics in sources.graph.outputs(execution).get("statistics", []):
                with contextlib.suppress(Unreadable):
                    dataset = next(iter(_training_first(statistics_by_split(statistics)).values()))
                    return {name_of(f): column_stats(f, dataset) for f in dataset.features}
    return {}


def _training_first(datasets: Mapping[str, Any]) -> dict[str, Any]:
    """By split: train, validate, eval, then others."""
    order = {"train": 0, "validate": 1, "eval": 2}
    return dict(sorted(datasets.items(), key=lambda pair: (order.get(pair[0], 3), pair[0])))


def _columns(
    sources: Sources,
    datasets: Mapping[str, Any],
    drift: Mapping[str, list[Drift]],
    previous: Mapping[str, ColumnStats],
) -> list[Column]:
    roles = _roles(sources)
    # A column that nobody uses may be anything, where it is known what is used.
    unnamed = {*previous, *_names(datasets)} - set(roles) if roles else set()
    label = next((name for name, its in roles.items() if "label" in its), None)
    columns: dict[str, Column] = {}
    for split, dataset in _training_first(datasets).items():
        for feature in dataset.features:
            name = name_of(feature)
            column = columns.setdefault(
                name,
                Column(
                    name,
                    kind_of(feature),
                    {},
                    _without_values(previous.get(name), name, sources, unnamed),
                    [*drift.get(name, []), *(drift.get(LABEL, []) if name == label else [])],
                    roles.get(name, []),
                ),
            )
            stats = column_stats(feature, dataset)
            column.splits[split] = _without_values(stats, name, sources, unnamed) or stats
    # What needs a look comes first, then what the model uses.
    return sorted(columns.values(), key=_rank)


def _names(datasets: Mapping[str, Any]) -> set[str]:
    return {name_of(feature) for dataset in datasets.values() for feature in dataset.features}


def _without_values(
    stats: ColumnStats | None, name: str, sources: Sources, unnamed: Collection[str]
) -> ColumnStats | None:
    """The same, but no value is named that may be of a person; as DriftMonitor has it."""
    if stats is None:
        return None
    if name in sources.private_columns:
        stats = dataclasses.replace(stats, low=None, median=None, high=None, quantiles=[], bins=[])
    if name in sources.private_columns or name in unnamed:
        stats = dataclasses.replace(stats, top=[])
    return stats


def _rank(column: Column) -> tuple[bool, bool, bool, str]:
    drifted = any(each.drifted for each in column.drift)
    return not drifted, "label" not in column.roles, not column.roles, column.name


def _roles(sources: Sources) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    label = sources.section("label").get("column")
    if isinstance(label, str):
        found[label] = ["label"]
    for kind, columns in sources.section("features").items():
        for column in columns if isinstance(columns, dict) else ():
            found.setdefault(str(column), []).append(kind)
    return found


def _decisions(sources: Sources) -> list[dict[str, Any]]:
    """What became of each anomaly; of a stock store the anomalies alone."""
    decision = sources.last("DataDecision")
    if decision is not None:
        order = {"stop": 0, "warn": 1}
        listed = sorted(decisions_of(decision), key=lambda each: order.get(each.action, 2))
        return [dataclasses.asdict(each) for each in listed]
    return stock_anomalies(sources.last("ExampleAnomalies"))
