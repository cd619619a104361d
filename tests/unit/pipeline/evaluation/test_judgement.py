"""The verdict: literal metrics and demands in, every check with its outcome out."""

import dataclasses
import json
import math

import pytest

from pipeline.evaluation.judge import judge
from pipeline.evaluation.verdict import SliceMetrics
from pipeline.settings.evaluation import Evaluation

NAN = math.nan


def evaluation(**settings):
    defaults = {"slices": [["pay"]], "min_slice_examples": 10, "min_label_examples": 2}
    return Evaluation(**{**defaults, **settings})


def one(name, auc, count=100, positives=50, **rest):
    """A slice by `pay`, or the whole."""
    metrics = {"auc": auc, "example_count": float(count), "label_mean": positives / count}
    metrics |= rest.pop("metrics", {})
    columns = tuple(part.partition("=")[0] for part in name.split(", ") if "=" in part)
    return SliceMetrics(name, metrics, columns, **rest)


def judged(slices, settings, baseline_id=None):
    return judge(slices, evaluation(**settings), "binary", baseline_id)


def outcomes(verdict):
    """Slice, kind and whether it is passed; the reason where it does not count."""
    return [(c.slice, c.kind, c.not_counted or c.passed) for c in verdict.checks]


WHOLE = {"thresholds": {"auc": {"at_least": 0.5}}}


@pytest.mark.parametrize(
    ("bounds", "value", "expected"),
    [
        ({"at_least": 0.8}, 0.8, [True]),
        ({"at_least": 0.8}, 0.7999, [False]),
        ({"at_most": 0.8}, 0.8, [True]),
        ({"at_most": 0.8}, 0.8001, [False]),
        ({"at_least": 0.1, "at_most": 0.8}, 0.9, [True, False]),
        ({"at_least": 0.0}, NAN, [False]),  # what is undefined keeps no bound
        ({"at_most": 1.0}, NAN, [False]),
    ],
)
def test_floors_and_ceilings_over_all_examples(bounds, value, expected):
    verdict = judged([one("overall", value)], {"thresholds": {"auc": bounds}})
    assert [check.passed for check in verdict.checks] == expected
    assert verdict.passed is all(expected)


@pytest.mark.parametrize(
    ("value", "baseline", "passed"),
    [(0.9, 0.95, True), (0.9, 0.9501, False), (0.99, 0.9, True), (0.9, NAN, False)],
)
def test_the_loss_against_the_baseline(value, baseline, passed):
    slices = [one("overall", value, baseline={"auc": baseline})]
    settings = {"thresholds": {"auc": {"at_most_below_baseline": 0.05 + 1e-12}}}
    [check] = judged(slices, settings, baseline_id=7).checks
    assert (check.kind, check.passed) == ("at_most_below_baseline", passed)
    assert check.baseline is baseline
    assert check.examples == 100


def test_a_baseline_without_the_metric_is_a_check_that_fails():
    settings = {"thresholds": {"auc": {"at_most_below_baseline": 0.1}}}
    [check] = judged([one("overall", 0.9)], settings, baseline_id=7).checks
    assert (check.passed, check.judged, check.baseline) == (False, None, None)


def test_without_a_baseline_floors_alone_are_checked():
    settings = {"thresholds": {"auc": {"at_least": 0.5, "at_most_below_baseline": 0}}}
    verdict = judged([one("overall", 0.9)], settings)
    assert outcomes(verdict) == [("overall", "at_least", True)]
    assert verdict.passed
    assert verdict.baseline_id is None


def test_no_check_that_counts_is_no_blessing():
    settings = {"thresholds": {"auc": {"at_most_below_baseline": 0.1}}}
    assert not judged([one("overall", 0.9)], settings).passed


def test_an_evaluation_without_examples_is_refused():
    [check] = judged([], WHOLE).checks
    assert (check.slice, check.value, check.examples, check.passed) == ("overall", None, 0, False)


@pytest.mark.parametrize(
    ("count", "positives", "expected"),
    [
        (10, 5, False),
        (9, 5, "fewer than 10 examples"),
        (50, 1, "fewer than 2 examples of one label"),
        (50, 49, "fewer than 2 examples of one label"),
        (50, 2, False),
    ],
)
def test_slices_with_few_examples_do_not_count(count, positives, expected):
    slices = [one("overall", 0.9), one("pay=cash", 0.1, count, positives)]
    settings = WHOLE | {"slice_thresholds": {"pay": {"auc": {"at_least": 0.2}}}}
    verdict = judged(slices, settings)
    assert outcomes(verdict)[1:] == [("pay=cash", "at_least", expected)]
    assert verdict.passed is bool(expected)


