"""Settings against an inferred schema: one line for each column that is not what it is used as."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.data_gate.uses import UnfitColumnsError, require_fitting
from pipeline.rules.inferred import inferred_uses
from pipeline.settings.load import load_settings
from schema.curated import load_schema, schema_path

TEXTS = pa.large_list(pa.large_binary())
FLOATS = pa.large_list(pa.float32())


def problems(overrides, columns, rows=()):
    """The lines about settings, for columns of `name: type and shape` in protobuf text form."""
    settings = load_settings(
        overrides=["schema=null", "label.above=null", "evaluation.slices=[]", *overrides]
    )
    parts = [f"feature {{ name: {json.dumps(n)} type: {kind} }}" for n, kind in columns.items()]
    schema = text_format.Parse("\n".join(parts), schema_pb2.Schema())
    uses = [use for use in inferred_uses(settings) if use["column"] in (*columns, "absent")]
    try:
        require_fitting(json.loads(json.dumps(uses)), schema, rows)
    except UnfitColumnsError as error:
        return str(error).splitlines()
    return []


ONE = "shape { dim { size: 1 } }"
AMONG = (
    "features={numeric: {a: {}}, bucketized: {b: 3}, vocabulary: {c: {size: 2, oov_buckets: 1}}, "
)
AMONG += "categorical: {d: 4}}"


@pytest.mark.parametrize(
    ("columns", "rows", "expected"),
    [
        ({"a": f"INT {ONE}", "b": f"FLOAT {ONE}", "c": f"BYTES {ONE}", "d": f"INT {ONE}"}, {}, []),
        (
            {"a": f"BYTES {ONE}"},
            {"a": pa.array([[b"1.5"], None, [b"NaN"]], TEXTS)},
            [
                "features.numeric.a: a is bytes in the data, such as 'NaN'; expected int or float. "
                "Hint: leave cells without a number empty or name their text in "
                "data.source.missing, or use it as another kind of feature."
            ],
        ),
        (
            {"b": f"BYTES {ONE}"},
            {"b": pa.array([[b"1"], None], TEXTS)},
            [
                "features.bucketized.b: b is bytes in the data; expected int or float. Hint: write "
                "it as a number, or use it as another kind of feature."
            ],
        ),
        (
            {"a": f"BYTES {ONE}", "b": f"BYTES {ONE}", "d": f"BYTES {ONE}"},
            {"a": pa.array([[], None], TEXTS), "b": pa.nulls(2)},
            [
                f"features.{setting} has no value in any row; expected {fit}. Hint: fill it, or "
                "use another column."
                for setting, fit in (
                    ("numeric.a: a", "int or float"),
                    ("bucketized.b: b", "int or float"),
                    ("categorical.d: d", "int or float"),
                )
            ],
        ),
        # Whole numbers with gaps are floats in pandas.
        (
            {"c": f"FLOAT {ONE}", "d": f"FLOAT {ONE}"},
            {"c": pa.array([[2.0], None], FLOATS), "d": pa.array([[0.0], [-3.0]], FLOATS)},
            [],
        ),
        (
            {"c": f"FLOAT {ONE}", "d": f"FLOAT {ONE}"},
            {"c": pa.array([[2.0], [2.5]], FLOATS), "d": pa.array([None, [0.25]], FLOATS)},
            [
                "features.vocabulary.c: c is float in the data, such as '2.5'; expected text or "
                "whole numbers. Hint: use it under features.numeric or features.bucketized.",
                "features.categorical.d: d is float in the data, such as '0.25'; expected whole "
                "numbers. Hint: use it under features.numeric or features.bucketized.",
            ],
        ),
        (
            {"d": f"FLOAT {ONE}"},
            {"d": pa.array([[1234567.5]], FLOATS)},
            [
                "features.categorical.d: d is float in the data, such as '1.23457e+06'; expected "
                "whole numbers. Hint: use it under features.numeric or features.bucketized."
            ],
        ),
        # The first whole number whose neighbour is the same number in float32.
        ({"c": f"FLOAT {ONE}"}, {"c": pa.array([[2.0**24 - 1], [-3.0]], FLOATS)}, []),
        (
            {"c": f"FLOAT {ONE}", "d": f"FLOAT {ONE}"},
            {"c": pa.array([[2.0**24 + 1]], FLOATS), "d": pa.array([[2.0], [-1e23]], FLOATS)},
            [
                f"features.{setting} is float in the data, such as '{number}', which float32 does "
                f"not tell from its neighbours; expected {fit} below 16,777,216. Hint: write it as "
                "text, or name a schema in which it is INT (`fareline schema infer`)."
                for setting, number, fit in (
                    ("vocabulary.c: c", 2**24, "text or whole numbers"),
                    ("categorical.d: d", f"{np.float32(-1e23):.0f}", "whole numbers"),
                )
            ],
        ),
        # Of lists that can be empty the schema says nothing.
        (
            {"c": "BYTES"},
            {"c": pa.array([[], [b"x"], [b"x", b"y"]], TEXTS)},
            [
                "features.vocabulary.c: c holds lists of values; expected one value in each row, "
                "bytes or int or float. Hint: make a column of what matters in the list, such as "
                "its first value."
            ],
        ),
        ({"c": "BYTES"}, {"c": pa.array([[], [b"x"]], TEXTS)}, []),
        ({"c": "BYTES value_count { min: 1 max: 1 }"}, {}, []),
    ],
)
def test_features_are_of_a_type_that_their_kind_can_take(columns, rows, expected):
    assert problems([AMONG], columns, [rows]) == expected


def test_a_column_without_values_is_named():
    found = problems(["features={numeric: {absent: {}}}"], {}, [])
    assert found == [
        "features.numeric.absent: absent has no value in any row; expected int or float. Hint: "
        "fill it, or use another column."
    ]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("1,5", "set data.source.csv_format.decimal if the comma stands before a fraction, else"),
        ("-12,345", "set data.source.csv_format.decimal if the comma stands before a fraction"),
        ("1.234,56", "write numbers without separators of thousands"),
        ("1,234,567.8", "write numbers without separators of thousands"),
        ("12'345", "write numbers without separators of thousands"),
        ("12\u202f345", "write numbers without separators of thousands"),
        ("1e39", "leave cells without a number empty or name their text in data.source.missing"),
        ("2024-01-31", "leave cells without a number empty or name their text"),
        ("1,", "leave cells without a number empty or name their text in data.source.missing"),
    ],
)
def test_the_hint_fits_the_text_that_stands_in_place_of_a_number(text, hint):
    rows = {"a": pa.array([[b"7"], [text.encode()]], TEXTS)}
    [found] = problems(["features={numeric: {a: {}}}"], {"a": f"BYTES {ONE}"}, [rows])
    assert f"a is bytes in the data, such as {text!r}; expected int or float. Hint: {hint}" in found


LABELS = pa.array([["'yes'"], [], ["'no'"]], pa.large_list(pa.large_string()))


@pytest.mark.parametrize(
    ("label", "values", "expected"),
    [
        ("{column: y, positive: \"'yes'\"}", LABELS.cast(TEXTS), None),
        ("{column: y, positive: \"'yes'\", negative: \"'no'\"}", LABELS.cast(TEXTS), None),
        ("{column: y, positive: 'yes'}", LABELS.cast(TEXTS), "positive: y holds 'yes' in no row"),
        (
            "{column: y, positive: \"'yes'\", negative: 'no'}",
            LABELS.cast(TEXTS),
            "negative: y holds 'no' in no row, such as \"'yes'\"",
        ),
        ("{column: y, positive: 1}", pa.array([[1.0], [0.0]], FLOATS), None),
        ("{column: y, positive: 3}", pa.array([[1.0], [0.0]], FLOATS), "such as '1'"),
    ],
)
def test_each_of_two_labels_is_in_a_row(label, values, expected):
    kind = "FLOAT" if values.type == FLOATS else "BYTES"
    rows = [{"y": pa.nulls(1)}, {}, {"y": values}]
    found = problems([f"label={label}"], {"y": f"{kind} {ONE}"}, rows)
    assert [expected in line for line in found] == [True] * bool(expected)


@pytest.mark.parametrize(("value", "found"), [(b"a", 0), (b"b", 0), (b"'a'", 1)])
def test_one_of_several_classes_is_in_a_row(value, found):
    several = ["task=multiclass", "label={column: y, classes: [a, b, c]}"]
    several += ["evaluation={thresholds: {accuracy: {at_least: 0.1}}, slices: []}"]
    lines = problems(several, {"y": f"BYTES {ONE}"}, [{"y": pa.array([[value]], TEXTS)}])
    wanted = "label.classes: y holds 'a', 'b', 'c' in no row, such as \"'a'\"; expected values"
    assert [line.startswith(wanted) for line in lines] == [True] * found


@pytest.mark.parametrize(
    ("label", "kind", "expected"),
    [
        ("{column: y, positive: '1'}", "INT", ["without quotes"]),
        ("{column: y, positive: '1'}", "BYTES", []),
        ("{column: y, positive: 1}", "BYTES", ["in quotes"]),
        ("{column: y, positive: 1}", "FLOAT", []),
        ("{column: y}", "FLOAT", []),
        ("{column: y}", "BYTES", ["name values as the column holds them"]),
    ],
)
def test_values_of_a_label_are_as_the_column_holds_them(label, kind, expected):
    values = {"INT": pa.array([[1]]), "FLOAT": pa.array([[1.0]], FLOATS)}
    rows = [{"y": values.get(kind, pa.array([[b"1"]], TEXTS))}]
    found = problems([f"label={label}"], {"y": f"{kind} {ONE}"}, rows)
    assert len(found) == len(expected)
    assert all(hint in line for hint, line in zip(expected, found, strict=True))
    assert all(line.startswith("label.") and " y is " in line for line in found)


def test_a_curated_schema_is_compared_before_the_run_but_for_floats_that_are_categories():
    assert inferred_uses(load_settings()) == []
    changed = load_settings(overrides=["features.vocabulary={fare: {size: 3, oov_buckets: 1}}"])
    uses = inferred_uses(changed)
    assert [(use["setting"], use["whole"]) for use in uses] == [("features.vocabulary.fare", True)]
    contract = load_schema(schema_path("taxi", Path()))
    rows = {"fare": pa.array([[2.0], None, [3.0]], pa.large_list(pa.float32()))}
    require_fitting(uses, contract, [rows])
    rows = {"fare": pa.array([[2.0], [2.5]], pa.large_list(pa.float32()))}
    with pytest.raises(UnfitColumnsError) as refused:
        require_fitting(uses, contract, [rows])
    assert str(refused.value) == (
        "features.vocabulary.fare: fare is float in the data, such as '2.5'; expected text or "
        "whole numbers. Hint: use it under features.numeric or features.bucketized."
    )
