"""Seals spans from joined predictions: a new span up to the wait, and new versions of others.

A span holds the predictions of a period that ends before the wait for outcomes begins, so the state
of each prediction is known. What changes later (outcomes that come late, corrections, files of the
log that close) makes another version of the span, with the same stretch of time. A version is a
folder that appears at once and never changes, and the same logs, outcomes and time give the same
bytes.

Called by `cli.feedback.build`, `monitoring.feedback.erasing` and `benchmarks`.
"""

import dataclasses
import io
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.sources.locked_duckdb import connected
from data.writing.folders import folder_written_beside
from fareline.digests import sha256_of_file
from fareline.errors import UserMistake
from fareline.kinds import FLOAT, INT, STRING
from fareline.recorded.feedback import Answered, Delay, SealedSpan
from monitoring.feedback.folders import MANIFEST, ROWS, STATES, FeedbackFolder
from monitoring.feedback.join import EXPIRED, LABELLED, LATE, Asked, Joined, join

HOUR_MS = 3_600_000
CURVE_HOURS = (1.0, 24.0, 168.0)
_ROW_GROUP = 65_536
_TYPES = {INT: "BIGINT", FLOAT: "FLOAT", STRING: "VARCHAR"}
# Of what DuckDB says of JSON values: what a tf.Example holds of it.
_OF_JSON = {"UBIGINT": "BIGINT", "HUGEINT": "DOUBLE", "DOUBLE": "FLOAT", "BOOLEAN": "BIGINT"}
_STATES = """
SELECT id, ms, state, value, event_ms, arrival_ms, first_arrival_ms, source, model, version, sha256,
       weight, score::VARCHAR AS score, entity, file, list_contains($wanted, state) AS taught
FROM states WHERE ms > $after AND ms <= $until ORDER BY id
"""
_CHOSEN = """
CREATE OR REPLACE TABLE chosen AS
SELECT s.id, s.value, s.weight, p.features FROM states s JOIN predictions p USING (id)
WHERE s.ms > $after AND s.ms <= $until AND list_contains($wanted, s.state)
"""


@dataclasses.dataclass(frozen=True)
class Rules:
    """The rules of the settings.

    Attributes:
        label: Column that outcomes are values of.
        kinds: Column to `int`, `float` or `string`, where the schema knows it.
        wait_hours: Longest delay of an outcome.
        expired: Value of the label's column without an outcome, as JSON text; None: no row.
        weight: Column that gets the sampling weight; None: none does.
    """

    label: str
    kinds: Mapping[str, str]
    wait_hours: float
    expired: str | None = None
    weight: str | None = None

    @property
    def wait_ms(self) -> int:
        """The wait in milliseconds."""
        return round(self.wait_hours * HOUR_MS)

    @property
    def taught(self) -> list[str]:
        """The states whose predictions are rows to train on."""
        return [LABELLED, LATE, *([EXPIRED] if self.expired is not None else [])]


@dataclasses.dataclass(frozen=True)
class Built:
    """The result of a build.

    Attributes:
        joined: Every prediction in its state.
        in_span: State to its number in the newest span that was sealed; empty if none was.
        sealed: The versions of spans that were sealed now, ascending.
        open_rows: Predictions whose wait is over and that are in no span, since none has a label.
    """

    joined: Joined
    in_span: Mapping[str, int]
    sealed: tuple[SealedSpan, ...]
    open_rows: int


