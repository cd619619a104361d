"""What is near a mistyped name."""

import pytest

from fareline.near import listed, near_names

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


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["a", "b"], "a, b"),
        ([f"column_{i:03}" for i in range(600)], "column_057 and 542 more"),
        (["x" * 3000], "x" * 100 + "…"),
    ],
)
def test_a_list_of_names_is_as_long_as_one_can_read(names, said):
    assert listed(names).endswith(said) and len(listed(names)) < 750
