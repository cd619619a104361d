"""A log for each node of a run, beside the log of the whole run.

A message of Python's logging goes to the log of the node whose thread wrote it. Messages of threads
that a node has started go to the logs of all running nodes. Direct output of libraries is only in
the log of the run.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from absl import logging as absl_logging


class NodeLogs(logging.Handler):
    """Writes records to `FOLDER/NODE.log`.

    Args:
        folder: Made when the first record is written.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self._folder = folder
        self._running: dict[int, str] = {}
        self._files: dict[str, logging.FileHandler] = {}
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    @contextlib.contextmanager
    def of(self, node: str) -> Iterator[None]:
        """Takes what this thread says for the node's, as long as the block lasts."""
        thread = threading.get_ident()
        with self.lock:
            self._running[thread] = node
        try:
            yield
        finally:
            with self.lock:
                self._running.pop(thread)
                if node in self._files and node not in self._running.values():
                    self._files.pop(node).close()

    @contextlib.contextmanager
    def attached(self) -> Iterator["NodeLogs"]:
        """Listens to Python's logging, and absl's, as long as the block lasts."""
        loggers = [logging.getLogger()]
        if not absl_logging.get_absl_logger().propagate:
            loggers.append(absl_logging.get_absl_logger())
        for logger in loggers:
            logger.addHandler(self)
        try:
            yield self
        finally:
            for logger in loggers:
                logger.removeHandler(self)
            with self.lock:
                for file in self._files.values():
                    file.close()
                self._files.clear()

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record; called with the lock held."""
        node = self._running.get(record.thread)
        for name in [node] if node else sorted(set(self._running.values())):
            self._file(name).emit(record)

    def _file(self, node: str) -> logging.FileHandler:
        if node not in self._files:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = logging.FileHandler(self._folder / f"{node}.log", encoding="utf-8")
            file.setFormatter(self.formatter)
            self._files[node] = file
        return self._files[node]
