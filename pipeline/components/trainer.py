"""Trainer: TFX's own, which also records the model's SHA-256 and hyperparameters with the model.

Used by `pipeline.dag`. No `from __future__ import annotations`: TFX reads raw annotations.
"""

import json
from typing import Any

from tfx import types
from tfx.components.trainer import component as tfx_component
from tfx.components.trainer import executor as tfx_executor
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import HYPERPARAMETERS_KEY, MODEL_KEY
from tfx.utils import io_utils

from fareline.digests import sha256_of_folder
from lineage.recorded import HYPERPARAMETERS, SHA256


class Executor(tfx_executor.GenericExecutor):
    """TFX's executor; afterwards the model is described."""

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Trains, then records what came of it with the Model artifact.

        Args:
            input_dict: As TFX's; `hyperparameters` is optional.
            output_dict: `model` and `model_run`. The model gets `sha256`, over everything below
                its URI and not only the folder that is pushed, unless it is remote; and
                `hyperparameters`, if there were any.
            exec_properties: As TFX's.
        """
        super().Do(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(output_dict[MODEL_KEY])
        # Of a remote one, which would be read again byte by byte, the store's checksums speak.
        if "://" not in model.uri:
            model.set_string_custom_property(SHA256, sha256_of_folder(model.uri))
        if input_dict.get(HYPERPARAMETERS_KEY):
            values = read_hyperparameters(input_dict[HYPERPARAMETERS_KEY])
            model.set_string_custom_property(HYPERPARAMETERS, json.dumps(values))


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


class Trainer(tfx_component.Trainer):
    """Trains the model."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
