"""Records with a failed execution what it failed with, where TFX keeps such a text.

TFX's launcher marks the execution as failed and leaves the reason to its caller.
"""

import traceback

from ml_metadata import proto
from ml_metadata.metadata_store import metadata_store
from tfx.dsl.compiler import constants
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import execution_result_pb2

_MOST_CHARACTERS = 16_000  # of a text that a server's column has to take
_MOST_OF_A_LINE = 2_000
_UNKNOWN = 2  # Source: google.rpc.Code


def record_failure(
    store: metadata_store.MetadataStore, pipeline: str, run_id: str, node: str, error: BaseException
) -> None:
    """Marks the node's execution as failed, with the traceback; does nothing if that is recorded.

    On a full disk TFX cannot mark it, and leaves it as running.

    Args:
        store: Store of the run; one thread at a time may use it.
        pipeline: Its name.
        run_id: Id of the run.
        node: Id of the node.
        error: Error of the execution.
    """
    of_node = _executions(store, constants.NODE_CONTEXT_TYPE_NAME, f"{pipeline}.{node}")
    of_run = {
        each.id for each in _executions(store, constants.PIPELINE_RUN_CONTEXT_TYPE_NAME, run_id)
    }
    failed = [
        each
        for each in of_node
        if each.id in of_run
        and each.last_known_state in (proto.Execution.FAILED, proto.Execution.RUNNING)
        and execution_lib.get_execution_result(each, ignore_parse_errors=True) is None
    ]
    if not failed:
        return
    result = execution_result_pb2.ExecutionResult(code=_UNKNOWN, result_message=_kept(error))
    failed[-1].last_known_state = proto.Execution.FAILED
    execution_lib.set_execution_result(result, failed[-1])
    store.put_executions([failed[-1]])


def _kept(error: BaseException) -> str:
    """The traceback as a store takes it: the last part, no line without end, no half of a sign."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    lines = [line[:_MOST_OF_A_LINE] for line in text.splitlines()]
    kept = "\n".join(lines)[-_MOST_CHARACTERS:]
    return kept.encode(errors="backslashreplace").decode()


def _executions(store, kind: str, name: str) -> list[proto.Execution]:
    context = store.get_context_by_type_and_name(kind, name)
    found = store.get_executions_by_context(context.id) if context is not None else []
    return sorted(found, key=lambda each: each.id)
