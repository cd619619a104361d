"""monitoring.feedback.outcomes: which records are outcomes, what becomes of those that are none."""

import json

import pyarrow.parquet as pq
import pytest

from fareline.recorded.feedback import Outcome
from monitoring.feedback.folders import FeedbackFolder
from monitoring.feedback.outcomes import (
    Expected,
    RefusedOutcome,
    add_outcomes,
    parse_outcome,
    read_csv,
    read_json_lines,
)

NOW = 1_767_268_800_000
FLOATS = Expected("float", NOW)


@pytest.mark.parametrize(
    ("record", "kind", "outcome"),
    [
        ({"prediction_id": "a", "value": 3}, "float", ("a", None, NOW, NOW, "3.0", "process")),
        ({"prediction_id": "a", "value": "3"}, "float", ("a", None, NOW, NOW, "3.0", "process")),
        ({"prediction_id": "a", "value": 3.0}, "int", ("a", None, NOW, NOW, "3", "process")),
        ({"prediction_id": "a", "value": "ja"}, "string", ("a", None, NOW, NOW, '"ja"', "process")),
        ({"prediction_id": "a", "value": 1}, "any", ("a", None, NOW, NOW, "1", "process")),
        (
            {"entity": 7, "event_time": "2026-01-01T11:00:00Z", "value": 1, "source": "human"},
            "float",
            (None, "7", NOW - 3_600_000, NOW, "1.0", "human"),
        ),
        (
            {
                "prediction_id": "a",
                "event_time": 1767268799.5,
                "arrival_time": "2026-01-01T13:00:01+01:00",
                "value": -1,
                "source": "correction",
            },
            "float",
            ("a", None, NOW - 500, NOW + 1000, "-1.0", "correction"),
        ),
    ],
)
def test_a_record_is_read_as_an_outcome(record, kind, outcome):
    assert parse_outcome(record, Expected(kind, NOW)) == Outcome(*outcome)


@pytest.mark.parametrize(
    ("record", "kind", "reason"),
    [
        ([1], "float", "not_json"),
        (None, "float", "not_json"),
        ({"prediction_id": "a", "value": "many"}, "float", "wrong_type"),
        ({"prediction_id": "a", "value": True}, "float", "wrong_type"),
        ({"prediction_id": "a", "value": float("nan")}, "float", "wrong_type"),
        ({"prediction_id": "a", "value": None}, "float", "wrong_type"),
        ({"prediction_id": "a"}, "any", "wrong_type"),
        ({"prediction_id": "a", "value": 1.5}, "int", "wrong_type"),
        ({"prediction_id": "a", "value": 2**64}, "int", "wrong_type"),
        ({"prediction_id": "a", "value": 1}, "string", "wrong_type"),
        ({"prediction_id": "a", "value": [1]}, "any", "wrong_type"),
        ({"value": 1}, "float", "no_prediction"),
        ({"prediction_id": 5, "value": 1}, "float", "no_prediction"),
        ({"entity": "x", "value": 1}, "float", "no_prediction"),
        ({"prediction_id": "a", "value": 1, "event_time": "soon"}, "float", "no_time"),
        ({"prediction_id": "a", "value": 1, "arrival_time": -5}, "float", "no_time"),
        ({"prediction_id": "a", "value": 1, "source": "rumour"}, "float", "unknown_source"),
        ({"prediction_id": "a", "valeu": 1}, "float", "unknown_field"),
        ({"prediction_id": "a", "value": 10**400}, "float", "wrong_type"),
        ({"prediction_id": "a", "value": 10**400}, "any", "wrong_type"),
        ({"prediction_id": "a", "value": "1_000"}, "int", "wrong_type"),
        ({"prediction_id": "a", "value": 1, "event_time": 10**400}, "float", "no_time"),
        ({"prediction_id": "a", "value": 1, "event_time": 1796026800000}, "float", "no_time"),
        ({"prediction_id": "a", "value": 1, "event_time": "9999-12-31T24:00"}, "float", "no_time"),
        ({"prediction_id": "\ud800", "value": 1}, "float", "not_unicode"),
        ({"prediction_id": "a", "value": "\udfff"}, "string", "not_unicode"),
        ({"entity": "\ud800", "event_time": 1767268800, "value": 1}, "float", "not_unicode"),
        ({"entity": {"a": 1}, "event_time": 1767268800, "value": 1}, "float", "no_prediction"),
        ({"entity": True, "event_time": 1767268800, "value": 1}, "float", "no_prediction"),
        ({"entity": "", "event_time": 1767268800, "value": 1}, "float", "no_prediction"),
        ({"prediction_id": "a", "value": 1, "source": ["human"]}, "float", "unknown_source"),
    ],
)
def test_what_is_no_outcome_is_refused_with_a_reason(record, kind, reason):
    with pytest.raises(RefusedOutcome) as caught:
        parse_outcome(record, Expected(kind, NOW))
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T12:00:00Z", "2026-01-01T12:00:00.0Z", "20260101T120000Z", "2026-01-01 12:00",
        "2026-01-01T13:00:00+0100", "2026-01-01T12Z", "2026-W01-4T12:00:00,000", "1767268800",
    ],
)  # fmt: skip
def test_a_time_is_read_on_every_python_as_iso_8601_has_it(text):
    record = {"prediction_id": "a", "value": 1, "event_time": text, "source": None}
    outcome = parse_outcome(record, Expected("float", 0))
    assert (outcome.event_ms, outcome.source) == (NOW, "process")


