"""Writes the explorer: one HTML file with its styles, scripts and data in it.

Called by cli.lineage (`lineage export --format html`, `lineage ui`).
"""

import html
from pathlib import Path
from typing import IO

from fareline.files import write_bytes
from lineage.graph.graph import Graph
from lineage.ids import Target
from report.explorer.data import packed_content
from report.explorer.library import NOTICE, LayoutLibrary, find_layout_library
from report.page import fill, page_head, read_web

_STYLES = (
    "controls.css",
    "frame.css",
    "stage.css",
    "views.css",
    "timeline.css",
    "panel.css",
)
# In the order in which they need each other.
_SCRIPTS = (
    "dom.js",
    "icons.js",
    "words.js",
    "store.js",
    "walk.js",
    "cards.js",
    "parts.js",
    "labels.js",
    "ways.js",
    "stage.js",
    "details.js",
    "picker.js",
    "search.js",
    "run_view.js",
    "near_view.js",
    "differences.js",
    "compare_tables.js",
    "compare_view.js",
    "chart.js",
    "lanes.js",
    "timeline_view.js",
    "app.js",
)
_SITE = '<nav class="site" aria-label="All runs"><a href="/runs">Runs</a></nav>'
_ICON = (
    "<path d='M4 8h8' stroke='#5b7fe0' stroke-width='2'/>"
    "<circle cx='4' cy='8' r='3' fill='#5b7fe0'/><circle cx='12' cy='8' r='3' fill='#5b7fe0'/>"
)
_START = "Explorer.app.start();\n"


def write_explorer(
    graph: Graph, destination: str | Path | IO[bytes], focus: Target | None = None
) -> None:
    """Writes the page of a store.

    Args:
        graph: Lineage graph of the store; it is read whole.
        destination: A path, or a stream of bytes.
        focus: Element that the page opens on, from `lineage.ids.find`; None for the last run.

    Raises:
        UserMistake: The package with the layout script is missing.
    """
    page = explorer_page(graph, focus).encode()
    if isinstance(destination, str | Path):
        write_bytes(destination, page)
    else:
        destination.write(page)


def explorer_page(graph: Graph, focus: Target | None = None, mark: str = "") -> str:
    """Returns the page of a store; see `write_explorer`.

    Args:
        graph: Lineage graph of the store.
        focus: Element that the page opens on.
        mark: Mark of the store, where a server shows the page among others; empty of a file by
            itself.
    """
    library = find_layout_library()
    styles = [read_web("report.explorer", name) for name in _STYLES]
    scripts = [read_web("report.explorer", name) for name in _SCRIPTS]
    modules = [_module(library), _START]
    return fill(
        read_web("report.explorer", "page.html"),
        {
            "head": page_head("Lineage", _ICON, styles, scripts + modules, bool(mark)),
            "mark": html.escape(mark),
            "site": _SITE if mark else "",
            "scripts": "".join(f"<script>{script}</script>\n" for script in scripts)
            + "".join(f'<script type="module">{module}</script>\n' for module in modules),
            "library": html.escape(library.label),
            "notice": html.escape(NOTICE),
            "content": packed_content(graph, focus),
        },
    )


def _module(library: LayoutLibrary) -> str:
    """The library as an inline module that hands its one function to our scripts."""
    return f"{library.script}\nglobalThis.Explorer.layOut = layout;\n"
