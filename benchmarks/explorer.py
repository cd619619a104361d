"""Measures the explorer of a large store: writing the file, its size, and opening it in Chromium.

Opening ends when the first view is drawn and painted, or, for each further step, when what was
asked for is on the page. The bars are 5 MB and 3 s for 1,000 runs.

    .venv/bin/python -m benchmarks explorer --runs 1000
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from lineage.graph.graph import Graph
from lineage.store.open import open_store
from report.explorer.page import write_explorer
from tests.stores.big import write_store

# The page has drawn, and the browser has put a frame of it on the screen.
_PAINTED = """() => new Promise((done) => {
  const look = () => document.documentElement.dataset.ready
    ? requestAnimationFrame(() => setTimeout(done, 0)) : setTimeout(look, 5);
  look();
})"""
# A step on the opened page: name, what to run, what is there when it is done.
_STEPS = (
    ("search", "Explorer.search.find('trainer@run-000500').length > 0", "html"),
    ("timeline", "Explorer.app.go({view: 'timeline'})", ".timeline .spot"),
    ("explore", "Explorer.app.go({view: 'near', at: 'a2'})", ".graph-stage .card"),
    ("compare", "Explorer.app.go({view: 'compare'})", "table[aria-label=Nodes]"),
)


def measure(store: Path, repeats: int) -> dict[str, float]:
    """Measures one store.

    Args:
        store: SQLite file.
        repeats: How often the page is opened; the median counts.

    Returns:
        Seconds by step, and the size of the file in megabytes as `megabytes`.
    """
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page_path = Path(folder, "explorer.html")
        start = time.perf_counter()
        write_explorer(Graph(open_store(store)), page_path)
        measured = {"write": time.perf_counter() - start}
        measured["megabytes"] = page_path.stat().st_size / 1e6
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=find_chromium(), args=arguments)
        rounds: dict[str, list[float]] = {}
        for _ in range(repeats):
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            start = time.perf_counter()
            page.goto(page_path.as_uri())
            page.evaluate(_PAINTED)
            rounds.setdefault("open", []).append(time.perf_counter() - start)
            for name, script, there in _STEPS:
                start = time.perf_counter()
                page.evaluate(script)
                page.wait_for_selector(there)
                rounds.setdefault(name, []).append(time.perf_counter() - start)
            page.close()
        browser.close()
    return measured | {name: statistics.median(times) for name, times in rounds.items()}


def find_chromium() -> str:
    """Returns the path of the system's Chromium.

    Raises:
        SystemExit: There is none.
    """
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        raise SystemExit("no Chromium: `apt install chromium`")
    return path


def main(arguments: list[str]) -> None:
    """Prints the measures of a generated store, or of one that is there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks explorer", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--store", type=Path, help="measure this one instead")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        store = options.store or Path(folder, "metadata.db")
        if not options.store:
            write_store(store, options.runs)
        for name, value in measure(store, options.repeats).items():
            print(f"{name:10} {value:7.2f}{'' if name == 'megabytes' else ' s'}")
