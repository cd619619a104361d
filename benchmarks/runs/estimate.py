"""What many rows would take on Dataflow: machine hours and cost, from the times of fewer rows.

The processor time of each Beam component grows by so much for a million rows: the slope between the
fewest and the most rows that `scale --json` measured. A file for each engine gives an estimate
of its own; the truth may well be outside of all of them, because nothing here has run on Dataflow.
Prices are parameters. Their defaults were written down from memory: look at the price page.

    python -m benchmarks scale --rows 300000 3000000 --json > direct.json
    python -m benchmarks estimate direct.json --rows 1000000000
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

# The nodes whose Beam pipelines `runners.vertex.beam: dataflow` sends there.
BEAM_NODES = ("ExampleGen", "StatisticsGen", "Transform", "Evaluator")


def find_slopes(measured: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Processor seconds by component for each million rows more.

    Args:
        measured: What `scale --json` printed: `rows`, and `nodes` with `name` and `cpu_seconds`;
            of two numbers of rows at least.

    Raises:
        ValueError: There is one number of rows alone.
    """
    fewest, most = (pick(measured, key=lambda found: found["rows"]) for pick in (min, max))
    million = (most["rows"] - fewest["rows"]) / 1e6
    if not million:
        raise ValueError("expected measurements of two numbers of rows")
    low, high = (
        {node["name"]: node["cpu_seconds"] for node in found["nodes"]} for found in (fewest, most)
    )
    return {node: (high[node] - low[node]) / million for node in BEAM_NODES if node in high}


def estimate(
    slopes: Mapping[str, float], options: argparse.Namespace
) -> Iterable[dict[str, float | str]]:
    """The lines of the table: each component, and the whole.

    Args:
        slopes: As `find_slopes` returns them.
        options: Of the command line.

    Yields:
        `node`, `seconds_per_million` (processor time), `vcpu_hours`, `gb_hours` of memory,
        `shuffle_gb`, `hours` with `options.vcpus` at work, and `cost`, as the prices are.
    """
    whole: dict[str, float | str] = {}
    for node, slope in slopes.items():
        vcpu_hours = slope * options.rows / 1e6 / 3600 / options.busy
        gb_hours = vcpu_hours * options.gb_per_vcpu
        shuffle_gb = options.rows * options.shuffle_bytes / 1e9 if node == "ExampleGen" else 0.0
        line = {
            "seconds_per_million": slope,
            "vcpu_hours": vcpu_hours,
            "gb_hours": gb_hours,
            "shuffle_gb": shuffle_gb,
            "hours": vcpu_hours / options.vcpus,
            "cost": vcpu_hours * options.vcpu_price
            + gb_hours * options.gb_price
            + shuffle_gb * options.shuffle_price,
        }
        whole = {name: value + float(whole.get(name, 0)) for name, value in line.items()}
        yield {"node": node, **line}
    yield {"node": "whole", **whole}


def main(arguments: list[str]) -> None:
    """Prints a table for each file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks estimate", description=__doc__)
    parser.add_argument("measured", type=Path, nargs="+", help="what `scale --json` printed")
    parser.add_argument("--rows", type=int, default=1_000_000_000)
    parser.add_argument("--busy", type=float, default=0.6, help="share of paid time that works")
    parser.add_argument("--vcpus", type=int, default=64, help="vCPUs that work at a time")
    parser.add_argument("--gb-per-vcpu", type=float, default=3.75, help="memory of a machine")
    parser.add_argument("--shuffle-bytes", type=float, default=522, help="of a row, uncompressed")
    parser.add_argument("--vcpu-price", type=float, default=0.056, help="of a vCPU for an hour")
    parser.add_argument("--gb-price", type=float, default=0.003557, help="of 1 GB for an hour")
    parser.add_argument("--shuffle-price", type=float, default=0.011, help="of 1 GB of shuffle")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    found = {
        str(path): list(estimate(find_slopes(json.loads(path.read_text())), options))
        for path in options.measured
    }
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for path, lines in found.items():
        heads = ("CPU s per million", "vCPU hours", "GB hours", "shuffle GB")
        wall = f"hours on {options.vcpus} vCPUs"
        table = Table(f"{options.rows:,} rows, {path}", *heads, wall, "cost", box=None)
        for line in lines:
            node, *figures = line.values()
            table.add_row(str(node), *(f"{figure:,.1f}" for figure in figures))
        Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
