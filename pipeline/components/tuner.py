"""Tuner: TFX's own, which searches only where `tuning.policy` calls for it, and records why.

The number of trials is an execution property of its own: TFX hands everything to the search in one
JSON text, in which no runtime parameter can stand.

Used by `pipeline.dag`. No `from __future__ import annotations`: TFX reads raw annotations.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import keras_tuner
from tfx import types
from tfx.components.tuner import executor as tfx_executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import trainer_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.types.standard_component_specs import (
    BEST_HYPERPARAMETERS_KEY,
    CUSTOM_CONFIG_KEY,
    TUNER_RESULTS_KEY,
)
from tfx.utils import io_utils, json_utils

from fareline.recorded import (
    RETUNE_REASONS,
    REUSED_FROM,
    TUNING_DECISION,
    TUNING_POLICY,
    TUNING_REASONS,
)
from pipeline.artifacts import RETUNES, DataDrift
from pipeline.tuning_decision import (
    ALWAYS,
    REUSED,
    SEARCHED,
    Decision,
    Drift,
    Last,
    decide,
    digests_of,
)

TRIALS_KEY = "tuning_trials"
LAST_KEY, DRIFT_KEY, EARLIER_DRIFT_KEY = "last_hyperparameters", "drift", "earlier_drift"


class TunerSpec(standard_component_specs.TunerSpec):
    """TFX's, with the number of trials."""

    PARAMETERS: ClassVar[dict[str, component_spec.ExecutionParameter]] = {
        **standard_component_specs.TunerSpec.PARAMETERS,
        TRIALS_KEY: component_spec.ExecutionParameter(type=int),
    }
    INPUTS: ClassVar[dict[str, component_spec.ChannelParameter]] = {
        **standard_component_specs.TunerSpec.INPUTS,
        LAST_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.HyperParameters, optional=True
        ),
        DRIFT_KEY: component_spec.ChannelParameter(type=DataDrift, optional=True),
        EARLIER_DRIFT_KEY: component_spec.ChannelParameter(type=DataDrift, optional=True),
    }


class Executor(tfx_executor.Executor):
    """TFX's executor, unless there is nothing to search for."""

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Searches, or writes the hyperparameters that there are; and records which, and why.

        Args:
            input_dict: Input dict, as TFX's. With policy `on_drift` also `last_hyperparameters`,
                one artifact or none; `drift` of this data, likewise; `earlier_drift`, of data
                before it.
            output_dict: Output dict, as TFX's. Both get `tuning_decision`; `best_hyperparameters`
                also why, and what it was searched for (fareline.recorded). Without a search
                `tuner_results` are an empty list.
            exec_properties: Exec properties, as TFX's, and `tuning_trials`.
        """
        config = json.loads(exec_properties[CUSTOM_CONFIG_KEY])
        tuning, digests = config["tuning"], digests_of(config)
        policy = tuning.get("policy", ALWAYS)
        last = input_dict.get(LAST_KEY, [])
        decision = decide(
            policy,
            digests,
            next((Last(each.id, read_custom_properties(each)) for each in last), None),
            next(iter(_drifts(input_dict.get(DRIFT_KEY, []))), None),
            _drifts(input_dict.get(EARLIER_DRIFT_KEY, [])),
        )
        if decision.decision == SEARCHED:
            super().Do(input_dict, output_dict, put_trials_into_custom_config(exec_properties))
        elif decision.decision == REUSED:
            path = io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(last))
            write_without_search(io_utils.read_string_file(path), output_dict)
        else:
            given = describe_given(tuning["hyperparameters"])
            write_without_search(json.dumps(given), output_dict)
        _record(policy, decision, digests, output_dict)


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


def describe_given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Describes fixed values as KerasTuner does what it found.

    Args:
        values: Name to value.

    Returns:
        Config of a `keras_tuner.HyperParameters` whose every entry is fixed.
    """
    space = keras_tuner.HyperParameters()
    for name, value in values.items():
        space.Fixed(name, value)
    return space.get_config()


def write_without_search(
    hyperparameters: str, output_dict: Mapping[str, list[types.Artifact]]
) -> None:
    """Writes the outputs of a Tuner that did not search, where TFX's writes them.

    Args:
        hyperparameters: Content of `best_hyperparameters`.
        output_dict: Output dict, as TFX's; of the results, of which there are none, an empty list
            is written.
    """
    contents = {
        BEST_HYPERPARAMETERS_KEY: ("best_hyperparameters.txt", hyperparameters),
        TUNER_RESULTS_KEY: ("tuner_results.json", "[]"),
    }
    for key, (name, content) in contents.items():
        folder = artifact_utils.get_single_uri(output_dict[key])
        io_utils.write_string_file(f"{folder}/{name}", content)


def read_custom_properties(artifact: types.Artifact) -> dict[str, Any]:
    """Reads what is recorded with an artifact: name to text or number."""
    values = artifact.mlmd_artifact.custom_properties
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


def _drifts(artifacts: list[types.Artifact]) -> list[Drift]:
    """Which measures of each DataDrift call for a new search."""
    drifts = []
    for each in artifacts:
        lines = each.get_string_custom_property(RETUNE_REASONS).splitlines()
        drifts.append(Drift(each.id, lines if each.get_int_custom_property(RETUNES) else []))
    return drifts


def _record(
    policy: str,
    decision: Decision,
    digests: Mapping[str, str],
    output_dict: Mapping[str, list[types.Artifact]],
) -> None:
    best = artifact_utils.get_single_instance(output_dict[BEST_HYPERPARAMETERS_KEY])
    results = artifact_utils.get_single_instance(output_dict[TUNER_RESULTS_KEY])
    for artifact in (best, results):
        artifact.set_string_custom_property(TUNING_DECISION, decision.decision)
    best.set_string_custom_property(TUNING_POLICY, policy)
    best.set_string_custom_property(TUNING_REASONS, "\n".join(decision.reasons))
    if decision.reused_from is not None:
        best.set_int_custom_property(REUSED_FROM, decision.reused_from)
    for name, digest in digests.items():
        best.set_string_custom_property(name, digest)


class Tuner(base_component.BaseComponent):
    """Finds the hyperparameters to train with."""

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
            inputs: Channels by TFX's names: `examples`, `transform_graph`; and, to decide by,
                `last_hyperparameters`, `drift`, `earlier_drift`.
            tuner_fn: Dotted path of the function that prepares the search.
            budget: Trials, and batches of each.
            splits: To learn from, and to rank by.
            custom_config: Handed to `tuner_fn`; its section `tuning` gets the number of trials, and
                says when to search by `policy`: always, if it has none.
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
