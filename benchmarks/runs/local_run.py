"""Our runs on the taxi data against TFX's stock pipeline, the floor, and an older checkout.

The stock pipeline is `tfx.examples.chicago_taxi_pipeline.taxi_pipeline_native_keras`, as the tfx
wheel ships it: eight components (no Tuner, no InfraValidator), legacy Keras, on the same data, with
the same interpreter. The floor is `benchmarks.runs.floor`: the same work without TFX. Each round
starts every contestant from nothing, in turn first and last; ours then runs three times more in its
workspace: again (Evaluator meets a baseline), unchanged, and with one feature changed. Whole
processes: wall time, and processor time of the process and its children. Machines drift, so ratios
are those of a round.

    make bench ARGS="local_run --repeats 3"
    make bench ARGS="local_run --against ../fareline-of-last-week"
"""

import argparse
import importlib.util
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parents[2]
STOCK = "tfx.examples.chicago_taxi_pipeline.taxi_pipeline_native_keras"
TIMEOUT_SECONDS = 1800
ANOTHER_FEATURE = "features.bucketized.trip_miles=12"  # of 10
IMPORTS = (
    "from fareline import collector\n"
    "with collector.paused():\n"
    "    import pipeline.dag, runners.local.runner, runners.local.publication\n"
    "import os\n"
    "os._exit(0)\n"
)
AIMS = (
    # what, of what, wall or processor, at most
    ("cold", "stock", "wall", 0.28),
    ("cold", "before", "processor", 0.55),
)

Seconds = dict[str, float]


def run_ours(folder: Path) -> dict[str, Seconds]:
    """A cold run, three more in its workspace, and imports alone."""
    once = {"imports": _time([sys.executable, "-c", IMPORTS], _environment(REPOSITORY), folder)[0]}
    cold, nodes = _run_checkout(REPOSITORY, folder)
    once |= {"cold": cold, "nodes": nodes}
    once["second"], _ = _run_checkout(REPOSITORY, folder)
    once["unchanged"], _ = _run_checkout(REPOSITORY, folder)
    once["one feature changed"], _ = _run_checkout(REPOSITORY, folder, ANOTHER_FEATURE)
    return once


def _run_checkout(checkout: Path, folder: Path, *overrides: str) -> tuple[Seconds, Seconds]:
    """One `fareline run` of a checkout: the whole process, and seconds by node."""
    command = [sys.executable, "-m", "cli.app", "run", "--json", "--workspace", str(folder)]
    command += [part for override in overrides for part in ("--set", override)]
    seconds, stdout = _time(command, _environment(checkout), folder)
    answer = json.loads(stdout)
    if answer["status"] != "pushed":
        raise RuntimeError(f"the run ended {answer['status']}: see {answer['log']}")
    return seconds, {node["name"]: node["seconds"] for node in answer["nodes"]}


def run_stock(folder: Path) -> dict[str, Seconds]:
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
    return {"stock": seconds}


def run_floor(folder: Path) -> dict[str, Seconds]:
    """The same work without TFX."""
    command = [sys.executable, "-m", "benchmarks.runs.floor"]
    return {"floor": _time(command, _environment(REPOSITORY), folder)[0]}


def _environment(checkout: Path | None = None) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return kept if checkout is None else kept | {"PYTHONPATH": str(checkout)}


def _time(command: list[str], environment: dict[str, str], folder: Path) -> tuple[Seconds, str]:
    """Runs a process to its end: seconds of wall and processor time, and its stdout."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "stderr.log"
    with log.open("w") as stderr:
        before, start = _processor_seconds(), time.monotonic()
        done = subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        wall = time.monotonic() - start
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{tail}")
    return {"wall": wall, "processor": _processor_seconds() - before}, done.stdout


def _processor_seconds() -> float:
    """Of all processes that this one has waited for, and of those that they have."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(repeats: int, against: Path | None) -> list[dict[str, Seconds]]:
    """Runs rounds; every other one in reverse order."""
    contestants: dict[str, Callable[[Path], dict[str, Seconds]]] = {
        "ours": run_ours,
        "stock": run_stock,
        "floor": run_floor,
    }
    if against is not None:
        contestants["before"] = lambda folder: {"before": _run_checkout(against, folder)[0]}
    rounds = []
    for repeat in range(repeats):
        found: dict[str, Seconds] = {}
        for name in list(contestants) if repeat % 2 == 0 else reversed(list(contestants)):
            with tempfile.TemporaryDirectory() as folder:
                found |= contestants[name](Path(folder) / name)
            print(f"round {repeat + 1}: {name} is done", file=sys.stderr)
        rounds.append(found)
    return rounds


def main(arguments: list[str]) -> None:
    """Prints medians, the ratios that have an aim, and where our time goes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks local_run", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--against", type=Path, help="an older checkout, for this environment")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    against = options.against.resolve() if options.against else None
    rounds = measure(options.repeats, against)
    if options.json:
        print(json.dumps(rounds, indent=1))
        return
    console = Console()
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )
    table = Table("whole process, s", "wall: median", "min", "max", "processor: median", box=None)
    for name in [name for name in rounds[0] if name != "nodes"]:
        wall = [each[name]["wall"] for each in rounds]
        processor = statistics.median(each[name]["processor"] for each in rounds)
        row = (f"{f(wall):.1f}" for f in (statistics.median, min, max))
        table.add_row(name, *row, f"{processor:.1f}")
    console.print(table)
    for what, of, kind, aim in AIMS:
        if of not in rounds[0]:
            continue
        ratios = [each[what][kind] / each[of][kind] for each in rounds]
        listed = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        console.print(
            f"{kind} time, {what} / {of}: median {statistics.median(ratios):.2f}, "
            f"aim {aim} (rounds: {listed})"
        )
    nodes = Table("node", "median s", box=None)
    for name in rounds[0]["nodes"]:
        nodes.add_row(name, f"{statistics.median(each['nodes'][name] for each in rounds):.1f}")
    console.print(nodes)


if __name__ == "__main__":
    main(sys.argv[1:])
