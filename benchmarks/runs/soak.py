"""Runs a small pipeline over and over, each time from nothing: does any run hang or fail?

Beam's runners and TensorFlow's shutdown have hung or crashed on some releases, once in many runs.

    make bench ARGS="soak --runs 20"
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 300
SMALL = (
    "training.steps=32",
    "training.evaluate_every=16",
    "tuning.trials=1",
    "tuning.steps=8",
    "evaluation.thresholds.auc={at_least: 0.5}",
)


def run_once() -> float:
    """One cold run; returns its seconds.

    Raises:
        RuntimeError: It ended with another code than 0.
        subprocess.TimeoutExpired: It hung.
    """
    overrides = [part for setting in SMALL for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "cli.app", "run", "--workspace", folder, *overrides]
        start = time.monotonic()
        done = subprocess.run(
            command, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
        if done.returncode:
            raise RuntimeError(f"ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return time.monotonic() - start


def main(arguments: list[str]) -> None:
    """Prints each run's seconds, then their spread; ends with 1 if any run failed or hung."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args(arguments)
    seconds, bad = [], 0
    for number in range(1, options.runs + 1):
        try:
            seconds.append(run_once())
            print(f"run {number}: {seconds[-1]:.1f} s", flush=True)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            bad += 1
            print(f"run {number}: {error}", flush=True)
    if seconds:
        spread = f"{min(seconds):.1f} to {max(seconds):.1f} s"
        print(f"median {statistics.median(seconds):.1f} s, {spread}")
    print(f"{len(seconds)} runs ended well, {bad} did not")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
