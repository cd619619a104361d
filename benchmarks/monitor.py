"""How often a live model that is watched raises alarms, with nothing planted and with faults.

    make bench ARGS="monitor --replays 200 --into replays.jsonl"

Made-up requests: eight features, five slices, AUC about 0.91; a reference of 5,000 rows. The
verdict is asked for after each window, as by a `monitor` that runs then. Every replay is a line in
the file, and one that is there is not played again: a measuring that was stopped goes on.
"""

import argparse
import collections
import dataclasses
import itertools
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cli.monitor import no_health_claimed
from monitoring.live.estimate import measured_auc
from monitoring.live.report import ALARM, OVERALL, PERFORMANCE, Window
from monitoring.live.rows import Rows, together
from monitoring.live.series import HOUR_MS, WEEK_MS
from monitoring.live.watch import Plan, Watcher, watch

_DAY_MS = 24 * HOUR_MS
_SHARES = (0.3, 0.3, 0.2, 0.1, 0.1)  # of the slices
_TURNED = (0.1, 0.1, 0.2, 0.3, 0.3)  # of another mix
_BETTER = (0.0, 0.0, 0.2, -0.2, 0.4)  # how much easier than the others a slice is to predict
_NAMES = np.array([b"a", b"b", b"c", b"d", b"e"])
_REFERENCE_ROWS = 5000
_TRUE_ROWS = 200_000  # whose labels say what an AUC is to 0.001
_WITHIN = 2  # windows


@dataclasses.dataclass(frozen=True)
class Case:
    """Something that is replayed.

    Attributes:
        name: What it is called.
        bar: Goal, in words.
        rows: Rows of a window.
        windows: How many there are.
        planted: What is planted, see `make_rows`.
        since: The window from which on it is.
        wanted: Kind and slice of the alarm that it has to raise; None: none.
        within: Windows until it has to.
        window_ms: Length of a window.
        features: How many the requests have.
    """

    name: str
    bar: str
    rows: int
    windows: int = 5
    planted: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    since: int = 3
    wanted: tuple[str, str] | None = None
    within: int = _WITHIN
    window_ms: int = WEEK_MS
    features: int = 8


_QUIET = "at most 1 alarm in 20 windows"
_SOON = "found within 2 windows"
CASES = (
    Case("quiet, 200 rows", _QUIET, 200, 20),
    Case("quiet, 1,000 rows", _QUIET, 1000, 20),
    Case("quiet, 5,000 rows", _QUIET, 5000, 20),
    Case(
        "season, 400 rows a day",
        "no alarm in 52 weeks",
        400,
        364,
        {"season": 0.02},
        0,
        window_ms=_DAY_MS,
        features=2,
    ),
    Case("AUC -0.03", _SOON, 5000, planted={"mixed": 0.073}, wanted=(PERFORMANCE, OVERALL)),
    Case(
        "AUC -0.10 in a slice of 10 %",
        _SOON,
        5000,
        planted={"mixed_d": 0.253},
        wanted=(PERFORMANCE, "slice=d"),
    ),
    Case(
        "first feature x 1.1", _SOON, 3000, planted={"times": 1.1}, wanted=("distribution", OVERALL)
    ),
    Case("20 % zeros", _SOON, 1000, planted={"zeros": 0.2}, wanted=("integrity", OVERALL)),
    Case("a column gone", _SOON, 1000, planted={"gone": True}, wanted=("integrity", OVERALL)),
    *(
        Case(
            f"AUC -0.002 a week, {rows:,} rows",
            "found within 8 weeks",
            rows,
            20,
            {"weekly": 0.0049},
            12,
            (PERFORMANCE, OVERALL),
            8,
            features=0,
        )
        for rows in (5000, 10_000)
    ),
)
ESTIMATES = {"same mix": 0.01, "shifted mix": 0.03}