@pytest.mark.parametrize(
    ("metric", "positives", "expected"),
    [
        ("accuracy", 0, False),  # needs no labels of both kinds
        ("calibration", 1, "fewer than 2 positive examples"),
        ("calibration", 100, False),
    ],
)
def test_what_a_metric_needs(metric, positives, expected):
    slices = [one("overall", 0.9), one("pay=cash", 0, 100, positives, metrics={metric: 0.1})]
    settings = WHOLE | {"slice_thresholds": {"pay": {metric: {"at_least": 0.5}}}}
    assert outcomes(judged(slices, settings))[1:] == [("pay=cash", "at_least", expected)]


def test_the_mean_label_of_a_regression_is_no_share_of_positives():
    values = {"calibration": 0.9, "example_count": 100.0, "label_mean": -3.0}
    slices = [SliceMetrics("overall", values), SliceMetrics("pay=cash", values, ("pay",))]
    demands = {"calibration": {"at_least": 0.5}}
    settings = evaluation(thresholds=demands, slice_thresholds={"pay": demands})
    verdict = judge(slices, settings, "regression", None)
    assert outcomes(verdict) == [("overall", "at_least", True), ("pay=cash", "at_least", True)]


def test_a_threshold_for_one_slice_stands_in_place_of_the_one_for_all():
    slices = [one("overall", 0.9), one("pay=card", 0.6), one("pay=cash", 0.8)]
    thresholds = {
        "pay": {"auc": {"at_least": 0.7}},
        "pay=card": {"auc": {"at_least": 0.5}},
        "pay=coin": {"auc": {"at_least": 0.5}},
    }
    verdict = judged(slices, WHOLE | {"slice_thresholds": thresholds})
    assert [(c.slice, c.bound, c.not_counted or c.passed) for c in verdict.checks[1:]] == [
        ("pay=cash", 0.7, True),
        ("pay=card", 0.5, True),
        ("pay=coin", 0.5, "no examples"),
    ]
    assert verdict.passed


def test_a_threshold_for_one_slice_leaves_other_metrics_alone():
    slices = [one("overall", 0.9), one("pay=card", 0.6, metrics={"accuracy": 0.4})]
    thresholds = {
        "pay": {"auc": {"at_least": 0.7}},
        "pay=card": {"accuracy": {"at_least": 0.5}},
    }
    verdict = judged(slices, WHOLE | {"slice_thresholds": thresholds})
    assert [(c.metric, c.passed) for c in verdict.checks[1:]] == [
        ("auc", False),
        ("accuracy", False),
    ]


def test_crossed_slices_are_not_those_of_one_column():
    slices = [one("overall", 0.9), one("day=1, pay=card", 0.1), one("pay=card", 0.9)]
    thresholds = {"pay": {"auc": {"at_least": 0.7}}, "pay, day": {"auc": {"at_least": 0.5}}}
    verdict = judged(
        slices, WHOLE | {"slice_thresholds": thresholds, "slices": [["pay"], ["pay", "day"]]}
    )
    assert outcomes(verdict)[1:] == [
        ("pay=card", "at_least", True),
        ("day=1, pay=card", "at_least", False),
    ]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"at_least": 0.85}, (0.84, False)),  # the lower end
        ({"at_least": 0.84}, (0.84, True)),
        ({"at_most": 0.95}, (0.96, False)),  # the upper end
        ({"at_most_below_baseline": 0.05}, (0.07, False)),  # the worse end of the change
        ({"at_most_below_baseline": 0.07}, (0.07, True)),
    ],
)
def test_an_interval_is_judged_by_its_bad_end(bounds, expected):
    slices = [
        one(
            "overall",
            0.9,
            intervals={"auc": (0.84, 0.96)},
            baseline={"auc": 0.9},
            changes={"auc": (-0.07, 0.02)},
        )
    ]
    settings = {"thresholds": {"auc": bounds}, "confidence_intervals": True}
    [check] = judged(slices, settings, baseline_id=1).checks
    assert (check.judged, check.passed) == expected
    assert check.interval is not None
    [check] = judged(slices, settings | {"confidence_intervals": False}, baseline_id=1).checks
    assert (check.passed, check.interval) == (True, None)


