"""InfraValidator: blesses a model that a real server can serve within its budgets.

A thin wrapper of `serving.validation.check.check_model`. It replaces TFX's own component, which
does not compile for Kubeflow (the compiler refuses the class and every subclass), has no deadline
for a request, does not check answers, repeats deterministic failures five times, and fails the run
on a corrupt model.

Named `InfraValidator`, and with a spec that is one of TFX's, so that node ids, lineage and
programs that look for the standard component find it. Used by `pipeline.dag`. No `from __future__
import annotations`: TFX reads raw annotations.
"""

import contextlib
import json
import os
from typing import Any, ClassVar

import tensorflow as tf
from tfx import types
from tfx.components.infra_validator import executor as tfx_infra_validator
from tfx.components.util import examples_utils, tfxio_utils
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.utils import io_utils, path_utils
from tfx_bsl.tfxio import dataset_options

from fareline.errors import DataError
from fareline.recorded.validation import budgets_text, parse_budgets
from fareline.scratch import scratch_folder
from pipeline.user_code import INFRA_VALIDATOR_SOURCES, fingerprint_sources
from serving.model.columns import find_columns
from serving.model.warm_up import write_warm_up
from serving.validation.check import Budgets, CheckResult, Contract, check_model
from serving.validation.probe import INPUT_NAME, SIGNATURE
from serving.validation.saved_files import read_graph
from serving.validation.verdict import BATCHES, PERCENTILES, RefusedModelError

RESULT_FILE = "infra_validation.json"
_RAW_COLUMN = "raw"
_TELEMETRY = ["InfraValidator"]


class InfraValidatorSpec(standard_component_specs.InfraValidatorSpec):
    """TFX's inputs and output; in place of its three protos, what our check needs.

    `serving_spec`, which TFX requires, is left out: it says which Docker image or cluster to start,
    and we start a process. Lists and dicts travel as JSON text, the one form that every runner
    hands on unchanged.
    """

    PARAMETERS: ClassVar[dict[str, component_spec.ExecutionParameter]] = {
        "budgets": component_spec.ExecutionParameter(type=str),
        "num_examples": component_spec.ExecutionParameter(type=int),
        "split": component_spec.ExecutionParameter(type=str),
        "model_name": component_spec.ExecutionParameter(type=str),
        "drop_features": component_spec.ExecutionParameter(type=str),
        "task": component_spec.ExecutionParameter(type=str),
        "classes": component_spec.ExecutionParameter(type=int),
        "source_fingerprint": component_spec.ExecutionParameter(type=str),
    }


class Executor(tfx_infra_validator.Executor):
    """Runs the check and writes the verdict into the blessing."""

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Blesses or refuses the model; fails only if no model could be checked.

        Args:
            input_dict: `model` and `examples`.
            output_dict: `blessing`; gets TFX's marker file and `blessed`, `infra_validation.json`,
                and the verdict's custom properties; if blessed also, as from TFX, `has_model` and a
                copy of the model with a warm-up file, which is what Pusher publishes. The Model
                itself stays as it was trained.
            exec_properties: See `InfraValidator`.

        Raises:
            DataError: The split holds no tf.Examples.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        blessing = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.BLESSING_KEY]
        )
        model = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY])
        # Kubeflow hands integers on as floats.
        num_examples = int(exec_properties["num_examples"])
        budgets = Budgets.from_mapping(
            {**parse_budgets(exec_properties["budgets"]), "num_examples": num_examples}
        )
        examples = read_examples(
            input_dict[standard_component_specs.EXAMPLES_KEY],
            exec_properties["split"],
            num_examples,
        )
        contract = Contract(exec_properties["task"], int(exec_properties["classes"]))
        requests = drop_features(examples, json.loads(exec_properties["drop_features"]))
        # SIGTERM becomes an exception, so that the server's `with` block is left.
        with self._InstallGracefulShutdownHandler(), _local_copy(model) as model_dir:
            requests = keep_features(requests, read_columns(model_dir))
            name = exec_properties["model_name"]
            result = check_model(model_dir, requests, budgets, model_name=name, contract=contract)
            if result.ok:
                write_warm_model(blessing, model_dir, name, requests)
        write_verdict(blessing, result)


def write_warm_model(
    blessing: types.Artifact, model_dir: str, model_name: str, requests: list[bytes]
) -> None:
    """Puts a copy of the model into the blessing, with a warm-up file, where Pusher looks for it.

    Args:
        blessing: Gets the folder `stamped_model`, and the custom property `has_model`.
        model_dir: Local folder of the model.
        model_name: The name it will be served under.
        requests: Serialized tf.Examples to warm up with.
    """
    copy = path_utils.stamped_model_path(blessing.uri)
    io_utils.copy_dir(model_dir, copy)
    write_warm_up(copy, model_name, SIGNATURE, INPUT_NAME, requests)
    blessing.set_int_custom_property(tfx_infra_validator._MODEL_FLAG_KEY, 1)


@contextlib.contextmanager
def _local_copy(model: types.Artifact):
    """Yields a local folder with the model to serve; remote models are copied for as long."""
    path = path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
    if "://" not in path:
        yield path
        return
    with scratch_folder("fareline-model-") as folder:
        copy = os.path.join(folder, "model")
        os.mkdir(copy)
        if fileio.exists(path):
            io_utils.copy_dir(path, copy)
        yield copy


