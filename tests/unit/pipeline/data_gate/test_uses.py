"""Settings against an inferred schema: one line for each column that is not what it is used as."""

import json
from pathlib import Path

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
                "Hint: leave cells without a number empty, or use it as another kind of feature."
            ],
        ),
        (
            {"b": f"BYTES {ONE}"},
            {},
            [
                "features.bucketized.b: b is bytes in the data; expected int or float. Hint: use "
                "it as another kind of feature."
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
    found = problems([f"label={label}"], {"y": f"{kind} {ONE}"})
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
