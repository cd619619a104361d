"""runners.watching.watching: labels of a window's rows, from the outcomes that have come."""

import numpy as np
import pyarrow as pa
import pytest

from preprocessing.labels import parse_label
from runners.watching.watching import _labels

FARES = {"fare": pa.array([10.0, 10.0, 10.0, 10.0], pa.float32())}


@pytest.mark.parametrize(
    ("label", "texts", "expected"),
    [
        # A missing tip would be a tip of 0; a tip that is not known yet is none.
        (
            {"column": "tips", "above": {"column": "fare", "times": 0.2}},
            ["3.5", None, "0", "2"],
            [1, np.nan, 0, 0],
        ),
        (
            {"column": "tips", "above": {"column": "fare", "times": 0.2}},
            [None] * 4,
            [np.nan] * 4,
        ),
        ({"column": "clicked"}, ["1", "0", None, "1"], [1, 0, np.nan, 1]),
        (
            {"column": "paid", "positive": "card", "other": "drop"},
            ['"card"', '"cash"', None, '"Credit Card"'],
            [1, 0, np.nan, 0],
        ),
        ({"column": "clicked"}, [None] * 4, [np.nan] * 4),
    ],
)
def test_a_row_without_an_outcome_has_no_label(label, texts, expected):
    found = _labels(texts, FARES, parse_label(label))
    np.testing.assert_array_equal(found, expected)
