"""The section about serving: every check of InfraValidator in words, times and memory."""

from collections.abc import Iterator, Mapping
from typing import Any

from fareline.recorded.validation import budgets_of
from lineage.facts.models import is_blessed
from lineage.facts.payload_contents import Unreadable
from report.run.document import Serving
from report.run.sources import Sources, read_json
from serving.validation.verdict import BATCHES, PERCENTILES, Budgets, Reason

RESULT_FILE = "infra_validation.json"
# The checks, in order, and the reasons that end the validation there.
_QUESTIONS: tuple[tuple[str, tuple[Reason, ...]], ...] = (
    ("the files can be read and need no Python", (Reason.UNREADABLE, Reason.PYTHON_FUNCTION)),
    (
        "all files exist, and the model uses no others",
        (
            Reason.NO_VARIABLES,
            Reason.NO_ASSET,
            Reason.FILE_OUTSIDE,
            Reason.READS_FILE,
            Reason.WRITES_FILE,
            Reason.CONNECTS,
        ),
    ),
    ("requests do not change the model", (Reason.CHANGES_STATE,)),
    ("the size is within the limit", (Reason.TOO_LARGE,)),
    ("a server starts", (Reason.NO_SERVER, Reason.PORT_TAKEN)),
    ("the model loads in time", (Reason.DIED_LOADING, Reason.LOAD_TIMEOUT)),
    (
        "the model has the signature and the input of clients",
        (Reason.NO_SIGNATURE, Reason.WRONG_INPUT),
    ),
    ("every request gets an answer", (Reason.RPC_TIMEOUT, Reason.RPC_FAILED, Reason.DIED_SERVING)),
    (
        "answers have valid types, shapes and values",
        (
            Reason.WRONG_DTYPE,
            Reason.WRONG_SHAPE,
            Reason.NOT_A_NUMBER,
            Reason.INFINITE,
            Reason.WRONG_OUTPUTS,
            Reason.NOT_A_PROBABILITY,
            Reason.ANSWER_TOO_LARGE,
        ),
    ),
    ("answers equal those of tf.saved_model.load", (Reason.NO_REFERENCE, Reason.DIFFERS)),
    ("the latency is within the limits", (Reason.TOO_SLOW,)),
    (
        "the memory is within the limit and does not grow",
        (Reason.TOO_MUCH_MEMORY, Reason.MEMORY_GROWS),
    ),
)


def gather_serving(sources: Sources) -> Serving:
    """Reads the verdict of InfraValidator.

    Raises:
        Unreadable: The record does not exist, or is not Fareline's.
    """
    blessing = sources.last("InfraBlessing")
    if blessing is None:
        raise Unreadable(sources.why_absent("a check of a model server", "InfraBlessing"))
    found = read_json(blessing, RESULT_FILE)
    origin = sources.origin(blessing)
    budgets = Budgets.from_mapping((budgets_of(origin) if origin else None) or {})
    reason = str(found.get("reason", ""))
    return Serving(
        blessed=is_blessed(blessing),
        reason=reason,
        message=str(found.get("message", "")),
        checks=list(checks_of(reason, found, budgets)),
        latency=found.get("latency_ms", {}),
        quantiles=found.get("latency_quantiles_ms", {}),
        memory=found.get("memory_mb", []),
        memory_budget=budgets.memory_mb,
        server=str(found.get("server") or ""),
    )


def checks_of(reason: str, found: Mapping[str, Any], budgets: Budgets) -> Iterator[dict[str, Any]]:
    """Yields each check: its words, its result, and the measured and allowed values.

    Args:
        reason: Reason of the refusal; `ok` without a refusal.
        found: Content of `infra_validation.json`.
        budgets: Limits for the model.

    Yields:
        `said`; `held`, None if the check was not reached; `detail`.
    """
    ended = next((i for i, (_, ends) in enumerate(_QUESTIONS) if reason in [*ends]), None)
    details = {
        "the size is within the limit": _against(found.get("size_mb"), budgets.size_mb, "MiB"),
        "the model loads in time": _against(found.get("load_seconds"), budgets.load_seconds, "s"),
        "every request gets an answer": f"{found.get('num_requests', 0):,} requests",
        "answers equal those of tf.saved_model.load": _against(
            found.get("largest_difference"), budgets.tolerance, "of the answer"
        ),
        "the latency is within the limits": _latency(found, budgets),
        "the memory is within the limit and does not grow": _against(
            found.get("peak_memory_mb"), budgets.memory_mb, "MiB"
        ),
    }
    for place, (said, _) in enumerate(_QUESTIONS):
        held = True if ended is None or place < ended else (False if place == ended else None)
        yield {
            "said": said,
            "held": held,
            "detail": details.get(said, "") if held is not None else "",
        }


def _against(value: float | None, budget: float, unit: str) -> str:
    return "" if value is None else f"{value:.4g} of at most {budget:g} {unit}"


def _latency(found: Mapping[str, Any], budgets: Budgets) -> str:
    parts = []
    for batch in BATCHES:
        measured = found.get("latency_ms", {}).get(batch, {})
        limits = budgets.latency_ms.get(batch, {})
        values = [
            f"{name} {measured[name]:.3g}" + (f" of {limits[name]:g}" if name in limits else "")
            for name in PERCENTILES
            if measured.get(name) is not None
        ]
        if values:
            parts.append(f"batch {batch.removeprefix('batch_')}: {', '.join(values)} ms")
    return "; ".join(parts)