def make_rows(
    rows: int, seed: int, start_ms: int, planted: Mapping[str, Any], features: int = 8
) -> Rows:
    """Makes the requests of a window.

    Args:
        rows: How many.
        seed: Of chance.
        start_ms: When the window begins.
        planted: `mixed` or `mixed_d`, a share of scores that say nothing, in all or in slice d;
            `times`; `zeros`; `gone`; `season`, at weekends fewer rows, harder to predict, and by
            so much more of slice a and less of slice b; `turned`, another mix of slices;
            `concept`, a share of labels that are the other ones.
        features: The first half are numbers, the others categories.
    """
    random = np.random.default_rng(seed)
    weekend = planted.get("season") and start_ms % WEEK_MS // _DAY_MS in (2, 3)  # since a Thursday
    if weekend:
        rows = rows * 6 // 10
    mix = _TURNED if planted.get("turned") else _SHARES
    if weekend:
        more = planted["season"]
        mix = (0.3 + more, 0.3 - more, *_SHARES[2:])
    slices = random.choice(5, rows, p=mix)
    labels = (random.random(rows) < 0.3).astype(float)
    apart = 1.9 + np.array(_BETTER)[slices] - (0.07 if weekend else 0.0)
    logits = random.normal(labels * apart, 1.0) - 1.9
    if planted.get("turned"):
        # Of rows with high scores more are sent: a shift that the scores say all about.
        kept = random.random(rows) < np.where(logits > 0, 1.0, 0.5)
        slices, labels, logits = slices[kept], labels[kept], logits[kept]
        rows = int(kept.sum())
    scores = 1 / (1 + np.exp(-logits))
    share = np.where(slices == 3, planted.get("mixed_d", 0.0), 0.0) + planted.get("mixed", 0.0)
    mixed = random.random(rows) < share
    scores[mixed] = random.permutation(scores[mixed])
    other = random.random(rows) < planted.get("concept", 0.0)
    labels = np.where(other, 1 - labels, labels)
    columns: dict[str, pa.Array] = {}
    for place in range(features):
        if place >= features // 2:
            columns[f"n{place}"] = pa.array(random.integers(0, 6, rows))
            continue
        numbers = np.exp(random.normal(2.2, 0.6, rows))
        if place == 0:
            numbers *= planted.get("times", 1.0)
            numbers[random.random(rows) < planted.get("zeros", 0.0)] = 0
        columns[f"n{place}"] = pa.array(numbers)
    if planted.get("gone"):
        columns["n2"] = pa.nulls(rows)
    codes = pa.array(slices.astype(np.int8))
    columns["slice"] = pa.DictionaryArray.from_arrays(codes, pa.array(_NAMES.tolist())).cast(
        pa.large_binary()
    )
    return Rows(columns, np.full(rows, start_ms), scores, labels)


def by_slice(rows: Rows) -> dict[str, np.ndarray]:
    """The five slices."""
    values = rows.columns["slice"].dictionary_encode()
    found = values.indices.to_numpy()
    return {
        f"slice={name.decode()}": found == place
        for place, name in enumerate(values.dictionary.to_pylist())
    }


def plan_of(case: Case) -> Plan:
    """The default rules."""
    return Plan(case.window_ms, categories=["n4", "n5", "n6", "n7"])


def replay(case: Case, seed: int) -> dict[str, Any]:
    """Replays a case once.

    Returns:
        `alarms`: after which windows there was any, by its number; `first`: the window after which
        what is planted was found, None: it was not; `kinds`: how many windows had which kind.
    """
    start = seed * 1000
    if "season" in case.planted:  # the split has all days of a week
        days = [
            make_rows(
                _REFERENCE_ROWS // 6, start + 500 + day, day * _DAY_MS, case.planted, case.features
            )
            for day in range(7)
        ]
        reference = together(days)
    else:
        reference = make_rows(_REFERENCE_ROWS, start, 0, {}, case.features)
    live = together(
        [
            make_rows(
                case.rows,
                start + 1 + place,
                place * case.window_ms,
                _planted(case, place),
                case.features,
            )
            for place in range(case.windows)
        ]
    )
    watcher = Watcher(reference, by_slice, plan_of(case))
    windows = watcher.windows(live, case.windows * case.window_ms)
    alarms, first, kinds = [], None, collections.Counter()
    for place in range(case.windows):
        told = {(each.kind, each.slice) for each in watcher.alarms(windows[: place + 1])}
        kinds.update({kind for kind, _ in told})
        if told:
            alarms.append(place)
        if first is None and place >= case.since and case.wanted in told:
            first = place
    return {"alarms": alarms, "first": first, "kinds": dict(kinds)}


def _planted(case: Case, place: int) -> Mapping[str, Any]:
    if place < case.since:
        return {}
    if "weekly" in case.planted:
        return {"mixed": case.planted["weekly"] * (place - case.since + 1)}
    return case.planted


def estimate_off(mix: str, seed: int) -> dict[str, Any]:
    """How far the AUC that is expected without labels is off the one of very many labels."""
    planted = {"turned": True} if mix == "shifted mix" else {}
    start = seed * 1000
    reference = make_rows(20_000, start, 0, {}, 0)
    live = make_rows(20_000, start + 1, 0, planted, 0)
    unknown = Rows(live.columns, live.ms, live.scores, np.full(len(live), np.nan))
    true_rows = make_rows(_TRUE_ROWS, start + 2, 0, planted, 0)
    true = measured_auc(true_rows.scores, true_rows.labels)
    [window] = watch(reference, unknown, by_slice, Plan(WEEK_MS), WEEK_MS).windows
    figure = window.slices[0].estimate
    assert figure is not None and true is not None
    return {
        "off": figure.value - true.value,
        "holds": bool(figure.low <= true.value <= figure.high),
    }


def health_claimed(seed: int) -> dict[str, Any]:
    """Whether a page would call a model well whose labels, unknown so far, have turned."""
    start = seed * 1000
    reference = make_rows(_REFERENCE_ROWS, start, 0, {}, 0)
    weeks = [make_rows(3000, start + 1 + w, w * WEEK_MS, {"concept": 0.3}, 0) for w in range(4)]
    live = together(weeks)
    unknown = Rows(live.columns, live.ms, live.scores, np.full(len(live), np.nan))
    plan = Plan(WEEK_MS, wait_ms=8 * WEEK_MS)
    blind = watch(reference, unknown, by_slice, plan, 4 * WEEK_MS)
    seeing = watch(reference, live, by_slice, plan, 4 * WEEK_MS)
    found = any((a.kind, a.slice) == (PERFORMANCE, OVERALL) for a in seeing.alarms)
    return {
        "claimed": not no_health_claimed([_as_content(w) for w in blind.windows]),
        "alarm": blind.state == ALARM,
        "found_with_labels": found,
    }