def test_bad_lines_are_set_apart_and_nothing_is_lost(tmp_path):
    folder = FeedbackFolder(tmp_path, tmp_path)
    lines = ['{"prediction_id": "a", "value": 1}', "", '{"prediction_id": "b", "value": "x"}', "{"]
    added = add_outcomes(read_json_lines(lines), FLOATS, folder)
    assert (added.kept, added.refused) == (1, {"not_json": 1, "wrong_type": 1})
    assert added.first == (
        "line 3: value: 'x'; expected a finite number",
        "line 4: no JSON object; expected one record on the line",
    )
    assert pq.read_table(added.file).column("prediction_id").to_pylist() == ["a"]
    apart = [json.loads(line) for line in added.set_apart.open()]
    assert [(each["line"], each["row"]) for each in apart] == [(3, lines[2]), (4, lines[3])]


def test_csv_has_the_same_fields(tmp_path):
    lines = ["prediction_id,value,event_time", "a,2.5,", ",1,2026-01-01", "b,3,x"]
    added = add_outcomes(read_csv(lines), FLOATS, FeedbackFolder(tmp_path, tmp_path))
    assert (added.kept, added.refused) == (1, {"no_prediction": 1, "no_time": 1})


@pytest.mark.parametrize(
    ("lines", "kept", "refused"),
    [
        (['"a,1\n', "b,2\n"], 0, {(3, "not_csv"): '"a,1\nb,2\n'}),
        (["a\0,1\n", "b,2\n"], None, {(2, "not_csv"): "a\0,1\n"}),
        ([f"{'x' * 200_000},1\n", "b,2\n"], 1, {(2, "not_csv"): f"{'x' * 200_000},1\n"}),
        (["a,1,human\n", "\n", "b,2\n"], 1, {(2, "unknown_field"): None}),
    ],
)
def test_a_row_that_is_none_of_a_csv_is_set_apart_as_it_stands(tmp_path, lines, kept, refused):
    records = read_csv(["prediction_id,value\n", *lines])
    added = add_outcomes(records, FLOATS, FeedbackFolder(tmp_path, tmp_path))
    if kept is None and not added.refused:
        return  # since Python 3.11 a zero byte is a character as others are
    assert added.kept == (1 if kept is None else kept)
    apart = [json.loads(line) for line in added.set_apart.open()]
    assert {(each["line"], each["reason"]) for each in apart} == set(refused)
    for each in apart:
        assert refused[each["line"], each["reason"]] in (None, each["row"])


@pytest.mark.parametrize(
    "records",
    [
        read_json_lines(['{"prediction_id": "a", "value": 1, "value": 2}']),
        read_csv(["prediction_id,value,value", "a,1,2"]),
    ],
)
def test_a_field_that_is_there_twice_is_refused(tmp_path, records):
    added = add_outcomes(records, FLOATS, FeedbackFolder(tmp_path, tmp_path))
    assert (added.kept, added.refused) == (0, {"repeated_field": 1})
    assert "2" in json.loads(added.set_apart.read_text())["row"]


def test_the_same_file_twice_has_no_effect_even_after_another_correction(tmp_path):
    folder = FeedbackFolder(tmp_path, tmp_path)

    def add(value, now, only_once=True):
        line = json.dumps({"prediction_id": "a", "value": value, "source": "correction"})
        return add_outcomes(read_json_lines([line]), Expected("float", now), folder, only_once)

    first, other, again = add(1, NOW), add(2, NOW + 1), add(1, NOW + 2)
    assert (again.kept, again.is_again, again.file) == (0, True, first.file)
    assert folder.outcome_files() == sorted([first.file, other.file])
    assert add(1, NOW + 3, only_once=False).kept == 1  # a stream may say the same again


@pytest.mark.parametrize(
    "line",
    [
        '{"Ada": 1}',
        '{"prediction_id": "a", "value": "Ada"}',
        '{"prediction_id": "a", "value": 1, "event_time": "Ada"}',
        '{"prediction_id": "a", "value": 1, "source": "Ada"}',
        '{"prediction_id": {"Ada": 1}, "value": 1}',
        '{"entity": ["Ada"], "event_time": 1767268800, "value": 1}',
        '{"Ada": 1, "Ada": 2}',
        '{"Ada',
    ],
)
def test_of_personal_records_no_reason_shows_a_value(tmp_path, line):
    expected = Expected("float", NOW, lambda value: b"hash")
    added = add_outcomes(read_json_lines([line]), expected, FeedbackFolder(tmp_path, tmp_path))
    assert added.first
    assert "Ada" not in added.set_apart.read_text() + "".join(added.first)


def test_of_a_personal_entity_a_pseudonym_is_kept_and_bad_rows_are_withheld(tmp_path):
    expected = Expected("float", NOW, lambda value: b"hash of " + value[:1])
    lines = [
        '{"entity": "Ada", "event_time": 1767268800, "value": 1}',
        '{"entity": "Ada", "value": 1}',
    ]
    added = add_outcomes(read_json_lines(lines), expected, FeedbackFolder(tmp_path, tmp_path))
    assert pq.read_table(added.file).column("entity").to_pylist() == ["hash of A"]
    assert "Ada" not in added.set_apart.read_text()
