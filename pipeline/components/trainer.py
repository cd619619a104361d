"""Trainer: TFX's own, which also records the model's SHA-256 and hyperparameters with the model.

The number of steps is an execution property of its own, where TFX has it inside a JSON text: so it
can be a runtime parameter, and is part of the cache key wherever it comes from.

Used by `pipeline.dag`. No `from __future__ import annotations`: TFX reads raw annotations.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from tfx import types
from tfx.components.trainer import executor as tfx_executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.io import fileio
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import trainer_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.types.standard_component_specs import (
    BASE_MODEL_KEY,
    CUSTOM_CONFIG_KEY,
    HYPERPARAMETERS_KEY,
    MODEL_KEY,
    MODEL_RUN_KEY,
    TRAIN_ARGS_KEY,
)
from tfx.utils import io_utils, json_utils, proto_utils

from fareline.digests import sha256_of_folder
from fareline.recorded import CHECKPOINTS_DIR, HYPERPARAMETERS, SAMPLE, SHA256, WARM_START
from fareline.recorded.texts import parse_json, text_of
from fareline.recorded.tuning import WarmStart
from pipeline.components.live_baseline import without_empty_model

STEPS_KEY = "training_steps"
REPORT_FILE = "training.json"


class TrainerSpec(standard_component_specs.TrainerSpec):
    """TFX's, with the number of steps."""

    PARAMETERS: ClassVar[dict[str, component_spec.ExecutionParameter]] = {
        **standard_component_specs.TrainerSpec.PARAMETERS,
        STEPS_KEY: component_spec.ExecutionParameter(type=int),
    }


