"""monitoring.feedback: every prediction in one state, by a loop in Python too; what is sealed."""

import json
import os
import random
import shutil
import sys

import pyarrow.parquet as pq
import pytest

from fareline.digests import sha256_of_folder
from fareline.errors import UserMistake, WorkspaceError
from fareline.recorded.feedback import Outcome
from monitoring.feedback.folders import FeedbackFolder
from monitoring.feedback.outcomes import write_outcomes
from monitoring.feedback.sealing import HOUR_MS, Rules, build
from serving.server.log_files import closed_files
from tests.unit.monitoring.feedback.loop import (
    RULES,
    START,
    counted,
    milliseconds,
    oracle,
    outcomes,
    predictions,
    workspace,
)

DAY = 24 * HOUR_MS
OF = list(predictions(1600, step_ms=150_000))  # 2.8 days
FOUND = outcomes(OF)


def build_at(folder, as_of, rules=RULES):
    with folder.locked():
        return build(folder, rules, as_of, closed_files(folder.logs))


def states_of(folder, span=1, version=1):
    table = pq.read_table(folder.place(span, version) / "states.parquet")
    return {row["id"]: row for row in table.to_pylist()}


@pytest.mark.parametrize("hours", [30, 60, 80, 200])
def test_states_are_those_of_a_loop_over_everything(tmp_path, hours):
    as_of = START + hours * HOUR_MS
    built = build_at(workspace(tmp_path, OF, FOUND, files=3), as_of)
    expected, orphans = oracle(OF, FOUND, as_of)
    wanted = dict(counted(expected), orphan=orphans)
    assert {state: n for state, n in built.joined.states.items() if n} == wanted
    inside = {p.id: expected[p.id] for p in OF if milliseconds(p) <= as_of - RULES.wait_ms}
    found = states_of(FeedbackFolder(tmp_path / "feedback", tmp_path / "serving_logs"))
    assert {i: (row["state"], row["value"]) for i, row in found.items()} == inside
    assert built.in_span == counted(inside)
    if hours == 200:  # every branch is in it
        kinds = set(wanted) | {"pending"}
        assert kinds == {"labelled", "late", "expired", "conflicting", "pending", "orphan"}


def test_rows_hold_the_features_as_served_and_the_label(tmp_path):
    rules = Rules("tips", {}, 24, expired="0", weight="stands_for")
    folder = workspace(tmp_path, OF, FOUND)
    built = build_at(folder, START + 80 * HOUR_MS, rules)
    rows = pq.read_table(folder.place(1, 1) / "rows.parquet")
    assert {f.name: str(f.type) for f in rows.schema} == {
        "fare": "float", "hour": "int64", "tips": "float", "stands_for": "double"
    }  # fmt: skip
    states = states_of(folder)
    taught = [p for p in OF if states.get(p.id, {}).get("state") in ("labelled", "late", "expired")]
    expected = [
        {
            "fare": pytest.approx(p.features["fare"], rel=1e-6),
            "hour": p.features["hour"],
            "tips": float(json.loads(states[p.id]["value"] or "0")),
            "stands_for": 1.0,
        }
        for p in taught
    ]
    assert rows.to_pylist() == expected
    assert built.sealed[0].rows == len(expected) > 400


def test_what_arrives_later_changes_no_byte(tmp_path):
    as_of = START + 60 * HOUR_MS
    after = [o for o in FOUND if o.arrival_ms > as_of]
    changed = [Outcome(o.prediction_id, o.entity, o.event_ms, o.arrival_ms, "77.0", "human")
               for o in after]  # fmt: skip
    assert len(after) > 50
    before = [o for o in FOUND if o.arrival_ms <= as_of]
    digests = set()
    for name, found in (("a", FOUND), ("b", before + changed), ("c", before[::-1])):
        folder = workspace(tmp_path / name, OF, found, files=2)
        build_at(folder, as_of)
        digests.add(sha256_of_folder(folder.spans))
    assert len(digests) == 1


def test_late_ones_make_a_version_and_never_an_edit(tmp_path):
    folder = workspace(tmp_path, OF, FOUND)
    build_at(folder, START + 50 * HOUR_MS)
    first = sha256_of_folder(folder.place(1, 1))
    built = build_at(folder, START + 90 * HOUR_MS)
    assert [(s.span, s.version) for s in built.sealed] == [(1, 2), (2, 1)]
    assert sha256_of_folder(folder.place(1, 1)) == first
    one, two = states_of(folder, 1, 1), states_of(folder, 1, 2)
    assert one.keys() == two.keys()
    late = [sum(row["state"] == "late" for row in each.values()) for each in (one, two)]
    assert late[1] - late[0] > 10
    assert one.keys().isdisjoint(states_of(folder, 2, 1))
    again = build_at(folder, START + 90 * HOUR_MS)
    assert (again.sealed, again.open_rows) == ((), 0)


