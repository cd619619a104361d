"""Tuner: TFX's own, with the number of trials as an execution property of its own.

TFX hands everything to the search in one JSON text, in which no runtime parameter can stand.

Used by `pipeline.dag`. No `from __future__ import annotations`: TFX reads raw annotations.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from tfx import types
from tfx.components.tuner import executor as tfx_executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import trainer_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.types.standard_component_specs import CUSTOM_CONFIG_KEY
from tfx.utils import json_utils

TRIALS_KEY = "tuning_trials"


class TunerSpec(standard_component_specs.TunerSpec):
    """TFX's, with the number of trials."""

    PARAMETERS: ClassVar[dict[str, component_spec.ExecutionParameter]] = {
        **standard_component_specs.TunerSpec.PARAMETERS,
        TRIALS_KEY: component_spec.ExecutionParameter(type=int),
    }


class Executor(tfx_executor.Executor):
    """TFX's executor."""

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Searches.

        Args:
            input_dict: As TFX's.
            output_dict: As TFX's.
            exec_properties: As TFX's, and `tuning_trials`.
        """
        super().Do(input_dict, output_dict, put_trials_into_custom_config(exec_properties))


def put_trials_into_custom_config(exec_properties: Mapping[str, Any]) -> dict[str, Any]:
    """Hands the number of trials to `tuner_fn`, with the other settings of the search.

    Args:
        exec_properties: With `custom_config`, JSON with a section `tuning`; and `tuning_trials`.

    Returns:
        The same, with `trials` in that section.
    """
    config = json.loads(exec_properties[CUSTOM_CONFIG_KEY])
    config["tuning"] = {**config["tuning"], "trials": int(exec_properties[TRIALS_KEY])}
    return {**exec_properties, CUSTOM_CONFIG_KEY: json.dumps(config)}


class Tuner(base_component.BaseComponent):
    """Searches for the hyperparameters to train with."""

    SPEC_CLASS = TunerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        inputs: Mapping[str, types.BaseChannel],
        tuner_fn: str,
        budget: tuple[int | RuntimeParameter, int],
        splits: tuple[str, str],
        custom_config: Mapping[str, Any],
        custom_executor_spec: executor_spec.ExecutorSpec | None = None,
    ):
        """Constructs the component. All values are part of the cache key.

        Args:
            inputs: Channels by TFX's names: `examples`, `transform_graph`.
            tuner_fn: Dotted path of the function that prepares the search.
            budget: Trials, and batches of each.
            splits: To learn from, and to rank by.
            custom_config: Handed to `tuner_fn`; its section `tuning` gets the number of trials.
            custom_executor_spec: What runs in place of `Executor`, such as a job on Vertex.
        """
        (trials, steps), (learn, rank_by) = budget, splits
        super().__init__(
            spec=TunerSpec(
                **inputs,
                tuner_fn=tuner_fn,
                train_args=trainer_pb2.TrainArgs(splits=[learn], num_steps=steps),
                eval_args=trainer_pb2.EvalArgs(splits=[rank_by]),
                tuning_trials=trials,
                custom_config=json_utils.dumps(custom_config),
                best_hyperparameters=types.Channel(type=standard_artifacts.HyperParameters),
                tuner_results=types.Channel(type=standard_artifacts.TunerResults),
            ),
            custom_executor_spec=custom_executor_spec,
        )
