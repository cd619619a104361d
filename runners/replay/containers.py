"""One container task: pre-cache check, cache, command, retries and outputs."""

import copy
import dataclasses
import hashlib
import json
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from ml_metadata.proto import metadata_store_pb2

from fareline.errors import FarelineError
from lineage.facts.failures import users_place_in
from runners.replay.artifacts import artifact_type, to_stored
from runners.replay.inputs import (
    Finished,
    Given,
    Places,
    executor_input,
    read_executor_output,
    read_output_parameters,
)
from runners.replay.processes import Cancelled, Command, Processes, is_preloadable
from runners.replay.reading.document import to_python
from runners.replay.reading.graph import Task
from runners.replay.reading.placeholders import Job, fill
from runners.replay.reading.uris import UriMap
from runners.replay.recorder import Recorder, State

_EXECUTOR_FLAG = "--executor_class_path"
_TAIL_BYTES = 20_000
# Of artifacts that are one file with one value. Source: tfx.types.standard_artifacts
VALUE_TYPES = ("Boolean", "Bytes", "Float", "Integer", "JsonValue", "String")


class TaskFailed(FarelineError, RuntimeError):
    """A container's command failed; the message says how to repeat it."""


@dataclasses.dataclass
class ContainerRun:
    """Runs one container task once.

    Attributes:
        pipeline: Name of the pipeline; outputs are reused within one pipeline only.
        task: The task.
        given: Inputs of the task.
        job: Values of placeholders.
        root: The run's own folder below the pipeline root.
        recorder: Recorder of the run.
        processes: Processes that run commands.
        uri_map: Folders of buckets.
        use_cache: Whether the task may reuse outputs of an earlier execution.
        cancel: Set when the run is to end.
    """

    pipeline: str
    task: Task
    given: Given
    job: Job
    root: str
    recorder: Recorder
    processes: Processes
    uri_map: UriMap
    use_cache: bool
    cancel: threading.Event

    def run(self) -> tuple[Finished, bool]:
        """Runs it.

        Returns:
            What it left behind, and whether that came from the cache.

        Raises:
            TaskFailed: Its command did not end well.
            FarelineError: Its inputs or outputs are not as specified.
        """
        execution_id = self.recorder.start(
            self.task.name, type_name(self.task), self.given.parameters, self.given.artifacts
        )
        try:
            return self._run(execution_id)
        except Cancelled:
            self.recorder.finish(execution_id, State.CANCELED)
            raise
        except BaseException:
            self.recorder.finish(execution_id, State.FAILED)
            raise

    def _run(self, execution_id: int) -> tuple[Finished, bool]:
        places = Places(self.root, self.task.name, execution_id)
        message = executor_input(self.task, self.given, places)
        folder = Path(places.task_dir)
        folder.mkdir(parents=True)
        (folder / "parameters").mkdir()
        checked = self._pre_cache_check(message, folder)
        self.recorder.note(execution_id, checked)
        key = ""
        if self.task.spec.caching_options.enable_cache:
            key = cache_key(self.pipeline, self.task, self.given, checked)
            found = None
            if self.use_cache:
                found = self.recorder.find_cached(key, message.outputs.artifacts)
            if found is not None:
                shutil.rmtree(folder)
                artifacts, parameters = found
                self.recorder.note_output_parameters(execution_id, parameters)
                artifacts = self.recorder.finish(execution_id, State.CACHED, artifacts, key)
                return Finished(artifacts, parameters), True
        container = self.task.executor.container
        words = self._fill([*container.command, *container.args], message)
        self._attempt(words, message, folder)
        output = read_executor_output(message.outputs.output_file)
        parameters = read_output_parameters(self.task, message, output)
        self.recorder.note_output_parameters(execution_id, parameters)
        artifacts = self._outputs(message, output)
        return Finished(
            self.recorder.finish(execution_id, State.COMPLETE, artifacts, key), parameters
        ), False

    def _pre_cache_check(
        self, message: pipeline_spec_pb2.ExecutorInput, folder: Path
    ) -> Mapping[str, Any]:
        """Runs the check if there is one; returns the parameters that it sets.

        Its answer stays in the output file, where the container looks for it, and what it says of
        the outputs is part of what the container gets.
        """
        check = self.task.executor.container.lifecycle.pre_cache_check
        if not check.command:
            return {}
        words = self._fill([*check.command, *check.args], message)
        self._once(words, folder, "pre_cache_check")
        answer = read_executor_output(message.outputs.output_file)
        for key, listed in answer.artifacts.items():
            if key in message.outputs.artifacts and listed.artifacts:
                [artifact] = message.outputs.artifacts[key].artifacts
                artifact.metadata.MergeFrom(listed.artifacts[0].metadata)
        return {
            name: self.uri_map.apply(v) if isinstance(v := to_python(value), str) else v
            for name, value in answer.parameter_values.items()
        }

    def _fill(self, words: Sequence[str], message: pipeline_spec_pb2.ExecutorInput) -> list[str]:
        return [self.uri_map.apply(fill(word, message, self.job)) for word in words]

    def _attempt(
        self, words: list[str], message: pipeline_spec_pb2.ExecutorInput, folder: Path
    ) -> None:
        """Runs the command, again after a failure as often as its retry policy says."""
        policy = self.task.spec.retry_policy
        checked = Path(message.outputs.output_file)
        before = checked.read_bytes() if checked.is_file() else None
        pause = policy.backoff_duration.ToTimedelta().total_seconds()
        longest = policy.backoff_max_duration.ToTimedelta().total_seconds() or 3600.0
        for attempt in range(policy.max_retry_count + 1):
            if attempt:
                if self.cancel.wait(min(pause, longest)):
                    raise Cancelled("the run was cancelled")
                pause *= policy.backoff_factor or 2.0
            _clear(message, before)
            for artifacts in message.outputs.artifacts.values():
                [artifact] = artifacts.artifacts
                # A bucket needs no folders. TFX makes them for its outputs, unless they are values;
                # others may write files.
                is_value = artifact_type(artifact.type).name in VALUE_TYPES
                path = Path(artifact.uri)
                folder_needed = path if is_preloadable(words) and not is_value else path.parent
                folder_needed.mkdir(parents=True, exist_ok=True)
            try:
                self._once(words, folder, "command", attempt + 1)
                return
            except TaskFailed:
                if attempt == policy.max_retry_count:
                    raise

    def _once(self, words: list[str], folder: Path, name: str, attempts: int = 1) -> None:
        container = self.task.executor.container
        environment = {v.name: self.uri_map.apply(v.value) for v in container.env}
        work = folder / "work"
        work.mkdir(exist_ok=True)
        command = Command(words, environment, work, folder / f"{name}.log")
        script = folder / f"{name}.sh"
        command.write_script(script)
        code = self.processes.run(command)
        if code != 0:
            said = last_words(command.log)
            tries = f" after {attempts} attempts" if attempts > 1 else ""
            raise TaskFailed.explain(
                f"exit code {code}{tries}",
                said or "its command printed nothing",
                "expected exit code 0",
                f"its log is {command.log}; sh {script} repeats exactly what was run",
            )

    def _outputs(
        self,
        message: pipeline_spec_pb2.ExecutorInput,
        output: pipeline_spec_pb2.ExecutorOutput,
    ) -> dict[str, list[metadata_store_pb2.Artifact]]:
        """Joins what was provided for with what the container says of it."""
        outputs = {}
        for key, provided in message.outputs.artifacts.items():
            artifact = copy.deepcopy(provided.artifacts[0])
            said = output.artifacts[key].artifacts if key in output.artifacts else ()
            if said:
                artifact.uri = said[0].uri or artifact.uri
                artifact.metadata.CopyFrom(said[0].metadata)
            kind = self.recorder.register(artifact_type(artifact.type))
            stored = to_stored(artifact, kind)
            stored.name = f"{self.job.name}:{provided.artifacts[0].name}"
            outputs[key] = [stored]
        return outputs


