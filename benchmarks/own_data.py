"""`fareline init` and `fareline run`, unedited, on the tables of tests/tables, by split.

Each table gets a column of random identifiers, by whose hash it is split, so that each seed is
another split. Beside the model stands gradient boosting on the same split
(`evaluation.reference`). The last column is the mean difference over the seeds, so that more is
better, with its 95 % interval by Student's t.

    make bench ARGS="own_data --seeds 10"
    make bench ARGS="own_data --tables iris churn --seeds 2"

One run takes about a minute on two cores: ten seeds of all tables take hours.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table
from scipy import stats

from tests.tables.own_tables import OwnTable, own_tables

MAIN = {"binary": "auc", "multiclass": "accuracy", "regression": "rmse"}
HASH_COLUMN = "split_uuid"


def split_anew(table: OwnTable, seed: int) -> OwnTable:
    """The same table with a column of identifiers to split by."""
    random = np.random.default_rng(1000 + seed)
    frame = table.frame.copy()
    frame.insert(0, HASH_COLUMN, [f"{random.integers(2**62):016x}" for _ in range(len(frame))])
    return dataclasses.replace(table, frame=frame)


def run_once(table: OwnTable, seed: int, folder: Path) -> dict:
    """Writes, looks and runs; returns the run's answer."""
    path = split_anew(table, seed).write(folder)
    command = [sys.executable, "-m", "cli.app"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    looked = subprocess.run(
        [*command, "init", path.name, "--label", table.label, "--json"],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if looked.returncode:
        return {"status": f"init: {looked.stderr.strip()}"}
    done = subprocess.run(
        [
            *command, "run", "--config", f"{table.name}.yaml", "--workspace", "workspace", "--json",
            "--set", f"data.split_by={{hash: [{HASH_COLUMN}]}}",
            "--set", "evaluation.reference=boosting",
        ],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"status": f"run: {done.stderr.strip()[-300:]}"}


def difference_of(task: str, own: float, other: float) -> float:
    """How much better the model is: absolute, of an error as a share of the other's."""
    return (other - own) / other if task == "regression" else own - other


def measure(table: OwnTable, seeds: int, say) -> dict:
    """All seeds of one table: statuses, and both metrics of each."""
    rows = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            told = run_once(table, seed, Path(folder))
        verdict = ((told.get("why") or {}).get("evaluator") or {}).get("verdict") or {}
        reference = (verdict.get("reference") or {}).get("metrics", {})
        metric = MAIN[table.task]
        rows.append(
            {
                "status": told["status"] + (f": {told['error']}" if told.get("error") else ""),
                "model": told.get("metrics", {}).get(metric),
                "boosting": reference.get(metric),
            }
        )
        say(f"{table.name} seed {seed}: {json.dumps(rows[-1])}")
    return {"name": table.name, "task": table.task, "rows": rows}


def summarize(found: dict) -> tuple[str, ...]:
    """A row of the table."""
    whole = [r for r in found["rows"] if r["model"] is not None and r["boosting"] is not None]
    pushed = sum(r["status"] == "pushed" for r in found["rows"])
    cells = [found["name"], f"{pushed} of {len(found['rows'])}", MAIN[found["task"]]]
    if not whole:
        return (*cells, "", "", "")
    own, other = (np.array([r[key] for r in whole]) for key in ("model", "boosting"))
    better = np.array(
        [difference_of(found["task"], *pair) for pair in zip(own, other, strict=True)]
    )
    interval = ""
    if len(better) > 1:
        half = stats.t.ppf(0.975, len(better) - 1) * better.std(ddof=1) / np.sqrt(len(better))
        interval = f" ± {half:.4f}"
    return (*cells, f"{own.mean():.4f}", f"{other.mean():.4f}", f"{better.mean():+.4f}{interval}")


def main(argv=None):
    """Measures, prints a line per run on stderr and a table at the end."""
    parser = argparse.ArgumentParser(prog="benchmarks.own_data")
    parser.add_argument("--tables", nargs="*", default=sorted(own_tables()))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--output", type=Path, help="YAML file of every run.")
    arguments = parser.parse_args(argv)
    table = Table(box=None)
    for title in ("table", "pushed", "metric", "model", "boosting", "better by"):
        table.add_column(title)
    found = []
    for name in arguments.tables:
        found.append(
            measure(own_tables()[name], arguments.seeds, lambda text: print(text, file=sys.stderr))
        )
        table.add_row(*summarize(found[-1]))
        if arguments.output:
            arguments.output.write_text(yaml.safe_dump(found), encoding="utf-8")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
