"""What is near a mistyped name."""

import pytest

from fareline.near import near_names

NAMES = ["auc", "pr_auc", "accuracy", "Trip Miles", "SERVING"]


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("auk", ["auc"]),
        ("AUC", ["auc"]),
        ("trip miles", ["Trip Miles"]),
        ("serving", ["SERVING"]),
        ("servnig", ["SERVING"]),
        ("zzz", []),
        ("", []),
    ],
)
def test_letter_case_makes_no_name_strange(typed, near):
    assert near_names(typed, NAMES) == near


def test_several_are_given_the_nearest_first_and_names_that_differ_in_case_are_all_there():
    assert near_names("auc", NAMES, 3) == ["auc", "pr_auc"]
    assert near_names("fare", ["Fare", "FARE", "fares"], 2) == ["Fare", "FARE"]
    assert near_names("fare", ["Fare", "xyz"], 3, 0.9) == ["Fare"]
