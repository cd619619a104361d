"""What a cached step costs by itself, with a warm process and without, after one whole run.

Every node of a run whose steps are all cached is run by `fareline step run`, as an orchestrator
does, first without and then with the process of `step begin --warm`. Wall time of the command, and
processor time of all that worked for it.

    make bench ARGS="cached_steps --set training.steps=50"
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

FARELINE = Path(sys.executable).parent / "fareline"
TICKS = os.sysconf("SC_CLK_TCK")


def fareline(*words: str | Path) -> str:
    """Runs a command of ours, and returns what it printed on stdout."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [str(FARELINE), *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def warm_process(workspace: Path) -> int | None:
    """Process id of the warm process; None if there is none."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text().split("\0")
        except OSError:
            continue
        if "runners.steps.warm" in words and str(workspace) in words:
            return int(path.parent.name)
    return None


def seconds_of(pid: int | None) -> float:
    """Processor time of a process and of those that it has waited for; 0 if there is none."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def processor_seconds(pid: int | None) -> float:
    """Of the commands that this process has waited for, and of a warm process."""
    times = os.times()
    return times.children_user + times.children_system + seconds_of(pid)


def main(arguments: list[str]) -> None:
    """Prints a table: what, median, least and most of both times."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks cached_steps", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--set", action="append", default=[], help="as of `fareline run`")
    settings = [word for each in parser.parse_args(arguments).set for word in ("--set", each)]
    table = Table("a cached step, s", "", "median", "least", "most", box=None)
    with tempfile.TemporaryDirectory() as folder:
        place = ("-w", Path(folder) / "workspace")
        fareline("run", *place, *settings)
        # What meets a baseline for the first time is executed, and cached from then on.
        for run, options in (("first", ()), ("by-itself", ()), ("warm", ("--warm",))):
            begun = json.loads(fareline("step", "begin", "--run", run, *options, *place, *settings))
            nodes = list(begun["nodes"])
            fareline("step", "run", nodes[0], "--run", run, *place)  # waits for the warm process
            pid = warm_process(place[1])
            wall, processor = [], []
            for node in nodes[1:]:
                start, before = time.monotonic(), processor_seconds(pid)
                said = json.loads(fareline("step", "run", node, "--run", run, *place))
                if said["state"] == "cached":
                    wall.append(time.monotonic() - start)
                    processor.append(processor_seconds(pid) - before)
            fareline("step", "end", "--run", run, *place)
            if run != "first":
                for name, found in (("wall", wall), ("processor", processor)):
                    figures = (f"{f(found):.2f}" for f in (statistics.median, min, max))
                    table.add_row(f"{run} ({len(found)})", name, *figures)
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
