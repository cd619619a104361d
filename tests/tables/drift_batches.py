"""Batches of the taxi data with shifts planted in them, for tests and a benchmark of drift."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.sources.sample import read_sample
from data.taxi import taxi_csv_path
from monitoring.drift.compare import LABEL
from monitoring.drift.samples import Sample, take_sample
from pipeline.data_gate.coverage import labels_of_rows
from pipeline.settings.load import load_settings
from preprocessing.labels import Label, parse_label
from schema.curated import column_kinds, load_schema, schema_path

NEW_COMPANY = b"Lakefront Cab"


Columns = dict[str, pa.Array]
Plant = Callable[[Columns, np.random.Generator], Columns]


def fare_times_1_1(columns: Columns, random: np.random.Generator) -> Columns:
    """Every fare a tenth dearer; tips stay, so that the label changes with it."""
    fare = columns["fare"]
    return {**columns, "fare": pc.multiply(fare, pa.scalar(1.1, fare.type))}


def cash_to_card(columns: Columns, random: np.random.Generator) -> Columns:
    """A tenth of the trips paid in cash are paid by card."""
    paid = columns["payment_type"]
    cash = np.flatnonzero(pc.equal(paid, b"Cash").to_numpy(zero_copy_only=False))
    return {**columns, "payment_type": _with(paid, _some(cash, 0.1, random), b"Credit Card")}


def zero_miles(columns: Columns, random: np.random.Generator) -> Columns:
    """A fifth of the trips have no miles."""
    miles = columns["trip_miles"]
    chosen = _some(np.arange(len(miles)), 0.2, random)
    return {**columns, "trip_miles": _with(miles, chosen, 0.0)}


def new_company(columns: Columns, random: np.random.Generator) -> Columns:
    """A company that nobody has seen drives a twentieth of the trips."""
    company = columns["company"]
    chosen = _some(np.arange(len(company)), 0.05, random)
    return {**columns, "company": _with(company, chosen, NEW_COMPANY)}


@dataclasses.dataclass(frozen=True)
class Case:
    """What is repeated.

    Attributes:
        name: In words.
        rows: Of the batch.
        column: Where drift must be found; None: nowhere at all.
        plant: Changes the batch.
    """

    name: str
    rows: int
    column: str | None = None
    plant: Plant | None = None

    @property
    def bar(self) -> float:
        """Greatest share of repeats with an alarm; of a plant, least share with it found."""
        return 0.05 if self.column is None else 0.95


CASES = (
    Case("unshifted", 200),
    Case("unshifted", 1_000),
    Case("unshifted", 5_000),
    Case("every fare 10 % dearer", 3_000, "fare", fare_times_1_1),
    Case("10 % of cash turned to card", 1_000, "payment_type", cash_to_card),
    Case("20 % of trip_miles set to zero", 1_000, "trip_miles", zero_miles),
    Case("a new company with 5 % of rows", 1_000, "company", new_company),
)


@dataclasses.dataclass(frozen=True)
class Taxi:
    """The rows, and how the default settings take them.

    Attributes:
        columns: Of the curated schema, numbers as float32 and int64, as tf.Examples hold them.
        rows: How many.
        categories: Columns of numbers that name things.
        label: The rule.
    """

    columns: Columns
    rows: int
    categories: Sequence[str]
    label: Label


def load_taxi() -> Taxi:
    """Reads the taxi sample."""
    settings = load_settings()
    kinds = column_kinds(load_schema(schema_path("taxi", Path())))
    read = read_sample(taxi_csv_path(), kinds)
    whole = take_sample(read.columns(), most_rows=read.rows)
    columns = {
        name: array.cast(pa.float32()) if pa.types.is_floating(array.type) else array
        for name, array in whole.columns.items()
        if name in kinds
    }
    label = parse_label(settings.section("label")["label"], settings.task)
    return Taxi(columns, whole.rows, tuple(settings.features.categorical), label)


def draw(taxi: Taxi, case: Case, reference_rows: int, seed: int) -> tuple[Sample, Sample]:
    """The reference and the batch of one repeat."""
    random = np.random.default_rng([seed, case.rows])
    order = random.permutation(taxi.rows)
    batch, reference = np.split(order[: case.rows + reference_rows], [case.rows])
    taken = [
        {name: array.take(pa.array(rows)) for name, array in taxi.columns.items()}
        for rows in (reference, batch)
    ]
    if case.plant is not None:
        taken[1] = case.plant(taken[1], random)
    return _sample(taken[0], taxi.label), _sample(taken[1], taxi.label)


def _sample(columns: Columns, label: Label) -> Sample:
    """The columns with the label beside them."""
    rows = len(next(iter(columns.values())))
    labels = pa.array([int(name) for name in labels_of_rows(columns, rows, label)])
    return Sample({**columns, LABEL: labels}, rows, rows)


def _some(rows: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """This share of the rows, at random."""
    return random.choice(rows, round(share * len(rows)), replace=False)


def _with(values: pa.Array, rows: np.ndarray, value: object) -> pa.Array:
    """The values with another one at some rows."""
    changed = np.zeros(len(values), bool)
    changed[rows] = True
    return pc.if_else(pa.array(changed), pa.scalar(value, values.type), values)


def table(cases: Sequence[dict]) -> str:
    """The cases as a table of Markdown."""
    lines = ["| batch | rows | called drifted | bar |", "| --- | --- | --- | --- |"]
    for case in cases:
        sign = "≤" if case["bar"] < 0.5 else "≥"
        figures = f"{case['share']:.1%} of {case['repeats']} | {sign} {case['bar']:.0%}"
        lines.append(f"| {case['case']} | {case['rows']:,} | {figures.replace('%', ' %')} |")
    return "\n".join(lines)
