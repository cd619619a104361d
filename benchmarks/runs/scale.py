"""The whole pipeline on many generated rows: seconds, processor time and memory, node by node.

The rows are those of `fareline data generate`, the run is one process, from nothing to a pushed
model. It is watched from outside, twice a second: the processor time of the process and of
all that it started, and how much memory they hold together. The processor time of a node is what
they used between its start and its end; of nodes that run side by side each gets all of it, and so
the nodes may add up to more than the whole. The aims are of 3,000,000 rows on two cores.

    make bench ARGS="scale --rows 3000000"
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from data.generate.generate import Plan, generate
from data.taxi import taxi_csv_path

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 3600
EVERY_SECONDS = 0.5
AIM_ROWS, AIM_SECONDS, AIM_MB = 3_000_000, 300, 2048


class Watch(threading.Thread):
    """Notes what a process and its children use, until it ends.

    Attributes:
        used: Pairs of seconds since 1970 and the processor time up to then, in seconds.
        peak_mb: The most memory at a time; of what several processes share, each has its part.
    """

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self.used = [(time.time(), 0.0)]
        self.peak_mb = 0.0

    def run(self) -> None:
        """Notes, and sleeps."""
        while self._note():
            time.sleep(EVERY_SECONDS)

    def _note(self) -> bool:
        try:
            if self._process.status() == psutil.STATUS_ZOMBIE:
                return False
            processes = [self._process, *self._process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return False
        seconds = memory = 0.0
        for process in processes:
            try:
                # A process that has ended is in the times of the children of the one that waited.
                seconds += sum(process.cpu_times()[:4])
                memory += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
                continue
        self.used.append((time.time(), max(seconds, self.used[-1][1])))
        self.peak_mb = max(self.peak_mb, memory / 2**20)
        return True

    def between(self, start: float, end: float) -> float:
        """Processor time from one moment to another, seconds since 1970."""
        return self._until(end) - self._until(start)

    def _until(self, moment: float) -> float:
        return next((used for at, used in reversed(self.used) if at <= moment), 0.0)


def run_pipeline(source: Path, folder: Path) -> dict[str, Any]:
    """One cold run, watched.

    Returns:
        `seconds`, `cpu_seconds` and `peak_mb` of the whole, its `status`, and `nodes`: each `name`,
        `seconds` and `cpu_seconds`.
    """
    workspace = folder / "workspace"
    command = [sys.executable, "-m", "cli.app", "run", "--json", "--workspace", str(workspace)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    log = folder / "stderr.log"
    with log.open("w") as stderr:
        start = time.time()
        process = subprocess.Popen(
            [*command, "--set", f"data.source.csv={source}"],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        watch = Watch(process.pid)
        watch.start()
        try:
            stdout, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        finally:
            process.kill()
        end = time.time()
    watch.join()
    if not stdout:
        raise RuntimeError(f"the run ended with {process.returncode}:\n{log.read_text()[-2000:]}")
    return {
        "status": json.loads(stdout)["status"],
        "seconds": end - start,
        "cpu_seconds": watch.between(start, end),
        "peak_mb": watch.peak_mb,
        "nodes": _measure_nodes(workspace / "metadata.db", watch),
    }


def _measure_nodes(store: Path, watch: Watch) -> list[dict[str, Any]]:
    """What was used between the start and the end of each execution in the store."""
    from lineage.facts.runs import list_runs
    from lineage.graph.graph import Graph
    from lineage.store.open import open_store

    graph = Graph(open_store(str(store)))
    [run] = list_runs(graph)
    return [
        {
            "name": execution.place.node,
            "seconds": execution.seconds,
            "cpu_seconds": watch.between(execution.created / 1000, execution.updated / 1000),
        }
        for execution in graph.executions(node.execution_id for node in run.nodes)
    ]


def main(arguments: list[str]) -> None:
    """Prints what each node takes, and the whole beside the aims."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale", description=__doc__)
    parser.add_argument("--rows", type=int, default=AIM_ROWS)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        generate(Plan(rows=options.rows, seed=1), Path(folder) / "rows", taxi_csv_path())
        [source] = sorted((Path(folder) / "rows").glob("*.csv"))
        found = {"rows": options.rows, **run_pipeline(source, Path(folder))}
    if options.json:
        print(json.dumps(found, indent=1))
        return
    _print(Console(), found)


def _print(console: Console, found: dict[str, Any]) -> None:
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )
    table = Table(f"{found['rows']:,} rows", "s", "CPU s", "CPU s / s", box=None)
    for line in [*found["nodes"], {"name": "whole process", **found}]:
        cores = line["cpu_seconds"] / max(line["seconds"], 0.001)
        table.add_row(
            line["name"], f"{line['seconds']:.1f}", f"{line['cpu_seconds']:.1f}", f"{cores:.2f}"
        )
    console.print(table)
    console.print(
        f"most memory at a time {found['peak_mb']:,.0f} MB; the run ended {found['status']}"
    )
    if found["rows"] == AIM_ROWS:
        console.print(f"aims: {AIM_SECONDS} s, {AIM_MB:,} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
