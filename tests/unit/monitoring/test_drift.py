"""Drift: distances as TFDV has them, thresholds that chance passes as often as was said."""

import dataclasses
import json
import math

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from monitoring.drift.coded_rows import BINS, code_columns
from monitoring.drift.compare import RECORD, RETUNE, STOP, Rule, Rules, compare
from monitoring.drift.report import LABEL, Comparison, dump
from monitoring.drift.samples import Sample

FEW = Rules(draws=200)


def sample(**columns):
    arrays = {name: pa.array(values) for name, values in columns.items()}
    arrays = {n: a.cast(pa.large_binary()) if a.type == pa.string() else a
              for n, a in arrays.items()}  # fmt: skip
    rows = len(next(iter(arrays.values())))
    return Sample(arrays, rows, rows)


def trips(random, rows, card=0.3, factor=1.0, zeros=0.2):
    """Rows with a number, a category and a label that hangs on it."""
    fare = np.round(random.lognormal(2, 0.6, rows), 1) * factor
    by_card = random.random(rows) < card
    miles = np.where(random.random(rows) < zeros, 0, random.lognormal(1, 1, rows).round(1))
    return {
        "fare": fare,
        "miles": miles,
        "payment": np.where(by_card, "Card", "Cash").tolist(),
        "hour": random.integers(0, 24, rows),
        LABEL: (by_card & (random.random(rows) < 0.5)).astype(np.int64),
    }


def measure(comparison, column, name):
    [found] = [
        m for c in comparison.columns if c.name == column for m in c.measures if m.name == name
    ]
    return found


def tfdv_distance(reference, batch, statistics_of, comparator):
    """What TFDV says of two lists of counts."""
    schema = schema_pb2.Schema()
    feature = schema.feature.add(name="x", type=statistics_of.schema_type)
    getattr(feature.drift_comparator, comparator).threshold = 0
    found = tfdv.validate_statistics(
        statistics_of(batch), schema, previous_statistics=statistics_of(reference)
    )
    [info] = found.drift_skew_info
    [measured] = info.drift_measurements
    return measured.value


def _statistics(kind):
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = statistics.datasets.add(num_examples=1)
    feature = dataset.features.add(type=kind)
    feature.path.step.append("x")
    return statistics, feature


def numbers(counts):
    statistics, feature = _statistics(statistics_pb2.FeatureNameStatistics.FLOAT)
    feature.num_stats.common_stats.num_non_missing = int(sum(counts))
    histogram = feature.num_stats.histograms.add()
    for place, count in enumerate(counts):
        histogram.buckets.add(low_value=place, high_value=place + 1, sample_count=count)
    return statistics


def texts(counts):
    statistics, feature = _statistics(statistics_pb2.FeatureNameStatistics.STRING)
    feature.string_stats.common_stats.num_non_missing = int(sum(counts))
    for place, count in enumerate(counts):
        feature.string_stats.rank_histogram.buckets.add(
            low_rank=place, high_rank=place, label=f"value {place}", sample_count=count
        )
    return statistics


numbers.schema_type = schema_pb2.FLOAT
texts.schema_type = schema_pb2.BYTES


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_distances_are_those_of_tfdv_on_the_same_counts(seed):
    random = np.random.default_rng(seed)
    a, b = sample(**trips(random, 700)), sample(**trips(random, 300, 0.4, 1.2))
    comparison = compare(a, b, FEW)
    for column, name, statistics_of, comparator in (
        ("fare", "jensen_shannon", numbers, "jensen_shannon_divergence"),
        ("miles", "jensen_shannon", numbers, "jensen_shannon_divergence"),
        ("payment", "l_infinity", texts, "infinity_norm"),
    ):
        [coded] = [c for c in code_columns(a, b) if c.name == column]
        counts = [
            np.bincount(bins, minlength=len(coded.names) + 1)[1:]
            for bins in (coded.bins[:700], coded.bins[700:])
        ]
        expected = tfdv_distance(*counts, statistics_of, comparator)
        assert expected > 0.001
        # Float64 in both; here a root was taken and squared.
        assert measure(comparison, column, name).value == pytest.approx(expected, rel=1e-9)


def test_shares_are_those_that_were_counted():
    a = sample(x=[0.0, 0.0, 1.0, None], kind=["a", "b", "b", None])
    b = sample(x=[0.0, 2.0], kind=["a", "c"])
    comparison = compare(a, b, FEW)
    found = {
        (m.name, c.name): (m.value, m.reference, m.batch)
        for c in comparison.columns
        for m in c.measures
        if m.name != "jensen_shannon"
    }
    assert found == {
        ("missing", "x"): (0.25, 0.25, 0.0),
        ("zeros", "x"): (0.0, 0.5, 0.5),
        ("l_infinity", "kind"): (pytest.approx(2 / 3), pytest.approx(2 / 3), 0.0),
        ("missing", "kind"): (0.25, 0.25, 0.0),
        ("new_values", "kind"): (0.5, 0.0, 0.5),
    }
    assert measure(comparison, "kind", "new_values").where == "c"