def test_the_delay_curve_counts_what_had_arrived(tmp_path):
    folder = workspace(tmp_path, OF, FOUND)
    [span] = build_at(folder, START + 100 * HOUR_MS).sealed
    first = {}
    for o in FOUND:
        if o.prediction_id is not None and o.arrival_ms <= span.as_of_ms:
            first[o.prediction_id] = min(o.arrival_ms, first.get(o.prediction_id, o.arrival_ms))
    states = states_of(folder)
    by_cab = {o.entity for o in FOUND if o.prediction_id is None}
    assert by_cab
    for delay in span.delays:
        counted = sum(
            first[p.id] - milliseconds(p) <= delay.hours * HOUR_MS
            for p in OF
            if p.id in states and p.id in first
        )
        # Outcomes by cab and time may be the first of a prediction, within 9 ms of it.
        assert counted <= delay.arrived <= counted + len([o for o in FOUND if not o.prediction_id])
        assert delay.of_predictions == pytest.approx(delay.arrived / len(states), abs=1e-6)
    assert [d.hours for d in span.delays] == [1, 24]  # the newest is not a week old
    week = build_at(folder, span.until_ms + 168 * HOUR_MS).sealed[0]
    assert (week.span, week.version) == (1, 2)
    assert [d.hours for d in week.delays] == [1, 24, 168]
    arrived = [d.arrived for d in week.delays]
    assert arrived[:2] == [d.arrived for d in span.delays] and week.delays[2].of_labels == 1
    assert 0.1 < span.delays[0].of_labels < span.delays[1].of_labels <= 1


def killed_at(folder, as_of, point):
    """Builds in a child that ends at its n-th touch of a file; returns whether it got so far."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = [point]

    def count(event, arguments):
        if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree"):
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)

    sys.addaudithook(count)
    try:
        build_at(folder, as_of)
    finally:
        os._exit(0)


def test_killed_anywhere_and_run_again_gives_the_same(tmp_path):
    of, found = OF[:1200], FOUND[:800]
    whole = workspace(tmp_path / "whole", of, found)
    times = (START + 40 * HOUR_MS, START + 70 * HOUR_MS)
    for as_of in times:
        build_at(whole, as_of)
    expected = sha256_of_folder(whole.spans)
    before = workspace(tmp_path / "before", of, found)
    build_at(before, times[0])
    killed = 0
    chance = random.Random(5)
    for point in sorted(chance.sample(range(18), 6)):
        root = tmp_path / f"killed-{point}"
        shutil.copytree(tmp_path / "before", root)
        folder = FeedbackFolder(root / "feedback", root / "serving_logs")
        killed += killed_at(folder, times[1], point)
        build_at(folder, times[1])
        assert sha256_of_folder(folder.spans) == expected, point
    assert killed >= 4


def test_bad_input_is_counted_and_named_and_nothing_is_lost(tmp_path):
    folder = workspace(tmp_path, OF[:600], FOUND)
    files = closed_files(folder.logs)
    text = files[0].read_text()
    cut = text[: text.rindex('"features"') + 5]  # the last line ends in its middle
    files[0].write_text('{"id": 3}\n[1]\n' + cut)
    (folder.logs / "predictions-copy.jsonl").write_text("".join(text.splitlines(True)[:10]))
    (folder.logs / "predictions-open.jsonl.open").write_text("not closed")
    built = build_at(folder, START + 60 * HOUR_MS)
    assert built.joined.broken == {files[0].name: 3}
    assert built.joined.counted["lines that cannot be read"] == 3
    assert built.joined.counted["predictions logged twice"] == 10
    assert sum(n for s, n in built.joined.states.items() if s != "orphan") == 599


def test_clocks_that_run_backwards_are_counted(tmp_path):
    one = OF[0]
    ms = milliseconds(one)
    back = [Outcome(one.id, None, ms - 50, ms - 100, "1.0", "process")]
    late = [p for p in OF if milliseconds(p) - ms in (2 * 150_000, 3 * 150_000)]
    behind = [type(p)(**{**vars(p), "time": one.time}) for p in late]
    built = build_at(workspace(tmp_path, [one, *behind], back), START + 48 * HOUR_MS)
    assert built.joined.counted == {
        "predictions whose clock was set back": 2,
        "outcomes before their prediction or arrival": 1,
    }
    assert built.joined.states["labelled"] == 1


def test_two_builders_at_once_and_a_time_before_are_refused(tmp_path):
    folder = workspace(tmp_path, OF, FOUND)
    with folder.locked(), pytest.raises(WorkspaceError, match="another `fareline feedback`"):
        build_at(folder, START + 60 * HOUR_MS)
    build_at(folder, START + 60 * HOUR_MS)
    with pytest.raises(UserMistake, match="was sealed as of a later time; expected times that go"):
        build_at(folder, START + 59 * HOUR_MS)


def test_a_span_without_a_label_stays_open(tmp_path):
    folder = workspace(tmp_path, OF[:100], [])
    built = build_at(folder, START + 60 * HOUR_MS)
    assert (built.sealed, built.open_rows) == ((), 100)
    write_outcomes(
        folder.outcomes / "later.parquet",
        [Outcome(OF[0].id, None, START, START + 60 * HOUR_MS, "1.0", "process")],
    )
    [span] = build_at(folder, START + 61 * HOUR_MS).sealed
    assert (span.predictions, span.rows, span.states) == (100, 1, {"expired": 99, "late": 1})


def test_a_span_whose_log_is_gone_stays_as_it_is(tmp_path):
    folder = workspace(tmp_path, OF, FOUND, files=4)
    build_at(folder, START + 60 * HOUR_MS)
    sealed = sha256_of_folder(folder.spans)
    closed_files(folder.logs)[0].unlink()
    assert build_at(folder, START + 60 * HOUR_MS).sealed == ()
    assert sha256_of_folder(folder.spans) == sealed


def test_nothing_logged_and_nothing_arrived(tmp_path):
    built = build_at(FeedbackFolder(tmp_path / "feedback", tmp_path / "logs"), START)
    assert (built.sealed, built.open_rows, set(built.joined.states.values())) == ((), 0, {0})
