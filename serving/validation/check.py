"""Is a model fit to serve? The plain function behind infra validation.

Called by `pipeline.components.infra_validator`; callable without TFX, which it must not import. A
fresh model server loads the model and answers raw examples, and the answers are looked at. A broken
model gives a result (`ok=False` with a reason), not an exception. Failed checks are not repeated,
and all waits have a deadline.
"""

import os
import shutil
from collections.abc import Sequence

from fareline.errors import UserMistake
from fareline.scratch import scratch_folder
from serving.validation.answers import Contract
from serving.validation.child import ServerStartError
from serving.validation.graph_state import check_state
from serving.validation.interview import BIG_BATCH, Interview
from serving.validation.probe import SIGNATURE, Probe
from serving.validation.process import (
    OWN_SERVER,
    ModelLoadError,
    ModelLoadTimeout,
    ModelMemoryError,
    ModelServer,
    PortTakenError,
    server_kind,
)
from serving.validation.reference import PROGRAM, Reference
from serving.validation.saved_files import check_files, check_outputs, read_graph
from serving.validation.verdict import Budgets, CheckResult, Reason, RefusedModelError
from serving.validation.warm import prepare

__all__ = [
    "BIG_BATCH",
    "Budgets",
    "CheckResult",
    "Contract",
    "Reason",
    "check_model",
    "prepare_check",
]

_MIB = 1 << 20
# Python's TensorFlow takes more memory than a server; what matters is that it ends.
_REFERENCE_MIB_MORE = 1024
_REASONS = {
    PortTakenError: Reason.PORT_TAKEN,  # before the class that it is one of
    ServerStartError: Reason.NO_SERVER,
    ModelLoadTimeout: Reason.LOAD_TIMEOUT,
    ModelMemoryError: Reason.TOO_MUCH_MEMORY,
    ModelLoadError: Reason.DIED_LOADING,
}


def prepare_check() -> None:
    """Starts the processes of the next `check_model`, within `serving.validation.warm.allowed`."""
    prepare([PROGRAM] if server_kind() != OWN_SERVER else [OWN_SERVER, PROGRAM])


def check_model(
    model_dir: str,
    requests: Sequence[bytes],
    budgets: Budgets,
    *,
    model_name: str = "model",
    contract: Contract | None = None,
) -> CheckResult:
    """Checks that a model can be served, and measures time and memory.

    In this order, ending at the first failure. Without running it: the SavedModel can be read,
    needs no Python, uses no files but its own, has all of them, is changed by no request, and is
    not too large. A copy of it
    in a fresh server: it loads in time; it has `serving_default` with the input `examples`; what
    that answers is right, however it is asked (see `serving.validation.interview`); fast enough,
    alone and 32 together; in memory that is not too much, for which it is watched from its start.

    Args:
        model_dir: Local folder of a SavedModel.
        requests: Serialized tf.Examples as a client would send them, without the label.
        budgets: Limits for the model; also the number of `requests` to use.
        model_name: The name it is served under.
        contract: The outputs that it must have; None: any.

    Returns:
        The verdict, and all that was measured until then. That this machine cannot run a model
        server is a refusal too, with a reason of its own (see `verdict.MACHINE_REASONS`).

    Raises:
        UserMistake: `requests` is empty: nothing could be said about any model.
    """
    if not requests:
        raise UserMistake.explain(
            "the model check",
            "no examples to ask about",
            "expected at least one",
            "choose a split that has examples",
        )
    result = CheckResult()
    try:
        graph = read_graph(model_dir)
        check_files(model_dir, graph)
        check_outputs(graph, SIGNATURE)
        check_state(graph, SIGNATURE)
        _check_size(model_dir, budgets, result)
        _check_in_server(
            model_dir,
            requests[: budgets.num_examples],
            budgets,
            model_name,
            contract or Contract(),
            result,
        )
        result.ok = True
    except RefusedModelError as refusal:
        result.reason, result.message = refusal.reason, str(refusal)
    return result


def _check_size(model_dir: str, budgets: Budgets, result: CheckResult) -> None:
    paths = (
        os.path.join(folder, name)
        for folder, _, names in os.walk(model_dir, followlinks=True)
        for name in names
    )
    result.size_mb = sum(os.path.getsize(path) for path in paths) / _MIB
    if result.size_mb > budgets.size_mb:
        raise RefusedModelError.because(
            Reason.TOO_LARGE,
            model_dir,
            f"its files take {result.size_mb:.3g} MB",
            f"expected at most {budgets.size_mb:g} MB",
            "look for vocabularies and embeddings that grew, or raise the size_mb budget",
        )


def _check_in_server(
    model_dir: str,
    requests: Sequence[bytes],
    budgets: Budgets,
    model_name: str,
    contract: Contract,
    result: CheckResult,
) -> None:
    """Loads a copy of the model in a fresh server and asks it; fills `result` as far as it gets.

    A copy, as the published model will be one: what finds files by the way from the model's own
    folder does not find them there.
    """
    with scratch_folder("fareline-check-") as folder:
        copy = os.path.join(folder, "model")
        shutil.copytree(model_dir, copy)  # Links become what they name, as when it is published.
        log_path = os.path.join(folder, "server.log")
        limit = int(budgets.memory_mb * _MIB)
        server = ModelServer(copy, model_name, log_path, budgets.load_seconds, limit)
        result.server = server.kind
        # Beside the server: both spend their first seconds on loading TensorFlow.
        reference = Reference(copy, SIGNATURE, requests, folder)
        try:
            with reference:
                reference.start(limit + _REFERENCE_MIB_MORE * _MIB)
                with server:
                    result.load_seconds = server.load_seconds
                    probe = Probe(server, model_name, budgets.rpc_seconds)
                    interview = Interview(probe, requests, budgets, contract, result)
                    try:
                        with probe:
                            interview.run(lambda: reference.wait(_patience(budgets)))
                    finally:
                        result.num_requests = probe.num_requests
                        result.peak_memory_mb = server.peak_memory_bytes / _MIB
        except tuple(_REASONS) as err:
            refusal = RefusedModelError(str(err).replace(copy, model_dir))
            refusal.reason = next(r for kind, r in _REASONS.items() if isinstance(err, kind))
            raise refusal from err
    _check_memory(result, budgets)


def _patience(budgets: Budgets) -> float:
    return budgets.load_seconds + budgets.rpc_seconds


def _check_memory(result: CheckResult, budgets: Budgets) -> None:
    if result.peak_memory_mb > budgets.memory_mb:
        raise RefusedModelError.because(
            Reason.TOO_MUCH_MEMORY,
            "the server's memory",
            f"reached {result.peak_memory_mb:.0f} MB",
            f"expected at most {budgets.memory_mb:g} MB",
            "make the model smaller, or raise the memory_mb budget",
        )
