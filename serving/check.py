"""Is a model fit to serve? The plain function behind infra validation.

Called by `pipeline.components.infra_validator`; callable without TFX, which it must not import.
A fresh model server loads the model and answers raw examples, and the answers are looked at. A
broken model is an answer (`ok=False` with a reason), not an exception; what failed once is not
tried again; nothing waits without a deadline.
"""

import os
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from fareline.errors import UserMistake
from serving.probe import Probe
from serving.process import ModelLoadError, ModelLoadTimeout, ModelServer
from serving.verdict import Budgets, CheckResult, Reason, RefusedModelError
from serving.versions import SAVED_MODEL_FILE

__all__ = ["Budgets", "CheckResult", "Reason", "check_model"]

BIG_BATCH = 32
_MIB = 1 << 20
_SERVE_TAG = "serve"


def check_model(
    model_dir: str, requests: Sequence[bytes], budgets: Budgets, *, model_name: str = "model"
) -> CheckResult:
    """Checks that a model can be served, and what that takes.

    In this order, ending at the first failure: the SavedModel can be read; it is not too large; a
    fresh server loads it in time; it has `serving_default`; that answers each example alone, and 32
    together, with finite floats, one row per example; fast enough; in memory that is not too much.

    Args:
        model_dir: Local folder of a SavedModel.
        requests: Serialized tf.Examples as a client would send them, without the label.
        budgets: What the model may take; also how many of `requests` are used.
        model_name: The name it is served under.

    Returns:
        The verdict, and all that was measured until then.

    Raises:
        UserMistake: `requests` is empty: nothing could be said about any model.
        ServerStartError: This machine cannot run a model server.
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
        _check_readable(model_dir)
        _check_size(model_dir, budgets, result)
        _check_in_server(model_dir, requests[: budgets.num_examples], budgets, model_name, result)
        result.ok = True
    except RefusedModelError as refusal:
        result.reason, result.message = refusal.reason, str(refusal)
    return result


def _check_readable(model_dir: str) -> None:
    """Reads saved_model.pb as a server would; refuses what is not a graph tagged for serving."""
    path = os.path.join(model_dir, SAVED_MODEL_FILE)
    saved = saved_model_pb2.SavedModel()
    found = ""
    try:
        with open(path, "rb") as reader:
            saved.ParseFromString(reader.read())
    except (OSError, DecodeError) as err:
        found = f"cannot be read ({err})"
    else:
        if not any(_SERVE_TAG in graph.meta_info_def.tags for graph in saved.meta_graphs):
            found = f"holds no graph with the tag {_SERVE_TAG!r}"
    if found:
        raise RefusedModelError.because(
            Reason.UNREADABLE,
            path,
            found,
            "expected what tf.saved_model.save writes",
            "export the model again",
        )


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
    """Loads the model in a fresh server and asks it; fills `result` as far as it gets."""
    with tempfile.TemporaryDirectory(prefix="fareline-check-") as log_dir:
        log_path = os.path.join(log_dir, "server.log")
        server = ModelServer(model_dir, model_name, log_path, budgets.load_seconds)
        result.server = server.kind
        try:
            with server:
                result.load_seconds = server.load_seconds
                try:
                    _ask(server, model_name, requests, budgets, result)
                finally:
                    result.peak_memory_mb = server.peak_memory_bytes / _MIB
        except ModelLoadTimeout as err:
            raise _refused_load(Reason.LOAD_TIMEOUT, err) from err
        except ModelLoadError as err:
            raise _refused_load(Reason.DIED_LOADING, err) from err
    _check_latency(result, budgets)
    _check_memory(result, budgets)


def _refused_load(reason: Reason, err: Exception) -> RefusedModelError:
    refusal = RefusedModelError(str(err))
    refusal.reason = reason
    return refusal


def _ask(
    server: ModelServer,
    model_name: str,
    requests: Sequence[bytes],
    budgets: Budgets,
    result: CheckResult,
) -> None:
    """Judges the answers, then measures the time of more of the same."""
    with Probe(server, model_name, budgets.rpc_seconds) as probe:
        try:
            probe.find_input()
            for example in requests:
                probe.ask([example])
            probe.ask(list(islice(cycle(requests), BIG_BATCH)))
            for batch in (1, BIG_BATCH):
                result.latency_ms[f"batch_{batch}"] = probe.time(requests, batch)
        finally:
            result.num_requests = probe.num_requests


def _check_latency(result: CheckResult, budgets: Budgets) -> None:
    p95 = result.latency_ms["batch_1"]["p95"]
    if p95 > budgets.latency_ms:
        raise RefusedModelError.because(
            Reason.TOO_SLOW,
            "requests with one example",
            f"95 % took up to {p95:.3g} ms",
            f"expected at most {budgets.latency_ms:g} ms",
            "make the model smaller, or raise the latency_ms budget",
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
