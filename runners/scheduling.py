"""Which nodes start first where more are ready than may run at a time.

Called by `runners.local.runner` and `runners.replay.schedule`. Imports nothing of TFX.
"""

import functools
from collections.abc import Collection, Mapping, Sequence

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
        running: How many run now.
        chains: From `longest_chains`.

    Returns:
        As many as may run beside those that do. Of equal ones the first.
    """
    ordered = sorted(ready, key=lambda name: -chains[name])
    return ordered[: max(0, PARALLEL_NODES - running)]
