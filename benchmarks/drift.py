"""How often drift is called where there is none, and how often what was planted is found.

Rows are the taxi sample, with the columns and types of the curated schema and the label of the
default settings. Each repeat shuffles them anew: the first are the batch, those after it the
reference, which stands for the previous span, so that no row is in both. The rules are the default
ones. A plant is found when the column that it is in is called drifted.

    make bench ARGS="drift --repeats 200 --first-seed 0"
"""

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.sources.sample import read_sample
from data.taxi import taxi_csv_path
from monitoring.drift.compare import LABEL, Rules, compare
from monitoring.drift.samples import Sample, take_sample
from pipeline.data_gate.coverage import labels_of_rows
from pipeline.settings.load import load_settings
from preprocessing.labels import Label, parse_label
from schema.curated import column_kinds, load_schema, schema_path

REFERENCE_ROWS = 10_000
NEW_COMPANY = b"Lakefront Cab"
_TIMED = ((10_000, 1_000), (10_000, 10_000))  # rows of reference and batch

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


def alarms_of(taxi: Taxi, case: Case, reference_rows: int, seed: int) -> tuple[list[str], float]:
    """The columns that are called drifted in one repeat, and the seconds of the comparison."""
    reference, batch = draw(taxi, case, reference_rows, seed)
    started = time.perf_counter()
    compared = compare(reference, batch, Rules(), taxi.categories, seed)
    return [column.name for column in compared.drifted()], time.perf_counter() - started


def measure(
    case: Case, seeds: Sequence[int], reference_rows: int, pool: concurrent.futures.Executor
) -> dict:
    """Repeats a case; what came of it, as JSON."""
    futures = [pool.submit(_one, case, reference_rows, seed) for seed in seeds]
    results = [future.result() for future in futures]
    hits = sum(bool(c) if case.column is None else case.column in c for c, _ in results)
    share = hits / len(seeds)
    return {
        "case": case.name,
        "rows": case.rows,
        "repeats": len(seeds),
        "hits": hits,
        "share": share,
        "bar": case.bar,
        "holds": share <= case.bar if case.column is None else share >= case.bar,
        "seconds": statistics.median(seconds for _, seconds in results),
    }


def measure_time(taxi: Taxi, repeats: int = 5) -> list[dict]:
    """Seconds and memory of one comparison by its numbers of rows, in this process."""
    found = []
    for sizes in _TIMED:
        random = np.random.default_rng(0)
        # With replacement: there are not that many rows.
        reference, batch = (
            _sample(
                {
                    name: array.take(pa.array(rows))
                    for rows in [random.integers(0, taxi.rows, size)]
                    for name, array in taxi.columns.items()
                },
                taxi.label,
            )
            for size in sizes
        )
        seconds = []
        for _ in range(repeats):
            started = time.perf_counter()
            compare(reference, batch, Rules(), taxi.categories)
            seconds.append(time.perf_counter() - started)
        tracemalloc.start()
        compare(reference, batch, Rules(), taxi.categories)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        found.append(
            {
                "reference_rows": sizes[0],
                "batch_rows": sizes[1],
                "seconds": statistics.median(seconds),
                "slowest": max(seconds),
                "megabytes": peak / 2**20,
            }
        )
    return found


def table(cases: Sequence[dict]) -> str:
    """The cases as a table of Markdown."""
    lines = ["| batch | rows | called drifted | bar |", "| --- | --- | --- | --- |"]
    for case in cases:
        sign = "≤" if case["bar"] < 0.5 else "≥"
        figures = f"{case['share']:.1%} of {case['repeats']} | {sign} {case['bar']:.0%}"
        lines.append(f"| {case['case']} | {case['rows']:,} | {figures.replace('%', ' %')} |")
    return "\n".join(lines)


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


_taxi: Taxi  # of a process of the pool


def _start() -> None:
    global _taxi
    _taxi = load_taxi()


def _one(case: Case, reference_rows: int, seed: int) -> tuple[list[str], float]:
    return alarms_of(_taxi, case, reference_rows, seed)


def main(arguments: list[str]) -> None:
    """Prints a table of the cases, and a line for each number of rows that was timed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks drift", description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--reference-rows", type=int, default=REFERENCE_ROWS)
    parser.add_argument("--cases", type=int, nargs="*", help="by number, from 0; without it all")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args(arguments)
    chosen = CASES if given.cases is None else [CASES[number] for number in given.cases]
    seeds = range(given.first_seed, given.first_seed + given.repeats)
    timed = measure_time(load_taxi())
    with concurrent.futures.ProcessPoolExecutor(
        given.processes, multiprocessing.get_context("spawn"), initializer=_start
    ) as pool:
        cases = [measure(case, seeds, given.reference_rows, pool) for case in chosen]
    if given.json:
        print(json.dumps({"cases": cases, "time": timed}, indent=1))
        return
    print(table(cases))
    for each in timed:
        print(
            f"{each['reference_rows']:,} rows against {each['batch_rows']:,}: "
            f"{each['seconds']:.2f} s (slowest {each['slowest']:.2f} s), "
            f"{each['megabytes']:.0f} MB"
        )