def test_by_label_is_the_difference_among_rows_of_a_label_times_their_share():
    a = sample(**{"kind": ["a", "a", "a", "b", "a", None], LABEL: [0, 0, 0, 0, 1, 1]})
    b = sample(**{"kind": ["a", "b", "b", "c", "a", "a"], LABEL: [0, 0, 0, 0, 1, None]})
    found = measure(compare(a, b, FEW), "kind", "by_label")
    # Of ten rows with both, eight have label 0: 0.8 * 3/4 before, 0.8 * 1/4 after.
    assert found.where == "a with label 0"
    assert (found.reference, found.batch) == (pytest.approx(0.6), pytest.approx(0.2))
    assert found.value == pytest.approx(0.4)
    assert found.in_words() == "share of a with label 0 60.0 % -> 20.0 %"


def test_what_the_shares_of_all_hide_is_found_by_label():
    random = np.random.default_rng(12)
    label = random.random(4000) < 0.5
    kind = np.where(random.random(4000) < np.where(label, 0.7, 0.3), "a", "b")
    turned = np.where(random.random(4000) < np.where(label, 0.3, 0.7), "a", "b")
    a = sample(**{"kind": kind[:3000].tolist(), LABEL: label[:3000].astype(np.int64)})
    b = sample(**{"kind": turned[3000:].tolist(), LABEL: label[3000:].astype(np.int64)})
    comparison = compare(a, b, FEW)
    assert measure(comparison, "kind", "by_label").drifted
    assert not measure(comparison, "kind", "l_infinity").drifted


def test_a_label_of_many_values_is_no_class():
    a = sample(**{"kind": ["a", "b"] * 20, LABEL: list(range(40))})
    [kind, _] = compare(a, a, FEW).columns
    assert [m.name for m in kind.measures] == ["l_infinity", "missing", "new_values"]


def test_bins_of_a_number_hold_equally_many_and_what_is_frequent_has_its_own():
    random = np.random.default_rng(4)
    even = random.random(2000)
    lumpy = np.where(random.random(2000) < 0.3, 0.0, even)
    a = Sample({"even": pa.array(even), "lumpy": pa.array(lumpy)}, 2000, 2000)
    b = sample(even=[0.5], lumpy=[0.0])
    even_coded, lumpy_coded = code_columns(a, b)
    counts = np.bincount(even_coded.bins[:2000])[1:]
    assert len(counts) == BINS
    assert counts.max() - counts.min() <= 2
    assert np.bincount(lumpy_coded.bins[:2000])[1] == (lumpy == 0).sum()
    assert lumpy_coded.names[0] == 0.0


def test_unchanged_batches_alarm_as_rarely_as_was_said():
    random = np.random.default_rng(6)
    rules = Rules(draws=100, false_alarms=0.1, least_change=0.0, least_new=0.0)
    alarms = sum(
        bool(
            compare(
                sample(**trips(random, 400)), sample(**trips(random, 100)), rules, {"hour"}, seed
            ).drifted()
        )
        for seed in range(150)
    )
    # Binomial(150, 0.1): 15 ± 3.7. More than 30 in one of 10,000, fewer than 4 as rarely.
    assert 4 <= alarms <= 30


@pytest.mark.parametrize(
    ("changed", "column", "name"),
    [
        ({"factor": 1.2}, "fare", "jensen_shannon"),
        ({"card": 0.45}, "payment", "l_infinity"),
        ({"zeros": 0.4}, "miles", "zeros"),
        ({"card": 0.6}, LABEL, "label_rate"),
    ],
)
def test_a_change_is_found_where_it_is(changed, column, name):
    random = np.random.default_rng(7)
    comparison = compare(
        sample(**trips(random, 3000)), sample(**trips(random, 1000, **changed)), Rules(), {"hour"}
    )
    found = measure(comparison, column, name)
    assert found.drifted
    assert found.chance < 0.01
    assert not measure(comparison, "hour", "l_infinity").drifted


def test_a_change_that_nobody_would_care_about_is_none_however_certain():
    random = np.random.default_rng(8)
    a, b = (sample(**trips(random, 20_000, card)) for card in (0.30, 0.32))
    found = measure(compare(a, b, FEW), "payment", "l_infinity")
    assert 0.01 < found.value < 0.03
    assert not found.drifted
    sharper = compare(a, b, Rules(draws=200, least_change=0.005))
    assert measure(sharper, "payment", "l_infinity").drifted


def test_what_is_only_recorded_raises_no_alarm_and_makes_none_dearer():
    random = np.random.default_rng(9)
    a, b = sample(**trips(random, 900)), sample(**trips(random, 300))
    noise = {f"noise {i}": random.random(1200) for i in range(30)}
    a_noise = Sample({**a.columns, **{n: pa.array(v[:900]) for n, v in noise.items()}}, 900, 900)
    b_noise = Sample({**b.columns, **{n: pa.array(v[900:]) for n, v in noise.items()}}, 300, 300)
    alone = measure(compare(a, b, FEW), "payment", "l_infinity").threshold
    among = measure(compare(a_noise, b_noise, FEW), "payment", "l_infinity").threshold
    recorded = Rules(draws=200, columns={name: Rule(RECORD) for name in noise})
    beside = measure(compare(a_noise, b_noise, recorded), "payment", "l_infinity").threshold
    assert beside == alone < among


