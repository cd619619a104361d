"""`push.when`: which conditions are taken, and which a model does not meet."""

import pytest

from fareline.errors import SettingsError
from pipeline.evaluation.conditions import unmet
from pipeline.rules.settings import check_settings
from pipeline.settings.load import load_settings


def when(text, *more):
    settings = load_settings(overrides=[f"push.when={text}", *more])
    check_settings(settings)
    return [each.model_dump(exclude_none=True) for each in settings.push.when]


def test_one_condition_or_several():
    one = {"metric": "auc", "at_least": 0.96}
    assert when("{metric: auc, at_least: 0.96}") == when("[{metric: auc, at_least: 0.96}]") == [one]
    both = {"metric": "calibration", "at_least": 0.9, "at_most": 1.1}
    assert when("[{metric: auc, at_least: 0.96}, {metric: calibration, at_least: .9, at_most: 1.1}]"
                ) == [one, both]  # fmt: skip
    assert when("{metric: example_count, at_least: 100}") == [
        {"metric": "example_count", "at_least": 100}
    ]
    assert when("[]") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{metric: auc}", "expected at_least or at_most"),
        ("{at_least: 0.9}", "metric"),
        ("{metric: auc, at_least: 0.9, atmost: 1}", "atmost"),
        ("{metric: auc, at_least: high}", "at_least"),
        ("{metric: auc, at_least: .nan}", "at_least"),
        ("{metric: auc, at_least: true}", "expected a number"),
        ("{metric: auc, at_least: 0.9, at_most: 0.8}", "at_least to be no higher than at_most"),
        ("{metric: auk, at_least: 0.9}", "push.when.0.metric: found auk; expected one of auc, pr_"),
        ("{metric: rmse, at_most: 3}", "push.when.0.metric: found rmse; expected one of auc, pr_a"),
        ("{metric: auc, at_least: 94}", "push.when.0.at_least: found 94; expected a value that a"),
        ("{metric: auc, at_most: -1}", "push.when.0.at_most: found -1; expected a value that auc "),
        ("auc > 0.9", "push.when"),
    ],
)
def test_what_no_condition_is(text, said):
    with pytest.raises(SettingsError) as mistake:
        when(text)
    assert said in str(mistake.value)
    assert "\n" not in str(mistake.value)


def test_a_hook_takes_conditions_as_a_push_does():
    hook = "loop.hooks=[{{events: [pushed], command: [x], when: {{metric: {}, at_least: 0.9}}}}]"
    settings = load_settings(overrides=[hook.format("auc")])
    check_settings(settings)
    [condition] = settings.loop.hooks[0].when
    assert (condition.metric, condition.at_least) == ("auc", 0.9)
    with pytest.raises(
        SettingsError, match=r"loop\.hooks\.0\.when\.0\.metric: found auk; expected"
    ):
        check_settings(load_settings(overrides=[hook.format("auk")]))


@pytest.mark.parametrize(
    ("value", "condition", "said"),
    [
        (0.96, {"at_least": 0.96}, []),
        (0.9599, {"at_least": 0.96}, ["x is 0.9599; expected at least 0.96 (push.when)"]),
        (3, {"at_most": 3}, []),
        (3.5, {"at_least": 1, "at_most": 3}, ["x is 3.5; expected at most 3 (push.when)"]),
        (None, {"at_most": 3}, ["x is undefined; expected at most 3 (push.when)"]),
        (0, {"at_most": 0}, []),
    ],
)
def test_each_bound_that_is_not_met_is_a_sentence(value, condition, said):
    assert unmet([{"metric": "x", **condition}], {"x": value}) == said


def test_a_metric_that_was_not_measured_meets_nothing():
    assert len(unmet([{"metric": "x", "at_least": 0, "at_most": 1}], {})) == 2
