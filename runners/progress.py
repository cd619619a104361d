"""Progress display of a run: a live table of nodes on a terminal, otherwise line by line.

Imports neither TFX nor TensorFlow.
"""

import contextlib
import dataclasses
import enum
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fareline.errors import Interrupted


class NodeState(enum.Enum):
    """States of a node in a run; the values are those of `--json`."""

    WAITING = "waiting"
    RUNNING = "running"
    EXECUTED = "executed"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_TRIGGERED = "not_triggered"  # its condition said no

    @property
    def is_success(self) -> bool:
        """Whether nodes that depend on it may run."""
        return self in (NodeState.EXECUTED, NodeState.CACHED)

    @property
    def is_fine(self) -> bool:
        """Whether a run in which every node ended so did not fail."""
        return self.is_success or self is NodeState.NOT_TRIGGERED


@dataclasses.dataclass
class NodeResult:
    """The progress of one node.

    Attributes:
        name: Node id.
        state: Last state.
        seconds: Wall time, 0 until it has started.
        error: Error of the node.
        publishes: Whether it is to publish a model; known of a compiled specification's tasks.
    """

    name: str
    state: NodeState = NodeState.WAITING
    seconds: float = 0.0
    error: BaseException | None = None
    publishes: bool = False

    @property
    def held_back(self) -> bool:
        """Whether the node publishes a model and its condition was not met."""
        return self.publishes and self.state is NodeState.NOT_TRIGGERED


# The sign says what the colour says: colour is never the only sign.
_STYLES = {
    NodeState.WAITING: ("·", "dim"),
    NodeState.RUNNING: ("▶", "bold cyan"),
    NodeState.EXECUTED: ("✓", "green"),
    NodeState.CACHED: ("=", "blue"),
    NodeState.FAILED: ("✗", "bold red"),
    NodeState.SKIPPED: ("-", "dim"),
    NodeState.NOT_TRIGGERED: ("○", "dim"),
}


class Node(Protocol):
    """The row of a node in the table."""

    name: str
    state: NodeState
    seconds: float


_NOT_ENDED = (NodeState.WAITING, NodeState.RUNNING)
DETAIL_SECONDS = 30.0  # between the lines about a node that is at work, where there is no table


class ProgressTable:
    """A live table on a terminal; elsewhere one line per finished node, and some on long ones.

    Args:
        console: Where to write; stderr of the command.
        title: First line.
        details: By node, what to say of it while it runs, from the seconds since it began.
    """

    def __init__(
        self,
        console: Console,
        title: str,
        details: Mapping[str, Callable[[float], str]] | None = None,
    ):
        self._details = details or {}
        # By node, the seconds by which it brings a run nearer to its end, as an earlier one went.
        self.usual: Mapping[str, float] = {}
        self._console = console
        self._title = title
        self._nodes: dict[str, Node] = {}
        self._started: dict[str, float] = {}
        # Not redirecting: rich would take what libraries print from the log back to the screen.
        self._live = Live(
            self,
            console=console,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def add_nodes(self, nodes: list[Node]) -> None:
        """Names all nodes in DAG order, before the first one runs."""
        self._nodes = {node.name: node for node in nodes}

    def has_node(self, name: str) -> bool:
        """Whether a node is among those of the run."""
        return name in self._nodes

    def update(self, node: Node) -> None:
        """Takes a change of state; may be called from any thread."""
        if node.state is NodeState.RUNNING:
            self._started[node.name] = time.monotonic()
        elif not self._console.is_terminal:
            self._print_line(node, node.seconds)

    def _print_line(self, node: Node, seconds: float, detail: str = "") -> None:
        sign, _ = _STYLES[node.state]
        width = max(18, *map(len, self._nodes), len(node.name))
        line = f"{sign} {node.name:<{width}} {node.state.value:<9} {seconds:6.1f} s  {detail}"
        self._console.print(line.rstrip(), highlight=False, soft_wrap=True)

    def _print_details(self) -> None:
        """Returns the progress of running nodes that report it."""
        for name, describe in self._details.items():
            node = self._nodes.get(name)
            if node is not None and node.state is NodeState.RUNNING and name in self._started:
                seconds = time.monotonic() - self._started[name]
                if detail := describe(seconds):
                    self._print_line(node, seconds, detail)

    def _print_details_until(self, ended: threading.Event) -> None:
        while not ended.wait(DETAIL_SECONDS):
            self._print_details()

    @contextlib.contextmanager
    def shown(self) -> Iterator["ProgressTable"]:
        """Shows the table until the block ends."""
        if not self._console.is_terminal:
            self._console.print(self._title, highlight=False)
            ended = threading.Event()
            teller = threading.Thread(
                target=self._print_details_until, args=(ended,), name="progress", daemon=True
            )
            teller.start()
            try:
                yield self
            finally:
                ended.set()
                teller.join()
            return
        with self._live:
            yield self

    def __rich__(self) -> Group:
        if not self._nodes:
            return Group(Text(self._title), Text("loading TFX, which takes some seconds", "dim"))
        table = Table(box=None, pad_edge=False)
        table.add_column("")
        table.add_column("node")
        table.add_column("state")
        table.add_column("seconds", justify="right")
        for node in self._nodes.values():
            sign, style = _STYLES[node.state]
            seconds = node.seconds
            if node.state is NodeState.RUNNING and node.name in self._started:
                seconds = time.monotonic() - self._started[node.name]
            shown = f"{seconds:.1f}" if seconds else ""
            state = Text(node.state.value, style)
            if node.state is NodeState.RUNNING and node.name in self._details:
                state.append(f"  {self._details[node.name](seconds)}".rstrip(), "dim")
            table.add_row(Text(sign, style), node.name, state, shown)
        return Group(Text(f"{self._title} · {self._how_far()}"), table)

    def _how_far(self) -> str:
        """How many nodes have ended; how long the others may take, if none is cached."""
        ended = [n for n in self._nodes.values() if n.state not in _NOT_ENDED]
        said = f"{len(ended)} of {len(self._nodes)} nodes"
        left = 0.0
        for node in self._nodes.values():
            usual = self.usual.get(node.name, 0.0)
            if node.state is NodeState.RUNNING and node.name in self._started:
                left += max(0.0, usual - (time.monotonic() - self._started[node.name]))
            elif node.state in _NOT_ENDED:
                left += usual
        return f"{said}, up to {left:.0f} s more" if left >= 1 else said


@contextlib.contextmanager
def output_to(log_path: Path) -> Iterator[Console]:
    """Sends everything that libraries print, C++ included, to a file; yields the user's console.

    The file descriptors themselves are redirected, since TensorFlow and ml_metadata write to them
    directly.

    Args:
        log_path: File to append to.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")
    saved_stdout = os.dup(1)
    with log_path.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        yield Console(file=stderr)
    except Interrupted:
        # Nodes are still at work in their threads: what they print stays in the log, and only the
        # command's own last words reach the user.
        sys.stderr = stderr
        raise
    except BaseException:
        _restore(saved_stdout, stderr)
        raise
    _restore(saved_stdout, stderr)


def _restore(saved_stdout: int, stderr: TextIO) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(saved_stdout, 1)
    os.close(saved_stdout)
    os.dup2(stderr.fileno(), 2)
