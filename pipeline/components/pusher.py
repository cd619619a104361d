"""Pusher: publishes a model that both Evaluator and InfraValidator blessed.

TFX's Pusher, except that both blessings are required, and that a local destination gets the model
through `serving.versions.publish.publish`: in one atomic step, under a number that only grows, and
not at all where the newest version is the same model. What is pushed is the copy with a warm-up
file that InfraValidator made. TFX's own Pusher copies file by file while the model server reads the
folder, and skips a push in the same second as another one.

Used by `pipeline.dag`. No `from __future__ import annotations`: TFX reads raw annotations.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from absl import logging
from tfx import types
from tfx.components.pusher import component as tfx_component
from tfx.components.pusher import executor as tfx_executor
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.types.standard_component_specs import (
    CUSTOM_CONFIG_KEY,
    EVALUATION_KEY,
    INFRA_BLESSING_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
    PUSH_DESTINATION_KEY,
    PUSHED_MODEL_KEY,
)
from tfx.utils import io_utils, json_utils, path_utils, proto_utils

from fareline.digests import sha256_of_folder
from fareline.errors import UserMistake
from fareline.recorded import (
    METRICS,
    PUSHER,
    SAMPLE,
    SHA256,
    VERSION_CREATED,
    VERSIONS_REMOVED,
    WITHHELD_VERSION,
)
from fareline.recorded.evaluation import Metrics
from fareline.recorded.texts import parse, text_of
from pipeline.evaluation.conditions import unmet
from serving.versions.notes import Pushing
from serving.versions.publish import PublishError, WithheldError, publish, remove_old

NOT_PUSHED_KEY = "not_pushed_because"
KEEP_VERSIONS, WHEN = "keep_versions", "when"
_BLESSINGS = {
    MODEL_BLESSING_KEY: (model_utils.is_model_blessed, "Evaluator"),
    INFRA_BLESSING_KEY: (model_utils.is_infra_validated, "InfraValidator"),
}


class Executor(tfx_executor.Executor):
    """TFX's executor, with an atomic push to local destinations."""

    def CheckBlessing(  # noqa: N802 - TFX calls it so
        self, input_dict: dict[str, list[types.Artifact]]
    ) -> bool:
        """Returns whether both blessings exist; TFX requires none."""
        return not missing_blessings(input_dict)

    def GetModelPath(  # noqa: N802 - TFX calls it so
        self, input_dict: dict[str, list[types.Artifact]]
    ) -> str:
        """Returns the model to push: InfraValidator's warm copy if it made one, else the Model."""
        blessing = artifact_utils.get_single_instance(input_dict[INFRA_BLESSING_KEY])
        if blessing.get_int_custom_property(tfx_executor._INFRA_BLESSING_MODEL_FLAG_KEY):
            return path_utils.stamped_model_path(blessing.uri)
        return super().GetModelPath(input_dict)

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if both blessings say so.

        Args:
            input_dict: `model`, `model_blessing`, `infra_blessing`; `evaluation` if there are
                conditions.
            output_dict: `pushed_model`; gets TFX's `pushed`, `pushed_destination` and
                `pushed_version`, and the model. If not pushed: `pushed` = 0 and
                `not_pushed_because`. `version_created` = 0 says that the newest version was this
                model already, `withheld_version` that it was rolled back from there, `sample`
                that it is blessed but of a sample. `sha256` is that of the model,
                `versions_removed` a JSON list.
            exec_properties: `push_destination`, a PushDestination as JSON; `custom_config`, JSON
                with `keep_versions` if old ones are to be removed, `sample` if the model is of one,
                `when` if there are conditions.

        Raises:
            PublishError: The local destination cannot take the model.
            NotImplementedError: TFX does not know the destination or its versioning.
        """
        pushed_model = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL_KEY])
        config = json.loads(exec_properties.get(CUSTOM_CONFIG_KEY) or "null") or {}
        if because := _held_back(input_dict, config):
            self._log_startup(input_dict, output_dict, exec_properties)
            self._MarkNotPushed(pushed_model)
            pushed_model.set_string_custom_property(NOT_PUSHED_KEY, because)
            logging.info("Not pushed: %s.", because)
            return
        if SAMPLE in config:
            self._log_startup(input_dict, output_dict, exec_properties)
            self._MarkNotPushed(pushed_model)
            pushed_model.set_string_custom_property(NOT_PUSHED_KEY, of_a_sample(config[SAMPLE]))
            pushed_model.set_string_custom_property(SAMPLE, str(config[SAMPLE]))
            logging.info("Not pushed: %s.", of_a_sample(config[SAMPLE]))
            return
        model_dir = self.GetModelPath(input_dict)
        base = _local_base(exec_properties[PUSH_DESTINATION_KEY])
        if base is None or "://" in model_dir:
            # Object stores have no rename; TFX copies saved_model.pb last.
            super().Do(input_dict, output_dict, exec_properties)
            return
        self._log_startup(input_dict, output_dict, exec_properties)
        # For lineage, the artifact holds what was pushed, as with TFX; and before the push, since
        # nothing may fail once the model is live.
        io_utils.copy_dir(model_dir, pushed_model.uri)
        digest = sha256_of_folder(pushed_model.uri)
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        try:
            version = publish(model_dir, base, pushing=Pushing(PUSHER, pushed_model.uri, model.uri))
        except WithheldError as error:
            fileio.rmtree(pushed_model.uri)
            fileio.makedirs(pushed_model.uri)  # empty, as of any model that is not pushed
            self._MarkNotPushed(pushed_model)
            pushed_model.set_string_custom_property(NOT_PUSHED_KEY, str(error))
            pushed_model.set_int_custom_property(WITHHELD_VERSION, error.version)
            logging.warning("Not pushed: %s", error)
            return
        logging.info(
            "Version %d at %s %s.",
            version.number,
            version.path,
            "was published" if version.created else "holds this model already; nothing was copied",
        )
        self._MarkPushed(
            pushed_model, pushed_destination=version.path, pushed_version=str(version.number)
        )
        pushed_model.set_string_custom_property(SHA256, digest)
        pushed_model.set_int_custom_property(VERSION_CREATED, int(version.created))
        removed = _remove_old(base, config.get(KEEP_VERSIONS))
        if removed:
            pushed_model.set_string_custom_property(VERSIONS_REMOVED, text_of(removed))


def _remove_old(base: str, keep: int | None) -> list[int]:
    """Removes old versions if so many are to be kept; the model is live already: never fails."""
    if keep is None:
        return []
    try:
        removed = remove_old(base, keep)
    except PublishError as error:
        logging.error("old versions were not removed: %s", error)
        return []
    if removed:
        logging.info("Removed by keep_versions = %d: %s.", keep, ", ".join(map(str, removed)))
    return removed


def missing_blessings(input_dict: dict[str, list[types.Artifact]]) -> list[str]:
    """Returns which blessings are missing, one sentence each; empty if the model may be pushed."""
    missing = []
    for key, (is_blessed, giver) in _BLESSINGS.items():
        artifacts = input_dict.get(key)
        if not artifacts:
            missing.append(f"{key}: none was given by {giver}")
        elif not is_blessed(artifact_utils.get_single_instance(artifacts)):
            missing.append(f"{key}: {giver} did not bless the model")
    return missing


def of_a_sample(rows: int) -> str:
    """Why the model of a sample is not pushed."""
    return f"the model is of a sample of {rows:,} rows (data.sample)"


def _held_back(input_dict: dict[str, list[types.Artifact]], config: Mapping[str, Any]) -> str:
    """Why a model is refused: the missing blessings, or else the conditions that it does not meet.

    Returns:
        The reasons; empty if there are none.
    """
    reasons = missing_blessings(input_dict)
    if not reasons and config.get(WHEN):
        evaluation = artifact_utils.get_single_instance(input_dict[EVALUATION_KEY])
        recorded = evaluation.get_custom_property(METRICS)
        values = parse(Metrics, recorded).overall if recorded else {}
        reasons = unmet(config[WHEN], values)
    return "; ".join(reasons)


def _local_base(push_destination: str) -> str | None:
    """Returns the destination's folder if it is local and versioned by time; else TFX decides."""
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(push_destination, destination)
    filesystem = destination.filesystem
    by_time = (pusher_pb2.Versioning.AUTO, pusher_pb2.Versioning.UNIX_TIMESTAMP)
    if not filesystem.base_directory or filesystem.versioning not in by_time:
        return None
    return None if "://" in filesystem.base_directory else filesystem.base_directory


