"""How often a live model that is watched raises alarms, with nothing planted and with faults.

    python -m benchmarks.monitor [--replays 200] [--seed 1]

Made-up requests: eight features, five slices, AUC about 0.91; a reference of 5,000 rows. Prints a
row for each thing that is planted. Takes about a minute for ten replays.
"""

import argparse
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from monitoring.live.report import OVERALL
from monitoring.live.rows import Rows, together
from monitoring.live.series import WEEK_MS
from monitoring.live.watch import Plan, watch

_SHARES = (0.3, 0.3, 0.2, 0.1, 0.1)  # of the slices
_NAMES = np.array([b"a", b"b", b"c", b"d", b"e"])
_PLAN = Plan(WEEK_MS, categories=["n4", "n5", "n6", "n7"])
# Name; rows a window; windows; what is planted, from which window on; kind and slice of the alarm.
_QUIET: Mapping[str, Any] = {}
CASES = (
    ("quiet, 200 rows", 200, 20, _QUIET, 0, None),
    ("quiet, 1,000 rows", 1000, 20, _QUIET, 0, None),
    ("quiet, 5,000 rows", 5000, 20, _QUIET, 0, None),
    ("AUC -0.03", 5000, 5, {"mixed": 0.073}, 3, ("performance", OVERALL)),
    ("AUC -0.10 in a slice of 10 %", 5000, 5, {"mixed_d": 0.24}, 3, ("performance", "slice=d")),
    ("first feature x 1.1", 3000, 5, {"times": 1.1}, 3, ("distribution", OVERALL)),
    ("20 % zeros", 1000, 5, {"zeros": 0.2}, 3, ("integrity", OVERALL)),
    ("a column gone", 1000, 5, {"gone": True}, 3, ("integrity", OVERALL)),
)


def make_rows(rows: int, seed: int, week: int, planted: Mapping[str, Any]) -> Rows:
    """Makes the requests of a week.

    Args:
        rows: How many.
        seed: Of chance.
        week: Which one.
        planted: `mixed` or `mixed_d`, a share of scores that say nothing, in all or in slice d;
            `times`; `zeros`; `gone`.
    """
    random = np.random.default_rng(seed)
    slices = random.choice(5, rows, p=_SHARES)
    labels = (random.random(rows) < 0.3).astype(float)
    scores = 1 / (1 + np.exp(-(random.normal(labels * 1.9, 1.0) - 1.9)))
    share = np.where(slices == 3, planted.get("mixed_d", 0.0), 0.0) + planted.get("mixed", 0.0)
    mixed = random.random(rows) < share
    scores[mixed] = random.permutation(scores[mixed])
    columns: dict[str, pa.Array] = {}
    for place in range(4):
        numbers = np.exp(random.normal(2.2, 0.6, rows))
        if place == 0:
            numbers *= planted.get("times", 1.0)
            numbers[random.random(rows) < planted.get("zeros", 0.0)] = 0
        columns[f"n{place}"] = pa.array(numbers)
    for place in range(4, 8):
        columns[f"n{place}"] = pa.array(random.integers(0, 6, rows))
    if planted.get("gone"):
        columns["n2"] = pa.nulls(rows)
    columns["slice"] = pa.array(_NAMES[slices].tolist(), pa.large_binary())
    return Rows(columns, np.full(rows, week * WEEK_MS), scores, labels)


def by_slice(rows: Rows) -> dict[str, np.ndarray]:
    """The five slices."""
    values = np.array(rows.columns["slice"].to_pylist())
    return {f"slice={name.decode()}": values == name for name in _NAMES}


def replay(case: tuple, seed: int) -> tuple[bool, bool]:
    """Replays a case once: whether what is planted was found, and whether there was any alarm."""
    _, rows, weeks, planted, since, wanted = case
    start = seed * 1000
    reference = make_rows(5000, start, 0, {})
    live = [
        make_rows(rows, start + 1 + week, week, planted if week >= since else {})
        for week in range(weeks)
    ]
    found = watch(reference, together(live), by_slice, _PLAN, weeks * WEEK_MS)
    return any((a.kind, a.slice) == wanted for a in found.alarms), bool(found.alarms)


def main() -> None:
    """Replays every case and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replays", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for case in CASES:
        began = time.process_time()
        told = [replay(case, given.seed + index) for index in range(given.replays)]
        found, any_alarm = (sum(each[place] for each in told) for place in (0, 1))
        said = f"any alarm {any_alarm} of {given.replays}"
        if case[-1] is not None:
            said = f"found {found} of {given.replays} within two windows"
        print(f"{case[0]:32} {said}; {time.process_time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
