"""What `tests.tables.drift_batches` plants is what its names say, and its batches share no row."""

import collections

import numpy as np
import pytest

from monitoring.drift.compare import LABEL
from tests.tables import drift_batches as drift


@pytest.fixture(scope="module")
def taxi():
    return drift.load_taxi()


def drawn(taxi, name, seed=3):
    """The reference, the batch and the batch as it was before anything was planted in it."""
    [case] = [case for case in drift.CASES if case.name == name]
    bare = drift.Case(case.name, case.rows)
    reference, batch = drift.draw(taxi, case, 2_000, seed)
    same_reference, before = drift.draw(taxi, bare, 2_000, seed)
    assert reference.columns == same_reference.columns
    assert (reference.rows, batch.rows) == (2_000, case.rows)
    changed = {n for n in batch.columns if batch.columns[n] != before.columns[n]}
    return batch.columns, before.columns, changed


def test_rows_are_those_of_the_sample_once_each(taxi):
    case = drift.Case("unshifted", 5_002)
    reference, batch = drift.draw(taxi, case, 10_000, seed=0)
    together = collections.Counter()
    for sample in (reference, batch):
        together.update(zip(*(sample.columns[n].to_pylist() for n in taxi.columns), strict=True))
    whole = zip(*(array.to_pylist() for array in taxi.columns.values()), strict=True)
    assert together == collections.Counter(whole)
    again = drift.draw(taxi, case, 10_000, seed=1)[1]
    assert again.columns["fare"] != batch.columns["fare"]


def test_the_label_is_one_where_the_tip_passes_a_fifth_of_the_fare(taxi):
    batch, _, _ = drawn(taxi, "every fare 10 % dearer")
    fare, tips = (np.array(batch[name].to_pylist()) for name in ("fare", "tips"))
    label = np.array(batch[LABEL].to_pylist())
    sure = np.abs(tips - 0.2 * fare) > 1e-4  # dollars; float32 of amounts below 1,000
    assert sure.mean() > 0.9
    assert (label[sure] == (tips > 0.2 * fare)[sure]).all()
    assert 0.1 < label.mean() < 0.4


def test_fares_are_a_tenth_dearer(taxi):
    batch, before, changed = drawn(taxi, "every fare 10 % dearer")
    assert changed == {"fare", LABEL}
    fare, was = (np.array(side["fare"].to_pylist()) for side in (batch, before))
    np.testing.assert_allclose(fare, 1.1 * was, rtol=1e-6)  # float32


def test_a_tenth_of_cash_is_card(taxi):
    batch, before, changed = drawn(taxi, "10 % of cash turned to card")
    assert changed == {"payment_type"}
    now, was = (collections.Counter(s["payment_type"].to_pylist()) for s in (batch, before))
    moved = round(0.1 * was[b"Cash"])
    assert moved > 50
    was.update({b"Cash": -moved, b"Credit Card": moved})
    assert now == was


def test_a_fifth_of_the_trips_have_no_miles(taxi):
    batch, before, changed = drawn(taxi, "20 % of trip_miles set to zero")
    assert changed == {"trip_miles"}
    now, was = (np.array(side["trip_miles"].to_pylist()) for side in (batch, before))
    assert (now[now != was] == 0).all()
    # Of 200 chosen some had none before: as many as among all, give or take 5 deviations.
    zero = (was == 0).mean()
    assert (now != was).sum() == pytest.approx(200 * (1 - zero), abs=5 * (200 * zero) ** 0.5)


def test_a_twentieth_of_the_trips_have_a_company_that_nobody_knows(taxi):
    batch, _, changed = drawn(taxi, "a new company with 5 % of rows")
    assert changed == {"company"}
    assert batch["company"].to_pylist().count(drift.NEW_COMPANY) == 50
    assert drift.NEW_COMPANY not in taxi.columns["company"].to_pylist()


def test_the_table_says_what_was_held_against_which_bar():
    cases = [
        {"case": "unshifted", "rows": 1000, "repeats": 200, "share": 0.015, "bar": 0.05},
        {"case": "5 % planted", "rows": 3000, "repeats": 200, "share": 0.995, "bar": 0.95},
    ]
    assert drift.table(cases).splitlines()[2:] == [
        "| unshifted | 1,000 | 1.5 % of 200 | ≤ 5 % |",
        "| 5 % planted | 3,000 | 99.5 % of 200 | ≥ 95 % |",
    ]
