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
# What is asked, in order, and the reasons that end the check there.
_QUESTIONS: tuple[tuple[str, tuple[Reason, ...]], ...] = (
    ("its files can be read, and need no Python", (Reason.UNREADABLE, Reason.PYTHON_FUNCTION)),
    (
        "it has all of its files, and reads and writes no others",
        (
            Reason.NO_VARIABLES,
            Reason.NO_ASSET,
            Reason.FILE_OUTSIDE,
            Reason.READS_FILE,
            Reason.WRITES_FILE,
            Reason.CONNECTS,
        ),
    ),
    ("it is not too large", (Reason.TOO_LARGE,)),
    ("a server can be started", (Reason.NO_SERVER, Reason.PORT_TAKEN)),
    ("it loads in time", (Reason.DIED_LOADING, Reason.LOAD_TIMEOUT)),
    (
        "it has the signature and the input that clients use",
        (Reason.NO_SIGNATURE, Reason.WRONG_INPUT),
    ),
    ("it answers every request", (Reason.RPC_TIMEOUT, Reason.RPC_FAILED, Reason.DIED_SERVING)),
    (
        "answers have the right types, shapes and values",
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
    ("answers equal those in process", (Reason.NO_REFERENCE, Reason.DIFFERS)),
    ("it is fast enough", (Reason.TOO_SLOW,)),
    (
        "its memory stays within the budget, and does not grow",
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
        checks=list(_checks(reason, found, budgets)),
        latency=found.get("latency_ms", {}),
        quantiles=found.get("latency_quantiles_ms", {}),
        memory=found.get("memory_mb", []),
        memory_budget=budgets.memory_mb,
        server=str(found.get("server") or ""),
    )


def _checks(reason: str, found: Mapping[str, Any], budgets: Budgets) -> Iterator[dict[str, Any]]:
    """What was asked, whether it held (None: it was not reached), measured and allowed."""
    ended = next((i for i, (_, ends) in enumerate(_QUESTIONS) if reason in [*ends]), None)
    details = {
        "it is not too large": _against(found.get("size_mb"), budgets.size_mb, "MiB"),
        "it loads in time": _against(found.get("load_seconds"), budgets.load_seconds, "s"),
        "it answers every request": f"{found.get('num_requests', 0):,} requests",
        "answers equal those in process": _against(
            found.get("largest_difference"), budgets.tolerance, "of the answer"
        ),
        "it is fast enough": _latency(found, budgets),
        "its memory stays within the budget, and does not grow": _against(
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