def build(folder: FeedbackFolder, rules: Rules, as_of_ms: int, logs: Sequence[Path]) -> Built:
    """Joins all predictions and outcomes, and seals; the caller holds the folder.

    Args:
        folder: Folder of the workspace.
        rules: Rules of the settings.
        as_of_ms: Later arrivals are ignored; milliseconds since 1970.
        logs: Closed files of the prediction log.

    Raises:
        UserMistake: Something was sealed as of a later time.
    """
    known = folder.sealed()
    newest = [versions[-1] for versions in known.values()]
    require_later(newest, as_of_ms)
    with connected({"threads": "2"}) as connection:
        joined = join(connection, Asked(logs, folder.outcome_files(), as_of_ms, rules.wait_ms))
        sealed = [seal_again(connection, folder, rules, span, as_of_ms) for span in newest]
        after = max((span.until_ms for span in newest), default=-1)
        until = as_of_ms - rules.wait_ms
        span = Window(max(known, default=0) + 1, 1, after, until, as_of_ms)
        fresh = None
        if until > after and (rows := _rows(connection, rules, span)).num_rows:
            fresh = seal(folder, rules, span, (_states(connection, rules, span), rows))
        waiting = f"SELECT count(*) FROM states WHERE ms > {after} AND ms <= {until}"
        open_rows = 0 if fresh else connection.execute(waiting).fetchone()[0]
    done = tuple(each for each in (*sealed, fresh) if each is not None)
    return Built(joined, fresh.states if fresh else {}, done, open_rows)


def require_later(newest: Sequence[SealedSpan], as_of_ms: int) -> None:
    """Refuses a time before the last sealing, because later outcomes would be lost."""
    for span in newest:
        if span.as_of_ms > as_of_ms:
            raise UserMistake.explain(
                f"span {span.span}, version {span.version}",
                "was sealed as of a later time",
                "expected times that go forward",
                "name a later time; a sealed version never changes",
            )


@dataclasses.dataclass(frozen=True)
class Window:
    """Inputs of a version of a span.

    Attributes:
        span: Its number.
        version: Version number.
        after_ms: Predictions after this time,
        until_ms: and not after this one.
        as_of_ms: Later arrivals are ignored.
    """

    span: int
    version: int
    after_ms: int
    until_ms: int
    as_of_ms: int

    @property
    def bounds(self) -> dict[str, int]:
        """For a query."""
        return {"after": self.after_ms, "until": self.until_ms}


def seal_again(
    connection: Any, folder: FeedbackFolder, rules: Rules, span: SealedSpan, as_of_ms: int
) -> SealedSpan | None:
    """Seals another version of a span if what is known of its predictions has changed.

    A span of which the log no longer has every prediction stays as it is.
    """
    window = Window(span.span, span.version + 1, span.after_ms, span.until_ms, as_of_ms)
    states = _states(connection, rules, window)
    if states.num_rows < span.predictions:
        return None
    content = io.BytesIO()
    _write(states, content)
    there = folder.place(span.span, span.version) / STATES
    if there.is_file() and there.read_bytes() == content.getvalue():
        return None
    return seal(folder, rules, window, (states, _rows(connection, rules, window)))


def seal_without(folder: FeedbackFolder, span: SealedSpan, ids: Collection[str]) -> SealedSpan:
    """Seals another version of a span, which is the one before without some predictions."""
    place = folder.place(span.span, span.version)
    states, rows = pq.read_table(place / STATES), pq.read_table(place / ROWS)
    kept = pc.invert(pc.is_in(states.column("id"), pa.array(sorted(ids), pa.string())))
    rows = rows.filter(kept.filter(states.column("taught")))
    window = Window(span.span, span.version + 1, span.after_ms, span.until_ms, span.as_of_ms)
    rules = Rules(span.label, {}, span.wait_hours, span.expired)
    return seal(folder, rules, window, (states.filter(kept), rows))


def seal(
    folder: FeedbackFolder, rules: Rules, window: Window, tables: tuple[pa.Table, pa.Table]
) -> SealedSpan:
    """Seals a version of a span.

    Args:
        folder: Folder of the workspace.
        rules: Rules of the settings.
        window: Inputs of the version.
        tables: Every prediction, and the rows of those that have a label; both by id.
    """
    states, rows = tables
    place = folder.place(window.span, window.version)
    place.parent.mkdir(parents=True, exist_ok=True)
    with folder_written_beside(place) as part:
        _write(rows, part / ROWS)
        _write(states, part / STATES)
        sealed = _describe(states, rows, rules, window, part)
        (part / MANIFEST).write_text(sealed.text(), encoding="utf-8")
    return sealed


