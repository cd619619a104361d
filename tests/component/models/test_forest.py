"""Trees as tensors: every row ends in the leaf that XGBoost's JSON says, computed by hand."""

import numpy as np
import pytest
import tensorflow as tf

from models.forest import Forest


def tree(left, right, columns, conditions, sets=()):
    """A tree as XGBoost writes it; `sets`: node to the categories that go right."""
    nodes = dict(sets)
    categories = [category for each in nodes.values() for category in each]
    sizes = [len(each) for each in nodes.values()]
    return {
        "left_children": left,
        "right_children": right,
        "split_indices": columns,
        "split_conditions": conditions,
        "split_type": [int(node in nodes) for node in range(len(left))],
        "categories_nodes": list(nodes),
        "categories_segments": np.cumsum([0, *sizes])[:-1].tolist() if sizes else [],
        "categories_sizes": sizes,
        "categories": categories,
    }


# fare < 0.5: 1; else company in {2, 40}: -2, else 3.
FIRST = tree([1, -1, 3, -1, -1], [2, -1, 4, -1, -1], [0, 0, 1, 0, 0], [0.5, 1, 0, 3, -2],
             {2: [2, 40]})  # fmt: skip
SECOND = tree([-1], [-1], [0], [0.25])  # a tree of one leaf


def booster(*trees, base="[5E-1]"):
    return {
        "learner": {
            "gradient_booster": {"model": {"trees": list(trees)}},
            "learner_model_param": {"base_score": base},
        }
    }


def ask(forest, fares, companies):
    inputs = {"fare": tf.constant(fares)[:, None], "company": tf.constant(companies)[:, None]}
    return forest.margin(inputs).numpy()


@pytest.mark.parametrize(
    ("fare", "company", "leaf"),
    [
        (0.4, 2, 1.0),
        (0.5, 2, -2.0),  # a threshold belongs to the right
        (0.6, 40, -2.0),
        (0.6, 3, 3.0),
        (0.6, 8, 3.0),  # 40 - 32: the same bit of another word
        (0.6, 63, 3.0),
        (0.6, 1000, 3.0),  # beyond every set
        (0.6, 0, 3.0),
    ],
)
def test_a_row_ends_in_its_leaf(fare, company, leaf):
    forest = Forest(booster(FIRST, SECOND), ["fare", "company"], rounds=2)
    assert ask(forest, [fare], [company]).tolist() == [[leaf + 0.25]]  # logit(0.5) is 0


def test_only_the_rounds_that_count_are_kept():
    forest = Forest(booster(FIRST, SECOND), ["fare", "company"], rounds=1)
    assert ask(forest, [0.4], [0]).tolist() == [[1.0]]


def test_trees_of_several_classes_come_in_turn():
    model = booster(FIRST, SECOND, SECOND, SECOND, base="[1E0,2E0]")
    forest = Forest(model, ["fare", "company"], rounds=2, classes=2, activation="softmax")
    assert ask(forest, [0.4], [0]).tolist() == [[1 + 1 + 0.25, 2 + 0.25 + 0.25]]


def test_the_base_is_a_margin_of_its_task():
    columns = ["fare", "company"]
    binary = Forest(booster(SECOND, base="[2E-1]"), columns, 1)
    amount = Forest(booster(SECOND, base="2E-1"), columns, 1, activation="linear")
    # float32 keeps about 1e-7 of a number near 1.
    assert ask(binary, [0.0], [0])[0, 0] == pytest.approx(0.25 + np.log(0.2 / 0.8), abs=1e-6)
    assert ask(amount, [0.0], [0])[0, 0] == pytest.approx(0.45, abs=1e-6)


def test_a_threshold_lies_between_values_that_occur():
    forest = Forest(
        booster(FIRST), ["fare", "company"], 1, cuts={"fare": np.array([0.1, 0.4, 0.5, 0.9])}
    )
    just_below = np.nextafter(np.float32(0.5), np.float32(0))
    answers = ask(forest, [0.5, just_below, 0.4], [2, 2, 2])[:, 0]
    assert answers.tolist() == [-2.0, -2.0, 1.0]


def test_training_rows_stay_on_their_side_of_a_threshold():
    low, high = np.float32(1), np.nextafter(np.float32(1), np.float32(2))  # no float between them
    values = np.array([low, high, 5.0], np.float32)
    company = np.zeros(3, np.int32)
    for threshold in (0.5, *map(float, values), 7.0):
        trees = booster(tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [threshold, 1, 2]))
        plain, moved = (
            Forest(trees, ["fare", "company"], 1, cuts=cuts) for cuts in (None, {"fare": values})
        )
        expected = ask(plain, values, company).tolist()
        assert ask(moved, values, company).tolist() == expected