def read_examples(examples: list[types.Artifact], split: str, num_examples: int) -> list[bytes]:
    """Reads the first serialized tf.Examples of a split, in the order of the files.

    Args:
        examples: One Examples artifact.
        split: Name of the split.
        num_examples: Number of examples, at most.

    Raises:
        DataError: There is no such split, it is empty, or it holds something else.
    """
    artifact = artifact_utils.get_single_instance(examples)
    splits = artifact_utils.decode_split_names(artifact.split_names)
    payload = examples_utils.get_payload_format(artifact)
    if split not in splits or payload != example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE:
        raise DataError.explain(
            artifact.uri,
            f"holds the splits {splits} of {example_gen_pb2.PayloadFormat.Name(payload)}",
            f"expected tf.Examples in a split {split!r}",
            "set the split that InfraValidator takes its examples from",
        )
    files = sorted(fileio.glob(f"{artifact_utils.get_split_uri([artifact], split)}/*"))
    factory = tfxio_utils.get_tfxio_factory_from_artifact(
        examples=[artifact],
        telemetry_descriptors=_TELEMETRY,
        schema=None,
        read_as_raw_records=True,
        raw_record_column_name=_RAW_COLUMN,
    )
    records: list[bytes] = []
    if files:
        # Not shuffled: the verdict is cached, so the same inputs must mean the same requests.
        options = dataset_options.TensorFlowDatasetOptions(
            batch_size=num_examples, shuffle=False, num_epochs=1
        )
        for batch in factory(files).TensorFlowDataset(options).take(1):
            records.extend(batch[_RAW_COLUMN].numpy())
    if not records:
        raise DataError.explain(
            artifact.uri,
            f"its split {split!r} is empty",
            "expected at least one example to ask the model about",
            "look at what ExampleGen read",
        )
    return records


def drop_features(examples: list[bytes], names: list[str]) -> list[bytes]:
    """Returns the serialized tf.Examples without the features that no client would send."""
    stripped = []
    for serialized in examples:
        example = tf.train.Example.FromString(serialized)
        for name in names:
            example.features.feature.pop(name, None)
        stripped.append(example.SerializeToString(deterministic=True))
    return stripped


def read_columns(model_dir: str) -> list[str]:
    """Returns the columns that the model reads; empty if its files do not say."""
    try:
        graph = read_graph(model_dir)
    except RefusedModelError:
        return []  # the check says so
    signature = graph.signature_def[SIGNATURE]
    if INPUT_NAME not in signature.inputs:
        return []
    return list(find_columns(graph.graph_def, signature.inputs[INPUT_NAME].name))


def keep_features(examples: list[bytes], names: list[str]) -> list[bytes]:
    """Returns the serialized tf.Examples with these features alone; as they are for no name.

    Clients need not send other features, so the warm-up file that is published with the model does
    not have them.
    """
    if not names:
        return examples
    kept = []
    for serialized in examples:
        features = tf.train.Example.FromString(serialized).features.feature
        request = tf.train.Example()
        for name in names:
            if name in features:
                request.features.feature[name].CopyFrom(features[name])
        kept.append(request.SerializeToString(deterministic=True))
    return kept


def write_verdict(blessing: types.Artifact, result: CheckResult) -> None:
    """Writes marker, `infra_validation.json` and custom properties, so that MLMD has them too.

    Custom properties: TFX's `blessed`; `reason`, `message` (its first line), `server`; of what was
    measured `batch_1_p50_ms` … `batch_32_p99_ms`, `load_seconds`, `peak_memory_mb`, `size_mb` and
    `largest_difference`.
    """
    told = result.to_json()
    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    io_utils.write_string_file(os.path.join(blessing.uri, RESULT_FILE), text)
    blessing.set_string_custom_property("reason", told["reason"])
    blessing.set_string_custom_property("message", told["message"].partition("\n")[0])
    blessing.set_string_custom_property("server", told["server"] or "")
    measured = {
        f"{batch}_{name}_ms": told["latency_ms"][batch][name]
        for batch in BATCHES
        for name in PERCENTILES
    }
    others = ("load_seconds", "peak_memory_mb", "size_mb", "largest_difference")
    measured |= {name: told[name] for name in others}
    for name, value in measured.items():
        if value is not None:
            blessing.set_float_custom_property(name, value)
    mark = tfx_infra_validator._mark_blessed if result.ok else tfx_infra_validator._mark_not_blessed
    mark(blessing)


class InfraValidator(base_component.BaseComponent):
    """Blesses a model that loads in a fresh server and answers raw examples well and in time."""

    SPEC_CLASS = InfraValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        budgets: dict[str, Any] | None = None,
        num_examples: int = 32,
        *,
        split: str = "eval",
        model_name: str = "model",
        drop_features: list[str] | None = None,
        task: str = "",
        classes: int = 0,
    ):
        """Constructs the component. All values are part of the cache key, and so is our code.

        Args:
            model: Channel of the Model to check.
            examples: Channel of raw Examples, as ExampleGen wrote them.
            budgets: `serving.validation.check.Budgets` by name; what is left out keeps its default.
            num_examples: Number of examples to ask about.
            split: The split to take them from.
            model_name: The name to serve the model under.
            drop_features: Features to remove before sending: the label, and whatever else a client
                would not have.
            task: The task of the settings, whose outputs the model must have; empty: any.
            classes: Number of classes, for tasks with classes.

        Raises:
            UserMistake: A budget is unknown or no number above 0.
        """
        budgets = budgets or {}
        Budgets.from_mapping({**budgets, "num_examples": num_examples})
        super().__init__(
            spec=InfraValidatorSpec(
                model=model,
                examples=examples,
                budgets=budgets_text(budgets),
                num_examples=num_examples,
                split=split,
                model_name=model_name,
                drop_features=json.dumps(sorted(drop_features or [])),
                task=task,
                classes=classes,
                source_fingerprint=fingerprint_sources(INFRA_VALIDATOR_SOURCES),
                blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            )
        )