def _write(table: pa.Table, where: Any) -> None:
    pq.write_table(table.combine_chunks(), where, row_group_size=_ROW_GROUP, compression="zstd")


def _states(connection: Any, rules: Rules, window: Window) -> pa.Table:
    """What is known of every prediction, by id."""
    return connection.execute(_STATES, {**window.bounds, "wanted": rules.taught}).to_arrow_table()


def _rows(connection: Any, rules: Rules, window: Window) -> pa.Table:
    """The features as they were served, and the label; in the order of the predictions."""
    connection.execute(_CHOSEN, {**window.bounds, "wanted": rules.taught})
    found = connection.execute("SELECT json_group_structure(features) FROM chosen").fetchone()[0]
    types = _column_types(json.loads(found or "{}"), rules)
    types.pop(rules.label, None)
    label = _TYPES.get(rules.kinds.get(rules.label, ""), "FLOAT")
    columns = [f"unnest(json_transform(features, {_text(json.dumps(types))}))"] if types else []
    value = f"json_extract_string(coalesce(value, {_text(rules.expired)}), '$')"
    columns.append(f"{value}::{label} AS {_quoted(rules.label)}")
    columns += [f"weight AS {_quoted(rules.weight)}"] if rules.weight else []
    query = f"SELECT {', '.join(columns)} FROM chosen ORDER BY id"
    return connection.execute(query).to_arrow_table()


def _column_types(found: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """Column to its type in DuckDB, by the schema or by its values; none for one without any."""
    types = {}
    for name in sorted(found):
        structure = found[name]
        inner = structure[0] if isinstance(structure, list) else structure
        kind = _TYPES.get(rules.kinds.get(name, "")) or _OF_JSON.get(str(inner), inner)
        if kind not in ("NULL", None):
            kind = "VARCHAR" if kind == "JSON" or isinstance(kind, dict) else kind
            types[name] = [kind] if isinstance(structure, list) else kind
    return types


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def _describe(
    states: pa.Table, rows: pa.Table, rules: Rules, window: Window, part: Path
) -> SealedSpan:
    ids = states.column("id")
    model = ["model", "version", "sha256"]
    answered = [
        Answered(*(row[name] for name in model), row["id_count"])
        for row in states.group_by(model).aggregate([("id", "count")]).to_pylist()
    ]
    return SealedSpan(
        span=window.span,
        version=window.version,
        as_of_ms=window.as_of_ms,
        after_ms=window.after_ms,
        until_ms=window.until_ms,
        wait_hours=rules.wait_hours,
        label=rules.label,
        expired=rules.expired,
        predictions=len(ids),
        states={
            row["values"]: row["counts"]
            for row in sorted(
                states.column("state").value_counts().to_pylist(), key=lambda row: row["values"]
            )
        },
        rows=rows.num_rows,
        delays=_curve(states, rules.wait_hours, window.as_of_ms - window.until_ms),
        answered=sorted(answered, key=str),
        first_id=ids[0].as_py() if len(ids) else "",
        last_id=ids[-1].as_py() if len(ids) else "",
        sha256={name: sha256_of_file(part / name) for name in (ROWS, STATES)},
        log_files=sorted(states.column("file").unique().to_pylist()),
    )


def _curve(states: pa.Table, wait_hours: float, age_ms: int) -> list[Delay]:
    """How many first outcomes had arrived after an hour, a day, a week, and the wait.

    Only after times as long as the span's newest prediction is old: what arrives after a longer one
    is not known yet.
    """
    after = pc.subtract(states.column("first_arrival_ms"), states.column("ms"))
    delays = after.drop_null().to_numpy()
    curve = []
    known = {hours for hours in CURVE_HOURS if hours * HOUR_MS <= age_ms}
    for hours in sorted({*known, wait_hours}):
        arrived = int((delays <= round(hours * HOUR_MS)).sum())
        of_labels, of_all = arrived / max(len(delays), 1), arrived / max(len(states), 1)
        curve.append(Delay(hours, arrived, round(of_labels, 6), round(of_all, 6)))
    return curve