def _as_content(window: Window) -> Mapping[str, Any]:
    return dataclasses.asdict(window)


def load(rows: int = 1_000_000, columns: int = 20, slices: int = 10) -> float:
    """Seconds for so many logged rows in one window."""
    random = np.random.default_rng(0)

    def made(count: int) -> Rows:
        labels = (random.random(count) < 0.3).astype(float)
        found = {
            f"n{place}": pa.array(
                random.integers(0, 30, count) if place % 2 else random.normal(size=count)
            )
            for place in range(columns - 1)
        }
        found["slice"] = pa.array(random.integers(0, slices, count))
        return Rows(found, np.zeros(count, np.int64), random.normal(labels * 1.9, 1.0), labels)

    def cut(of: Rows) -> dict[str, np.ndarray]:
        values = of.columns["slice"].to_numpy()
        return {f"slice={place}": values == place for place in range(slices)}

    reference, live = made(10_000), made(rows)
    names = [f"n{place}" for place in range(1, columns - 1, 2)]
    began = time.monotonic()
    watch(reference, live, cut, Plan(WEEK_MS, categories=names), WEEK_MS)
    return time.monotonic() - began


def _work(chosen: list[str], seeds: range, done: set[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    """Plays what is not done yet."""
    played: dict[str, Any] = {
        case.name: lambda seed, case=case: replay(case, seed) for case in CASES
    }
    for mix in ESTIMATES:
        played[f"estimate, {mix}"] = lambda seed, mix=mix: estimate_off(mix, seed)
    played["change of concept"] = health_claimed
    names = [name for name in played if not chosen or any(each in name for each in chosen)]
    for seed, name in itertools.product(seeds, names):  # a part has the same seeds of every case
        if (name, seed) not in done:
            began = time.process_time()
            found = played[name](seed)
            yield {"case": name, "seed": seed, **found, "seconds": time.process_time() - began}


def say(lines: list[dict[str, Any]]) -> str:
    """A table of all replays, as a page of the documentation has it."""
    by_case: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_case.setdefault(line["case"], []).append(line)
    told = ["| replay | bar | result | processor time |", "| --- | --- | --- | --- |"]
    for name, found in by_case.items():
        bar, result = _said(name, found)
        seconds = sum(line["seconds"] for line in found)
        told.append(f"| {name} | {bar} | {result} | {seconds:,.0f} s |")
    return "\n".join(told)


def _said(name: str, found: list[dict[str, Any]]) -> tuple[str, str]:
    count = len(found)
    if name.startswith("estimate"):
        bar = ESTIMATES[name.removeprefix("estimate, ")]
        off = np.abs([line["off"] for line in found])
        inside = sum(line["holds"] for line in found)
        return f"within {bar}", (
            f"{(off <= bar).sum()} of {count}; off by {off.mean():.4f} on average, "
            f"{off.max():.4f} at most; the interval holds the AUC in {inside}"
        )
    if name == "change of concept":
        claimed = sum(line["claimed"] for line in found)
        seen = sum(line["found_with_labels"] for line in found)
        return "no claim of health", f"{claimed} of {count}; with labels {seen} are found"
    case = next(case for case in CASES if case.name == name)
    if case.wanted is None:
        windows = sum(len(line["alarms"]) for line in found)
        most = max(len(line["alarms"]) for line in found)
        any_alarm = sum(bool(line["alarms"]) for line in found)
        return case.bar, (
            f"{windows} of {count * case.windows:,} windows, {any_alarm} of {count} replays have "
            f"an alarm, none more than {most}"
        )
    soon = sum(
        line["first"] is not None and line["first"] < case.since + case.within for line in found
    )
    early = sum(any(place < case.since for place in line["alarms"]) for line in found)
    return case.bar, f"{soon} of {count}; {early} had an alarm before"


def main(arguments: list[str]) -> None:
    """Replays the cases and prints their table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks monitor", description=__doc__)
    parser.add_argument("--replays", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--cases", nargs="*", default=[], help="parts of names; without it all")
    parser.add_argument("--into", type=Path, help="file that keeps what was replayed")
    parser.add_argument("--load", action="store_true", help="time 1,000,000 rows instead")
    given = parser.parse_args(arguments)
    if given.load:
        print(f"1,000,000 rows, 20 columns, 10 slices: {load():.1f} s")
        return
    lines = []
    if given.into is not None and given.into.exists():
        lines = [json.loads(line) for line in given.into.read_text().splitlines()]
    done = {(line["case"], line["seed"]) for line in lines}
    seeds = range(given.first_seed, given.first_seed + given.replays)
    for line in _work(given.cases, seeds, done):
        lines.append(line)
        if given.into is not None:
            with given.into.open("a") as file:
                file.write(json.dumps(line) + "\n")
    print(say(lines))
