"""Reads the inputs of the Evaluator's executor in the form that `batch_evaluation` needs.

TFX's executor reads the same inputs in the middle of its own work. Called by the Evaluator.
"""

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import (
    BASELINE_MODEL_KEY,
    EVAL_CONFIG_KEY,
    EXAMPLE_SPLITS_KEY,
    EXAMPLES_KEY,
    MODEL_KEY,
    SCHEMA_KEY,
)
from tfx.utils import io_utils, path_utils, proto_utils

from fareline.digests import sha256_of_folder
from pipeline.evaluation.tfma_internals import LeftToTfmaError

_LOCAL_RUNNERS = ("DirectRunner", "FnApiRunner", "SwitchingDirectRunner")
_RECORDS = ("", "tfrecords_gzip")


@dataclasses.dataclass(frozen=True)
class EvaluatorInputs:
    """Inputs of an evaluation.

    Attributes:
        example_files: TFRecord files of serialized Examples, of all splits that are measured.
        models: By the name of the model spec; the empty one if there is one only.
        twins: Twins of the baseline, the name of the candidate where both have the same content.
        eval_config: With TFMA's defaults, as TFX's executor makes it.
    """

    example_files: Sequence[str]
    models: Mapping[str, tfma.types.EvalSharedModel]
    twins: Mapping[str, str]
    eval_config: config_pb2.EvalConfig

    @property
    def candidate(self) -> str:
        """Name of the spec of the evaluated model."""
        (name,) = [spec.name for spec in self.eval_config.model_specs if not spec.is_baseline]
        return name


def read_inputs(
    input_dict: Mapping[str, list[types.Artifact]],
    exec_properties: Mapping[str, Any],
    beam_args: Sequence[str],
) -> EvaluatorInputs:
    """Reads the executor's inputs.

    Args:
        input_dict: Input dict, as TFX's executor gets it; a `baseline_model` without files is left
            out already.
        exec_properties: Exec properties, as TFX's executor gets them.
        beam_args: Beam args of the executor's Beam pipeline.

    Raises:
        LeftToTfmaError: Beam is to work elsewhere, or examples are in another format.
    """
    _check_local(beam_args)
    if SCHEMA_KEY in input_dict:
        raise LeftToTfmaError("a schema is given")
    eval_config = config_pb2.EvalConfig()
    proto_utils.json_to_proto(exec_properties[EVAL_CONFIG_KEY], eval_config)
    eval_config = tfma.utils.update_eval_config_with_defaults(
        eval_config, has_baseline=bool(input_dict.get(BASELINE_MODEL_KEY)), rubber_stamp=True
    )
    tfma.utils.verify_eval_config(eval_config)
    paths = {
        spec.name: _serving_path(input_dict[BASELINE_MODEL_KEY if spec.is_baseline else MODEL_KEY])
        for spec in eval_config.model_specs
    }
    models = {
        name: tfma.default_eval_shared_model(
            eval_saved_model_path=path, model_name=name, eval_config=eval_config
        )
        for name, path in paths.items()
    }
    splits = json.loads(exec_properties.get(EXAMPLE_SPLITS_KEY) or "null") or ["eval"]
    return EvaluatorInputs(
        find_files(input_dict[EXAMPLES_KEY], splits),
        models if len(models) > 1 else {"": next(iter(models.values()))},
        _find_twins(eval_config, paths),
        eval_config,
    )


def _check_local(beam_args: Sequence[str]) -> None:
    for argument, following in itertools.zip_longest(beam_args, beam_args[1:], fillvalue=""):
        name, _, value = argument.partition("=")
        runner = (value or following).rpartition(".")[2]
        if name in ("--runner", "-r") and runner not in _LOCAL_RUNNERS:
            raise LeftToTfmaError(f"Beam works on {runner}")


def _serving_path(artifacts: list[types.Artifact]) -> str:
    artifact = artifact_utils.get_single_instance(artifacts)
    return path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact))


def find_files(artifacts: list[types.Artifact], splits: Sequence[str]) -> list[str]:
    """The TFRecord files of some splits.

    Raises:
        LeftToTfmaError: Examples are in another format, or a split has no file.
    """
    for artifact in artifacts:
        if examples_utils.get_payload_format(artifact) != example_gen_pb2.FORMAT_TF_EXAMPLE:
            raise LeftToTfmaError("examples are not serialized tf.Examples")
        if (found := examples_utils.get_file_format(artifact) or "") not in _RECORDS:
            raise LeftToTfmaError(f"examples are in files of {found}")
    uris = [uri for split in splits for uri in artifact_utils.get_split_uris(artifacts, split)]
    files = [sorted(fileio.glob(io_utils.all_files_pattern(uri))) for uri in uris]
    if not all(files):
        raise LeftToTfmaError(f"no files below {uris[files.index([])]}")
    return [path for of_split in files for path in of_split]


def _find_twins(eval_config: config_pb2.EvalConfig, paths: Mapping[str, str]) -> dict[str, str]:
    baselines = [spec.name for spec in eval_config.model_specs if spec.is_baseline]
    candidates = [spec.name for spec in eval_config.model_specs if not spec.is_baseline]
    if len(baselines) != 1 or len(candidates) != 1:
        return {}
    baseline, candidate = paths[baselines[0]], paths[candidates[0]]
    same = baseline == candidate or (
        "://" not in baseline + candidate
        and sha256_of_folder(baseline) == sha256_of_folder(candidate)
    )
    return {baselines[0]: candidates[0]} if same else {}