def test_a_fixed_threshold_is_taken_as_it_is():
    random = np.random.default_rng(10)
    a, b = sample(**trips(random, 500)), sample(**trips(random, 200))
    rules = Rules(columns={"payment": Rule(STOP, 0.001), "fare": Rule(RETUNE, 0.9)}, draws=200)
    comparison = compare(a, b, rules)
    payment = measure(comparison, "payment", "l_infinity")
    assert (payment.threshold, payment.drifted, payment.chance) == (0.001, True, None)
    assert measure(comparison, "fare", "jensen_shannon").threshold == 0.9
    assert [c.name for c in comparison.drifted(STOP)] == ["payment"]
    assert comparison.drifted(RETUNE) == []


def test_a_column_that_one_side_lacks_has_no_distance_and_is_missing():
    a = sample(x=[1.0] * 60, y=list(range(60)))
    b = sample(y=list(range(60)))
    comparison = compare(a, b, FEW)
    assert measure(comparison, "x", "jensen_shannon").value == 0
    missing = measure(comparison, "x", "missing")
    assert (missing.reference, missing.batch, missing.drifted) == (0.0, 1.0, True)


def test_words_and_json():
    random = np.random.default_rng(11)
    comparison = compare(
        sample(**trips(random, 2000)), sample(**trips(random, 1000, 0.6)), Rules(), {"hour"}
    )
    assert Comparison.from_dict(json.loads(dump(comparison.to_dict()))) == comparison
    payment = measure(comparison, "payment", "l_infinity")
    before, after = f"{payment.reference:.1%}"[:-1], f"{payment.batch:.1%}"[:-1]
    [column] = [c for c in comparison.drifted() if c.name == "payment"]
    assert column.say()[0] == (
        f"share of {payment.where} {before} % -> {after} % (l_infinity "
        f"{payment.value:.4f}, threshold {payment.threshold:.4f})"
    )
    assert math.isclose(payment.value, abs(payment.batch - payment.reference))


def test_where_all_is_only_recorded_chance_is_no_drift():
    random = np.random.default_rng(3)
    rules = Rules(default=Rule(RECORD), least_change=0.0, least_new=0.0)
    samples = [sample(**trips(random, 400)) for _ in range(2)]
    assert compare(*samples, rules, {"hour"}).drifted() == []


def test_nothing_to_compare_is_no_drift():
    assert compare(Sample({}, 5, 5), Sample({}, 7, 7), Rules()).columns == ()


def test_an_infinite_value_is_json():
    reference, batch = sample(x=[1.0, 2.0, 3.0] * 20), sample(x=[1.0, math.inf, math.inf] * 20)
    [column] = compare(reference, batch, FEW).columns
    assert json.loads(dump(dataclasses.asdict(column)))["name"] == "x"


def test_words_are_one_line():
    before, after = sample(x=["a", "b"] * 200), sample(x=["a", "c\nd"] * 200)
    [column] = compare(before, after, FEW).columns
    said = column.say()
    assert said and not any("\n" in line for line in said)
    assert any("c?d" in line for line in said)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_a_hasty_comparison_calls_the_same_columns_drifted(shift, seed):
    random = np.random.default_rng(seed)
    sides = []
    for rows, off in ((1500, 0.0), (600, shift)):
        offs = (off, 0.0, 0.0, 0.0)
        columns = {f"n{n}": pa.array(random.normal(each, 1, rows)) for n, each in enumerate(offs)}
        columns["kind"] = pa.array(random.integers(0, 5, rows))
        sides.append(Sample(columns, rows, rows))
    rules = Rules(draws=200, false_alarms=0.05)
    found = [
        [
            (column.name, measure.in_words(), round(measure.threshold, 9))
            for column in compare(*sides, each, ["kind"]).drifted()
            for measure in column.drifted
        ]
        for each in (rules, dataclasses.replace(rules, hasty=True))
    ]
    assert found[0] == found[1]
    assert bool(found[0]) == (shift == 0.6) or shift == 0.1


def test_a_shift_that_a_divergence_does_not_show_is_found():
    random = np.random.default_rng(2)
    sides = [Sample({"x": pa.array(random.normal(by, 1, 1500))}, 1500, 1500) for by in (0.0, 0.12)]
    [column] = compare(
        *sides, Rules(Rule("warn"), false_alarms=0.01, draws=400, shifts=True)
    ).columns
    assert [measure.name for measure in column.drifted] == ["shift"]
    larger = np.mean(
        sides[1].columns["x"].to_numpy()[:, None] > sides[0].columns["x"].to_numpy()[None]
    )
    [shift] = column.drifted
    assert shift.value == pytest.approx(larger - 0.5, abs=0.002)  # bins, not values
    assert shift.in_words().startswith("share up to ")