class PusherSpec(standard_component_specs.PusherSpec):
    """TFX's, with the evaluation that conditions are about."""

    INPUTS: ClassVar[dict[str, component_spec.ChannelParameter]] = {
        **standard_component_specs.PusherSpec.INPUTS,
        EVALUATION_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation, optional=True
        ),
    }


class Pusher(tfx_component.Pusher):
    """Publishes a model that is better than the one in use and fit to serve."""

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel | None = None,
        infra_blessing: types.BaseChannel | None = None,
        push_destination: pusher_pb2.PushDestination | dict[str, Any] | None = None,
        keep_versions: int | None = None,
        sample: int | None = None,
        when: Sequence[Mapping[str, Any]] = (),
        evaluation: types.BaseChannel | None = None,
    ):
        """Constructs the component.

        Args:
            model: Channel of the Model to push.
            model_blessing: Channel of Evaluator's verdict. Required.
            infra_blessing: Channel of InfraValidator's verdict. Required.
            push_destination: Where to; the base folder, above the versions. Required.
            keep_versions: Number of versions to keep in a local destination, 2 or more; None: all.
            sample: Number of rows of the sample that the model is of, which is never pushed.
            when: Conditions; see `pipeline.evaluation.conditions`.
            evaluation: Channel of the ModelEvaluation that they are about; required with them.

        Raises:
            UserMistake: A blessing or the destination is missing; a ValueError, as from TFX.
        """
        given = {
            MODEL_BLESSING_KEY: model_blessing,
            INFRA_BLESSING_KEY: infra_blessing,
            PUSH_DESTINATION_KEY: push_destination,
        }
        missing = [name for name, value in given.items() if value is None]
        if missing:
            raise UserMistake.explain(
                "Pusher",
                f"without {' and '.join(missing)}",
                "expected both blessings and a destination",
                "connect the outputs of Evaluator and InfraValidator",
            )
        config = {KEEP_VERSIONS: keep_versions, SAMPLE: sample, WHEN: list(when) or None}
        config = {name: value for name, value in config.items() if value is not None}
        spec = PusherSpec(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=push_destination,
            custom_config=json_utils.dumps(config or None),  # part of the cache key only where set
            pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            **({EVALUATION_KEY: evaluation} if when else {}),
        )
        base_component.BaseComponent.__init__(self, spec=spec)
