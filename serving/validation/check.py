"""Is a model fit to serve? The plain function behind infra validation.

Called by `pipeline.components.infra_validator`; callable without TFX, which it must not import.
A fresh model server loads the model and answers raw examples, and the answers are looked at. A
broken model is an answer (`ok=False` with a reason), not an exception; what failed once is not
tried again; nothing waits without a deadline.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from itertools import cycle, islice

import numpy as np

from fareline.errors import UserMistake
from fareline.scratch import scratch_folder
from serving.validation.child import ServerStartError
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
from serving.validation.saved_files import check_files, read_graph
from serving.validation.verdict import BATCHES, Budgets, CheckResult, Reason, RefusedModelError
from serving.validation.warm import prepare

__all__ = ["Budgets", "CheckResult", "Reason", "check_model", "prepare_check"]

BIG_BATCH = 32
_MIB = 1 << 20
_ROUNDS = 2
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
    """Starts what the next `check_model` needs, where `serving.validation.warm.allowed` lets it."""
    prepare([PROGRAM] if server_kind() != OWN_SERVER else [OWN_SERVER, PROGRAM])


def check_model(
    model_dir: str, requests: Sequence[bytes], budgets: Budgets, *, model_name: str = "model"
) -> CheckResult:
    """Checks that a model can be served, and what that takes.

    In this order, ending at the first failure. Without running it: the SavedModel can be read,
    needs no Python, has all its files, and is not too large. In a fresh server: it loads in time;
    it has `serving_default` with the input `examples`; that answers each example alone, and 32
    together, with finite floats, one row per example, equal to the predictions in process; fast
    enough, alone and 32 together; in memory that is not too much, for which it is watched from its
    start.

    Args:
        model_dir: Local folder of a SavedModel.
        requests: Serialized tf.Examples as a client would send them, without the label.
        budgets: What the model may take; also how many of `requests` are used.
        model_name: The name it is served under.

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
        check_files(model_dir, read_graph(model_dir))
        _check_size(model_dir, budgets, result)
        _check_in_server(model_dir, requests[: budgets.num_examples], budgets, model_name, result)
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
                    try:
                        _ask(Probe(server, model_name, budgets.rpc_seconds), requests, budgets,
                             reference, result)  # fmt: skip
                    finally:
                        result.peak_memory_mb = server.peak_memory_bytes / _MIB
        except tuple(_REASONS) as err:
            refusal = RefusedModelError(str(err).replace(copy, model_dir))
            refusal.reason = next(r for kind, r in _REASONS.items() if isinstance(err, kind))
            raise refusal from err
    _check_memory(result, budgets)


def _ask(
    probe: Probe,
    requests: Sequence[bytes],
    budgets: Budgets,
    reference: Reference,
    result: CheckResult,
) -> None:
    """Judges the answers, compares them, then measures the time of more of the same."""
    with probe:
        try:
            probe.check_signature()
            answers = [probe.ask([example]) for example in requests]
            together = probe.ask(list(islice(cycle(requests), BIG_BATCH)))
            expected = reference.wait(budgets.load_seconds + budgets.rpc_seconds)
            alone = {name: np.concatenate([each[name] for each in answers]) for name in answers[0]}
            order = list(islice(cycle(range(len(requests))), BIG_BATCH))
            _compare(alone, expected, budgets, result)
            _compare(
                together, {name: rows[order] for name, rows in expected.items()}, budgets, result
            )
            for name, batch in zip(BATCHES, (1, BIG_BATCH), strict=True):
                _check_latency(probe, requests, batch, budgets.latency_ms.get(name, {}), result)
        finally:
            result.num_requests = probe.num_requests


def _compare(
    served: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    budgets: Budgets,
    result: CheckResult,
) -> None:
    """Refuses answers that are further from the predictions in process than the tolerance."""
    for name, answers in served.items():
        wanted = expected.get(name)
        if wanted is None or wanted.shape != answers.shape:
            found, difference = f"{list(answers.shape)} in the server", np.inf
            other = "no such output" if wanted is None else f"{list(wanted.shape)} in process"
        elif answers.dtype.kind == "S":
            differing = np.argwhere(answers != wanted)
            if not len(differing):
                continue
            place, difference = tuple(differing[0]), np.inf
            # Not the scalars of NumPy, which print themselves differently from version to version.
            found = f"{bytes(answers[place])!r} for example {place[0]}"
            other = f"{bytes(wanted[place])!r}"
        else:
            differences = np.abs(answers - wanted) / np.maximum(1.0, np.abs(wanted))
            # NaN in process, where the server's answer is finite, is as different as can be.
            differences = np.nan_to_num(differences, nan=np.inf)
            worst = np.unravel_index(np.argmax(differences), differences.shape)
            difference = float(differences[worst])
            found = f"{answers[worst]:.7g} for example {worst[0]}"
            other = f"{wanted[worst]:.7g} in process, within {budgets.tolerance:g}"
            result.largest_difference = max(result.largest_difference or 0.0, difference)
        if difference > budgets.tolerance:
            raise RefusedModelError.because(
                Reason.DIFFERS,
                f"output {name!r}",
                found,
                f"expected {other}",
                "look for randomness, for dropout left on, and for rows that see their neighbours",
            )


def _check_latency(
    probe: Probe,
    requests: Sequence[bytes],
    batch: int,
    limits: Mapping[str, float],
    result: CheckResult,
) -> None:
    """Measures; a round over budget is measured once more, since a busy machine only adds time."""
    measured = result.latency_ms[f"batch_{batch}"]
    for _ in range(_ROUNDS):
        for name, value in probe.time(requests, batch).items():
            measured[name] = value if measured[name] is None else min(value, measured[name])
        over = [name for name, most in limits.items() if measured[name] > most]
        if not over:
            return
    raise RefusedModelError.because(
        Reason.TOO_SLOW,
        f"requests with {batch} example{'s' if batch > 1 else ''}",
        f"{over[0][1:]} % took up to {measured[over[0]]:.3g} ms",
        f"expected at most {limits[over[0]]:g} ms",
        f"make the model smaller, or raise the latency_ms.batch_{batch}.{over[0]} budget",
    )


def _check_memory(result: CheckResult, budgets: Budgets) -> None:
    if result.peak_memory_mb > budgets.memory_mb:
        raise RefusedModelError.because(
            Reason.TOO_MUCH_MEMORY,
            "the server's memory",
            f"reached {result.peak_memory_mb:.0f} MB",
            f"expected at most {budgets.memory_mb:g} MB",
            "make the model smaller, or raise the memory_mb budget",
        )
