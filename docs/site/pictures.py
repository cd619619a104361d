"""Takes the pictures of the documentation from a real run: what `make pictures` runs.

Runs the pipeline in a workspace that has a finished run, so that the steps come from its cache, and
takes the terminal, the run's page and the explorer in the Chromium of the system. If a replay is
beside it (`fareline loop --replay 2013..2016 --change 2014-07`), it also takes the page of the pass
that found the change. Writes docs/pictures/*.png. Paths of this machine become `…`.
"""

import html
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.needs import find_program, read_packages

PICTURES = Path(__file__).resolve().parents[1] / "pictures"
FARELINE = Path(sys.executable).with_name("fareline")
WIDTH, HEIGHT = 1280, 800
TERMINAL_LINES = 34  # what a terminal of a usual height shows
SHORTEN = """here => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(here, "…");
}"""
TERMINAL = """<!doctype html><meta charset=utf-8><style>
body {{ margin: 0; background: #1b1f24 }}
pre {{ width: max-content; margin: 0; padding: 20px; color: #e6e6e6;
       font: 15px/1.35 'DejaVu Sans Mono' }}
b {{ color: #7ee787; font-weight: normal }}
</style><pre>{}</pre>"""


def take(workspace: Path) -> None:
    """Takes all pictures.

    Args:
        workspace: Where a run has finished.
    """
    words = [str(FARELINE), "run", "--workspace", str(workspace)]
    printed = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, text=True
    ).stdout
    words = [str(FARELINE), "report", "latest", "--workspace", str(workspace)]
    said = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout
    page = said.splitlines()[0]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        explorer = Path(folder) / "lineage.html"
        export = ["lineage", "export", "latest", "--workspace", str(workspace), "--format", "html"]
        subprocess.run([str(FARELINE), *export, "-o", str(explorer)], check=True)
        terminal = Path(folder) / "terminal.html"
        terminal.write_text(_terminal(printed, workspace), encoding="utf-8")
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        program = find_program(*read_packages()["chromium"].programs)
        browser = driver.chromium.launch(executable_path=program, args=arguments)
        taken = [("run", page), ("explorer", explorer), ("terminal", terminal)]
        passes = sorted(workspace.with_name(f"{workspace.name}-replay").glob("replay/pages/*.html"))
        taken += [("monitoring", path) for path in passes[1:2]]
        for name, path in taken:
            _take_one(browser, name, Path(path), str(workspace.resolve().parent))
        browser.close()


def _terminal(printed: str, workspace: Path) -> str:
    text = printed.replace(str(workspace.resolve().parent), "…")
    lines = ["$ fareline run", *(line.rstrip() for line in text.splitlines())]
    shown = html.escape("\n".join(lines[:TERMINAL_LINES]))
    return TERMINAL.format(re.sub(r"^([✓=$])", r"<b>\1</b>", shown, flags=re.MULTILINE))


def _take_one(browser, name: str, path: Path, here: str) -> None:
    tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    tab.goto(path.resolve().as_uri())
    if name == "terminal":
        tab.locator("pre").screenshot(path=PICTURES / f"{name}.png")
    else:
        tab.wait_for_selector("html[data-ready]", state="attached")
        tab.evaluate(SHORTEN, here)
        shown = tab.locator("#overall") if name == "monitoring" else tab
        shown.screenshot(path=PICTURES / f"{name}.png")
    tab.close()


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    take(Path(sys.argv[1] if len(sys.argv) > 1 else "workspace"))
