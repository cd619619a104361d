"""How long `fareline schema check` and `diff` take from the call to the answer, in fresh processes.

Beside them what the import of TFDV takes alone, which is most of it. Rows are the taxi sample,
repeated.

    make bench ARGS="schema --rows 15002 300040 --repeats 3"
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.example_gen import REPOSITORY, make_source

PARTS = {
    "import of TFDV": ["-c", "import tensorflow_data_validation"],
    "schema check": ["-m", "cli.app", "schema", "check"],
    "schema diff": ["-m", "cli.app", "schema", "diff"],
}


def run_one(part: str, source: Path) -> tuple[float, float]:
    """Seconds, and seconds of a processor, of one process."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    data = [str(source)] if part.startswith("schema") else []
    started, before = time.perf_counter(), os.times()
    done = subprocess.run(
        [sys.executable, *PARTS[part], *data],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
    )
    after = os.times()
    if done.returncode:
        raise RuntimeError(f"{part} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    used = after.children_user + after.children_system
    return time.perf_counter() - started, used - before.children_user - before.children_system


def main(arguments: list[str]) -> None:
    """Prints a line for each part and size: medians, and the slowest."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks schema", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[15_002])
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        for rows in given.rows:
            source = make_source(rows, Path(folder))
            found = {part: [] for part in PARTS}
            for _ in range(given.repeats):
                for part, taken in found.items():
                    taken.append(run_one(part, source))
            for part, taken in found.items():
                seconds, used = zip(*taken, strict=True)
                middle, middle_used = statistics.median(seconds), statistics.median(used)
                print(
                    f"{rows:,} rows, {part}: {middle:.1f} s (slowest {max(seconds):.1f} s), "
                    f"of a processor {middle_used:.1f} s"
                )


if __name__ == "__main__":
    main(sys.argv[1:])
