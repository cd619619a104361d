"""Addresses of the site: the home, the page of each run, two runs, the explorer, pictures.

| address | is |
| --- | --- |
| `/`, `/runs.json` | all runs; the same as data, or 204 where nothing has changed |
| `/run/RUN` | the page of a run; with `?mark=…` 204 where nothing has changed |
| `/compare?a=RUN&b=RUN` | two runs side by side |
| `/explorer`, `/content` | the explorer; its content anew, or 204 |
| `/pictures/NUMBER` | the pictures of an artifact |

Called by `cli.ui` and `cli.lineage.ui`, for which `report.server` asks it.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fareline.errors import UserMistake
from lineage.facts.runs import read_runs
from lineage.graph.current import CurrentGraph
from lineage.graph.graph import Graph
from lineage.ids import find, find_run
from report.explorer.data import packed_content
from report.explorer.page import explorer_page
from report.run.compare import compare_runs
from report.run.document import Document
from report.run.gather import gather
from report.run.page import Served, report_page
from report.run.pictures import pictures_in, run_with_pictures
from report.server import Page
from report.ui.home import Rows, home_page, is_at_work

_FIRST = 20  # runs that the home has from the start; the script asks for all others at once
_LOG_LINES, _LOG_BYTES = 60, 64_000
_UNCHANGED = Page("", status=204)


class Site:
    """The pages of one store.

    Args:
        name: Name of the workspace or the store, for a reader.
        current: The store.
        logs: Folder of the workspace's logs; None of a store alone.
        focus: Element that the explorer opens on; None for the last run.
        opens_on_explorer: Whether `/` is the explorer, and the home is at `/runs`.
    """

    def __init__(
        self,
        name: str,
        current: CurrentGraph,
        logs: Path | None = None,
        focus: str | None = None,
        opens_on_explorer: bool = False,
    ):
        self._name, self._current, self._logs, self._focus = name, current, logs, focus
        self._first = self._explorer if opens_on_explorer else self._home
        self._rows = Rows()
        # A graph is read as it is walked, by one at a time.
        self._lock = threading.Lock()
        self._all_rows: tuple[str, list[dict[str, Any]]] | None = None
        self._documents: dict[str, tuple[str, Document]] = {}

    def find_page(self, path: str, parameters: Mapping[str, str]) -> Page | None:
        """The content at an address; None for an unknown address.

        Args:
            path: Path of the address, decoded.
            parameters: After its question mark.

        Raises:
            UserMistake: The store cannot be read.
        """
        if path == "/runs.json":
            return self._data(parameters)
        pages = {
            "/": self._first,
            "/runs": self._home,
            "/explorer": self._explorer,
            "/content": self._content,
            "/compare": self._compare,
        }
        room, _, name = path.removeprefix("/").partition("/")
        with self._lock:
            if path in pages:
                return pages[path](parameters)
            if room == "run" and name:
                return self._run(name, parameters)
            if room == "pictures" and name.isdecimal():
                return self._pictures(int(name))
        return None

    def _home(self, parameters: Mapping[str, str]) -> Page:
        mark, graph = self._current.mark(), self._current.graph()
        if self._all_rows and self._all_rows[0] == mark:
            rows = self._all_rows[1]
        else:
            rows = self._rows.read(graph, _FIRST)
        return Page(home_page(self._name, self._content_of(graph, mark, rows)))

    def _data(self, parameters: Mapping[str, str]) -> Page:
        mark = self._current.mark()
        if parameters.get("mark") == mark:
            return _UNCHANGED
        with self._lock:
            graph = self._current.graph()
            if self._all_rows is None or self._all_rows[0] != mark:
                self._all_rows = (mark, self._rows.read(graph))
            content = self._content_of(graph, mark, self._all_rows[1])
        return Page(_json(content), "application/json")

    def _content_of(self, graph: Graph, mark: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        count = len(graph.places.run_contexts())
        return {"mark": mark if len(rows) == count else "", "count": count, "runs": rows}

    def _run(self, name: str, parameters: Mapping[str, str]) -> Page:
        mark = self._current.mark()
        if parameters.get("mark") == mark:
            return _UNCHANGED
        graph = self._current.graph()
        try:
            document = self._document(graph, find_run(graph, name), mark)
        except UserMistake as error:
            return _not_found(error)
        failed = [failure["node"] for failure in document.record.failures]
        [run] = read_runs(graph, [document.run_id])
        served = Served(
            mark if is_at_work(run) else "",
            {node: end for node in failed if (end := self._end_of_log(document.run_id, node))},
        )
        return Page(report_page(document, served))

    def _document(self, graph: Graph, run_id: str, mark: str) -> Document:
        known = self._documents.get(run_id)
        if known is None or known[0] != mark:
            known = (mark, gather(graph, run_id))
            self._documents = {**dict([*self._documents.items()][-7:]), run_id: known}
        return known[1]

    def _compare(self, parameters: Mapping[str, str]) -> Page | None:
        if not {"a", "b"} <= set(parameters):
            return None
        graph = self._current.graph()
        try:
            a, b = (find_run(graph, parameters[side]) for side in ("a", "b"))
        except UserMistake as error:
            return _not_found(error)
        return Page(compare_runs(graph, a, b).page(Served()))

    def _explorer(self, parameters: Mapping[str, str]) -> Page:
        mark, graph = self._current.mark(), self._current.graph()
        focus = find(graph, self._focus) if self._focus else None
        return Page(explorer_page(graph, focus, mark))

    def _content(self, parameters: Mapping[str, str]) -> Page:
        mark = self._current.mark()
        if parameters.get("mark") == mark:
            return _UNCHANGED
        content = packed_content(self._current.graph(), None)
        return Page(_json({"mark": mark, "content": content}), "application/json")

    def _pictures(self, number: int) -> Page | None:
        mark, graph = self._current.mark(), self._current.graph()
        for artifact in graph.artifacts([number]):
            run_id = run_with_pictures(graph, artifact)
            if run_id is None:  # nothing to show is no fault, of which a browser would complain
                return Page("", framed=True)
            document = self._document(graph, run_id, mark)
            return Page(pictures_in(document, artifact, Served()), framed=True)
        return None

    def _end_of_log(self, run_id: str, node: str) -> str:
        """The last lines of a node's log; names of a store are names and no paths."""
        if self._logs is None or "/" in f"{run_id}{node}" or run_id in (".", ".."):
            return ""
        try:
            with (self._logs / run_id / f"{node}.log").open("rb") as log:
                log.seek(max(0, log.seek(0, 2) - _LOG_BYTES))
                lines = log.read().decode(errors="replace").splitlines()
        except (OSError, ValueError):
            return ""
        return "\n".join(lines[-_LOG_LINES:])


def _not_found(error: UserMistake) -> Page:
    return Page(f"{error}\n", "text/plain", 404)


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
