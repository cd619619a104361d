"""The section `weighting`: how it is read, and what is refused, in which words."""

import pytest

from fareline.errors import SettingsError
from pipeline.evaluation.eval_config import build_eval_config
from pipeline.rules.settings import find_unfit_types, find_unknown_columns, required_columns
from pipeline.rules.weighting import find_weighting_mistakes
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from preprocessing.weighting import Weighting, parse_weighting
from tests.told import without_origin

ALL = (
    "weighting.classes={0: 1, 1: 2.5}",
    "weighting.column=pickup_census_tract",
    "weighting.down_sample={0: 0.5}",
)


def settings(*overrides, name="taxi"):
    return load_settings(DEFAULT_PATH.with_name(f"{name}.yaml"), overrides)


def mistakes(*overrides, name="taxi"):
    return list(find_weighting_mistakes(settings(*overrides, name=name)))


@pytest.mark.parametrize(
    ("overrides", "weighting"),
    [
        ([], None),
        (["weighting={}"], None),
        (["weighting.classes={}", "weighting.down_sample={}"], None),
        (["weighting.classes=balanced"], Weighting("balanced")),
        (["weighting.classes.1=3"], Weighting({"1": 3.0})),
        (["weighting.column=trip_miles"], Weighting(column="trip_miles")),
        (["weighting.down_sample={'0': 1}"], Weighting(down_sample={"0": 1.0})),
        (ALL, Weighting({"0": 1.0, "1": 2.5}, "pickup_census_tract", {"0": 0.5})),
    ],
)
def test_what_the_file_says_is_what_the_transform_reads(overrides, weighting):
    given = settings(*overrides)
    assert given.weighting.is_on == (weighting is not None)
    # YAML's whole numbers are names of labels here, and custom_config is JSON.
    assert parse_weighting(given.section("weighting")["weighting"]) == weighting


CLASSES = "expected balanced, or labels with a weight of at least 0 each."


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("classes=ballanced", f"classes: found 'ballanced'; {CLASSES}"),
        ("classes=2", f"classes: found 2; {CLASSES}"),
        ("classes={0: -1}", f"classes: found {{0: -1}}; {CLASSES}"),
        ("classes={0: .nan}", f"classes: found {{0: nan}}; {CLASSES}"),
        ("classes={0: .inf}", f"classes: found {{0: inf}}; {CLASSES}"),
        ("classes={0: true}", f"classes: found {{0: True}}; {CLASSES}"),
        ("classes={0: many}", f"classes: found {{0: 'many'}}; {CLASSES}"),
        (
            "classes={yes: 2}",
            "classes: found {True: 2}; expected the names of labels. Hint: put yes and no in "
            "quotes.",
        ),
        ("down_sample={0: 0}", "down_sample.0: found 0; expected more than 0."),
        ("down_sample={0: 1.5}", "down_sample.0: found 1.5; expected at most 1."),
        ("down_sample={0: true}", "down_sample.0: found True; expected a number."),
        ("down_sample=0.5", "down_sample: found 0.5; expected a section with settings of its own."),
        ("column=7", "column: found 7; expected a text."),
        (
            "colum=trip_miles",
            "colum: unknown setting; did you mean column? expected one of classes, column, "
            "down_sample.",
        ),
    ],
)
def test_what_no_file_can_say(override, line):
    with pytest.raises(SettingsError) as caught:
        settings(f"weighting.{override}")
    assert without_origin(caught.value) == f"weighting.{line}"


NO_LABEL = (
    "expected some of 0, 1. Hint: 1 is what the rule in label is true of, 0 is the rest."
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "overrides", "lines"),
    [
        ("taxi", ["weighting.classes={2: 3}"], [f"weighting.classes: no label 2; {NO_LABEL}"]),
        (
            "taxi",
            ["weighting.down_sample={tipped: 0.5}"],
            [f"weighting.down_sample: no label tipped; {NO_LABEL}"],
        ),
        (
            "taxi_payment",
            ["weighting.classes={cash: 2, Bitcoin: 3}"],
            [
                "weighting.classes: no label Bitcoin; expected some of Cash, Credit Card, "
                "No Charge. Hint: label.classes names them.",
                "weighting.classes: no label cash; expected some of Cash, Credit Card, "
                "No Charge. Hint: did you mean Cash.",
            ],
        ),
        ("taxi_payment", ["weighting.classes={Cash: 0}"], []),
        (
            "taxi_payment",
            ["weighting.classes={Cash: 0, No Charge: 0}"],
            [
                "weighting.classes: 1 of 3 labels weigh more than 0; expected at least 2. "
                "Hint: leave one out, and it weighs 1."
            ],
        ),
        (
            "taxi",
            ["weighting.classes={0: 0, 1: 0}"],
            [
                "weighting.classes: 0 of 2 labels weigh more than 0; expected at least 2. "
                "Hint: leave one out, and it weighs 1."
            ],
        ),
        (
            "taxi_fare",
            ["weighting.classes=balanced", "weighting.down_sample={0: 0.5}"],
            [
                f"weighting.{part}: a number has no labels; expected none with task regression. "
                "Hint: weighting.column can weigh examples."
                for part in ("classes", "down_sample")
            ],
        ),
        ("taxi", ALL, []),
        ("taxi_fare", ["weighting.column=tips"], []),
        (
            "taxi",
            ["weighting.column=tips"],
            [
                "weighting.column: tips makes the label; expected a column of its own. "
                "Hint: weigh by another column, or by weighting.classes."
            ],
        ),
        (
            "taxi",
            ["weighting.column=trip_start_hour"],
            [
                "weighting.column: trip_start_hour is a feature, "
                "features.categorical.trip_start_hour; expected a column that only weighs "
                "examples. Hint: remove it there, or weigh by another column."
            ],
        ),
    ],
)
def test_what_fits_no_label_or_column(name, overrides, lines):
    assert mistakes(*overrides, name=name) == lines


def test_of_many_labels_the_first_are_named():
    classes = ", ".join(f"c{i}" for i in range(12))
    [line] = mistakes(
        f"label.classes=[{classes}]", "weighting.down_sample={x: 0.5}", name="taxi_payment"
    )
    assert line == (
        "weighting.down_sample: no label x; expected some of c0, c1, c2, c3, c4, c5, c6, c7, c8, "
        "c9 and 2 more. Hint: label.classes names them."
    )


def test_the_column_is_in_the_data_and_holds_numbers():
    given = settings("weighting.column=wieght")
    assert "wieght" in required_columns(given)
    types = dict.fromkeys(required_columns(given), "int") | {"weight": "float"}
    del types["wieght"]
    assert list(find_unknown_columns(given, types)) == [
        "weighting.column: no column wieght in the schema; expected one of its columns. "
        "Hint: did you mean weight."
    ]
    types["wieght"] = "bytes"
    assert (
        "weighting.column: wieght is bytes in the schema; expected int or float. "
        "Hint: weigh by another column."
    ) in list(find_unfit_types(given, types))


def test_requests_carry_neither_the_label_nor_the_weight():
    assert settings().unserved_columns == ["tips"]
    assert settings(*ALL).unserved_columns == ["tips", "pickup_census_tract"]


@pytest.mark.parametrize("name", ["taxi", "taxi_payment", "taxi_fare"])
def test_metrics_are_told_of_no_weight(name):
    plain = build_eval_config(settings(name=name))
    assert build_eval_config(settings(*ALL, name=name)) == plain
    # Rows without a label weigh 0 there; it is the only weight that an evaluation knows.
    weight = {"taxi_payment": "payment_type_weight_xf"}.get(name, "")
    assert plain.model_specs[0].example_weight_key == weight
