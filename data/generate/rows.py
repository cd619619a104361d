"""Draws taxi-like rows from the joint distribution of the real ones.

A row is put together from up to three real ones, and then moved a little:

* the *trip* (fare, tip, distance, duration, payment, company) is one real row;
* the *place* (areas, tracts and coordinates of both ends) is that of a real row of the same cell:
  same payment by card or not, same twentieth of the fares, same kind of distance (zero or not);
* the *time* is that of a real row of the same cell, moved by up to four weeks, so that weekday,
  hour and quarter of an hour stay, and month, year and timestamp agree.

Distance, duration and fare are then scaled together by up to 10 %, and each by a little of its own.
A tip keeps its share of the fare, or stays the whole dollars that it was; whether it is above 20 %
of the fare never changes.

Called by `data.generate.generate`. Only the four operations and rounding are used, and random bits
come from Philox, whose stream NumPy promises to keep: every machine and version makes the same
rows. Must not import TFX.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

BLOCK_ROWS = 1 << 16
WEEK_SECONDS = 7 * 24 * 3600
INT_COLUMNS = (
    "pickup_community_area",
    "trip_start_month",
    "trip_start_hour",
    "trip_start_day",
    "trip_start_timestamp",
    "pickup_census_tract",
    "dropoff_census_tract",
    "trip_seconds",
    "dropoff_community_area",
)
FLOAT_COLUMNS = (
    "fare",
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
    "trip_miles",
    "tips",
)
TEXT_COLUMNS = ("payment_type", "company")
_PLACE_COLUMNS = (
    "pickup_community_area",
    "pickup_latitude",
    "pickup_longitude",
    "pickup_census_tract",
    "dropoff_community_area",
    "dropoff_latitude",
    "dropoff_longitude",
    "dropoff_census_tract",
)
_WEEKS_MOVED = 4
_FARE_BANDS = 20
# Largest relative change, up or down: of the whole trip, of its pace, of its price.
_SIZE, _PACE, _PRICE = 0.10, 0.05, 0.02
# Every purpose has random numbers of its own, so that an option changes what it names and no more.
ROWS, MISSING, NEW_CATEGORIES, BROKEN = range(4)


@dataclasses.dataclass(frozen=True)
class Shifts:
    """Differences between generated and real rows; all shares are from 0 to 1.

    Attributes:
        drift: Share by which fares and tips have grown at the end of the years that the data
            covers, and share of the other payments that are made by card then; in between, in
            proportion to the time.
        missing: Share of the cells of every column but `fare`, `tips` and `trip_start_timestamp`
            that lose their value.
        new_categories: Share of the rows with a payment type that the real data does not have, and
            as many with a new company.
        broken_rows: Share of the rows that no reader can take as they are.
        imbalance: Share of rows with a tip above 20 % of the fare; None: as in the real data.
    """

    drift: float = 0.0
    missing: float = 0.0
    new_categories: float = 0.0
    broken_rows: float = 0.0
    imbalance: float | None = None


class Randomness:
    """Uniform numbers in [0, 1) of one block of rows, for one purpose."""

    def __init__(self, seed: int, block: int, purpose: int):
        self._bits = np.random.Philox(np.random.SeedSequence([seed, block, purpose]))

    def uniform(self) -> np.ndarray:
        """float64 [BLOCK_ROWS], in multiples of 2 to the power of -53."""
        return (self._bits.random_raw(BLOCK_ROWS) >> np.uint64(11)) * 2.0**-53

    def around_zero(self, largest: float) -> np.ndarray:
        """float64 [BLOCK_ROWS], triangular between `-largest` and `largest`."""
        return largest * (self.uniform() + self.uniform() - 1.0)


class Donors:
    """The real rows from which rows are generated.

    Args:
        path: The taxi CSV.
    """

    def __init__(self, path: Path):
        self.table = read_trips(path)
        self.size = self.table.num_rows
        column = {name: self.table.column(name) for name in self.table.column_names}
        self.fare = _cents(column["fare"])
        self.tips = _cents(column["tips"])
        self.miles = column["trip_miles"].to_numpy()
        self.seconds = column["trip_seconds"].fill_null(-1).to_numpy()  # -1: missing
        self.time = column["trip_start_timestamp"].to_numpy()
        self.first, self.last = int(self.time.min()), int(self.time.max())
        payment = column["payment_type"].to_numpy()
        self.by_card = payment == "Credit Card"
        self.tipped = 5 * self.tips > self.fare
        self._cells = _Groups(self._cell_of_each())
        self._labels = _Groups(self.tipped.astype(np.int64))
        self._cards = _Groups(self.by_card * (1 + self.tipped))  # 0: not by card

    def _cell_of_each(self) -> np.ndarray:
        """int64 [donors], rows that may lend each other place and time."""
        order = np.sort(self.fare)
        bounds = order[[len(order) * band // _FARE_BANDS for band in range(1, _FARE_BANDS)]]
        band = np.searchsorted(bounds, self.fare, side="right")
        return (band * 2 + self.by_card) * 2 + (self.miles == 0)

    def draw(self, uniform: np.ndarray, tipped: float | None, label: np.ndarray) -> np.ndarray:
        """Draws rows, or rows of a label where the share of it is set.

        Args:
            uniform: float64 [n].
            tipped: Share of rows with a tip above 20 % of the fare; None: as it is.
            label: float64 [n], uniform; what the label is drawn with.

        Returns:
            int64 [n], rows.
        """
        if tipped is None:
            return (uniform * self.size).astype(np.int64)
        return self._labels.member((label < tipped).astype(np.int64), uniform)

    def draw_from_cell(self, of: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Draws for each row another row of its cell; the row itself if it is the only one."""
        return self._cells.member(self._cells.of_row[of], uniform)

    def draw_by_card(self, like: np.ndarray, uniform: np.ndarray, keep_label: bool) -> np.ndarray:
        """Draws for each row one that was paid by card, on request with the same label."""
        if keep_label:
            return self._cards.member(1 + self.tipped[like], uniform)
        cards = np.flatnonzero(self.by_card)
        return cards[(uniform * len(cards)).astype(np.int64)]


