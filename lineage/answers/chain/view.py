"""A chain as a tree for a reader: each node is shown once, and wide branches are cut.

Called by cli.views.chain. Imports rich; for JSON see lineage.answers.chain.chain.
"""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from fareline.recorded.data import spans_in_words
from lineage.answers.chain.chain import Chain
from lineage.answers.chain.history import LiveChange, LiveHistory
from lineage.facts.sources import Source
from lineage.graph.elements import Artifact, Node
from lineage.text.harmless import plain, text
from lineage.text.tables import Column, print_table
from lineage.text.times import clock, size

if TYPE_CHECKING:
    from rich.console import Console

    from lineage.graph.trace import Step

FAN = 10  # steps from one node that are shown, unless all are asked for
DEEPEST = 40  # levels: deeper, a tree leaves every terminal at the right
UNCUT_WIDTH = 4_000  # of a pipe: nothing is cut off and no line is broken
_STATE_STYLES = {"failed": "red", "running": "cyan", "cached": "dim", "executed": ""}
_NAME_LIMIT = 100


class ChainDrawing:
    """Draws one chain.

    A node is expanded where it is first shown; again only if there its chain was cut off for its
    depth and a later place is nearer to the start.

    Args:
        chain: Chain to draw.
        show_all: Whether wide branches are shown completely.
    """

    def __init__(self, chain: Chain, show_all: bool = False):
        self._chain = chain
        self._show_all = show_all
        self._depth = chain.wanted.depth
        self._shown: dict[Node, int] = {}
        self._cut: set[Node] = set()

    def trees(self) -> list[Tree]:
        """One tree for every start that no tree before it has shown."""
        trees = []
        for start in self._chain.trace.starts:
            if start not in self._shown and self._leads_on(start):
                trees.append(Tree(self._label(start)))
                self._expand(trees[-1], start, 0)
        return trees

    def _leads_on(self, start: Node) -> bool:
        """Whether there is anything of the type that was asked for."""
        is_of_type = isinstance(start, Artifact) and start.type == self._chain.type
        return not self._chain.type or is_of_type or bool(self._chain.steps_from(start))

    def _expand(self, tree: Tree, node: Node, level: int) -> None:
        self._shown[node] = level
        self._cut.discard(node)
        steps = self._chain.steps_from(node)
        if steps and level == self._depth:
            self._cut.add(node)
            return
        if steps and level >= DEEPEST:
            self._cut.add(node)
            where = "upstream" if self._chain.is_upstream else "downstream"
            command = shlex.join(["fareline", "lineage", where, node.key, *self._chain.place])
            tree.add(text(f"… goes on: {command}", "dim"))
            return
        for step in steps if self._show_all else _first_of_each_kind(steps):
            self._add(tree, step, level + 1)
            if step.target in self._cut:
                self._cut.add(node)
        if not self._show_all:
            for rest, label in _rest_of_each_kind(steps):
                tree.add(text(f"… and {rest:,} more {label} (--all)", "dim"))
        if not isinstance(node, Artifact):
            self._add_sources(tree, self._chain.sources.get(node, []))

    def _add(self, tree: Tree, step: "Step", level: int) -> None:
        node = step.target
        label = self._label(node).append(_keys(step), "dim")
        before = self._shown.get(node)
        if step.is_baseline:
            label.append(" baseline", "yellow")
        if step.is_baseline and not self._chain.wanted.through_baselines:
            label.append(" (not followed; --through-baselines)", "dim")
            tree.add(label)
        elif before is None or (node in self._cut and level < before):
            self._expand(tree.add(label), node, level)
        else:
            tree.add(label.append(" ↑ shown above", "dim"))

    def _add_sources(self, tree: Tree, sources: Sequence[Source]) -> None:
        shown = sources if self._show_all else sources[:FAN]
        for source in shown:
            tree.add(_source_label(source))
        if len(shown) < len(sources):
            tree.add(text(f"… and {len(sources) - len(shown):,} more files (--all)", "dim"))

    def _label(self, node: Node) -> Text:
        if isinstance(node, Artifact):
            label = text(node.key, "bold", _NAME_LIMIT)
            if "span" in node.properties:
                label.append(f" span {plain(spans_in_words(node) or node.properties['span'])}")
            if node.state not in ("live", "unknown"):
                label.append(f" {node.state}", "yellow")
            cached = self._chain.trace.cached.get(node, 0)
            if cached:
                label.append(f" +{cached:,} cached", "dim")
            return label
        label = text(node.key, limit=_NAME_LIMIT)
        if node.state != "executed":
            label.append(f" {node.state}", _STATE_STYLES.get(node.state, ""))
        return label