class Executor(tfx_executor.GenericExecutor):
    """TFX's executor; afterwards the model is described."""

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains the model, then records the result with the Model artifact.

        Args:
            input_dict: Input dict, as TFX's; `hyperparameters` is optional.
            output_dict: `model` and `model_run`. The model gets `sha256`, over everything below
                its URI and not only the folder that is pushed, unless it is remote; and
                `hyperparameters`, if there were any; and `sample`, if it is of one.
            exec_properties: Exec properties, as TFX's, and `training_steps`.
        """
        input_dict = without_empty_model(input_dict, BASE_MODEL_KEY)
        model = artifact_utils.get_single_instance(output_dict[MODEL_KEY])
        exec_properties = put_steps_into_train_args(exec_properties)
        checkpoint = place_of_checkpoint(input_dict, model.uri, exec_properties)
        super().Do(input_dict, output_dict, with_checkpoint(exec_properties, checkpoint))
        remove_checkpoints(checkpoint)
        # Of a remote one, which would be read again byte by byte, the store's checksums speak.
        if "://" not in model.uri:
            model.set_string_custom_property(SHA256, sha256_of_folder(model.uri))
        if input_dict.get(HYPERPARAMETERS_KEY):
            values = read_hyperparameters(input_dict[HYPERPARAMETERS_KEY])
            model.set_string_custom_property(HYPERPARAMETERS, text_of(values))
        config = json_utils.loads(exec_properties.get(CUSTOM_CONFIG_KEY) or "null")
        if isinstance(config, dict) and SAMPLE in config:
            model.set_string_custom_property(SAMPLE, str(config[SAMPLE]))
        if input_dict.get(BASE_MODEL_KEY):
            record_warm_start(model, input_dict[BASE_MODEL_KEY][0], output_dict[MODEL_RUN_KEY])


def place_of_checkpoint(
    input_dict: Mapping[str, list[types.Artifact]], uri: str, exec_properties: Mapping[str, Any]
) -> Path | None:
    """The file that a killed Trainer resumes from, beside the folders of its artifacts.

    `Trainer/checkpoints/EXECUTION-KEY.npz`, where the key is a digest of all that TFX's cache key
    is made of: a Trainer with the same finds what a killed one has left.

    Args:
        input_dict: Input artifacts of Trainer, by key.
        uri: URI of its model, `…/Trainer/model/EXECUTION` on this machine.
        exec_properties: Execution properties of Trainer.

    Returns:
        None in a cluster, where each attempt of a step has a folder of its own.
    """
    folder = Path(uri)
    if "://" in uri or folder.parent.name != MODEL_KEY:
        return None
    read = {key: [(a.id, a.uri) for a in found] for key, found in sorted(input_dict.items())}
    content = json.dumps([read, sorted(exec_properties.items())], default=str)
    key = hashlib.sha256(content.encode()).hexdigest()
    return folder.parents[1] / CHECKPOINTS_DIR / f"{folder.name}-{key}.npz"


def remove_checkpoints(place: Path | None) -> None:
    """Removes what was kept under a key, whichever execution kept it: the model is there."""
    if place is not None:
        for file in place.parent.glob(f"*-{place.name.partition('-')[2]}"):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there is none, or it holds others
            place.parent.rmdir()


def with_checkpoint(exec_properties: Mapping[str, Any], place: Path | None) -> dict[str, Any]:
    """Hands the file to `run_fn`, in `custom_config`, which the cache key was made of before."""
    config = json_utils.loads(exec_properties.get(CUSTOM_CONFIG_KEY) or "null")
    if place is None or not isinstance(config, dict):
        return dict(exec_properties)
    text = json_utils.dumps({**config, "checkpoint": str(place)})
    return {**exec_properties, CUSTOM_CONFIG_KEY: text}


def record_warm_start(
    model: types.Artifact, earlier: types.Artifact, runs: list[types.Artifact]
) -> None:
    """Records what a model began with, if `run_fn` reports it, as ours does.

    Args:
        model: Gets it.
        earlier: Model with the given weights.
        runs: One ModelRun, where the report is.
    """
    path = os.path.join(artifact_utils.get_single_uri(runs), REPORT_FILE)
    if not fileio.exists(path):
        return
    with fileio.open(path, "r") as file:
        report = parse_json(file.read())
    found = report.get("warm_start") if isinstance(report, dict) else None
    if isinstance(found, dict):
        text = WarmStart(earlier.id, found.get("taken", ()), found.get("left", {})).to_text()
        model.set_string_custom_property(WARM_START, text)


def put_steps_into_train_args(exec_properties: Mapping[str, Any]) -> dict[str, Any]:
    """Hands the number of steps to TFX where it looks for it.

    Args:
        exec_properties: With `train_args`, a TrainArgs as JSON; and `training_steps`, unless the
            component is TFX's own.

    Returns:
        The same, with `num_steps` in `train_args`.
    """
    if STEPS_KEY not in exec_properties:
        return dict(exec_properties)
    arguments = trainer_pb2.TrainArgs()
    proto_utils.json_to_proto(exec_properties[TRAIN_ARGS_KEY], arguments)
    arguments.num_steps = int(exec_properties[STEPS_KEY])
    return {**exec_properties, TRAIN_ARGS_KEY: proto_utils.proto_to_json(arguments)}


def read_hyperparameters(artifacts: list[types.Artifact]) -> dict[str, Any]:
    """Reads the values that the model was trained with, without the space they were chosen from.

    Args:
        artifacts: One HyperParameters artifact, as TFX's Tuner writes it.

    Returns:
        Name to value.
    """
    path = io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(artifacts))
    with fileio.open(path, "r") as file:
        content = json.loads(file.read())
    # Tuner writes KerasTuner's {"space": […], "values": {…}}; a hand-made file may be plain.
    return content.get("values", content)


class Trainer(base_component.BaseComponent):
    """Trains the model."""

    SPEC_CLASS = TrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        inputs: Mapping[str, types.BaseChannel],
        run_fn: str,
        steps: int | RuntimeParameter,
        splits: tuple[str, str],
        custom_config: Mapping[str, Any],
        custom_executor_spec: executor_spec.ExecutorSpec | None = None,
    ):
        """Constructs the component. All values are part of the cache key.

        Args:
            inputs: Channels by TFX's names: `examples`, `transform_graph`, `hyperparameters`, and
                `base_model` if it begins with the weights of another one.
            run_fn: Dotted path of the function that trains and exports.
            steps: Batches at most.
            splits: To learn from, and to watch.
            custom_config: Handed to `run_fn`.
            custom_executor_spec: What runs in place of `Executor`, such as a job on Vertex.
        """
        learn, watch = splits
        super().__init__(
            spec=TrainerSpec(
                **inputs,
                run_fn=run_fn,
                train_args=trainer_pb2.TrainArgs(splits=[learn]),
                eval_args=trainer_pb2.EvalArgs(splits=[watch]),
                training_steps=steps,
                custom_config=json_utils.dumps(custom_config),
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            ),
            custom_executor_spec=custom_executor_spec,
        )
