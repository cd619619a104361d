"""How often drift is called where there is none, and how often what was planted is found.

Rows are the taxi sample, with the columns and types of the curated schema and the label of the
default settings. Each repeat shuffles them anew: the first are the batch, those after it the
reference, which stands for the previous span, so that no row is in both. The rules are the default
ones. A plant is found when the column that it is in is called drifted.

    make bench ARGS="drift --repeats 200 --first-seed 0"
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import statistics
import time
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from monitoring.drift.compare import Rules, compare
from tests.tables.drift_batches import CASES, Case, Taxi, _sample, draw, load_taxi, table

REFERENCE_ROWS = 10_000
_TIMED = ((10_000, 1_000), (10_000, 10_000))  # rows of reference and batch


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
