"""Records the end of a run in its context. Imports no TFX."""

import time

from ml_metadata.metadata_store import metadata_store

from fareline import recorded

_RUN_CONTEXT_TYPE = "pipeline_run"  # Source: tfx.dsl.compiler.constants


def record_end(store: metadata_store.MetadataStore, run_id: str, outcome: str) -> None:
    """Adds the outcome and the time to a run's context, if the run has one.

    Args:
        store: Store of the run; one thread at a time may use it.
        run_id: Id of the run.
        outcome: See `fareline.recorded.OUTCOME`.
    """
    context = store.get_context_by_type_and_name(_RUN_CONTEXT_TYPE, run_id)
    if context is None:  # nothing was ever started
        return
    context.custom_properties[recorded.OUTCOME].string_value = outcome
    context.custom_properties[recorded.ENDED].string_value = str(round(time.time() * 1000))
    store.put_contexts([context])
