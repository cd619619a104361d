"""Collects what a task reads, and builds the ExecutorInput that its container gets."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format, struct_pb2
from kfp.pipeline_spec import pipeline_spec_pb2
from ml_metadata.proto import metadata_store_pb2

from fareline.errors import FarelineError
from runners.replay.artifacts import to_runtime
from runners.replay.reading.document import to_python
from runners.replay.reading.graph import Scope, Task
from runners.replay.reading.placeholders import Job, fill
from runners.replay.reading.uris import UriMap

EXECUTOR_OUTPUT = "executor_output.json"


class InputError(FarelineError, ValueError):
    """A task cannot be given what it reads."""


@dataclasses.dataclass
class Finished:
    """Outputs of a task that has ended.

    Attributes:
        artifacts: Output key to artifacts, as the store has them.
        parameters: Output parameters.
    """

    artifacts: Mapping[str, Sequence[metadata_store_pb2.Artifact]]
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Given:
    """Inputs of a task.

    Attributes:
        artifacts: Input key to artifacts; an optional input without a producer has none.
        parameters: Name to value, folders in the place of buckets.
    """

    artifacts: Mapping[str, Sequence[metadata_store_pb2.Artifact]]
    parameters: Mapping[str, Any]


class Inputs:
    """Finds what tasks read.

    Args:
        values: Values of the pipeline's own parameters.
        finished: Name of each task that has ended to what it left behind; it fills as the run
            goes on.
        uri_map: Folders of buckets.
        final_status: Called with the name of a task, or of a pipeline inside the pipeline: what
            an exit handler gets.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        finished: Mapping[str, Finished],
        uri_map: UriMap,
        final_status,
    ):
        self._values = values
        self._finished = finished
        self._uri_map = uri_map
        self._final_status = final_status

    def of(self, task: Task, job: Job) -> Given:
        """Collects the inputs of a task whose dependencies have ended.

        Raises:
            InputError: Something is not there.
            SpecError: A parameter names a bucket that no folder stands for.
        """
        artifacts = {
            key: self._artifacts(task.scope, spec, task.name)
            for key, spec in task.spec.inputs.artifacts.items()
        }
        parameters = self._parameters(task.scope, task.spec, task.component, task.name)
        given = Given(artifacts, parameters)
        constants = executor_input(task, given)
        for name, value in parameters.items():
            if isinstance(value, str):
                if "{{$" in value:
                    value = fill(value, constants, job)
                parameters[name] = self._uri_map.require_place(task.name, name, value)
        return given

    def _artifacts(
        self, scope: Scope, spec: Any, where: str
    ) -> Sequence[metadata_store_pb2.Artifact]:
        if spec.WhichOneof("kind") == "component_input_artifact":
            # Refused beforehand unless the task around has it.
            outer = scope.task.inputs.artifacts[spec.component_input_artifact]
            return self._artifacts(scope.parent, outer, where)
        produced = spec.task_output_artifact
        task = scope.name_of(produced.producer_task)
        artifacts = self._finished[task].artifacts if task in self._finished else {}
        if produced.output_artifact_key not in artifacts:
            raise InputError.explain(
                where,
                f"reads {produced.output_artifact_key} of {task}, which did not output it",
                "expected one of its outputs",
                "see outputDefinitions in the specification",
            )
        return artifacts[produced.output_artifact_key]

    def _parameters(self, scope: Scope, spec: Any, component: Any, where: str) -> dict[str, Any]:
        values = {
            name: to_python(defined.default_value)
            for name, defined in component.input_definitions.parameters.items()
            if defined.HasField("default_value")
        }
        for name, source in spec.inputs.parameters.items():
            found, value = self._parameter(scope, source, f"{where}.{name}")
            if found:
                values[name] = value
        return values

    def _parameter(self, scope: Scope, source: Any, where: str) -> tuple[bool, Any]:
        """Whether it has a value, and the value: an optional one of the pipeline may have none."""
        kind = source.WhichOneof("kind")
        if kind == "runtime_value":
            return True, to_python(source.runtime_value.constant)
        if kind == "component_input_parameter":
            name = source.component_input_parameter
            if scope.task is None:
                return name in self._values, self._values.get(name)
            outer = self._parameters(scope.parent, scope.task, scope.component, where)
            return name in outer, outer.get(name)
        if kind == "task_final_status":
            return True, self._final_status(scope.name_of(source.task_final_status.producer_task))
        produced = source.task_output_parameter
        task = scope.name_of(produced.producer_task)
        parameters = self._finished[task].parameters if task in self._finished else {}
        if produced.output_parameter_key not in parameters:
            raise InputError.explain(
                where,
                f"{task} did not output the parameter {produced.output_parameter_key}",
                "expected a value",
                "see the task's log",
            )
        return True, parameters[produced.output_parameter_key]


