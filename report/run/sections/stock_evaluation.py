"""An evaluation as stock TFX leaves it, read by TFMA's own readers: metrics and plots."""

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from typing import Any

from lineage.facts.payload_contents import Unreadable, folder_of
from lineage.graph.elements import Artifact
from report.run.document import Calibration, ModelPicture, Operating, Slice

OVERALL = "overall"
_NO_PLOTS = "Curves are not in this evaluation: its EvalConfig asks for no plots."


def read_stock(
    evaluation: Artifact,
) -> tuple[Slice, list[Slice], ModelPicture | None, list[str]]:
    """Reads it.

    Returns:
        The whole, the slices, what can be drawn, and notes on what is not there.

    Raises:
        Unreadable: TFMA cannot read it, or is not installed.
    """
    records, plots = _load(evaluation)
    slices = [_slice(record) for record in records]
    overall = next((s for s in slices if s.name == OVERALL), Slice(OVERALL, {}))
    others = sorted((s for s in slices if s is not overall), key=lambda s: s.name)
    picture = _picture(plots)
    return overall, others, picture, [] if picture else [_NO_PLOTS]


def _load(evaluation: Artifact) -> tuple[list[Any], list[Any]]:
    """Metrics and plots, as TFMA's messages."""
    folder = str(folder_of(evaluation))
    loaded = "tensorflow_model_analysis" in sys.modules
    with contextlib.nullcontext() if loaded else _silence():
        try:
            import tensorflow_model_analysis as tfma
        except ImportError as error:
            raise Unreadable(f"{evaluation.key}: TFMA, which reads it, is not installed") from error
        try:
            return list(tfma.load_metrics(folder)), list(tfma.load_plots(folder))
        except (OSError, ValueError, RuntimeError) as error:
            raise Unreadable(f"{evaluation.key}: TFMA cannot read {folder}") from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps off the screen what TensorFlow says while it loads: it writes to the descriptors."""
    kept = [(target, os.dup(target)) for target in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for target, _ in kept:
            os.dup2(nowhere, target)
        yield
    finally:
        for target, copy in kept:
            os.dup2(copy, target)
            os.close(copy)
        os.close(nowhere)


def _slice(record: Any) -> Slice:
    values: dict[str, float | None] = {}
    baseline: dict[str, float | None] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for item in record.metric_keys_and_values:
        if item.key.is_diff or item.value.WhichOneof("type") != "double_value":
            continue
        value = item.value.double_value.value
        value = value if math.isfinite(value) else None
        if item.key.model_name == "baseline":
            baseline[item.key.name] = value
            continue
        values[item.key.name] = value
        if item.HasField("confidence_interval"):
            ends = item.confidence_interval
            low, high = ends.lower_bound.double_value.value, ends.upper_bound.double_value.value
            intervals[item.key.name] = (low, high)
    return Slice(_name(record.slice_key), values, baseline, intervals)


def _name(key: Any) -> str:
    parts = []
    for single in key.single_slice_keys:
        value = getattr(single, single.WhichOneof("kind"))
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        parts.append(f"{single.column}={value}")
    return ", ".join(parts) or OVERALL


def _picture(plots: list[Any]) -> ModelPicture | None:
    """Of the whole, the plots that TFMA made."""
    operating: list[Operating] = []
    calibration: list[Calibration] = []
    for record in plots:
        if record.slice_key.single_slice_keys:
            continue
        for item in record.plot_keys_and_values:
            if item.key.model_name == "baseline":
                continue
            matrices = item.value.confusion_matrix_at_thresholds.matrices
            if matrices:
                operating.append(_operating(matrices))
            buckets = item.value.calibration_histogram_buckets.buckets
            if buckets:
                calibration.append(_calibration(buckets))
    return ModelPicture(operating[:1], calibration[:1]) if operating or calibration else None


def _operating(matrices: Any) -> Operating:
    inside = [m for m in matrices if 0 <= m.threshold <= 1]
    first = inside[0]
    return Operating(
        name="",
        thresholds=[m.threshold for m in inside],
        true_positives=[m.true_positives for m in inside],
        false_positives=[m.false_positives for m in inside],
        positives=first.true_positives + first.false_negatives,
        negatives=first.false_positives + first.true_negatives,
    )


def _calibration(buckets: Any) -> Calibration:
    kept = [b for b in buckets if b.num_weighted_examples.value > 0]
    weights = [b.num_weighted_examples.value for b in kept]
    return Calibration(
        name="",
        scores=[
            b.total_weighted_refined_prediction.value / w
            for b, w in zip(kept, weights, strict=True)
        ],
        rates=[b.total_weighted_label.value / w for b, w in zip(kept, weights, strict=True)],
        weights=weights,
    )
