"""The loop that runs the nodes of a run, whatever runs them, and which of them start first.

Called by `runners.local.runner` and `runners.replay.schedule`. Imports nothing of TFX.
"""

import concurrent.futures
import functools
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from runners.progress import NodeResult, NodeState

PARALLEL_NODES = 2


def longest_chains(upstream: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Counts for each node the nodes of the longest chain that begins with it.

    Args:
        upstream: Node to the nodes that it waits for; those that are no nodes of the run are passed
            over. Without circles.
    """
    downstream: dict[str, list[str]] = {name: [] for name in upstream}
    for name, before in upstream.items():
        for each in before:
            if each in downstream:
                downstream[each].append(name)

    @functools.cache
    def count(name: str) -> int:
        return 1 + max(map(count, downstream[name]), default=0)

    return {name: count(name) for name in upstream}


def choose_next(ready: Sequence[str], running: int, chains: Mapping[str, int]) -> list[str]:
    """Chooses what starts now: the nodes that most others wait behind, one after the other.

    Args:
        ready: Nodes that wait for nothing, in order.
        running: Number of running nodes.
        chains: From `longest_chains`.

    Returns:
        As many as may run beside those that do. Of equal ones the first.
    """
    ordered = sorted(ready, key=lambda name: -chains[name])
    return ordered[: max(0, PARALLEL_NODES - running)]


class Schedule:
    """The nodes of one run, under way.

    Args:
        results: One for each node; theirs are the states.
        on_change: Called with a node's result whenever its state changes, from any thread.
    """

    def __init__(self, results: Mapping[str, NodeResult], on_change: Callable[[NodeResult], None]):
        self._results = results
        self._on_change = on_change

    def set_state(self, name: str, state: NodeState) -> None:
        """Changes the state of a node."""
        self._results[name].state = state
        self._on_change(self._results[name])

    def run(
        self,
        pool: concurrent.futures.Executor,
        upstream: Mapping[str, Collection[str]],
        find_ready: Callable[[], Sequence[str]],
        work: Callable[[str], NodeState],
    ) -> None:
        """Runs nodes until no node is ready or running.

        Args:
            pool: Has a thread for each node that may run at a time. Ending it is the caller's.
            upstream: See `longest_chains`.
            find_ready: Nodes that may start now, in order; asked again after each that has ended.
            work: Runs a node and returns the state that it ends in. An exception is the error of
                this node only.
        """
        running: dict[concurrent.futures.Future, str] = {}
        chains = longest_chains(upstream)
        while True:
            for name in choose_next(find_ready(), len(running), chains):
                self.set_state(name, NodeState.RUNNING)
                running[pool.submit(self._run_node, name, work)] = name
            if not running:
                return
            done, _ = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                running.pop(future)
                future.result()

    def _run_node(self, name: str, work: Callable[[str], NodeState]) -> None:
        start = time.monotonic()
        result = self._results[name]
        try:
            state = work(name)
        except Exception as error:  # noqa: BLE001 - whatever a node fails with is its result
            result.error, state = error, NodeState.FAILED
        result.seconds = time.monotonic() - start
        self.set_state(name, state)
