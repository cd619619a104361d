"""Executions that a killed run left marked as running in a store. Imports no TFX."""

from collections.abc import Sequence

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from lineage.store.open import connect

_RUN_CONTEXT_TYPE = "pipeline_run"  # Source: tfx.dsl.compiler.constants


def fail_abandoned_executions(
    connection: metadata_store_pb2.ConnectionConfig, runs: Sequence[str] | None = None
) -> Sequence[int]:
    """Marks executions that a killed run left as running as failed; the caller holds the workspace.

    Args:
        connection: Connection of the store.
        runs: Ids of the runs that may have left them; None for all runs of the store.

    Returns:
        Ids of the executions that were marked.
    """
    store = connect(connection)
    running = [
        e
        for e in _executions(store, runs)
        if e.last_known_state == metadata_store_pb2.Execution.RUNNING
    ]
    for execution in running:
        execution.last_known_state = metadata_store_pb2.Execution.FAILED
    if running:
        store.put_executions(running)
    return [execution.id for execution in running]


def _executions(
    store: metadata_store.MetadataStore, runs: Sequence[str] | None
) -> list[metadata_store_pb2.Execution]:
    if runs is None:
        return store.get_executions()
    contexts = [store.get_context_by_type_and_name(_RUN_CONTEXT_TYPE, run) for run in runs]
    return [e for c in contexts if c is not None for e in store.get_executions_by_context(c.id)]
