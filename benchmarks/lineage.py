"""What questions to a store cost: whole processes from the shell, seconds and peak memory, medians.

Beside them what nobody can go below: importing the ML Metadata client, and reading a whole store
through it. A bar is the most that a command may take on the machine on which it was set (2 cores).

    make bench ARGS="lineage --repeats 5"
"""

import argparse
import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lineage.graph.graph import Graph
from lineage.ids import find_model
from lineage.store.open import open_store
from tests.stores.big import EXECUTIONS_PER_RUN, write_store

REPOSITORY = Path(__file__).resolve().parents[1]
SMALL, MANY, VERY_MANY = 5, 1_000, 10_000  # runs
_READ_ALL = """
import sys
from pathlib import Path
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
config = metadata_store_pb2.ConnectionConfig()
config.sqlite.filename_uri = sys.argv[1]
config.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
store = metadata_store.MetadataStore(config)
store.get_artifacts()
store.get_events_by_execution_ids([e.id for e in store.get_executions()])
"""
_MEASURE = """
import json, os, subprocess, sys, time
started = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
seconds = time.monotonic() - started
unit = 1024 ** 2 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes there, kilobytes here
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": usage.ru_maxrss / unit}))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """Something to measure.

    Attributes:
        name: As the table shows it.
        command: To run.
        most_seconds: The bar; None: there is none.
        most_megabytes: The bar of its memory.
    """

    name: str
    command: Sequence[str]
    most_seconds: float | None = None
    most_megabytes: float | None = None


@dataclasses.dataclass(frozen=True)
class Measured:
    """Medians of a case; `cpu` says more than `seconds` where others use the machine too."""

    case: Case
    seconds: float
    cpu: float
    megabytes: float

    @property
    def passes(self) -> bool:
        """Whether it keeps its bars."""
        return self.seconds <= (self.case.most_seconds or self.seconds) and self.megabytes <= (
            self.case.most_megabytes or self.megabytes
        )


def cases(folder: Path, largest: int) -> list[Case]:
    """Writes the stores and says what is measured on them."""
    stores = {runs: folder / f"{runs}.db" for runs in sorted({SMALL, MANY, largest})}
    for runs, path in stores.items():
        started = time.monotonic()
        write_store(path, runs)
        took = time.monotonic() - started
        print(f"a store of {runs:,} runs written in {took:.1f} s", file=sys.stderr)
    python = [sys.executable, "-c"]
    found = [
        Case("import ml_metadata", [*python, "import ml_metadata.metadata_store.metadata_store"]),
        Case(f"the client reads {MANY:,} runs", [*python, _READ_ALL, str(stores[MANY])]),
        Case(f"runs, {SMALL} runs", _fareline(stores[SMALL], "runs"), 0.8),
        Case(f"runs, {MANY:,} runs", _fareline(stores[MANY], "runs")),
    ]
    examples, model = _ids(stores[MANY])
    for words in (("impact", examples), ("upstream", model), ("upstream", "live")):
        command = _fareline(stores[MANY], *words)
        found.append(Case(f"{' '.join(words)}, {MANY:,} runs", command, 1.5, 300))
    page = str(folder / "page.html")
    html = _fareline(stores[MANY], "export", "--format", "html", "-o", page)
    found += [
        Case(f"models, {MANY:,} runs", _fareline(stores[MANY], "models")),
        Case(f"export --format html, {MANY:,} runs", html),
    ]
    _, model = _ids(stores[largest])
    command = _fareline(stores[largest], "upstream", model)
    found.append(Case(f"upstream {model}, {largest:,} runs", command, 3))
    return found


def measure(case: Case, repeats: int) -> Measured:
    """Runs the command and returns the medians; its output goes nowhere.

    A small process starts it: the system counts the memory of the starter as that of the started.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-S", "-c", _MEASURE, *case.command]
    runs = []
    for _ in range(repeats):
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{case.name} ended with an error: {done.stderr[-500:]}")
        runs.append(json.loads(done.stdout))
    medians = (
        statistics.median(run[key] for run in runs) for key in ("seconds", "cpu", "megabytes")
    )
    return Measured(case, *medians)


def main(arguments: list[str]) -> None:
    """Prints a table; exit code 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks lineage", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--largest", type=int, default=VERY_MANY, help="runs of the largest store")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(c, options.repeats) for c in cases(Path(folder), options.largest)]
    if options.json:
        keys = ("name", "seconds", "cpu", "megabytes", "passes")
        rows = [(r.case.name, r.seconds, r.cpu, r.megabytes, r.passes) for r in results]
        print(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=1))
    else:
        _print(results)
    sys.exit(0 if all(result.passes for result in results) else 1)


def _print(results: Sequence[Measured]) -> None:
    console = Console(width=120)  # in a pipe too, where rich would squeeze the columns
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; "
        f"a run is {EXECUTIONS_PER_RUN} executions"
    )
    heads = ("whole process", "seconds", "bar", "CPU", "MB", "bar", "/ import", "/ read all", "")
    table = Table(*heads, box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    importing, reading = (result.seconds for result in results[:2])
    for result in results:
        case = result.case
        table.add_row(
            case.name,
            f"{result.seconds:.2f}",
            f"{case.most_seconds:.1f}" if case.most_seconds else "",
            f"{result.cpu:.2f}",
            f"{result.megabytes:.0f}",
            f"{case.most_megabytes:.0f}" if case.most_megabytes else "",
            f"{result.seconds / importing:.1f}",
            f"{result.seconds / reading:.2f}",
            "" if result.passes else "MISSED",
        )
    console.print(table)


def _fareline(store: Path, *words: str) -> list[str]:
    script = Path(sys.executable).with_name("fareline")
    command = [str(script)] if script.is_file() else [sys.executable, "-m", "cli.app"]
    return [*command, "lineage", *words, "--store", f"sqlite:{store}"]


def _ids(store: Path) -> tuple[str, str]:
    """Printable ids of the first Examples and of the last run's model."""
    graph = Graph(open_store(store))
    return graph.artifacts_of_type("Examples")[0].key, find_model(graph, "latest").key