def _kind(step: "Step") -> tuple[str, tuple[str, ...]]:
    target = step.target
    return (target.type if isinstance(target, Artifact) else target.place.node, step.keys)


def _by_kind(steps: Sequence["Step"]) -> dict[tuple[str, tuple[str, ...]], list["Step"]]:
    kinds: dict[tuple[str, tuple[str, ...]], list[Step]] = {}
    for step in steps:
        kinds.setdefault(_kind(step), []).append(step)
    return kinds


def _share(kinds: int) -> int:
    """How many of each kind make a fan of the usual width."""
    return max(1, FAN // kinds)


def _first_of_each_kind(steps: Sequence["Step"]) -> Sequence["Step"]:
    """The steps that are shown: of a wide fan, some of every node or type."""
    if len(steps) <= FAN:
        return steps
    kinds = _by_kind(steps)
    shown = {step for found in kinds.values() for step in found[: _share(len(kinds))]}
    return [step for step in steps if step in shown]


def _rest_of_each_kind(steps: Sequence["Step"]) -> list[tuple[int, str]]:
    if len(steps) <= FAN:
        return []
    kinds = _by_kind(steps)
    share = _share(len(kinds))
    return [
        (len(found) - share, f"{plain(name, _NAME_LIMIT)}{_keys(found[0])}")
        for (name, _), found in kinds.items()
        if len(found) > share
    ]


def _keys(step: "Step") -> str:
    return f" ({plain(', '.join(step.keys), _NAME_LIMIT)})" if step.keys else ""


def _source_label(source: Source) -> Text:
    label = text(source.place, "green")
    if source.files not in (None, 1):
        label.append(f" {source.files:,} files")
    if source.bytes is not None:
        label.append(f" {size(source.bytes)}")
    if source.sha256:
        label.append(f" sha256 {plain(source.sha256[:12])}")
    elif source.times_checksum:
        label.append(" (TFX recorded size and time, no digest)", "dim")
    return label


def draw_chain(console: "Console", chain: Chain, show_all: bool = False) -> None:
    """Prints a chain (see `ChainDrawing`), and below it what was live where it is live."""
    trees = ChainDrawing(chain, show_all).trees()
    if not trees:
        where = "upstream" if chain.is_upstream else "downstream"
        said = f"{plain(chain.asked)}: {f'no {chain.type}' if chain.type else 'nothing'} {where}"
        console.print(text(said), soft_wrap=True)
    if not console.is_terminal:
        console.width = UNCUT_WIDTH
    for tree in trees:
        console.print(tree, overflow="fold")
    for history in chain.history:
        _draw_history(console, history)


def _draw_history(console: "Console", history: LiveHistory) -> None:
    console.print()
    console.print(text(f"What was live at {history.destination}:", limit=None), soft_wrap=True)
    if history.earlier:
        console.print(text(f"… {history.earlier:,} earlier changes (--all)", "dim"))
    rows = [
        (
            clock(change.execution.updated),
            change.execution.key,
            _served(change),
            ": ".join(filter(None, (change.by, change.reason))),
        )
        for change in history.changes
    ]
    print_table(console, (Column("since (UTC)", 2), "changed by", "live", Column("who", 1)), rows)


def _served(change: LiveChange) -> str:
    """Versions with their share of the requests; of a folder the one that servers load."""
    if change.traffic is None:
        said = f"version {change.live}"
    else:
        shares = [f"version {number}: {share} %" for number, share in change.traffic.items()]
        said = ", ".join(shares) or "no version"
    return f"{said}; {change.withheld} withheld" if change.withheld else said
