"""`python -m benchmarks feedback`: the join of predictions and outcomes, at full size.

300,000 predictions and 1,000,000 outcomes are made up, with 1 % of them handed in twice, 1 %
orphans, 0.5 % conflicting and 10 % late. Prints the seconds of a build, compares every state with a
loop in plain Python, and the bytes of builds that were killed with those of one that was not.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from fareline.digests import sha256_of_folder
from fareline.recorded.feedback import Outcome
from monitoring.feedback.folders import FeedbackFolder
from monitoring.feedback.sealing import HOUR_MS, build
from serving.server.log_files import closed_files
from tests.unit.monitoring.feedback.loop import (
    RULES,
    START,
    milliseconds,
    oracle,
    outcomes,
    predictions,
    workspace,
)

STEP_MS = 2_000  # 300,000 predictions in seven days
AS_OF = START + 12 * 24 * HOUR_MS


def main(arguments: list[str]) -> None:
    """Measures, compares and kills."""
    parser = argparse.ArgumentParser(prog="benchmarks feedback", description=__doc__)
    parser.add_argument("--predictions", type=int, default=300_000)
    parser.add_argument("--outcomes", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=50)
    given = parser.parse_args(arguments)
    of = list(predictions(given.predictions, step_ms=STEP_MS))
    # By id alone: a loop over all predictions of a cab for each outcome would take days.
    found = [o for o in outcomes(of, per_prediction=1.0) if o.prediction_id is not None]
    found += again(found, given.outcomes - len(found))
    with tempfile.TemporaryDirectory() as root:
        folder = workspace(Path(root, "whole"), of, found, files=8)
        seconds, processor = timed(folder)
        print(f"build: {seconds:.2f} s, {processor:.2f} s of processor time")
        compare(folder, of, found)
        kill(Path(root), of, found, given.kills)


def again(found: list[Outcome], more: int) -> list[Outcome]:
    """The same outcomes from another system, some seconds later."""
    chance = random.Random(9)
    return [
        Outcome(o.prediction_id, None, o.event_ms, o.arrival_ms + chance.randrange(9_000), o.value,
                "human")
        for o in chance.choices(found, k=max(more, 0))
    ]  # fmt: skip


def timed(folder: FeedbackFolder) -> tuple[float, float]:
    """Builds; seconds on the clock and of the processor."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    start, before = time.monotonic(), used()
    with folder.locked():
        build(folder, RULES, AS_OF, closed_files(folder.logs))
    return time.monotonic() - start, used() - before


def compare(folder: FeedbackFolder, of: list, found: list[Outcome]) -> None:
    """Prints in how many predictions the loop in Python differs."""
    expected, _ = oracle(of, found, AS_OF)
    table = pq.read_table(folder.place(1, 1) / "states.parquet", columns=["id", "state", "value"])
    states = {row["id"]: (row["state"], row["value"]) for row in table.to_pylist()}
    inside = {p.id: expected[p.id] for p in of if milliseconds(p) <= AS_OF - RULES.wait_ms}
    differ = sum(states.get(each) != state for each, state in inside.items())
    print(f"{len(states):,} predictions, {len(found):,} outcomes: {differ} differences")


def kill(root: Path, of: list, found: list[Outcome], points: int) -> None:
    """Prints how many builds that were killed and run again gave other bytes."""
    of, found = of[:20_000], found[:40_000]
    whole = workspace(root / "small", of, found)
    seconds, _ = timed(whole)
    expected, killed, other = sha256_of_folder(whole.spans), 0, 0
    for point in range(points):
        folder = workspace(root / "killed", of, found)
        child = os.fork()
        if not child:
            timed(folder)
            os._exit(0)
        time.sleep(seconds * point / points)
        os.kill(child, signal.SIGKILL)
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        timed(folder)
        other += sha256_of_folder(folder.spans) != expected
        shutil.rmtree(root / "killed")
    print(f"{killed} of {points} builds were killed; run again, {other} gave other bytes")
