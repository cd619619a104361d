"""The current graph of a store, which is read again only if the store has changed.

Called by `report.ui` and `report.api`, which answer several questions.
"""

import threading
import time
from collections.abc import Callable

from lineage.graph.graph import Graph
from lineage.store.address import parse_address

_SERVER_SECONDS = 5.0  # for which what a database server said is taken for true


class CurrentGraph:
    """Opens a store again where it has changed since it was opened last.

    Args:
        location: A path, or a URI; as `lineage.store.open.open_store` takes it.
        open_graph: Opens it, read-only.
    """

    def __init__(self, location: str, open_graph: Callable[[], Graph]):
        self._path = parse_address(location).path
        self._open = open_graph
        self._lock = threading.Lock()
        self._mark: str | None = None
        self._graph: Graph | None = None

    def mark(self) -> str:
        """Another text whenever the store may have changed."""
        if self._path is None:
            return str(int(time.monotonic() / _SERVER_SECONDS))
        found = []
        for path in (self._path, self._path.with_name(f"{self._path.name}-wal")):
            try:
                state = path.stat()
            except OSError:
                continue
            found.append(f"{state.st_ino}-{state.st_mtime_ns}-{state.st_size}")
        return "-".join(found)

    def graph(self) -> Graph:
        """The graph; the same one as long as nothing has changed.

        Raises:
            UserMistake: There is no store any more, or not one that can be read.
        """
        with self._lock:
            mark = self.mark()
            if self._graph is None or mark != self._mark:
                self._graph, self._mark = self._open(), mark
            return self._graph
