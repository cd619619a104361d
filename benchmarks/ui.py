"""Measures `fareline ui` on a large store: from asking for the home until its table is painted.

`open` is the first time, when the server reads the newest runs and then, asked by the page, all
others; `again` is a reload; `all` is when every row is in the table. The bar is 1.5 s for 1,000
runs.

    .venv/bin/python -m benchmarks ui --runs 1000
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.explorer import find_chromium
from tests.stores.big import write_store

_PAINTED = """() => new Promise((done) => {
  const look = () => document.documentElement.dataset.ready
    ? requestAnimationFrame(() => setTimeout(done, 0)) : setTimeout(look, 5);
  look();
})"""
_ROWS = "count => document.querySelectorAll('tbody tr').length === count"


def measure(store: Path, runs: int) -> dict[str, float]:
    """Seconds of each step.

    Args:
        store: SQLite file.
        runs: How many it has.
    """
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "cli.app", "ui", "--store", f"sqlite:{store}", "--port", "0"]
    measured: dict[str, float] = {}
    with sync_playwright() as driver:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=find_chromium(), args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            address = re.sub(r"\s", "", server.stdout.readline())
            measured["start"] = time.perf_counter() - start
            for step in ("open", "again"):
                start = time.perf_counter()
                page.goto(address)
                page.evaluate(_PAINTED)
                measured[step] = time.perf_counter() - start
                while not page.evaluate(_ROWS, runs):
                    page.wait_for_timeout(20)
                measured[f"{step}, all"] = time.perf_counter() - start
            server.terminate()
        browser.close()
    return measured


def main(arguments: list[str]) -> None:
    """Prints the measures of a generated store."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks ui", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "metadata.db")
        write_store(store, options.runs)
        for name, value in measure(store, options.runs).items():
            print(f"{name:10} {value:7.2f} s")
