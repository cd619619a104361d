"""Evaluator: TFX's own, which also records the metrics with the ModelEvaluation artifact.

TFX leaves them in files below the artifact's URI, which only TFMA reads; in the store they can be
asked for, and outlive the payload.

Used by `pipeline.dag`. No `from __future__ import annotations`: TFX reads raw annotations.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.components.evaluator import component as tfx_component
from tfx.components.evaluator import executor as tfx_executor
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import EVALUATION_KEY

from lineage.recorded import METRIC_PREFIX, METRICS
from pipeline.evaluation import OVERALL, read_metrics


class Executor(tfx_executor.Executor):
    """TFX's executor; afterwards the metrics are copied into the store."""

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates and judges, then records the metrics.

        Args:
            input_dict: As TFX's.
            output_dict: `evaluation` and `blessing`. The evaluation gets `metrics`, JSON as
                `lineage.recorded` has it with null for what is undefined, and each defined overall
                metric as a number: `metric_auc` and so on.
            exec_properties: As TFX's.
        """
        super().Do(input_dict, output_dict, exec_properties)
        evaluation = artifact_utils.get_single_instance(output_dict[EVALUATION_KEY])
        record_metrics(evaluation)


def record_metrics(evaluation: types.Artifact) -> None:
    """Copies the metrics of an evaluation from its files into its custom properties."""
    slices = {one.name: _finite(one.metrics) for one in read_metrics(evaluation.uri)}
    overall = slices.pop(OVERALL, {})
    content = {"overall": overall, "slices": slices}
    evaluation.set_string_custom_property(METRICS, json.dumps(content, allow_nan=False))
    for name, value in overall.items():
        if value is not None:
            evaluation.set_float_custom_property(f"{METRIC_PREFIX}{name}", value)


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


class Evaluator(tfx_component.Evaluator):
    """Measures the model, overall and by slice, and blesses it or not."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
