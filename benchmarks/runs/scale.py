"""The whole pipeline on many generated rows: seconds, processor time and memory, node by node.

The rows are those of `fareline data generate`, the run is one process, from nothing to a pushed
model. It is watched from outside, twice a second: the processor time of the process and of
all that it started, and how much memory they hold together. What a node takes is what all of them
took between its start and its end; of nodes that run side by side each gets all of it, and so
the nodes may add up to more than the whole. A job server is a process of its own, which is watched
too with `--server`. The aims are of 3,000,000 rows on two cores.

    make bench ARGS="scale --rows 3000000"
    make bench ARGS="scale --rows 15000 300000 --set beam.engine=processes"
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
        used: Seconds since 1970, the processor time up to then, in seconds, and the memory then, in
            MB; of what several processes share, each has its part.
    """

    def __init__(self, pid: int, server: int | None = None):
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._server = psutil.Process(server) if server is not None else None
        self.used = [(time.time(), 0.0, 0.0)]
        self._before = self._sum([self._server])[0] if self._server else 0.0

    def run(self) -> None:
        """Notes, and sleeps."""
        while self._note():
            time.sleep(EVERY_SECONDS)

    def _note(self) -> bool:
        try:
            if self._process.status() == psutil.STATUS_ZOMBIE:
                return False
            processes = [self._process, *self._process.children(recursive=True)]
            if self._server is not None:
                processes += [self._server, *self._server.children(recursive=True)]
        except psutil.NoSuchProcess:
            return False
        seconds, memory = self._sum(processes)
        self.used.append((time.time(), max(seconds - self._before, self.used[-1][1]), memory))
        return True

    @staticmethod
    def _sum(processes: list[psutil.Process]) -> tuple[float, float]:
        seconds = memory = 0.0
        for process in processes:
            try:
                # A process that has ended is in the times of the children of the one that waited.
                seconds += sum(process.cpu_times()[:4])
                memory += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
                continue
        return seconds, memory / 2**20

    def between(self, start: float, end: float) -> float:
        """Processor time from one moment to another, seconds since 1970."""
        return self._until(end) - self._until(start)

    def peak_mb(self, start: float, end: float) -> float:
        """The most memory at a time from one moment to another, in MB."""
        seen = [memory for at, _, memory in self.used if start <= at <= end]
        return max(seen, default=0.0)

    def _until(self, moment: float) -> float:
        return next((used for at, used, _ in reversed(self.used) if at <= moment), 0.0)


def run_pipeline(
    source: Path, folder: Path, settings: list[str], server: int | None = None
) -> dict[str, Any]:
    """One cold run, watched.

    Args:
        source: CSV file.
        folder: Empty; the workspace is made in it.
        settings: What follows `--set`.
        server: Process id of a job server that works for the run.

    Returns:
        `seconds`, `cpu_seconds` and `peak_mb` of the whole, its `status`, and `nodes`: each `name`
        and the same three.
    """
    workspace = folder / "workspace"
    command = [sys.executable, "-m", "cli.app", "run", "--json", "--workspace", str(workspace)]
    for each in (f"data.source.csv={source}", *settings):
        command += ["--set", each]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    log = folder / "stderr.log"
    with log.open("w") as stderr:
        start = time.time()
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        watch = Watch(process.pid, server)
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
        "peak_mb": watch.peak_mb(start, end),
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
            "peak_mb": watch.peak_mb(execution.created / 1000, execution.updated / 1000),
        }
        for execution in graph.executions(node.execution_id for node in run.nodes)
    ]


def main(arguments: list[str]) -> None:
    """Prints what each node takes, and the whole beside the aims."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[AIM_ROWS])
    parser.add_argument("--set", action="append", default=[], help="a setting of the run")
    parser.add_argument("--server", type=int, help="process id of the job server of the engine")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    all_found = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            generate(Plan(rows=rows, seed=1), Path(folder) / "rows", taxi_csv_path())
            [source] = sorted((Path(folder) / "rows").glob("*.csv"))
            found = run_pipeline(source, Path(folder), options.set, options.server)
        all_found.append({"rows": rows, **found})
        if not options.json:
            _print(Console(), all_found[-1])
    if options.json:
        print(json.dumps(all_found, indent=1))


def _print(console: Console, found: dict[str, Any]) -> None:
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )
    table = Table(f"{found['rows']:,} rows", "s", "CPU s", "CPU s / s", "MB", box=None)
    for line in [*found["nodes"], {"name": "whole process", **found}]:
        cores = line["cpu_seconds"] / max(line["seconds"], 0.001)
        table.add_row(
            line["name"],
            f"{line['seconds']:.1f}",
            f"{line['cpu_seconds']:.1f}",
            f"{cores:.2f}",
            f"{line['peak_mb']:,.0f}",
        )
    console.print(table)
    console.print(
        f"most memory at a time {found['peak_mb']:,.0f} MB; the run ended {found['status']}"
    )
    if found["rows"] == AIM_ROWS:
        console.print(f"aims: {AIM_SECONDS} s, {AIM_MB:,} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
