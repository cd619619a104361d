"""Generated rows: like the real ones, the same every time, changed only where options say so."""

import hashlib
import json

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from data.generate.broken_rows import REASONS
from data.generate.generate import MANIFEST, Plan, Shifts, generate
from data.generate.rows import BLOCK_ROWS
from data.generate.shifts import NEVER_EMPTIED, NEW_COMPANIES, NEW_PAYMENT_TYPES
from data.taxi import taxi_csv_path
from fareline.errors import DataError

ROWS = 60_000
SEED = 20


@pytest.fixture(scope="module")
def real():
    return pd.read_csv(taxi_csv_path())


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Generates rows and returns the folder; each plan once."""
    made = {}

    def make(rows=ROWS, shards=1, file_format="csv", **shifts):
        key = (rows, shards, file_format, *sorted(shifts.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("generated") / "rows"
            plan = Plan(rows, SEED, shards, file_format, Shifts(**shifts))
            generate(plan, folder, taxi_csv_path())
            made[key] = folder
        return made[key]

    return make


@pytest.fixture(scope="module")
def rows_of(make):
    return lambda **how: read(make(**how))


@pytest.fixture(scope="module")
def generated(rows_of):
    return rows_of()


def read(folder):
    return pd.concat([pd.read_csv(path) for path in sorted(folder.glob("*.csv"))])


def lines_of(folder):
    """The rows of all shards, in order, without headers."""
    found = []
    for path in sorted(folder.glob("*.csv")):
        header, *lines = path.read_bytes().splitlines()
        assert header.decode() == ",".join(pd.read_csv(taxi_csv_path(), nrows=0).columns)
        found += lines
    return found


def tipped(trips):
    return trips["tips"] > 0.2 * trips["fare"]


# Alike


def test_every_share_of_a_category_is_that_of_the_real_rows(real, generated):
    # Four standard deviations of a share, of the real rows as a sample and of the generated ones.
    for column in ("payment_type", "company", "pickup_community_area", "trip_start_hour"):
        expected = real[column].fillna("none").value_counts(normalize=True)
        found = generated[column].fillna("none").value_counts(normalize=True)
        assert set(found.index) <= set(expected.index), column
        for value, share in expected[expected > 0.01].items():
            tolerance = 4 * np.sqrt(share * (1 - share) * (1 / ROWS + 1 / len(real)))
            assert found[value] == pytest.approx(share, abs=tolerance), (column, value)


@pytest.mark.parametrize("column", ["fare", "trip_miles", "trip_seconds", "tips"])
def test_quantiles_of_numbers_are_those_of_the_real_rows(real, generated, column):
    for share in (0.1, 0.25, 0.5, 0.75, 0.9, 0.99):
        expected, found = real[column].quantile(share), generated[column].quantile(share)
        assert found == pytest.approx(expected, rel=0.06, abs=0.15), share
    assert generated[column].eq(0).mean() == pytest.approx(real[column].eq(0).mean(), abs=0.01)


def test_tips_depend_on_the_payment_as_they_do_in_the_real_rows(real, generated):
    for payment, tolerance in (("Credit Card", 0.015), ("Cash", 0.002)):
        expected = tipped(real)[real["payment_type"] == payment].mean()
        found = tipped(generated)[generated["payment_type"] == payment].mean()
        assert found == pytest.approx(expected, abs=tolerance)
    by_card = [trips[trips["payment_type"] == "Credit Card"] for trips in (real, generated)]
    expected, found = (
        (trips["tips"] / trips["fare"]).quantile([0.25, 0.5, 0.75]) for trips in by_card
    )
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=0.01)


def test_columns_depend_on_each_other_as_in_the_real_rows(real, generated):
    def distance(trips):
        north = 111.2 * (trips["pickup_latitude"] - trips["dropoff_latitude"])
        east = 82.8 * (trips["pickup_longitude"] - trips["dropoff_longitude"])
        return np.hypot(north, east)  # km, at Chicago's latitude

    pairs = [
        ("fare", "trip_miles"),
        ("fare", "trip_seconds"),
        ("fare", "away"),
        ("trip_miles", "away"),
    ]
    found = generated.assign(away=distance(generated)).corr("spearman", numeric_only=True)
    expected = real.assign(away=distance(real)).corr("spearman", numeric_only=True)
    for one, other in pairs:
        assert found.loc[one, other] == pytest.approx(expected.loc[one, other], abs=0.03), (
            one,
            other,
        )


def test_cells_are_missing_as_often_as_in_the_real_rows(real, generated):
    assert generated.isna().mean().to_numpy() == pytest.approx(
        real.isna().mean().to_numpy(), abs=0.015
    )


def test_the_calendar_follows_from_the_timestamp(real, generated):
    start = pd.to_datetime(generated["trip_start_timestamp"], unit="s")
    assert (generated["trip_start_month"] == start.dt.month).all()
    assert (generated["trip_start_hour"] == start.dt.hour).all()
    assert (generated["trip_start_day"] == (start.dt.dayofweek + 1) % 7 + 1).all()
    assert start.dt.year.between(2013, 2016).all()
    quarters = [
        pd.to_datetime(t["trip_start_timestamp"], unit="s").dt.to_period("Q")
        for t in (real, generated)
    ]
    expected, found = (q.value_counts(normalize=True).sort_index() for q in quarters)
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=0.01)


def test_rows_are_new_and_hardly_ever_twice(real, generated):
    assert generated.duplicated().mean() < 0.0005
    both = generated.merge(real, how="inner", on=list(real.columns))
    assert len(both) / ROWS < 0.001


# The same every time


def test_the_same_bytes_on_every_machine_and_stack(make):
    content = (make(rows=2_000) / "trips-00000-of-00001.csv").read_bytes()
    assert (
        hashlib.sha256(content).hexdigest()
        == "88652bd1449e47e516cd96abe47ffa1bc8c7709adb5d5e12b1c13112a98d1657"
    )


def test_the_number_of_shards_changes_no_row(make):
    whole = lines_of(make(rows=BLOCK_ROWS + 5_000))
    assert len(whole) == BLOCK_ROWS + 5_000
    assert lines_of(make(rows=BLOCK_ROWS + 5_000, shards=7)) == whole
    assert lines_of(make(rows=ROWS)) == whole[:ROWS]


def test_parquet_holds_the_same_rows(make):
    table = pyarrow.parquet.read_table(make(rows=3_000, shards=2, file_format="parquet"))
    pd.testing.assert_frame_equal(
        table.to_pandas().reset_index(drop=True), read(make(rows=3_000)), check_dtype=False
    )


def test_another_seed_gives_other_rows(make, tmp_path):
    generate(Plan(1_000, SEED + 1), tmp_path / "rows", taxi_csv_path())
    assert not set(lines_of(tmp_path / "rows")) & set(lines_of(make(rows=1_000)))


def test_the_manifest_names_every_file(make):
    folder = make(rows=3_000, shards=2, missing=0.25)
    manifest = json.loads((folder / MANIFEST).read_text())
    assert sorted(path.name for path in folder.iterdir()) == [
        MANIFEST,
        "trips-00000-of-00002.csv",
        "trips-00001-of-00002.csv",
    ]
    for file in manifest["files"]:
        content = (folder / file["path"]).read_bytes()
        assert file["rows"] == content.count(b"\n") - 1 == 1_500
        assert file["bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert manifest["options"]["missing"] == 0.25
    assert manifest["source_sha256"] == hashlib.sha256(taxi_csv_path().read_bytes()).hexdigest()


# What options do


def test_missing_empties_that_share_of_cells_and_changes_no_other(generated, rows_of):
    found = rows_of(missing=0.2)
    for column in found.columns:
        before, after = (
            generated[column].reset_index(drop=True),
            found[column].reset_index(drop=True),
        )
        lost = before.notna() & after.isna()
        expected = 0 if column in NEVER_EMPTIED else 0.2
        if before.notna().sum() > 1_000:
            assert lost.sum() / before.notna().sum() == pytest.approx(expected, abs=0.01), column
        assert (after[after.notna()] == before[after.notna()]).all(), column


def test_new_categories_are_in_that_share_of_rows(generated, rows_of):
    found = rows_of(new_categories=0.1)
    for column, values in (("payment_type", NEW_PAYMENT_TYPES), ("company", NEW_COMPANIES)):
        assert not set(values) & set(generated[column])
        assert found[column].isin(values).mean() == pytest.approx(0.1, abs=0.01)
        assert set(values) < set(found[column])
    assert (found["fare"].to_numpy() == generated["fare"].to_numpy()).all()


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_imbalance_is_the_share_of_tipped_trips(rows_of, share):
    found = rows_of(imbalance=share)
    # Four standard deviations.
    tolerance = 4 * np.sqrt(share * (1 - share) / ROWS)
    assert tipped(found).mean() == pytest.approx(share, abs=tolerance)


def test_drift_raises_late_fares_and_card_payments_and_leaves_early_ones(real, generated, rows_of):
    found = rows_of(drift=0.4)

    def of_year(trips, year):
        return trips[pd.to_datetime(trips["trip_start_timestamp"], unit="s").dt.year == year]

    def growth(year):
        return of_year(found, year)["fare"].median() / of_year(generated, year)["fare"].median()

    def cards(trips, year):
        return (of_year(trips, year)["payment_type"] == "Credit Card").mean()

    assert growth(2013) == pytest.approx(1 + 0.4 * 0.13, abs=0.04)
    assert growth(2015) > growth(2014) > growth(2013)
    # In the middle of 2015, five eighths of the years have passed; other payments become cards.
    expected = cards(generated, 2015) + 0.4 * 0.625 * (1 - cards(generated, 2015))
    assert cards(found, 2015) == pytest.approx(expected, abs=0.02)
    # What a card payer tips has not changed with it.
    by_card = found["payment_type"] == "Credit Card"
    assert tipped(found)[by_card].mean() == pytest.approx(
        tipped(real)[real["payment_type"] == "Credit Card"].mean(), abs=0.015
    )


def test_broken_rows_are_counted_by_reason_and_the_others_are_untouched(make):
    whole, broken = (
        lines_of(make(rows=20_000)),
        lines_of(make(rows=20_000, shards=3, broken_rows=0.02)),
    )
    changed = [line for line, before in zip(broken, whole, strict=True) if line != before]
    assert len(changed) / len(whole) == pytest.approx(0.02, abs=0.004)
    found = dict.fromkeys(REASONS, 0)
    for line in changed:
        cells = line.split(b",")
        if len(cells) != 18:
            found["wrong_number_of_fields"] += 1
        elif b"twelve" in cells:
            found["not_a_number"] += 1
        elif str(2**63).encode() in cells:
            found["out_of_range"] += 1
        else:
            with pytest.raises(UnicodeDecodeError):
                line.decode()
            found["not_utf8"] += 1
    manifest = json.loads((make(rows=20_000, shards=3, broken_rows=0.02) / MANIFEST).read_text())
    assert manifest["broken_rows"] == found
    assert all(found.values())


# What is refused


def test_broken_rows_have_no_place_in_parquet(tmp_path):
    plan = Plan(10, format="parquet", shifts=Shifts(broken_rows=0.1))
    with pytest.raises(DataError, match="^--broken-rows: found --format parquet; expected csv, "):
        generate(plan, tmp_path / "rows", taxi_csv_path())
    assert not list(tmp_path.iterdir())


def test_more_shards_than_rows_are_refused(tmp_path):
    with pytest.raises(DataError, match="^--shards: found 11 shards for 10 rows; expected "):
        generate(Plan(10, shards=11), tmp_path / "rows", taxi_csv_path())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=": is not empty; expected a new folder, in one that is "):
        generate(Plan(10), tmp_path, taxi_csv_path())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def test_nothing_is_left_of_what_did_not_end(tmp_path):
    def fail(rows):
        raise RuntimeError("stopped here")

    with pytest.raises(RuntimeError, match="stopped here"):
        generate(Plan(10), tmp_path / "rows", taxi_csv_path(), fail)
    assert not list(tmp_path.iterdir())