PAYMENTS = [
    one("overall", 0.9),
    one("pay=card", 0.6),
    one("pay=cash", 0.95),
    one("pay=coin", 0.7),
    one("pay=free", 0.1, 5, 2),  # does not count
]


@pytest.mark.parametrize(("bound", "passed"), [(0.4, True), (0.3, False)])
def test_the_gap_between_slices(bound, passed):
    verdict = judged(PAYMENTS, WHOLE | {"max_gap": {"auc": {"pay": bound}}})
    check = verdict.checks[-1]
    assert (check.kind, check.slice, check.passed) == ("max_gap", "pay", passed)
    assert check.value == pytest.approx(0.35)
    assert (check.best, check.worst) == (("pay=cash", 0.95), ("pay=card", 0.6))
    assert verdict.passed is passed


def test_one_slice_has_no_gap():
    verdict = judged(PAYMENTS[:2], WHOLE | {"max_gap": {"auc": {"pay": 0.1}}})
    assert outcomes(verdict)[1:] == [("pay", "max_gap", "fewer than two slices count")]
    assert verdict.gaps == ()
    assert verdict.passed


def test_the_gap_of_a_metric_of_which_the_nearest_is_best():
    slices = [
        one("overall", 0.9),
        *(
            one(f"pay={name}", 0.9, metrics={"calibration": value})
            for name, value in (("over", 1.3), ("under", 0.8), ("right", 1.1))
        ),
    ]
    verdict = judged(slices, WHOLE | {"max_gap": {"calibration": {"pay": 0.1}}})
    check = verdict.checks[-1]
    assert (check.best[0], check.worst[0]) == ("pay=right", "pay=over")
    assert check.value == pytest.approx(0.2)


def test_the_gap_of_a_metric_of_ones_own_is_from_the_lowest_to_the_highest():
    slices = [one("overall", 0.9)]
    slices += [one(f"pay={n}", 0.9, metrics={"cost": n}) for n in (0.3, 0.1, 0.2)]
    verdict = judged(slices, WHOLE | {"max_gap": {"cost": {"pay": 0.1}}})
    check = verdict.checks[-1]
    assert (check.best, check.worst) == (("pay=0.1", 0.1), ("pay=0.3", 0.3))
    assert (check.value, check.passed) == (pytest.approx(0.2), False)


def test_a_slice_that_is_no_number_is_the_worst_and_misses_every_gap():
    slices = [one("overall", 0.9), one("pay=card", NAN), one("pay=cash", 0.9)]
    verdict = judged(slices, WHOLE | {"max_gap": {"auc": {"pay": 0.5}}})
    assert verdict.checks[-1].worst[0] == "pay=card"
    assert verdict.checks[-1].passed is False
    assert json.loads(verdict.to_text())["gaps"][0]["gap"] is None


def test_worst_slices_first_those_that_count():
    verdict = judged(PAYMENTS, WHOLE)
    assert [s.name for s in verdict.worst] == ["pay=card", "pay=coin", "pay=cash"]
    [gap] = verdict.gaps
    assert (gap.slices, gap.best[0], gap.worst[0], gap.count) == ("pay", "pay=cash", "pay=card", 3)


def test_as_json():
    verdict = judged(PAYMENTS[:2], WHOLE, baseline_id=7)
    content = dataclasses.replace(verdict, blessed=verdict.passed).to_json()
    assert content["checks"] == [
        {
            "metric": "auc",
            "slice": "overall",
            "kind": "at_least",
            "bound": 0.5,
            "value": 0.9,
            "judged": 0.9,
            "interval": None,
            "baseline": None,
            "examples": 100,
            "passed": True,
            "not_counted": "",
            "group": "",
            "best": None,
            "worst": None,
            "counted": True,
        }
    ]
    worst = {"auc": 0.6, "example_count": 100.0, "label_mean": 0.5}
    assert content["worst"] == [{"name": "pay=card", "metrics": worst}]
    rest = {name: content[name] for name in content if name not in ("checks", "worst", "gaps")}
    assert rest == {
        "main_metric": "auc",
        "min_slice_examples": 10,
        "min_label_examples": 2,
        "baseline_id": 7,
        "passed": True,
        "blessed": True,
        "tfma_refusals": [],
    }
