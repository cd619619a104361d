"""Every prediction in exactly one state, as of a time: the log joined with the outcomes, in DuckDB.

| state | |
| --- | --- |
| pending | no outcome has arrived, and the wait is not over |
| labelled | the outcomes agree, and the one that settled it arrived within the wait |
| late | the same, after the wait |
| expired | no outcome has arrived within the wait |
| conflicting | the outcomes differ, and no correction says which one is right |
| orphan | an outcome names a prediction that no log has |

The newest correction counts in place of all other outcomes of its prediction. Only what had
arrived by the time of the question is looked at. Called by `monitoring.feedback.sealing`.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fareline.recorded.feedback import CORRECTION

PENDING, LABELLED, LATE = "pending", "labelled", "late"
EXPIRED, CONFLICTING, ORPHAN = "expired", "conflicting", "orphan"
STATES = (LABELLED, LATE, EXPIRED, CONFLICTING, PENDING, ORPHAN)
_AHEAD_MS = 1000  # so far ahead of the clock an id is, if the clock was set back

# What a line that cannot be read is: DuckDB gives a row without any value. The time of the line is
# UTC as `serve` writes it.
_LOG = """
CREATE TABLE lines AS
SELECT id, epoch_ms(try_cast(time AS TIMESTAMPTZ)) AS ms, model, version, sha256, weight, score,
       features, entity, parse_filename(filename) AS file
FROM read_json($files, format = 'newline_delimited', ignore_errors = true, filename = true,
               columns = {id: 'VARCHAR', time: 'VARCHAR', model: 'VARCHAR', version: 'BIGINT',
                          sha256: 'VARCHAR', weight: 'DOUBLE', score: 'JSON', features: 'JSON',
                          entity: 'VARCHAR'})
"""
_NO_LOG = """
CREATE TABLE lines (id VARCHAR, ms BIGINT, model VARCHAR, version BIGINT, sha256 VARCHAR,
                    weight DOUBLE, score JSON, features JSON, entity VARCHAR, file VARCHAR)
"""
_IS_WHOLE = "id IS NOT NULL AND ms IS NOT NULL AND json_type(features) = 'OBJECT'"
_PREDICTIONS = f"""
CREATE TABLE predictions AS
SELECT * FROM lines WHERE {_IS_WHOLE} AND ms <= $as_of
"""
_TWICE = "SELECT count(*) - count(DISTINCT id) FROM predictions"
# A copy of a file of the log holds the same ids again.
_ONLY_ONCE = """
CREATE OR REPLACE TABLE predictions AS
SELECT DISTINCT ON (id) * FROM predictions ORDER BY id, ms, file, features
"""
_AHEAD = f"""
SELECT count(*) FROM predictions
WHERE id SIMILAR TO '[0-9a-f]{{8}}-[0-9a-f]{{4}}-7.*'
  AND ('0x' || id[1:8] || id[10:13])::BIGINT - ms > {_AHEAD_MS}
"""
_ARRIVED = """
CREATE TABLE arrived AS
SELECT prediction_id, entity, event_ms, arrival_ms, value, source
FROM read_parquet($files) WHERE arrival_ms <= $as_of
"""
_NONE_ARRIVED = """
CREATE TABLE arrived (prediction_id VARCHAR, entity VARCHAR, event_ms BIGINT, arrival_ms BIGINT,
                      value VARCHAR, source VARCHAR)
"""
_ALL_NAMED = """
CREATE VIEW outcomes AS
SELECT prediction_id AS id, event_ms, arrival_ms, value, source FROM arrived
"""
# Without an id: the last prediction for the entity before the event. Of two at one time the higher
# id, since ASOF may choose either.
_NAMED = """
CREATE TABLE outcomes AS
SELECT prediction_id AS id, event_ms, arrival_ms, value, source
FROM arrived WHERE prediction_id IS NOT NULL
UNION ALL
SELECT coalesce(p.id, 'entity ' || a.entity || ' ' || a.event_ms), a.event_ms, a.arrival_ms,
       a.value, a.source
FROM (SELECT * FROM arrived WHERE prediction_id IS NULL) a
ASOF LEFT JOIN (SELECT entity, ms, max(id) AS id FROM predictions WHERE entity IS NOT NULL
                GROUP BY entity, ms) p
ON a.entity = p.entity AND a.event_ms >= p.ms
"""
_ONCE = """
CREATE TABLE once AS
SELECT id, value, source, event_ms, min(arrival_ms) AS arrival_ms
FROM outcomes GROUP BY id, value, source, event_ms
"""
_SETTLED = f"""
CREATE TABLE settled AS
WITH newest AS (
    SELECT id, max(arrival_ms) FILTER (source = '{CORRECTION}') AS corrected,
           min(arrival_ms) AS first_arrival_ms
    FROM once GROUP BY id
)
SELECT o.id, min(o.value) <> max(o.value) AS differ, min(o.value) AS value,
       min(o.arrival_ms) AS arrival_ms, min(o.event_ms) AS event_ms, min(o.source) AS source,
       any_value(n.first_arrival_ms) AS first_arrival_ms