def executor_input(
    task: Task, given: Given, places: "Places | None" = None
) -> pipeline_spec_pb2.ExecutorInput:
    """Builds what a container gets.

    Args:
        task: The task.
        given: Inputs of the task.
        places: Where its outputs go; None while only inputs are asked for.
    """
    message = pipeline_spec_pb2.ExecutorInput()
    for name, value in sorted(given.parameters.items()):
        message.inputs.parameter_values[name].CopyFrom(_to_value(value))
    definitions = task.component.input_definitions.artifacts
    for key, artifacts in sorted(given.artifacts.items()):
        listed = message.inputs.artifacts[key].artifacts
        listed.extend(to_runtime(a, definitions[key].artifact_type) for a in artifacts)
    if places is None:
        return message
    message.outputs.output_file = f"{places.task_dir}/{EXECUTOR_OUTPUT}"
    for key, defined in sorted(task.component.output_definitions.artifacts.items()):
        artifact = message.outputs.artifacts[key].artifacts.add()
        artifact.name = f"{task.name}-{key}-{places.execution_id}"
        artifact.type.CopyFrom(defined.artifact_type)
        artifact.uri = places.output_uri(key)
        artifact.metadata.CopyFrom(defined.metadata)
    for name in sorted(task.component.output_definitions.parameters):
        message.outputs.parameters[name].output_file = f"{places.task_dir}/parameters/{name}"
    return message


@dataclasses.dataclass(frozen=True)
class Places:
    """Where one execution of a task writes.

    Attributes:
        root: The pipeline root, with the run's own folder.
        task: Name of the task.
        execution_id: In the store.
    """

    root: str
    task: str
    execution_id: int

    @property
    def task_dir(self) -> str:
        """Its own folder: the answer of the container, its log, its command."""
        return f"{self.root}/{self.task}/.system/{self.execution_id}"

    def output_uri(self, key: str) -> str:
        """Where an output goes; laid out as TFX does on a laptop."""
        return f"{self.root}/{self.task}/{key}/{self.execution_id}"


def read_executor_output(path: str) -> pipeline_spec_pb2.ExecutorOutput:
    """Reads what a container or its pre-cache check left; empty if it left nothing.

    Raises:
        InputError: The text is not an ExecutorOutput.
    """
    message = pipeline_spec_pb2.ExecutorOutput()
    try:
        with open(path, encoding="utf-8") as file:
            json_format.Parse(file.read(), message, ignore_unknown_fields=True)
    except FileNotFoundError:
        return message
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise InputError.explain(
            path,
            f"is not an ExecutorOutput ({str(error).splitlines()[0]})",
            "expected the JSON that the backends read",
            "see the task's log",
        ) from error
    return message


def read_output_parameters(
    task: Task, message: pipeline_spec_pb2.ExecutorInput, output: pipeline_spec_pb2.ExecutorOutput
) -> dict[str, Any]:
    """Reads the output parameters: from the container's answer, else from the files it was given.

    Raises:
        InputError: One is of another type than specified.
    """
    kinds = pipeline_spec_pb2.ParameterType
    values: dict[str, Any] = {}
    for name, defined in task.component.output_definitions.parameters.items():
        if name in output.parameter_values:
            values[name] = to_python(output.parameter_values[name])
            continue
        try:
            with open(message.outputs.parameters[name].output_file, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            continue
        try:
            is_text = defined.parameter_type == kinds.STRING
            values[name] = text if is_text else json.loads(text.strip().lower() or "null")
        except ValueError:
            raise InputError.explain(
                f"{task.name}.{name}",
                f"it wrote {text[:40]!r}",
                f"expected a {kinds.ParameterTypeEnum.Name(defined.parameter_type)}",
                "see the task's log",
            ) from None
    return values


def _to_value(value: Any) -> struct_pb2.Value:
    return json_format.ParseDict(value, struct_pb2.Value())
