"""How long a cold run takes by the number of its numeric columns, component by component.

Rows are drawn anew; the label hangs on the first column. The time of a run is that of the whole
process; beside it the processor time, which a busy machine changes less.

    make bench ARGS="columns --columns 25 50 100 200 --rows 10000"
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "pipeline" / "configs" / "taxi.yaml"
TIMEOUT_SECONDS = 3600


def make_source(columns: int, rows: int, folder: Path) -> Path:
    """Writes a CSV file and settings that scale every column; returns the path of the settings."""
    rng = np.random.default_rng(columns)
    names = [f"number_{place:04}" for place in range(columns)]
    numbers = rng.normal(3, 2, (rows, columns))
    labels = numbers[:, 0] + rng.normal(0, 1, rows) > 3
    table = np.column_stack([labels, numbers])
    np.savetxt(
        folder / "rows.csv",
        table,
        fmt=["%d", *["%.4f"] * columns],
        delimiter=",",
        header=",".join(["label", *names]),
        comments="",
    )
    settings = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    kept = {"task", "seed", "tuning", "training", "gate", "push", "metadata", "runners"}
    settings = {name: part for name, part in settings.items() if name in kept}
    settings |= {
        "name": "columns",
        "data": {"source": {"csv": "rows.csv"}, "splits": {"train": 8, "validate": 2, "eval": 5}},
        "schema": None,
        "features": {"numeric": {name: {"log": False} for name in names}},
        "label": {"column": "label"},
        "evaluation": {"thresholds": {"auc": {"at_least": 0.6}}},
    }
    path = folder / "columns.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


def run_once(settings: Path, folder: Path) -> dict[str, float]:
    """One cold run: seconds by component, and of the process as `whole` and `processor`."""
    command = [sys.executable, "-m", "cli.app", "run", "--json"]
    command += ["--config", str(settings), "--workspace", str(folder / "workspace")]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start, before = time.monotonic(), os.times()
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    seconds, after = time.monotonic() - start, os.times()
    if done.returncode:
        raise RuntimeError(f"the run ended with {done.returncode}:\n{done.stderr[-2000:]}")
    used = after.children_user + after.children_system
    taken = {node["name"]: node["seconds"] for node in json.loads(done.stdout)["nodes"]}
    return taken | {
        "whole": seconds,
        "processor": used - before.children_user - before.children_system,
    }


def main(arguments: list[str]) -> None:
    """Prints a line for each component, a column for each number of columns."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks columns", description=__doc__)
    parser.add_argument("--columns", type=int, nargs="+", default=[25, 50, 100, 200])
    parser.add_argument("--rows", type=int, default=10_000)
    given = parser.parse_args(arguments)
    found = {}
    for columns in given.columns:
        with tempfile.TemporaryDirectory() as folder:
            settings = make_source(columns, given.rows, Path(folder))
            found[columns] = run_once(settings, Path(folder))
        print(f"{columns} columns: {found[columns]['whole']:.1f} s", file=sys.stderr)
    table = Table("seconds", *(f"{columns:,} columns" for columns in found), box=None)
    for part in next(iter(found.values())):
        table.add_row(part, *(f"{taken[part]:.1f}" for taken in found.values()))
    console = Console()
    console.print(f"{given.rows:,} rows, {os.cpu_count()} cores")
    console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