def type_name(task: Task) -> str:
    """Type name of a task's executions, as in TFX, if the command shows it.

    TFX names executions by the component's class; a specification names the executor's.
    """
    kind = task.executor.WhichOneof("spec")
    if kind == "importer":
        return "tfx.dsl.components.common.importer.Importer"
    if kind == "resolver":
        return "tfx.dsl.components.common.resolver.Resolver"
    args = list(task.executor.container.args)
    if _EXECUTOR_FLAG not in args[:-1]:
        return task.name
    module = args[args.index(_EXECUTOR_FLAG) + 1].rpartition(".")[0]
    if module.endswith(".executor"):
        module = module.removesuffix("executor") + "component"
    return f"{module}.{task.key}"


def cache_key(pipeline: str, task: Task, given: Given, checked: Mapping[str, Any]) -> str:
    """Fingerprint of a task: what it is, what it reads, and what its check found.

    Resources are left out: they change how fast a result is there, and not the result.
    """
    executor = json_format.MessageToDict(task.executor)
    executor.get("container", {}).pop("resources", None)
    content = {
        "pipeline": pipeline,
        "component": json_format.MessageToDict(task.component),
        "executor": executor,
        "inputs": {key: [a.id for a in listed] for key, listed in given.artifacts.items()},
        "parameters": {**given.parameters, **checked},
    }
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def last_words(log: Path) -> str:
    """The last line of a log that names an exception, or else the last one.

    With the place, where it is in the user's own code.
    """
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    _, found, frames = "\n".join(lines).rpartition("Traceback (most recent call last):")
    place = None
    if found:
        named = [line for line in frames.splitlines() if line and not line.startswith(" ")]
        lines = named[:1] or lines
        place = users_place_in(frames)
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{said} (at {place})" if place else said


def _clear(message: pipeline_spec_pb2.ExecutorInput, checked: bytes | None) -> None:
    """Removes what a failed attempt left, and brings back what the pre-cache check had said."""
    for artifacts in message.outputs.artifacts.values():
        path = Path(artifacts.artifacts[0].uri)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    output_file = Path(message.outputs.output_file)
    output_file.unlink(missing_ok=True)
    if checked is not None:
        output_file.write_bytes(checked)
