"""Our cold run of all ten components against the stock taxi pipeline, alternating, whole processes.

The stock one is `tfx.examples.chicago_taxi_pipeline.taxi_pipeline_native_keras`, as the tfx wheel
ships it: eight components (no Tuner, no InfraValidator), legacy Keras, on the same data, with the
same interpreter. Both start from nothing: no metadata, no artifacts. Medians, and the ratio of each
pair, since machines drift; pairs alternate in order.

    make bench ARGS="local_run --repeats 3"
"""

import argparse
import importlib.util
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

REPOSITORY = Path(__file__).resolve().parents[1]
STOCK = "tfx.examples.chicago_taxi_pipeline.taxi_pipeline_native_keras"
TIMEOUT_SECONDS = 1800


def run_ours(folder: Path) -> dict[str, float]:
    """One cold run; returns seconds by node, and the whole process as `whole`."""
    command = [sys.executable, "-m", "runners.cli", "run", "--json", "--workspace", str(folder)]
    environment = _environment() | {"PYTHONPATH": str(REPOSITORY)}
    seconds, stdout = _time(command, environment, folder)
    answer = json.loads(stdout)
    if answer["status"] != "pushed":
        raise RuntimeError(f"our run ended {answer['status']}: see {answer['log']}")
    return {node["name"]: node["seconds"] for node in answer["nodes"]} | {"whole": seconds}


def run_stock(folder: Path) -> dict[str, float]:
    """One cold run in a HOME of its own, where the example wants its data and its module."""
    package = Path(importlib.util.find_spec("tfx").origin).parent
    example = package / "examples" / "chicago_taxi_pipeline"
    taxi = folder / "taxi"
    taxi.mkdir(parents=True)
    shutil.copytree(example / "data" / "simple", taxi / "data" / "simple")
    shutil.copy(example / "taxi_utils_native_keras.py", taxi)
    environment = _environment() | {"HOME": str(folder), "TF_USE_LEGACY_KERAS": "1"}
    seconds, _ = _time([sys.executable, "-m", STOCK], environment, folder)
    if not list((taxi / "serving_model").rglob("saved_model.pb")):
        raise RuntimeError("the stock pipeline pushed no model")
    return {"whole": seconds}


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def _time(command: list[str], environment: dict[str, str], folder: Path) -> tuple[float, str]:
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "stderr.log"
    with log.open("w") as stderr:
        start = time.monotonic()
        done = subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        seconds = time.monotonic() - start
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{tail}")
    return seconds, done.stdout


def measure(repeats: int) -> dict[str, list[dict[str, float]]]:
    """Runs pairs, the first of each pair in turn ours and the stock one."""
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "stock": []}
    contestants = [("ours", run_ours), ("stock", run_stock)]
    for repeat in range(repeats):
        for name, run in contestants if repeat % 2 == 0 else reversed(contestants):
            with tempfile.TemporaryDirectory() as folder:
                runs[name].append(run(Path(folder) / name))
            print(f"pair {repeat + 1}: {name} {runs[name][-1]['whole']:.1f} s", file=sys.stderr)
    return runs


def main(arguments: list[str]) -> None:
    """Prints both medians, the ratio, and where our time goes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks local_run", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="pairs of runs")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    runs = measure(options.repeats)
    if options.json:
        print(json.dumps(runs, indent=1))
        return
    console = Console()
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )
    table = Table("whole process, s", "median", "min", "max", box=None)
    for name in ("ours", "stock"):
        whole = [run["whole"] for run in runs[name]]
        table.add_row(name, *(f"{f(whole):.1f}" for f in (statistics.median, min, max)))
    console.print(table)
    pairs = zip(runs["ours"], runs["stock"], strict=True)
    ratios = [ours["whole"] / stock["whole"] for ours, stock in pairs]
    listed = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    console.print(f"ratio ours / stock: median {statistics.median(ratios):.2f} (pairs: {listed})")
    nodes = Table("node", "median s", box=None)
    for name in runs["ours"][0]:
        nodes.add_row(name, f"{statistics.median(run[name] for run in runs['ours']):.1f}")
    console.print(nodes)


if __name__ == "__main__":
    main(sys.argv[1:])
