"""The section `evaluation` of the settings: what it takes, and what it says of mistakes."""

import pytest

from fareline.errors import SettingsError
from pipeline.rules.settings import require_no_label_leak, require_sound_settings
from pipeline.settings.evaluation import Evaluation
from pipeline.settings.load import load_settings
from tests.told import without_origin

BUCKETS = "{column: trip_miles, boundaries: [1, 5.5]}"


def refusal(*overrides):
    with pytest.raises(SettingsError) as error:
        load_settings(overrides=[f"evaluation.{override}" for override in overrides])
    return without_origin(error.value).splitlines()


def test_slices_by_columns_buckets_and_both():
    settings = load_settings(
        overrides=[f"evaluation.slices=[[company], [{BUCKETS}], [payment_type, {BUCKETS}]]"]
    )
    assert settings.evaluation.feature_keys({}) == [
        ["company"],
        ["trip_miles [1, 5.5]"],
        ["payment_type", "trip_miles [1, 5.5]"],
    ]
    assert settings.evaluation.groups() == ["company", "trip_miles", "payment_type, trip_miles"]
    as_json = settings.evaluation.model_dump_json()
    assert Evaluation.model_validate_json(as_json) == settings.evaluation


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "slices=[[{column: a}]]",
            "slices.0.0: found {'column': 'a'}; expected a column, or {column: NAME, boundaries: "
            "[NUMBER, …]}.",
        ),
        (
            "slices=[[a, 7]]",
            "slices.0.1: found 7; expected a column, or {column: NAME, boundaries: [NUMBER, …]}.",
        ),
        (
            "slices=[[{column: 7, boundaries: [1]}]]",
            "slices.0.0: found {'column': 7, 'boundaries': [1]}; expected the name of a column.",
        ),
        (
            "slices=[[{column: a, boundaries: [1, x]}]]",
            "slices.0.0: found {'column': 'a', 'boundaries': [1, 'x']}; expected boundaries as a "
            "list of at least one number.",
        ),
        (
            "slices=[[{column: a, boundaries: []}]]",
            "slices.0.0: found {'column': 'a', 'boundaries': []}; expected boundaries as a list of "
            "at least one number.",
        ),
        (
            "slices=[[{column: a, boundaries: [5, 1]}]]",
            "slices.0.0: found {'column': 'a', 'boundaries': [5, 1]}; expected boundaries that "
            "rise.",
        ),
        (
            "slices=[[{column: a, boundaries: [.inf]}]]",
            "slices.0.0: found {'column': 'a', 'boundaries': [inf]}; expected boundaries as a list "
            "of at least one number.",
        ),
        ("min_slice_examples=0", "min_slice_examples: found 0; expected at least 1."),
        ("min_label_examples=2.5", "min_label_examples: found 2.5; expected a whole number."),
        ("confidence_intervals=often", "confidence_intervals: found 'often'; expected true or "
         "false."),
        (
            "slice_thresholds={pay: {auc: {at_lest: 1}}}",
            "slice_thresholds.pay.auc.at_lest: unknown setting; did you mean at_least? expected "
            "one of at_least, at_most, at_most_below_baseline.",
        ),
        (
            "max_gap={auc: {pay: -1}}",
            "max_gap.auc.pay: found -1; expected at least 0.",
        ),
    ],
)  # fmt: skip
def test_mistakes_in_the_section_itself(override, message):
    found = [line for line in refusal(override) if "unknown setting" in line or "found" in line]
    assert found[0] == f"evaluation.{message}"


def test_a_slice_without_any_threshold_is_a_mistake():
    [found] = refusal("slice_thresholds={pay: {}}")
    assert found.startswith(
        "evaluation.slice_thresholds.pay: found {}; expected a threshold for at least one of auc,"
    )


def test_metrics_without_a_direction_have_no_gap():
    [found, *_] = refusal("max_gap={example_count: {pay: 1}}")
    assert found.startswith("evaluation.max_gap.example_count: unknown setting; ")


TYPES = {"hour": "int", "pay": "bytes", "trip_miles": "float", "tips": "float", "fare": "float"}


def mistakes(*overrides):
    features = "features={numeric: {fare: {}}}"
    settings = load_settings(
        overrides=[features, "evaluation.slices=[[hour], [pay]]"]
        + [f"evaluation.{override}" for override in overrides]
    )
    with pytest.raises(SettingsError) as error:
        require_sound_settings(settings, TYPES, TYPES)
    return without_origin(error.value).splitlines()


def test_a_threshold_for_what_is_not_sliced_by():
    assert mistakes(
        "slice_thresholds={pays: {auc: {at_least: 0.1}}, pay=cash: {auc: {at_least: 0.1}}}",
        "max_gap={auc: {'pay=cash': 0.1, 'hour, pay': 0.2, pay: 0.3}}",
    ) == [
        "evaluation.slice_thresholds.pays: no such slices; expected one of 'hour', 'pay', or one "
        "slice of them such as NAME=VALUE. Hint: did you mean pay.",
        "evaluation.max_gap.auc.pay=cash: no such slices; expected one of 'hour', 'pay'. "
        "Hint: a gap is between all slices by the same columns.",
        "evaluation.max_gap.auc.hour, pay: no such slices; expected one of 'hour', 'pay'. "
        "Hint: a gap is between all slices by the same columns.",
    ]


def test_mistakes_that_need_no_schema_are_found_without_one():
    settings = load_settings(
        overrides=["evaluation.slices=[]", "evaluation.max_gap={auc: {pay: 0.1}}"]
    )
    with pytest.raises(SettingsError, match=r"evaluation.max_gap.auc.pay: .*expected none"):
        require_no_label_leak(settings)


@pytest.mark.parametrize("slices", [f"[[{BUCKETS}], [trip_miles]]", "[[pay], [hour, hour]]"])
def test_a_column_is_sliced_by_in_one_way(slices):
    column = "trip_miles" if "miles" in slices else "hour"
    assert mistakes(f"slices={slices}") == [
        f"evaluation.slices.1: {column} is sliced by in two ways; expected one. "
        "Hint: use the same boundaries everywhere."
    ]


def test_a_text_has_no_buckets():
    assert mistakes("slices=[[{column: pay, boundaries: [1]}]]") == [
        "evaluation.slices.0: pay is bytes in the schema; expected a number. "
        "Hint: slice by its values, without boundaries."
    ]


def test_an_unknown_column_in_buckets():
    [found] = mistakes("slices=[[{column: trip_mile, boundaries: [1]}]]")
    assert found.startswith("evaluation.slices.0: no column trip_mile in the schema;")
