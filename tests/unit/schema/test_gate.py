"""What becomes of an anomaly: the narrowest rule of today, and a line for each that stops."""

import datetime

import pytest

from fareline.errors import FarelineError, SettingsError
from pipeline.rules.gate import find_gate_mistakes
from pipeline.settings.load import load_settings
from schema.gate.anomalies import Anomaly, DataAnomalies
from schema.gate.decide import Decision, Rule, decide, require_passing
from schema.gate.evidence import Evidence

TODAY = datetime.date(2026, 11, 26)
VALUES, MISSING = "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "SCHEMA_MISSING_COLUMN"
COMPANY = Anomaly("company", VALUES, "Examples contain values missing: Acme. ", ("eval",))
FARE = Anomaly("fare", MISSING, "Column is completely missing", ("eval", "train"))
ACME = Evidence("BYTES, one of Flash Cab", 62, "Acme")
NO_ROW = Evidence("required")


def actions(anomaly, *rules, default="stop", today=TODAY):
    [decision] = decide([anomaly], [NO_ROW], rules, default, today)
    return decision.action, decision.by


def test_without_a_rule_the_default_counts():
    assert actions(COMPANY) == ("stop", "gate.default")
    assert actions(COMPANY, default="warn") == ("warn", "gate.default")


def test_the_narrowest_rule_counts_and_of_equals_the_first():
    of_kind = Rule("warn", kind=VALUES)
    of_column = Rule("stop", column="company")
    of_both = Rule("ignore", column="company", kind=VALUES)
    assert actions(COMPANY, of_kind, of_column, of_both) == ("ignore", "gate.rules.2")
    assert actions(COMPANY, of_kind, of_column) == ("stop", "gate.rules.1")
    assert actions(COMPANY, of_kind, default="stop") == ("warn", "gate.rules.0")
    first, second = Rule("warn", kind=VALUES), Rule("stop", kind=VALUES)
    assert actions(COMPANY, first, second) == ("warn", "gate.rules.0")
    assert actions(COMPANY, second, first) == ("stop", "gate.rules.0")


def test_an_ignore_hides_no_other_kind_and_no_other_column():
    ignore = Rule("ignore", "company", VALUES, "a merger", datetime.date(2026, 12, 31))
    others = (
        Anomaly("company", "UNEXPECTED_DATA_TYPE", "", ("eval",)),
        Anomaly("payment_type", VALUES, "", ("eval",)),
        Anomaly("agency", "SCHEMA_NEW_COLUMN", "", ("eval",)),
    )
    assert actions(COMPANY, ignore) == ("ignore", "gate.rules.0")
    for other in others:
        assert actions(other, ignore) == ("stop", "gate.default")


@pytest.mark.parametrize(("day", "action"), [(25, "ignore"), (26, "ignore"), (27, "stop")])
def test_a_rule_holds_until_its_last_day_and_that_it_has_ended_is_said(day, action):
    rule = Rule("ignore", "company", VALUES, "a merger", datetime.date(2026, 11, 26))
    today = datetime.date(2026, 11, day)
    [decision] = decide([COMPANY], [ACME], [rule], "stop", today)
    assert decision.action == action
    ended = "gate.rules.0 (ignore: a merger) ended on 2026-11-26"
    assert decision.reason == ("a merger" if action == "ignore" else ended)


def test_a_decision_has_all_that_a_reader_wants_to_know():
    rule = Rule("warn", kind=VALUES, reason="new companies come every month")
    [decision] = decide([COMPANY], [ACME], [rule], "stop", TODAY)
    assert decision == Decision(
        column="company",
        kind=VALUES,
        found=COMPANY.found,
        splits=("eval",),
        action="warn",
        by="gate.rules.0",
        reason="new companies come every month",
        expected="BYTES, one of Flash Cab",
        rows=62,
        example="Acme",
    )