FROM once o JOIN newest n USING (id)
WHERE n.corrected IS NULL OR (o.source = '{CORRECTION}' AND o.arrival_ms = n.corrected)
GROUP BY o.id
"""
_STATES = f"""
CREATE TABLE states AS
SELECT p.id, p.ms, CASE
         WHEN s.id IS NULL AND p.ms + $wait > $as_of THEN '{PENDING}'
         WHEN s.id IS NULL THEN '{EXPIRED}'
         WHEN s.differ THEN '{CONFLICTING}'
         WHEN s.arrival_ms > p.ms + $wait THEN '{LATE}'
         ELSE '{LABELLED}' END AS state,
       CASE WHEN NOT s.differ THEN s.value END AS value, s.event_ms, s.arrival_ms,
       s.first_arrival_ms, s.source, p.model, p.version, p.sha256, p.weight, p.score, p.entity,
       p.file
FROM predictions p LEFT JOIN settled s USING (id)
"""
_ORPHANS = "SELECT count(*) FROM settled WHERE id NOT IN (SELECT id FROM predictions)"
_EARLY = """
SELECT count(*) FROM outcomes o JOIN predictions p USING (id)
WHERE o.event_ms < p.ms OR o.arrival_ms < o.event_ms
"""


@dataclasses.dataclass(frozen=True)
class Asked:
    """Inputs of a join.

    Attributes:
        logs: Closed files of the prediction log.
        outcomes: Files of outcomes.
        as_of_ms: Later arrivals are ignored; milliseconds since 1970.
        wait_ms: Longest delay of an outcome.
    """

    logs: Sequence[Path]
    outcomes: Sequence[Path]
    as_of_ms: int
    wait_ms: int


@dataclasses.dataclass(frozen=True)
class Joined:
    """Counts of a join, beside the tables `states` and `predictions` of the connection.

    Attributes:
        states: Every state to its number of predictions; of `orphan`, of those that are named.
        outcomes: Number of arrived outcomes.
        counted: Stable name of each irregularity to its number; absent ones are 0.
        broken: File of the log to its number of lines that cannot be read.
    """

    states: Mapping[str, int]
    outcomes: int
    counted: Mapping[str, int]
    broken: Mapping[str, int]


def join(connection: Any, asked: Asked) -> Joined:
    """Reads logs and outcomes, and says of every prediction in which state it is.

    Args:
        connection: Empty DuckDB connection.
        asked: Inputs of the join.
    """
    as_of = {"as_of": asked.as_of_ms}
    logs, outcomes = list(map(os.fspath, asked.logs)), list(map(os.fspath, asked.outcomes))
    connection.execute(_LOG if logs else _NO_LOG, {"files": logs} if logs else None)
    connection.execute(_PREDICTIONS, as_of)
    broken = f"SELECT file, count(*) FROM lines WHERE ({_IS_WHOLE}) IS NOT TRUE GROUP BY file"
    lines = dict(connection.execute(f"{broken} ORDER BY file").fetchall())
    connection.execute("DROP TABLE lines")
    if twice := _one(connection, _TWICE):
        connection.execute(_ONLY_ONCE)
    connection.execute(
        _ARRIVED if outcomes else _NONE_ARRIVED, {"files": outcomes, **as_of} if outcomes else None
    )
    nameless = _one(connection, "SELECT count(*) FROM arrived WHERE prediction_id IS NULL")
    connection.execute(_NAMED if nameless else _ALL_NAMED)
    connection.execute(_ONCE)
    connection.execute(_SETTLED)
    connection.execute(_STATES, {"wait": asked.wait_ms, **as_of})
    counts = dict(
        connection.execute("SELECT state, count(*) FROM states GROUP BY state").fetchall()
    )
    counts[ORPHAN] = _one(connection, _ORPHANS)
    arrived = _one(connection, "SELECT count(*) FROM arrived")
    counted = {
        "lines that cannot be read": sum(lines.values()),
        "predictions logged twice": twice,
        "predictions whose clock was set back": _one(connection, _AHEAD),
        "outcomes handed in again": arrived - _one(connection, "SELECT count(*) FROM once"),
        "outcomes before their prediction or arrival": _one(connection, _EARLY),
    }
    return Joined(
        {state: counts.get(state, 0) for state in STATES},
        arrived,
        {name: count for name, count in counted.items() if count},
        lines,
    )


def _one(connection: Any, query: str) -> int:
    return connection.execute(query).fetchone()[0]
