"""Compares windows of a workspace's prediction log with the evaluation. Called by `cli.monitor`."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from data.sources.locked_duckdb import connected
from fareline.errors import UserMistake
from fareline.files import write_json, write_text
from monitoring.drift.samples import first_values
from monitoring.feedback.join import Asked, join
from monitoring.live.decision import AGE, NOTHING, Cause, Decision
from monitoring.live.report import KINDS, Watched
from monitoring.live.rows import Rows
from monitoring.live.series import HOUR_MS
from monitoring.live.watch import Plan, watch
from preprocessing.labels import Label, parse_label
from runners.feedback.handing_in import folder_of
from runners.stores import open_graph
from runners.watching.deciding import cause_of, causes_of_age, decide_now, record
from runners.watching.live_model import (
    Live,
    find_live,
    label_numbers,
    read_reference,
)
from runners.watching.slices import slicer
from runners.workspace import Workspace
from serving.server.log_files import close_left_files, closed_files

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings

_ROWS = """
SELECT s.ms, s.value, CASE json_type(s.score) WHEN 'ARRAY' THEN (s.score->>'$[#-1]')::DOUBLE
         ELSE try_cast(s.score->>'$' AS DOUBLE) END AS score{features}
FROM states s JOIN predictions p USING (id)
WHERE s.sha256 = $sha256 OR (s.sha256 = '' AND s.version = $version) ORDER BY s.ms, s.id
"""


@dataclasses.dataclass(frozen=True)
class Monitored:
    """The result of monitoring.

    Attributes:
        live: The model.
        watched: Windows and alarms.
        broken: Lines of the log that cannot be read.
        report: The file that holds all of it.
        decision: Decision by the policy of the settings.
        execution: Printable id of what records the decision; None if there is nothing to record.
    """

    live: Live
    watched: Watched
    broken: int
    report: Path
    decision: Decision
    execution: str | None


def monitor(
    folder: Path, settings: "Settings", window_ms: int | None, until_ms: int, dry_run: bool
) -> Monitored:
    """Watches the live model, writes the report, decides, and records what was decided.

    Args:
        folder: The workspace.
        settings: Settings of monitoring.
        window_ms: Length of a window; None: as the settings say.
        until_ms: Now, milliseconds since 1970.
        dry_run: Whether nothing is recorded.

    Raises:
        UserMistake: There is no live model, no reference, or no prediction of it in the log.
    """
    workspace = Workspace(folder)
    graph = open_graph(folder, None)
    live = find_live(workspace, settings, graph)
    label = parse_label(settings.section("label")["label"], settings.task)
    reference = read_reference(workspace, settings, live, label)
    rows, broken = _read_log(folder, settings, live, reference, label, until_ms)
    if not len(reference):
        raise UserMistake.explain(
            live.examples,
            "its split eval has no row",
            "expected rows that the live model was evaluated on",
            "`fareline run` on more data trains and evaluates another model",
        )
    plan = _plan(settings, window_ms)
    if not len(rows):
        raise UserMistake.explain(
            str(folder_of(folder).logs),
            f"holds no prediction of version {live.version.number}",
            "expected closed files of the prediction log",
            "`fareline serve --log-share 1` logs what is answered; a file closes with its hour",
        )
    watched = watch(reference, rows, slicer(settings), plan, until_ms)
    causes = [cause_of(alarm) for alarm in watched.alarms]
    causes += causes_of_age(live.made_ms, settings, until_ms)
    decision = decide_now(causes, settings, graph, until_ms)
    report = workspace.monitoring_dir / f"report-{until_ms}.json"
    content = {**watched.to_dict(), "decision": dataclasses.asdict(decision)}
    write_text(report, json.dumps(content, indent=1) + "\n")
    _note_alarms(workspace.alarms_path(settings.name), watched.state, causes, until_ms)
    execution = None
    if decision.action != NOTHING and not dry_run:
        execution = record(workspace, settings, decision, live, {"report": report}, until_ms)
    return Monitored(live, watched, broken, report, decision, execution)


def _note_alarms(path: Path, state: str, causes: Sequence[Cause], until_ms: int) -> None:
    """Keeps what a server tells of alarms."""
    counts = Counter(cause.kind for cause in causes)
    alarms = {kind: counts[kind] for kind in (*KINDS, AGE)}
    write_json(path, {"at_ms": until_ms, "state": state, "alarms": alarms})


def _plan(settings: "Settings", window_ms: int | None) -> Plan:
    told = settings.monitoring
    recorded = [name for name, rule in settings.drift.columns.items() if rule.policy == "record"]
    features = settings.features
    return Plan(
        window_ms or round(told.window_hours * HOUR_MS),
        told.least_rows,
        told.false_alarms,
        told.needed,
        told.among,
        told.least_change,
        told.least_new,
        told.least_loss,
        round(settings.feedback.wait_hours * HOUR_MS),
        recorded,
        [*features.categorical, *features.vocabulary],
    )


def _read_log(
    folder: Path,
    settings: "Settings",
    live: Live,
    reference: Rows,
    label: Label,
    until_ms: int,
) -> tuple[Rows, int]:
    feedback = folder_of(folder)
    close_left_files(feedback.logs)
    wait = round(settings.feedback.wait_hours * HOUR_MS)
    asked = Asked(closed_files(feedback.logs), feedback.outcome_files(), until_ms, wait)
    types = {name: _type(array.type) for name, array in reference.columns.items()}
    unpacked = f", unnest(json_transform(p.features, '{_quoted(types)}'))" if types else ""
    with connected({"threads": "2"}) as connection:
        joined = join(connection, asked)
        query = _ROWS.format(features=unpacked)
        bounds = {"sha256": live.sha256, "version": live.version.number}
        table = connection.execute(query, bounds).to_arrow_table()
    columns = {name: _like(table.column(name), reference.columns[name].type) for name in types}
    labels = _labels(table.column("value").to_pylist(), columns, label)
    ms = table.column("ms").to_numpy()
    scores = table.column("score").to_numpy().astype(np.float64)
    return Rows(columns, ms, scores, labels), sum(joined.broken.values())


def _labels(
    texts: Sequence[str | None], columns: Mapping[str, pa.Array], label: Label
) -> np.ndarray:
    """Labels of outcomes, as JSON texts; NaN where none has come, whatever a rule makes of that."""
    values = _label_values(texts)
    labels = label_numbers({**columns, label.column: values}, len(texts), label)
    labels[[text is None for text in texts]] = np.nan
    return labels


def _label_values(texts: Sequence[str | None]) -> pa.Array:
    """Of JSON texts; null where an outcome has not come."""
    values = [None if text is None else json.loads(text) for text in texts]
    values = [v.encode() if isinstance(v, str) else v for v in values]
    return first_values(pa.array(values)) if values else pa.nulls(0)


def _type(kind: Any) -> str:
    if pa.types.is_integer(kind):
        return "BIGINT"
    return "FLOAT" if pa.types.is_floating(kind) else "VARCHAR"


def _quoted(types: dict[str, str]) -> str:
    return json.dumps(types, ensure_ascii=False).replace("'", "''")


def _like(column: pa.ChunkedArray, kind: Any) -> pa.Array:
    """As the reference has it, so that equal values are equal."""
    array = first_values(column)
    return array if pa.types.is_null(kind) or array.type == kind else array.cast(kind)