def test_what_stops_the_run_is_one_line_each_and_a_warning_is_none():
    warn = Rule("warn", column="fare")
    decided = decide([COMPANY, FARE], [ACME, NO_ROW], [warn], "stop", TODAY)
    with pytest.raises(DataAnomalies) as caught:
        require_passing(decided)
    assert str(caught.value) == (
        "the data breaks the schema: 1 anomaly; expected none. Hint: correct the data, or review "
        "the schema if the data is right.\n"
        "  company: Examples contain values missing: Acme; the schema says BYTES, one of Flash "
        f"Cab; for example 'Acme'; 62 rows ({VALUES}; in eval)"
    )
    # Found while a run is on its way, so the run failed; nobody mistyped anything.
    assert isinstance(caught.value, FarelineError)
    assert caught.value.exit_code == 1
    require_passing(decide([COMPANY, FARE], [ACME, NO_ROW], [], "warn", TODAY))
    require_passing([])


def test_several_are_counted():
    with pytest.raises(DataAnomalies) as caught:
        require_passing(decide([COMPANY, FARE], [ACME, NO_ROW], [], "stop", TODAY))
    first, *lines = str(caught.value).splitlines()
    assert first.startswith("the data breaks the schema: 2 anomalies; expected none.")
    assert lines[1] == (
        "  fare: Column is completely missing; the schema says required "
        f"({MISSING}; in eval, train)"
    )


# The settings.


def test_rules_are_read_with_their_dates():
    rule = (
        f"{{column: company, kind: {VALUES}, action: ignore, reason: a merger, until: 2026-12-31}}"
    )
    gate = load_settings(overrides=[f"gate.rules=[{rule}]", "gate.default=warn"]).gate
    assert (gate.default, gate.has_dates) == ("warn", True)
    assert gate.rules[0].until == datetime.date(2026, 12, 31)
    assert not load_settings().gate.has_dates


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            "{action: ignore, column: company}",
            "expected an ignore to have column, kind, reason, until; lacks kind",
        ),
        (
            f"{{action: ignore, column: company, kind: {VALUES}, reason: x}}",
            "lacks until",
        ),
        (
            "{action: ignore, column: x, kind: SCHEMA_NEW_COLUMN, reason: x, until: 2026-12-31}",
            "expected no ignore of a new column; add it to the schema",
        ),
        ("{action: warn}", "expected a column or a kind; gate.default applies to all others"),
        (
            "{action: warn, kind: SCHEMA_MISING_COLUMN}",
            "expected TFDV's name of an anomaly, such as SCHEMA_MISSING_COLUMN",
        ),
        ("{action: skip, column: x}", "expected"),
        ("{action: warn, column: x, until: someday}", "until"),
    ],
)  # fmt: skip
def test_rules_that_are_none(rule, words):
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides=[f"gate.rules=[{rule}]"])
    line = str(caught.value)
    assert "\n" not in line
    assert "gate.rules.0" in line
    assert words in line


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["gate.coverage.min_examples={evla: 5}"],
            "gate.coverage.min_examples.evla: no split evla; expected one of train, validate, "
            "eval. Hint: data.splits names them.",
        ),
        (
            ["gate.coverage.min_slice_examples={eval: 5}", "evaluation.slices=[]"],
            "gate.coverage.min_slice_examples: there are no slices; expected some in "
            "evaluation.slices. Hint: name the columns to slice by there.",
        ),
        (["gate.coverage.min_label_examples={eval: 5}", "data.splits.more={holdout: 1}"], None),
        (["gate.coverage.min_examples={holdout: 5}", "data.splits.more={holdout: 1}"], None),
    ],
)
def test_enough_is_demanded_of_what_there_is(overrides, line):
    settings = load_settings(overrides=overrides)
    assert list(find_gate_mistakes(settings)) == ([line] if line else [])


def test_a_number_has_no_labels_to_count():
    settings = load_settings(overrides=["gate.coverage.min_label_examples={eval: 5}"])
    [line] = find_gate_mistakes(settings.model_copy(update={"task": "regression"}))
    assert line.startswith("gate.coverage.min_label_examples: a number has no labels to count; ")


@pytest.mark.parametrize(
    ("column", "near"),
    [("compny", "company"), ("company", None), ("newcomer", None), ("company=Blue", None)],
)
def test_a_misspelt_column_of_a_rule_is_told(column, near):
    settings = load_settings(overrides=[f"gate.rules=[{{column: {column}, action: stop}}]"])
    expected = [
        f"gate.rules.0.column: no column {column} in the schema; expected one of its columns, or a "
        f"new one. Hint: did you mean {near}."
    ]
    assert list(find_gate_mistakes(settings, ["company", "fare"])) == (expected if near else [])
