"""The types of the model check: budgets, reasons of refusals, measurements.

Called by `serving.validation.check` and `serving.validation.probe`. Standard library only, so that
readers of settings and reports can import it at little cost.
"""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from fareline.errors import FarelineError, UserMistake


class Reason(str, enum.Enum):
    """Why a model was refused; `OK` if it was not."""

    OK = "ok"
    UNREADABLE = "unreadable"
    PYTHON_FUNCTION = "python_function"
    NO_VARIABLES = "no_variables"
    NO_ASSET = "no_asset"
    FILE_OUTSIDE = "file_outside"
    READS_FILE = "reads_file"
    WRITES_FILE = "writes_file"
    CONNECTS = "connects"
    CHANGES_STATE = "changes_state"
    TOO_LARGE = "too_large"
    NO_SERVER = "no_server"
    PORT_TAKEN = "port_taken"
    DIED_LOADING = "died_loading"
    LOAD_TIMEOUT = "load_timeout"
    NO_SIGNATURE = "no_signature"
    WRONG_INPUT = "wrong_input"
    RPC_TIMEOUT = "rpc_timeout"
    RPC_FAILED = "rpc_failed"
    DIED_SERVING = "died_serving"
    WRONG_DTYPE = "wrong_dtype"
    WRONG_SHAPE = "wrong_shape"
    NOT_A_NUMBER = "not_a_number"
    INFINITE = "infinite"
    WRONG_OUTPUTS = "wrong_outputs"
    NOT_A_PROBABILITY = "not_a_probability"
    ANSWER_TOO_LARGE = "answer_too_large"
    NO_REFERENCE = "no_reference"
    DIFFERS = "differs"
    TOO_SLOW = "too_slow"
    TOO_MUCH_MEMORY = "too_much_memory"
    MEMORY_GROWS = "memory_grows"


# Not the model's fault: the same model may pass once the machine is mended.
MACHINE_REASONS = frozenset({Reason.NO_SERVER, Reason.PORT_TAKEN})
BATCHES = ("batch_1", "batch_32")
PERCENTILES = ("p50", "p95", "p99")
Latency = Mapping[str, Mapping[str, float]]


class RefusedModelError(FarelineError):
    """The model is refused. Raised inside the check only; `check_model` makes it a result."""

    reason = Reason.OK

    @classmethod
    def because(cls, reason: Reason, where: str, found: str, expected: str, hint: str):
        """Builds the error with its reason; the wording is `FarelineError.explain`'s."""
        error = cls.explain(where, found, expected, hint)
        error.reason = reason
        return error

    def about(self, what: str) -> "RefusedModelError":
        """The refusal, for the same reason, of an answer to a special request."""
        error = type(self)(f"{what}: {self}")
        error.reason = self.reason
        return error


@dataclass(frozen=True)
class Budgets:
    """Limits for a model. Generous by default.

    Attributes:
        load_seconds: From the start of the server process until the model can be asked.
        rpc_seconds: Deadline of each request.
        latency_ms: `batch_1` and `batch_32` -> `p50`, `p95` and `p99` of the time of a request with
            that many examples, milliseconds; what is left out is not limited.
        memory_mb: Peak resident memory of the server process, the server itself included, MiB.
        size_mb: All files of the model, MiB.
        tolerance: How far an answer y may be from the prediction in process, as a share of
            max(1, |y|).
        num_examples: Number of examples that are asked about, at most.
    """

    load_seconds: float = 60.0
    rpc_seconds: float = 10.0
    latency_ms: Latency = field(
        default_factory=lambda: {
            "batch_1": {"p50": 100.0, "p95": 400.0, "p99": 1000.0},
            "batch_32": {"p50": 200.0, "p95": 800.0, "p99": 2000.0},
        }
    )
    memory_mb: float = 2048.0
    size_mb: float = 512.0
    tolerance: float = 1e-4
    num_examples: int = 32

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "Budgets":
        """Builds budgets from settings; what is left out keeps its default.

        Raises:
            UserMistake: An unknown name, or a value that is no finite number above 0.
        """
        known = {each.name: each.type for each in fields(cls)}
        _require_known("budgets", values, tuple(known))
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name == "latency_ms":
                checked[name] = _check_latency_budgets(value)
            else:
                # JSON on its way through Kubeflow turns every integer into a float.
                checked[name] = known[name](_check_number(f"budgets.{name}", value))
        return cls(**checked)


def _check_latency_budgets(value: Any) -> Latency:
    _require_known("budgets.latency_ms", value, BATCHES)
    for batch, percentiles in value.items():
        where = f"budgets.latency_ms.{batch}"
        _require_known(where, percentiles, PERCENTILES)
        for name, each in percentiles.items():
            _check_number(f"{where}.{name}", each)
    return value


def _require_known(where: str, values: Any, known: tuple[str, ...]) -> None:
    names = values if isinstance(values, Mapping) else [values]
    for name in names:
        if name not in known:
            raise UserMistake.explain(
                f"{where}.{name}",
                "no such budget",
                f"expected some of {', '.join(known)}",
                "correct the name",
            )


def _check_number(where: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and value > 0):
        raise UserMistake.explain(
            where, f"{value!r}", "expected a number above 0", "leave it out for the default"
        )
    return value


def _unmeasured() -> dict[str, dict[str, float | None]]:
    return {batch: dict.fromkeys(PERCENTILES) for batch in BATCHES}


@dataclass
class CheckResult:
    """The result of the check. Values that were not reached before a refusal are None.

    Attributes:
        ok: Whether the model is fit to serve.
        reason: Code of the refusal, `ok` if there is none.
        message: The refusal in a sentence, with the server's last words where it died.
        latency_ms: `batch_1` and `batch_32` -> `p50`, `p95` and `p99`, milliseconds.
        load_seconds: From the start of the server process until the model could be asked.
        peak_memory_mb: Largest resident memory of the server process, MiB.
        size_mb: All files of the model, MiB.
        num_requests: Prediction requests that were answered.
        largest_difference: Largest difference of an answer from the prediction in process, as a
            share of max(1, |y|).
        server: Kind of the server: `tensorflow_model_server` or `serving.server.server`.
        latency_quantiles_ms: For the last round of each batch, every twentieth part of the times
            from the least to the greatest, milliseconds.
        memory_mb: What the server held when it had loaded, and after each round of timed requests,
            MiB.
    """

    ok: bool = False
    reason: Reason = Reason.OK
    message: str = ""
    latency_ms: dict[str, dict[str, float | None]] = field(default_factory=_unmeasured)
    load_seconds: float | None = None
    peak_memory_mb: float | None = None
    size_mb: float | None = None
    num_requests: int = 0
    largest_difference: float | None = None
    server: str | None = None
    latency_quantiles_ms: dict[str, list[float]] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields as plain JSON values, keys in a fixed order, times to 3 digits."""
        rounded = {
            batch: {name: _rounded(value) for name, value in percentiles.items()}
            for batch, percentiles in self.latency_ms.items()
        }
        return {
            "ok": self.ok,
            "reason": self.reason.value,
            "message": self.message,
            "latency_ms": rounded,
            "load_seconds": _rounded(self.load_seconds),
            "peak_memory_mb": _rounded(self.peak_memory_mb),
            "size_mb": _rounded(self.size_mb),
            "num_requests": self.num_requests,
            "largest_difference": self.largest_difference,  # not rounded: it is tiny
            "server": self.server,
            "latency_quantiles_ms": {
                batch: [round(value, 3) for value in values]
                for batch, values in self.latency_quantiles_ms.items()
            },
            "memory_mb": [round(value, 3) for value in self.memory_mb],
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
