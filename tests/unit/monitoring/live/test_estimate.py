"""The AUC by labels and without them, against pairs counted one by one."""

import math

import numpy as np
import pytest

from monitoring.live.estimate import (
    Calibration,
    _variance_by_labels,
    auc,
    calibrations,
    measured_auc,
)


def by_pairs(scores, chances):
    """The definition, in two loops: of all pairs the share that is in order."""
    won = pairs = 0.0
    for i, one in enumerate(scores):
        for j, other in enumerate(scores):
            if i != j:
                weight = chances[i] * (1 - chances[j])
                pairs += weight
                won += weight * (1.0 if one > other else 0.5 if one == other else 0.0)
    return won / pairs


def made(rows, seed, shift=1.5, share=0.3):
    """Scores that are the chance of the label, as far as a sigmoid goes."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < share).astype(float)
    logits = random.normal(labels * shift, 1.0) - 1.2
    return 1 / (1 + np.exp(-logits)), labels


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
def test_the_auc_of_chances_is_that_of_all_pairs(seed, ties):
    random = np.random.default_rng(seed)
    scores, chances = random.random(40), random.random(40)
    if ties:
        scores = np.round(scores, 1)
    assert auc(scores, chances) == pytest.approx(by_pairs(scores, chances), abs=1e-12)
    labels = (chances > 0.5).astype(float)
    assert auc(scores, labels) == pytest.approx(by_pairs(scores, labels), abs=1e-12)


def test_one_label_alone_has_no_auc():
    assert math.isnan(auc(np.arange(5.0), np.ones(5)))
    assert measured_auc(np.arange(500.0), np.ones(500)) is None


def test_the_standard_error_is_the_spread_over_samples():
    found = [measured_auc(*made(600, seed)) for seed in range(300)]
    spread = np.std([each.value for each in found])
    # 300 samples say a spread to about 4 %.
    assert np.mean([each.error for each in found]) == pytest.approx(spread, rel=0.15)


def test_the_estimate_is_near_the_truth_on_the_same_mix_and_its_interval_holds_it():
    calibration = Calibration(*made(5000, 1))
    inside, off = 0, []
    for seed in range(40):
        scores, labels = made(5000, 100 + seed)
        found, true = calibration.estimate(scores, seed), measured_auc(scores, labels)
        off.append(found.value - true.value)
        low, high = found.interval
        inside += low <= true.value <= high
    assert abs(np.mean(off)) < 0.01
    assert inside >= 34  # of 40 at 95 %: fewer than 34 in one of 1,000 such tests


def test_it_is_near_on_another_mix():
    calibration = Calibration(*made(5000, 1))
    scores, labels = made(60_000, 2)
    random = np.random.default_rng(3)
    chosen = random.random(len(scores)) < np.where(scores > 0.5, 0.9, 0.2)
    true = measured_auc(scores[chosen], labels[chosen])
    assert calibration.estimate(scores[chosen]).value == pytest.approx(true.value, abs=0.03)


def test_it_does_not_see_a_change_of_concept():
    """Which is why a page without labels never says that the model is well."""
    calibration = Calibration(*made(5000, 1))
    scores, labels = made(5000, 4)
    turned = np.where(np.random.default_rng(5).random(5000) < 0.3, 1 - labels, labels)
    true = measured_auc(scores, turned).value
    assert calibration.estimate(scores).value - true > 0.1


def test_a_slice_is_calibrated_on_its_own_rows_and_a_small_one_on_all():
    scores, labels = made(4000, 6)
    first = np.arange(4000) < 2000
    labels[first] = 1 - labels[first]  # in one slice, scores say the opposite
    small = np.arange(4000) < 100
    own, other, few = calibrations(scores, labels, [first, ~first, small])
    turned = measured_auc(scores[first], labels[first]).value
    assert turned < 0.3
    assert own.estimate(scores[first]).value == pytest.approx(turned, abs=0.02)
    assert few.estimate(scores).value == Calibration(scores, labels).estimate(scores).value
    assert other.estimate(scores[~first]).value > 0.8


def test_the_variance_by_labels_is_that_of_drawn_labels():
    scores, _ = made(1500, 7)
    scores = np.round(scores, 2)  # with ties
    chances = np.clip(scores, 0.05, 0.95)
    random = np.random.default_rng(8)
    drawn = [auc(scores, (random.random(1500) < chances).astype(float)) for _ in range(1000)]
    found = _variance_by_labels(scores, chances, auc(scores, chances))
    # 1,000 draws say a spread to about 2 %.
    assert found**0.5 == pytest.approx(np.std(drawn), rel=0.08)