class _Groups:
    """Rows by the group that each is in."""

    def __init__(self, of_row: np.ndarray):
        self.of_row = of_row.astype(np.int64)
        self._order = np.argsort(self.of_row, kind="stable")
        self._sizes = np.bincount(self.of_row)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def member(self, group: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """A row of each group, int64 [n]."""
        return self._order[self._starts[group] + (uniform * self._sizes[group]).astype(np.int64)]


def read_trips(path: Path) -> pa.Table:
    """Reads the taxi CSV with the types that README.md has; empty cells are null."""
    types = dict.fromkeys(INT_COLUMNS, pa.int64()) | dict.fromkeys(FLOAT_COLUMNS, pa.float64())
    convert = pyarrow.csv.ConvertOptions(
        column_types=types | dict.fromkeys(TEXT_COLUMNS, pa.string()), strings_can_be_null=True
    )
    return pyarrow.csv.read_csv(path, convert_options=convert).combine_chunks()


def draw_block(donors: Donors, seed: int, block: int, shifts: Shifts) -> dict[str, pa.Array]:
    """Draws the rows `block * BLOCK_ROWS` and following, as if nothing were missing or new.

    Returns:
        Column to array [BLOCK_ROWS], in the order of the real file.
    """
    random = Randomness(seed, block, ROWS)
    first = donors.draw(random.uniform(), shifts.imbalance, random.uniform())
    time = donors.time[donors.draw_from_cell(first, random.uniform())]
    time = _move_by_weeks(time, random.uniform(), donors)
    # From 0 at the first real trip to 1 at the last.
    progress = (time - donors.first) / (donors.last - donors.first)
    late = random.uniform() < shifts.drift * progress
    to_card = donors.draw_by_card(first, random.uniform(), shifts.imbalance is not None)
    trip = np.where(late & ~donors.by_card[first], to_card, first)
    place = donors.draw_from_cell(trip, random.uniform())

    size = 1.0 + random.around_zero(_SIZE)
    pace = 1.0 + random.around_zero(_PACE)
    price = 1.0 + random.around_zero(_PRICE)
    fare, tips = _scale_price(donors, trip, size * price, 1.0 + shifts.drift * progress)
    seconds = donors.seconds[trip]
    minutes = np.rint(seconds * size * pace / 60.0).astype(np.int64)
    whole = (seconds > 0) & (seconds % 60 == 0)
    changed = {
        "fare": pa.array(fare / 100.0),
        "tips": pa.array(tips / 100.0),
        "trip_miles": pa.array(np.rint(donors.miles[trip] * size * 10.0) / 10.0),
        "trip_seconds": pa.array(
            np.where(whole, np.maximum(minutes, 1) * 60, seconds), mask=seconds < 0
        ),
        **_calendar(time),
    }
    return {
        name: changed.get(name) or _take(donors, name, trip, place)
        for name in donors.table.column_names
    }


def _take(donors: Donors, name: str, trip: np.ndarray, place: np.ndarray) -> pa.Array:
    rows = place if name in _PLACE_COLUMNS else trip
    return pa.concat_arrays(donors.table.column(name).chunks).take(pa.array(rows))


def _move_by_weeks(time: np.ndarray, uniform: np.ndarray, donors: Donors) -> np.ndarray:
    weeks = (uniform * (2 * _WEEKS_MOVED + 1)).astype(np.int64) - _WEEKS_MOVED
    moved = time + weeks * WEEK_SECONDS
    outside = (moved < donors.first) | (moved > donors.last)
    return np.where(outside, time - weeks * WEEK_SECONDS, moved)


def _scale_price(
    donors: Donors, trip: np.ndarray, scale: np.ndarray, growth: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scales fares to 5 cents and tips in proportion; the label stays.

    Returns:
        int64 [n] each, cents.
    """
    fare, tips = donors.fare[trip], donors.tips[trip]
    new_fare = _scaled_to_5_cents(fare, scale * growth)
    in_proportion = np.rint(tips * (new_fare / np.maximum(fare, 1))).astype(np.int64)
    # The least tip above 20 % of the fare: what rounding must not cross.
    edge = new_fare // 5 + 1
    label = donors.tipped[trip]
    in_proportion = np.where(
        label, np.maximum(in_proportion, edge), np.minimum(in_proportion, edge - 1)
    )
    # People round tips to dollars: these grow with the years alone, where the label lets them.
    in_dollars = np.rint(tips / 100.0 * growth).astype(np.int64) * 100
    fits = (tips % 100 == 0) & ((in_dollars >= edge) == label)
    return new_fare, np.where(fits, in_dollars, in_proportion)


def _scaled_to_5_cents(fare: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.rint(fare * scale / 5.0).astype(np.int64) * 5


def _calendar(time: np.ndarray) -> dict[str, pa.Array]:
    """Timestamp, month, weekday (1 = Sunday) and hour; all by the timestamp as it is written."""
    days = time // 86400
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return {
        "trip_start_timestamp": pa.array(time),
        "trip_start_month": pa.array(months % 12 + 1),
        "trip_start_day": pa.array((days + 4) % 7 + 1),  # 1970-01-01 was a Thursday
        "trip_start_hour": pa.array(time // 3600 % 24),
    }


def _cents(column: pa.ChunkedArray) -> np.ndarray:
    return np.rint(column.to_numpy() * 100.0).astype(np.int64)
