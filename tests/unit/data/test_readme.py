"""Every figure in data/README.md, recomputed from the CSV that TFX ships."""

import re

import numpy as np
import pandas as pd
import pytest

from data.taxi import taxi_csv_path
from fareline.packages import CHECKOUT
from schema import curated

README = CHECKOUT / "data" / "README.md"
TEXT = " ".join(README.read_text(encoding="utf-8").split())


def table(first_heading):
    """Returns the README's table that starts with a heading, as a list of dicts of cell texts."""
    lines = iter(README.read_text(encoding="utf-8").splitlines())
    header = next(line for line in lines if line.startswith(f"| {first_heading} |"))
    keys = [cell.strip() for cell in header.strip("|").split("|")]
    next(lines)  # the ruler
    found = []
    for line in lines:
        if not line.startswith("|"):
            return found
        texts = [cell.strip() for cell in line.strip("|").split("|")]
        found.append(dict(zip(keys, texts, strict=True)))
    return found


def share(mask):
    return f"{100 * np.mean(mask):.2f} %"


@pytest.fixture(scope="module")
def cells():
    """The cells as they stand, empty ones as ''."""
    return pd.read_csv(taxi_csv_path(), dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def trips():
    return pd.read_csv(taxi_csv_path())


@pytest.fixture(scope="module")
def starts(trips):
    return pd.to_datetime(trips["trip_start_timestamp"], unit="s")


@pytest.fixture(scope="module")
def positive(trips):
    return trips["tips"] > 0.2 * trips["fare"]


def test_size(trips):
    assert f"{len(trips):,} trips, one per row, {trips.shape[1]} columns" in TEXT


def test_columns(cells, trips):
    rows = {row["column"].strip("`"): row for row in table("column")}
    assert set(rows) == set(trips.columns)
    types = curated.column_types(curated.load_schema(curated.schema_path("taxi", README.parent)))
    for name, row in rows.items():
        known = trips[name].dropna()
        assert row["type"] == types[name], name
        assert row["missing"] == share(cells[name] == ""), name
        assert int(row["distinct"]) == known.nunique(), name
        if types[name] == "bytes":
            assert (row["least"], row["greatest"]) == ("-", "-"), name
        else:
            assert (float(row["least"]), float(row["greatest"])) == (known.min(), known.max()), name
        assert row["unit"] and row["meaning"], name


def test_time_range(starts):
    first, last = (f"{time:%Y-%m-%d %H:%M}" for time in (starts.min(), starts.max()))
    assert f"The first trip starts at {first}, the last at {last}." in TEXT


def test_label_by_payment_type(trips, positive):
    def expected(name, chosen):
        tipped = chosen & (trips["tips"] > 0)
        return {
            "payment_type": name,
            "trips": f"{chosen.sum():,}",
            "share of trips": share(chosen),
            "with a tip": f"{tipped.sum():,}",
            "positive": f"{(chosen & positive).sum():,}",
            "share positive": share(positive[chosen]),
        }

    by_frequency = trips["payment_type"].value_counts().index
    rows = [expected(name, trips["payment_type"] == name) for name in by_frequency]
    assert table("payment_type") == [*rows, expected("*all*", trips["tips"] >= 0)]


def test_edge_of_the_label(trips, positive):
    tip_cents, fare_cents = ((trips[c] * 100).round().astype("int64") for c in ("tips", "fare"))
    tips32, fare32 = (trips[c].to_numpy(np.float32) for c in ("tips", "fare"))
    in_cents = tip_cents * 5 > fare_cents
    assert (in_cents == positive).all()
    in_float32 = tips32 > fare32 * np.float32(0.2)
    assert [int(row["trips"].replace(",", "")) for row in table("edge")] == [
        ((tip_cents * 5 == fare_cents) & (tip_cents > 0)).sum(),
        in_cents.sum(),
        in_float32.sum(),
    ]


def test_oddities(trips, starts):
    miles, seconds = trips["trip_miles"], trips["trip_seconds"]
    fare, tips, company = trips["fare"], trips["tips"], trips["company"]
    end_known = trips["dropoff_latitude"].notna() & trips["dropoff_longitude"].notna()
    masks = {
        "exact duplicates of another row": trips.duplicated(),
        "duplicates but for the tip": trips.drop(columns="tips").duplicated(),
        "distance of 0 miles": miles == 0,
        "distance of 0 miles and a fare above $10": (miles == 0) & (fare > 10),
        "distance of more than 100 miles (at taxi fares: lost decimal points)": miles > 100,
        "duration of 0 seconds": seconds == 0,
        "0 miles and 0 seconds": (miles == 0) & (seconds == 0),
        "duration of 4 hours or more": seconds >= 4 * 3600,
        "duration known and not a whole minute": seconds.notna() & (seconds % 60 != 0),
        "fare of $0": fare == 0,
        "fare of $0 with a tip": (fare == 0) & (tips > 0),
        "fare above $100": fare > 100,
        "tip greater than the fare": tips > fare,
        "tip recorded for another payment than a credit card": (
            (tips > 0) & (trips["payment_type"] != "Credit Card")
        ),
        "end has coordinates and no community area": (
            end_known & trips["dropoff_community_area"].isna()
        ),
        "start in 2016 (the earlier years have 4,388 to 5,145)": starts.dt.year == 2016,
        "company name cut off at 40 characters": company.str.len() == 40,
        "company with fewer than ten trips": company.map(company.value_counts()) < 10,
    }
    assert table("oddity") == [
        {"oddity": name, "trips": f"{mask.sum():,}", "share": share(mask)}
        for name, mask in masks.items()
    ]


def test_figures_in_the_oddities_text(trips, starts):
    years = starts.dt.year.value_counts().drop(2016)
    assert (years.min(), years.max()) == (4388, 5145)
    longest = trips.loc[trips["trip_miles"].idxmax()]
    figures = ["trip_miles", "trip_seconds", "fare"]
    assert list(longest[figures]) == [1710, 35 * 60, 35.05]
    dearest = trips.loc[trips["fare"].idxmax()]
    assert list(dearest[figures]) == [0, 10 * 60, 700.07]
    points = trips[["pickup_latitude", "pickup_longitude"]].dropna()
    assert (len(points), len(points.drop_duplicates())) == (15000, 236)
    assert {"4197 - Royal Star", "4197 - 41842 Royal Star"} <= set(trips["company"])


def test_start_columns_follow_from_the_timestamp(trips, starts):
    assert (starts.dt.month == trips["trip_start_month"]).all()
    assert (starts.dt.hour == trips["trip_start_hour"]).all()
    # pandas counts from Monday = 0, the data from Sunday = 1.
    assert ((starts.dt.dayofweek + 1) % 7 + 1 == trips["trip_start_day"]).all()
    assert (starts.dt.minute % 15 == 0).all()


def test_rows_are_not_in_random_order(trips):
    missing = trips["dropoff_latitude"].isna().to_numpy()[:15000].reshape(150, 100).sum(axis=1)
    # Binomial with p = 3.2 %: a hundred random rows miss more than 15 less than once in a million.
    assert missing.max() > 15
    assert not trips["trip_start_timestamp"].is_monotonic_increasing


def test_figures_that_the_schema_quotes(trips):
    schema_text = curated.schema_path("taxi", README.parent).read_text(encoding="utf-8")
    quoted = {float(figure) for figure in re.findall(r"(\d\d\.\d\d) %(?: filled)", schema_text)}
    filled = {round(100 * share, 2) for share in trips.notna().mean() if 0.001 < share < 1}
    assert quoted == filled
