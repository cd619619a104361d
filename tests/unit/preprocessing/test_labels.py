"""The label rules as they are read from settings: names, tasks, what becomes of other rows."""

import pytest

from preprocessing.labels import TASKS, Amount, Classes, Flag, Share, parse_label


@pytest.mark.parametrize(
    ("task", "section", "label"),
    [
        (
            "binary",
            {"column": "tips", "above": {"column": "fare", "times": 0.2}},
            Share("tips", reference="fare", times=0.2),
        ),
        ("binary", {"column": "paid"}, Flag("paid", positive=1, negative=0)),
        (
            "binary",
            {"column": "paid", "positive": "card", "other": "drop"},
            Flag("paid", "drop", positive="card", negative=None),
        ),
        (
            "binary",
            {"column": "paid", "positive": 2, "negative": 1},
            Flag("paid", positive=2, negative=1),
        ),
        (
            "multiclass",
            {"column": "paid", "classes": ["cash", "card"], "other": "class"},
            Classes("paid", "class", values=("cash", "card")),
        ),
        ("regression", {"column": "fare"}, Amount("fare", log=False)),
        ("regression", {"column": "fare", "log": True, "other": None}, Amount("fare", log=True)),
    ],
)
def test_each_rule_is_read(task, section, label):
    assert parse_label(section, task) == label
    assert label.task == task


def test_every_task_has_a_rule():
    assert {rule.task for rule in (Share, Flag, Classes, Amount)} == set(TASKS)


def test_the_columns_that_a_rule_reads_and_makes():
    share = parse_label({"column": "tips", "above": {"column": "fare", "times": 1}})
    assert (share.columns, share.output) == (("tips", "fare"), "tips_xf")
    assert Amount("fare").columns == ("fare",)


def test_rows_have_a_weight_only_where_some_may_lack_a_label():
    assert Amount("fare").weight_output is None
    assert Share("tips", reference="fare", times=1.0).weight_output is None
    assert Amount("fare", "drop").weight_output == "fare_weight_xf"
    # The class of everything else takes what is there; an empty cell is still no class.
    assert Classes("paid", "class", values=("cash",)).weight_output == "paid_weight_xf"


def test_class_names_are_texts_in_the_order_of_the_outputs():
    assert Classes("paid", values=(3, 1, 2)).names == ("3", "1", "2")
    assert Classes("paid", "class", values=("cash", "card")).names == ("cash", "card", "other")
