"""`fareline init` and `fareline run`, unedited, on the tables of tests/tables, by split.

Each table gets a column of random identifiers, by whose hash it is split, so that each seed is
another split. Beside the model stands gradient boosting on the same split
(`evaluation.reference`). The last column is the mean difference over the seeds, so that more is
better, with its 95 % interval by Student's t.

    make bench ARGS="own_data --seeds 10 --output runs.yaml"
    make bench ARGS="own_data --tables iris churn --seeds 2"

One run takes about half a minute on two cores: ten seeds of all tables take two hours. Stopped and
called again with the same `--output`, it goes on where it was.
"""

import argparse
import dataclasses
import json
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table
from scipy import stats

from cli import app
from tests.tables.own_tables import OwnTable, own_tables

MAIN = {"binary": "auc", "multiclass": "accuracy", "regression": "rmse"}
HASH_COLUMN = "split_uuid"
OUTPUT, ERRORS = "output.json", "errors.txt"
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["runners.local.runner", "pipeline.dag", "models.trainer", "models.tuner"]
)


def split_anew(table: OwnTable, seed: int) -> OwnTable:
    """The same table with a column of identifiers to split by."""
    random = np.random.default_rng(1000 + seed)
    frame = table.frame.copy()
    frame.insert(0, HASH_COLUMN, [f"{random.integers(2**62):016x}" for _ in range(len(frame))])
    return dataclasses.replace(table, frame=frame)


def run_once(table: OwnTable, seed: int, folder: Path) -> dict:
    """Writes, looks and runs; returns the run's answer.

    The first seed goes on to Pusher; the others end with Evaluator, which has the metrics.
    """
    path = split_anew(table, seed).write(folder)
    failed = command(folder, ["init", path.name, "--label", table.label, "--json"])
    if failed:
        return {"status": "init failed", "error": failed}
    failed = command(
        folder,
        [
            *("run", "--config", f"{table.name}.yaml", "--workspace", "workspace", "--json"),
            *("--set", f"data.split_by={{hash: [{HASH_COLUMN}]}}"),
            *("--set", "evaluation.reference=boosting"),
            *(("--to", "Evaluator") if seed else ()),
        ],
    )
    try:
        return json.loads((folder / OUTPUT).read_text("utf-8"))
    except json.JSONDecodeError:
        return {"status": "run failed", "error": failed}


def command(folder: Path, words: list[str]) -> str:
    """What a `fareline` command says on stderr if it fails; stdout goes to the folder's OUTPUT.

    It is run by a fork of a process that has imported TensorFlow and TFX once for all.
    """
    process = FORKS.Process(target=_run_command, args=(folder, words))
    process.start()
    process.join()
    return (folder / ERRORS).read_text("utf-8").strip()[-300:] if process.exitcode else ""


def _run_command(folder: Path, words: list[str]) -> None:
    os.chdir(folder)
    for name, descriptor in ((OUTPUT, 1), (ERRORS, 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.argv = ["fareline", *words]
    app.main()


def difference_of(task: str, own: float, other: float) -> float:
    """How much better the model is: absolute, of an error as a share of the other's."""
    return (other - own) / other if task == "regression" else own - other


def measure(table: OwnTable, seed: int) -> dict:
    """Status and both metrics of one run."""
    with tempfile.TemporaryDirectory() as folder:
        told = run_once(table, seed, Path(folder))
    verdict = ((told.get("why") or {}).get("evaluator") or {}).get("verdict") or {}
    reference = (verdict.get("reference") or {}).get("metrics", {})
    metric = MAIN[table.task]
    return {
        "status": told["status"],
        "why": [told["error"]] if told.get("error") else told.get("reasons", []),
        "model": told.get("metrics", {}).get(metric),
        "boosting": reference.get(metric),
    }


def measure_all(tables: list[str], seeds: int, output: Path | None) -> dict[str, dict[int, dict]]:
    """All tables, seed by seed; runs that `output` holds are not repeated."""
    found = yaml.safe_load(output.read_text("utf-8")) if output and output.exists() else {}
    for seed in range(seeds):
        for name in tables:
            runs = found.setdefault(name, {})
            if seed in runs:
                continue
            runs[seed] = measure(own_tables()[name], seed)
            print(f"{name} seed {seed}: {json.dumps(runs[seed])}", file=sys.stderr, flush=True)
            if output:
                output.write_text(yaml.safe_dump(found), encoding="utf-8")
    return found


def summarize(name: str, task: str, rows: list[dict]) -> tuple[str, ...]:
    """A row of the table."""
    whole = [r for r in rows if r["model"] is not None and r["boosting"] is not None]
    done = sum(r["status"] in ("pushed", "completed") for r in rows)
    cells = [name, f"{done} of {len(rows)}", MAIN[task]]
    if not whole:
        return (*cells, "", "", "")
    own, other = (np.array([r[key] for r in whole]) for key in ("model", "boosting"))
    better = np.array([difference_of(task, *pair) for pair in zip(own, other, strict=True)])
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
    parser.add_argument(
        "--output", type=Path, help="YAML file of every run, which a later call goes on from."
    )
    arguments = parser.parse_args(argv)
    table = Table(box=None)
    for title in ("table", "done", "metric", "model", "boosting", "better by"):
        table.add_column(title)
    found = measure_all(arguments.tables, arguments.seeds, arguments.output)
    for name in arguments.tables:
        rows = [found[name][seed] for seed in range(arguments.seeds)]
        table.add_row(*summarize(name, own_tables()[name].task, rows))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
