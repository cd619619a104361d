"""`python -m benchmarks estimate`: its arithmetic, and that the page has what it computes."""

import json
import re
import subprocess
import sys

import pytest

from fareline.packages import CHECKOUT

NODES = ("ExampleGen", "StatisticsGen", "Transform", "Evaluator")
MEASURED = (CHECKOUT / "docs" / "measured.md").read_text(encoding="utf-8")


def estimate(tmp_path, times, *words):
    """Lines by node; `times` are processor seconds by node, by the number of rows."""
    file = tmp_path / "times.json"
    file.write_text(json.dumps([
        {"rows": rows, "nodes": [{"name": n, "cpu_seconds": s} for n, s in by_node.items()]}
        for rows, by_node in times.items()
    ]))  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "estimate", str(file), "--json", *words],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    [lines] = json.loads(done.stdout).values()
    return {line["node"]: line for line in lines}


def test_hours_and_cost_follow_from_the_slope(tmp_path):
    times = {
        1_000_000: {"ExampleGen": 20.0, "Transform": 30.0, "Trainer": 7.0},
        3_000_000: {"ExampleGen": 38.0, "Transform": 102.0, "Trainer": 99.0},
    }
    found = estimate(
        tmp_path, times, "--rows", "400000000", "--busy", "0.5", "--vcpus", "10", "--gb-per-vcpu",
        "4", "--shuffle-bytes", "100", "--vcpu-price", "1", "--gb-price", "0.5",
        "--shuffle-price", "0.1",
    )  # fmt: skip
    assert set(found) == {"ExampleGen", "Transform", "whole"}  # Trainer does not run on Dataflow
    # 9 s and 36 s for a million: 1 h and 4 h for 400 million, paid twice as half of it works
    assert found["ExampleGen"] == pytest.approx(
        {"seconds_per_million": 9, "vcpu_hours": 2, "gb_hours": 8, "shuffle_gb": 40,
         "hours": 0.2, "cost": 2 + 4 + 4} | {"node": "ExampleGen"}
    )  # fmt: skip
    assert found["Transform"]["cost"] == pytest.approx(8 + 16)
    assert found["whole"]["cost"] == pytest.approx(34)


def test_the_page_has_what_the_command_computes_from_its_own_figures(tmp_path):
    """Of each engine, the processor times of the page give the estimate of the page."""
    section = MEASURED.partition("## 1,000,000,000 rows on Dataflow")[2].partition("\n## ")[0]
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if re.match(r"\| [A-Z]\w+ \|", line) or line.startswith("| whole")
    ]
    times, shown = lines[: len(NODES)], lines[len(NODES) :]
    assert [line[0] for line in times] == list(NODES)
    for place, (low, high) in enumerate([(300_000, 3_000_000), (5_000, 300_000)]):
        found = estimate(tmp_path, {
            low: {line[0]: float(line[1 + 2 * place]) for line in times},
            high: {line[0]: float(line[2 + 2 * place]) for line in times},
        })  # fmt: skip
        for node, *figures in shown:
            line = found["whole" if node.startswith("whole") else node]
            expected = [line[name] for name in ("seconds_per_million", "vcpu_hours", "cost")]
            told = [float(figure) for figure in figures[3 * place : 3 * place + 3]]
            assert told == pytest.approx(expected, abs=0.051), node
