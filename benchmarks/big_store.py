"""Writes a store of any size to look at: `make bench ARGS="big_store --runs 1000 store.db"`."""

import argparse
from pathlib import Path

from tests.stores.big import write_store


def main(arguments: list[str]) -> None:
    """Writes a store to a path."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks big_store", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--shared-data", action="store_true")
    parser.add_argument("path", type=Path)
    options = parser.parse_args(arguments)
    write_store(options.path, options.runs, options.shared_data)
