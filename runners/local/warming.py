"""Starts the processes that InfraValidator needs while Trainer works, so that it need not wait.

Used by `runners.local.run`. Imports nothing of serving before that, so that a run which is refused
ends at once.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

from runners.progress import NodeResult, NodeState

_TRAINER, _INFRA_VALIDATOR = "Trainer", "InfraValidator"
# A node that takes longer than this is being executed, not taken from the cache.
_CACHED_SECONDS = 0.5


@contextlib.contextmanager
def warm_servers(
    on_change: Callable[[NodeResult], None],
    is_planned: Callable[[str], bool],
) -> Iterator[Callable[[NodeResult], None]]:
    """Follows the nodes of a run, and starts servers when a model is being trained.

    Args:
        on_change: Called with every change of a node first.
        is_planned: Whether the run has a node; asked when Trainer begins.

    Yields:
        What to call with every change of a node. When the block is left, however that is, the
        processes that no node has used are gone.
    """
    from serving.validation.warm import allowed

    def changed(result: NodeResult) -> None:
        on_change(result)
        begins = result.name == _TRAINER and result.state is NodeState.RUNNING
        if begins and is_planned(_INFRA_VALIDATOR):
            timer = threading.Timer(_CACHED_SECONDS, _prepare, [result])
            timer.daemon = True
            timer.start()

    with allowed():
        yield changed


def _prepare(trainer: NodeResult) -> None:
    if trainer.state is NodeState.RUNNING:
        from serving.validation.check import prepare_check

        prepare_check()
