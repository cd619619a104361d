#!/usr/bin/env python3
"""This machine's stack and the current one, in a clean Debian 13, on the same workspaces.

    .ci/two_stacks.py stores           one store, written and continued by both, in both directions
    .ci/two_stacks.py bench -n 3       the default cold run on both, alternating, per node

Needs root, like debian13.py, which it starts; and `make setup` before. Standard library only.
"""
# ruff: noqa: T201

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
SKIP = "FARELINE_SKIP_CURRENT"
RUN = (".venv/bin/fareline", "run", "--json")
# A pipeline of seconds per node, on a file that both see at one path.
SMALL = (
    "training.steps=32",
    "training.evaluate_every=16",
    "tuning.trials=1",
    "tuning.steps=8",
    "evaluation.thresholds.auc={at_least: 0.5, at_most_below_baseline: 0.5}",
)
# Reads one command per line, runs it, and answers with its exit code.
LOOP = "make -s setup >&2 && echo ready && "
LOOP += 'while read -r line; do sh -c "$line" </dev/null >&2; echo $?; done'


class Host:
    """The stack of this checkout's .venv."""

    name = "this machine"

    def run(self, command: str) -> int:
        """Runs a shell command in the checkout and returns its exit code."""
        return subprocess.run(
            ["sh", "-c", command], cwd=CHECKOUT, stdin=subprocess.DEVNULL
        ).returncode


class Debian13:
    """The current stack: one shell in one clean room, for as many commands as wanted.

    Args:
        share: Folder that both see.
    """

    name = "Debian 13"

    def __init__(self, share: Path):
        command = [sys.executable, str(CHECKOUT / ".ci/debian13.py"), "--share", str(share)]
        self._shell = subprocess.Popen(
            [*command, "sh", "-c", LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Debian13:
        if self._shell.stdout.readline().strip() != "ready":
            raise SystemExit(
                f"two_stacks: no current stack; debian13.py ended {self._shell.wait()}"
            )
        return self

    def run(self, command: str) -> int:
        """Runs a shell command in the clone and returns its exit code."""
        self._shell.stdin.write(command + "\n")
        self._shell.stdin.flush()
        return int(self._shell.stdout.readline())

    def __exit__(self, *exception: object) -> None:
        self._shell.stdin.close()
        self._shell.wait()


def run_pipeline(stack: Host | Debian13, workspace: Path, *settings: str) -> dict:
    """Runs the pipeline on a stack and returns what `--json` printed."""
    answer = workspace.parent / f"{workspace.name}.json"
    overrides = [part for setting in settings for part in ("--set", setting)]
    words = [*RUN, "--workspace", str(workspace), *overrides]
    code = stack.run(f"{shlex.join(words)} > {shlex.quote(str(answer))} 2>&2")
    if code != 0:
        raise SystemExit(f"two_stacks: the run on {stack.name} ended with {code}")
    return json.loads(answer.read_text())


def states(answer: dict) -> dict[str, str]:
    """Node to state, the resolver left out: it only looks, in every run."""
    return {n["name"]: n["state"] for n in answer["nodes"] if n["name"] != "BaselineResolver"}


def check_continuation(first: Host | Debian13, second: Host | Debian13, share: Path) -> None:
    """Runs the pipeline on one stack, then on the other: only what has a baseline now runs again.

    Raises:
        SystemExit: Something else ran, no baseline was found, or the store lost a run.
    """
    workspace = share / first.name.replace(" ", "-")
    settings = (f"data.source.csv={share / 'trips.csv'}", *SMALL)
    runs = [run_pipeline(stack, workspace, *settings) for stack in (first, second)]
    executed = {name for name, state in states(runs[1]).items() if state == "executed"}
    print(f"{first.name}, then {second.name}: executed again {', '.join(sorted(executed))}")
    if executed != {"Evaluator", "Pusher"} or not runs[1]["baseline"]:
        raise SystemExit(f"two_stacks: expected Evaluator and Pusher, and a baseline: {runs[1]}")
    for stack in (first, second):
        listing = share / "runs.json"
        command = f".venv/bin/fareline lineage runs --json --workspace {workspace} > {listing}"
        if stack.run(command) != 0:
            raise SystemExit(f"two_stacks: lineage on {stack.name} failed")
        recorded = {r["run_id"]: {n["name"]: n["state"] for n in r["nodes"]}
                    for r in json.loads(listing.read_text())}  # fmt: skip
        expected = {r["run_id"]: {n["name"]: n["state"] for n in r["nodes"]} for r in runs}
        if recorded != expected:
            raise SystemExit(f"two_stacks: {stack.name} reads {recorded}, expected {expected}")


def prove_stores() -> None:
    """One store, both stacks, in both directions."""
    with tempfile.TemporaryDirectory(prefix="fareline-stores-") as folder:
        share = Path(folder)
        os.chmod(share, 0o755)
        taxi = "from data.taxi import taxi_csv_path; print(taxi_csv_path())"
        source = subprocess.run(
            [str(CHECKOUT / ".venv/bin/python"), "-c", taxi],
            cwd=CHECKOUT, check=True, stdout=subprocess.PIPE, text=True,
        ).stdout.strip()  # fmt: skip
        (share / "trips.csv").write_bytes(Path(source).read_bytes())
        with Debian13(share) as current:
            check_continuation(Host(), current, share)
            check_continuation(current, Host(), share)
    print("one store, both stacks, both directions: as expected")


def bench(repeats: int) -> None:
    """Alternates the default cold run on both stacks; prints medians per node."""
    seconds: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="fareline-stacks-") as folder:
        share = Path(folder)
        with Debian13(share) as current:
            for repeat in range(repeats):
                pair = [Host(), current]
                for stack in pair if repeat % 2 == 0 else pair[::-1]:
                    workspace = share / f"{stack.name.replace(' ', '-')}-{repeat}"
                    answer = run_pipeline(stack, workspace)
                    nodes = {n["name"]: n["seconds"] for n in answer["nodes"]}
                    nodes |= {"whole": answer["wall_seconds"]}
                    seconds.setdefault(stack.name, []).append(nodes)
    names = [Host.name, Debian13.name]
    print(f"median of {repeats}, s".ljust(20), *(name.rjust(14) for name in names))
    for node in seconds[names[0]][0]:
        medians = [statistics.median(run[node] for run in seconds[name]) for name in names]
        print(node.ljust(20), *(f"{median:14.1f}" for median in medians))


def main() -> None:
    """Reads the arguments and does it."""
    parser = argparse.ArgumentParser(prog="two_stacks", description=__doc__)
    parser.add_argument("what", choices=("stores", "bench"))
    parser.add_argument("-n", "--repeats", type=int, default=3)
    chosen = parser.parse_args()
    if os.environ.get(SKIP) == "1":
        print(f"two_stacks: SKIPPED, since {SKIP}=1", file=sys.stderr)
        return
    if chosen.what == "stores":
        prove_stores()
    else:
        bench(chosen.repeats)


if __name__ == "__main__":
    main()
