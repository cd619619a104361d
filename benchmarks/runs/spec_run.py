"""The compiled Vertex spec executed here against the local run, alternating, whole processes.

Both run the default taxi pipeline on the same file, from nothing to a pushed model. Afterwards the
spec is executed twice more in its workspace: of these two the first meets a baseline for the first
time, so that Evaluator and Pusher run; the last is served from the cache. Medians, and the ratio of
each pair.

    make bench ARGS="spec_run --repeats 2"
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data.taxi import taxi_csv_path

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 1800
BUCKET = "gs://example-bucket"  # of pipeline/configs/taxi.yaml


def fareline(*arguments: str | Path) -> str:
    """Runs a command of ours, and returns what it printed on stdout."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(REPOSITORY)
    command = [sys.executable, "-m", "cli.app", *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def timed_run(*arguments: str | Path) -> dict[str, float]:
    """One `fareline run`; returns seconds by node, and of the whole process as `whole`."""
    start = time.monotonic()
    answer = json.loads(fareline("run", "--json", *arguments))
    seconds = time.monotonic() - start
    if answer["status"] != "pushed":
        raise RuntimeError(f"the run ended {answer['status']}: see {answer['log']}")
    return {node["name"]: node["seconds"] for node in answer["nodes"]} | {"whole": seconds}


def run_local(folder: Path) -> list[dict[str, float]]:
    """The pipeline on this machine."""
    return [timed_run("--workspace", folder / "workspace")]


def run_spec(folder: Path) -> list[dict[str, float]]:
    """The compiled Vertex spec, from nothing and then twice more."""
    data = folder / "bucket" / "chicago-taxi" / "data"
    data.mkdir(parents=True)
    shutil.copy(taxi_csv_path(), data)
    spec = folder / "pipeline.json"
    fareline("compile", "vertex", "-o", spec)
    arguments = ("--spec", spec, "--map", f"{BUCKET}={folder / 'bucket'}")
    return [timed_run(*arguments, "--workspace", folder / "workspace") for _ in range(3)]


def main(arguments: list[str]) -> None:
    """Prints the medians, the ratio of each pair, and where the time goes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks spec_run", description=__doc__)
    parser.add_argument("--repeats", type=int, default=1, help="pairs of runs")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    runs: dict[str, list[list[dict[str, float]]]] = {"local": [], "spec": []}
    contestants = [("local", run_local), ("spec", run_spec)]
    for repeat in range(options.repeats):
        for name, run in contestants if repeat % 2 == 0 else reversed(contestants):
            with tempfile.TemporaryDirectory() as folder:
                runs[name].append(run(Path(folder)))
            whole = ", ".join(f"{one['whole']:.1f} s" for one in runs[name][-1])
            print(f"pair {repeat + 1}: {name} {whole}", file=sys.stderr)
    if options.json:
        print(json.dumps(runs, indent=1))
        return
    _print(Console(), runs)


def _print(console: Console, runs: dict[str, list[list[dict[str, float]]]]) -> None:
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )
    rows = {
        "local run": [one[0] for one in runs["local"]],
        "Vertex spec": [one[0] for one in runs["spec"]],
        "again, with a baseline now": [one[1] for one in runs["spec"]],
        "again, all cached": [one[2] for one in runs["spec"]],
    }
    table = Table("whole process, s", "median", "min", "max", box=None)
    for name, found in rows.items():
        whole = [one["whole"] for one in found]
        table.add_row(name, *(f"{f(whole):.1f}" for f in (statistics.median, min, max)))
    console.print(table)
    pairs = zip(rows["Vertex spec"], rows["local run"], strict=True)
    ratios = [spec["whole"] / local["whole"] for spec, local in pairs]
    listed = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    console.print(f"ratio spec / local: median {statistics.median(ratios):.2f} (pairs: {listed})")
    nodes = Table("node", *rows, box=None)
    for name in {name: None for found in rows.values() for name in found[0]}:
        cells = [[one[name] for one in found if name in one] for found in rows.values()]
        nodes.add_row(name, *(f"{statistics.median(c):.1f}" if c else "" for c in cells))
    console.print(nodes)


if __name__ == "__main__":
    main(sys.argv[1:])
