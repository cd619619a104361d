"""Fills the placeholders of commands and parameters, such as `{{$.inputs.parameters['x']}}`.

The subset that both backends document. Anything else between `{{$` and `}}` is refused by name.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from fareline.errors import FarelineError
from runners.replay.reading.document import to_python

_PLACEHOLDER = re.compile(r"\{\{\$(?P<path>.*?)\}\}", re.DOTALL)
_PARAMETER = re.compile(r"\.inputs\.parameters\['(?P<name>[^']+)'\]")
_ARTIFACT = re.compile(
    r"\.(?P<side>inputs|outputs)\.artifacts\['(?P<name>[^']+)'\](?P<what>\.\w+)?"
    r"(?:\['(?P<key>[^']+)'\])?"
)
_OUTPUT_FILE = re.compile(r"\.outputs\.parameters\['(?P<name>[^']+)'\]\.output_file")


class PlaceholderError(FarelineError, ValueError):
    """A placeholder refers to something that a task does not have, or is unknown."""


@dataclasses.dataclass(frozen=True)
class Job:
    """Values of placeholders about the run.

    Attributes:
        name: Name of the run.
        task: Name of the task.
        root: Its pipeline root.
        scheduled: When it was started, RFC 3339.
    """

    name: str
    task: str
    root: str
    scheduled: str

    @property
    def values(self) -> Mapping[str, str]:
        """Placeholder to text."""
        return {
            ".pipeline_job_name": self.name,
            ".pipeline_job_resource_name": self.name,
            ".pipeline_job_uuid": self.name,
            ".pipeline_root": self.root,
            ".pipeline_task_name": self.task,
            ".pipeline_task_uuid": f"{self.name}-{self.task}",
            ".pipeline_job_create_time_utc": self.scheduled,
            ".pipeline_job_schedule_time_utc": self.scheduled,
        }


_OF_JOB = frozenset(Job("", "", "", "").values)
_OF_ARTIFACTS = (None, ".uri", ".path", ".name", ".metadata")


def unknown_in(text: str) -> Iterator[str]:
    """Reports each placeholder of a text that has no value, before a task runs."""
    for match in _PLACEHOLDER.finditer(text):
        path = match["path"]
        if path in ("", ".outputs.output_file") or path in _OF_JOB:
            continue
        if _PARAMETER.fullmatch(path) or _OUTPUT_FILE.fullmatch(path):
            continue
        artifact = _ARTIFACT.fullmatch(path)
        if artifact is None:
            yield f"the placeholder {match.group()} is not known here"
        elif artifact["what"] not in _OF_ARTIFACTS or (
            artifact["key"] and artifact["what"] != ".metadata"
        ):
            yield (
                f"the placeholder {match.group()} asks for something that artifacts have not; "
                "expected uri, path, name or metadata"
            )


def names_in(text: str) -> Iterator[tuple[str, str, str, str]]:
    """What the placeholders of a text read of their task.

    Yields:
        The placeholder, `inputs` or `outputs`, `parameters` or `artifacts`, and a name of these.
    """
    for match in _PLACEHOLDER.finditer(text):
        path = match["path"]
        if found := _PARAMETER.fullmatch(path):
            yield match.group(), "inputs", "parameters", found["name"]
        elif found := _OUTPUT_FILE.fullmatch(path):
            yield match.group(), "outputs", "parameters", found["name"]
        elif found := _ARTIFACT.fullmatch(path):
            yield match.group(), found["side"], "artifacts", found["name"]


def fill(text: str, executor_input: pipeline_spec_pb2.ExecutorInput, job: Job) -> str:
    """Fills all placeholders of a text.

    Args:
        text: An argument, a part of a command, a constant.
        executor_input: Executor input of the task.
        job: Job of the run.

    Raises:
        PlaceholderError: One of them cannot be filled.
    """

    def one(match: re.Match) -> str:
        value = _value(match.group(), match["path"], executor_input, job)
        return value if isinstance(value, str) else json.dumps(_whole(value))

    return _PLACEHOLDER.sub(one, text)


def _value(placeholder: str, path: str, given: pipeline_spec_pb2.ExecutorInput, job: Job) -> Any:
    if path == "":
        return json_format.MessageToJson(given, indent=None)
    if path in job.values:
        return job.values[path]
    if path == ".outputs.output_file":
        return given.outputs.output_file
    if match := _PARAMETER.fullmatch(path):
        values = given.inputs.parameter_values
        if match["name"] in values:
            return to_python(values[match["name"]])
        raise _unfilled(placeholder, sorted(values))
    if match := _OUTPUT_FILE.fullmatch(path):
        if match["name"] in given.outputs.parameters:
            return given.outputs.parameters[match["name"]].output_file
        raise _unfilled(placeholder, sorted(given.outputs.parameters))
    if match := _ARTIFACT.fullmatch(path):
        return _of_artifact(placeholder, match, given)
    raise PlaceholderError.explain(
        placeholder,
        "is not known here",
        "expected a parameter, an artifact, an output file or the whole input",
        "docs/specs.md lists the placeholders",
    )


def _of_artifact(placeholder: str, match: re.Match, given: pipeline_spec_pb2.ExecutorInput) -> Any:
    side = getattr(given, match["side"]).artifacts
    if match["name"] not in side or not side[match["name"]].artifacts:
        raise _unfilled(placeholder, sorted(name for name in side if side[name].artifacts))
    artifact = side[match["name"]].artifacts[0]
    metadata = json_format.MessageToDict(artifact.metadata)
    if match["what"] in (".uri", ".path") and not match["key"]:
        return artifact.uri
    if match["what"] == ".name" and not match["key"]:
        return artifact.name
    if match["what"] == ".metadata":
        if not match["key"]:
            return metadata
        if match["key"] in metadata:
            return metadata[match["key"]]
        raise _unfilled(placeholder, sorted(metadata))
    if match["what"] is None and not match["key"]:
        return json_format.MessageToDict(artifact)
    raise PlaceholderError.explain(
        placeholder,
        "asks for something that artifacts have not",
        "expected uri, path, name or metadata",
        "docs/specs.md lists the placeholders",
    )


def _whole(value: Any) -> Any:
    """JSON knows one kind of number; a whole one is written as such."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _unfilled(placeholder: str, known: list[str]) -> PlaceholderError:
    return PlaceholderError.explain(
        placeholder,
        "names what the task does not have",
        f"expected one of {', '.join(known) or 'nothing'}",
        "see the task's inputs in the specification",
    )
