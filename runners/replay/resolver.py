"""Answers the queries of resolvers, as TFX compiles its two strategies, and runs importers.

A filter is a row of comparisons joined by AND; of what passes, the latest is taken. Anything else
in a filter is refused. Source: tfx step_builder.
"""

import re
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format, struct_pb2
from kfp.pipeline_spec import pipeline_spec_pb2
from ml_metadata.proto import metadata_store_pb2

from fareline.errors import FarelineError
from runners.replay.artifacts import artifact_type, metadata_of, runtime_name, to_stored
from runners.replay.inputs import Given, executor_input
from runners.replay.reading.graph import Task
from runners.replay.reading.placeholders import Job, fill
from runners.replay.reading.uris import UriMap
from runners.replay.recorder import Recorder

_COMPARISON = re.compile(
    r"(?P<field>[\w.]+)\s*=\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<plain>[\w.+-]+))\s*"
)
_METADATA = re.compile(r"metadata\.(\w+)\.(number_value|string_value)")


class QueryError(FarelineError, ValueError):
    """A resolver asks for something that is not known here."""


def resolve(
    task: Task, given: Given, recorder: Recorder, job: Job
) -> dict[str, list[metadata_store_pb2.Artifact]]:
    """Answers all queries of a resolver.

    Returns:
        Output key to the latest artifact that passes; to nothing if none does.

    Raises:
        QueryError: A filter is not known here.
    """
    inputs = executor_input(task, given)
    answers = {}
    for key, query in task.executor.resolver.output_artifact_queries.items():
        if any(not artifacts for artifacts in given.artifacts.values()):
            answers[key] = []  # what it is asked by was not found either
            continue
        defined = task.component.output_definitions.artifacts[key]
        kind = artifact_type(defined.artifact_type)
        found = select(
            fill(query.filter, inputs, job), kind.name, recorder.artifacts_of_type(kind.name)
        )
        answers[key] = found[-max(1, query.limit) :]
    return answers


def select(
    query: str, type_name: str, artifacts: Iterable[metadata_store_pb2.Artifact]
) -> list[metadata_store_pb2.Artifact]:
    """The artifacts that pass a filter, in the order given.

    Args:
        query: Such as `schema_title="tfx.Model" AND state=LIVE AND name="artifact-7"`.
        type_name: Their type.
        artifacts: To look through.
    """
    comparisons = [_parse(query, part) for part in query.split(" AND ")]
    return [a for a in artifacts if all(_passes(a, type_name, *c) for c in comparisons)]


def _parse(query: str, part: str) -> tuple[str, str]:
    match = _COMPARISON.fullmatch(part.strip())
    field = match["field"] if match else ""
    if field not in ("schema_title", "state", "name") and not _METADATA.fullmatch(field):
        raise QueryError.explain(
            f"filter {query}",
            f"{part.strip()!r} is not known here",
            "expected schema_title, state, name and metadata, joined by AND",
            "docs/specs.md says what resolvers can ask",
        )
    return field, match["plain"] if match["quoted"] is None else match["quoted"]


def _passes(artifact: metadata_store_pb2.Artifact, type_name: str, field: str, wanted: str) -> bool:
    if field == "schema_title":
        # Custom types are asked for as tfx.Artifact: the backend then looks at nothing but that.
        return wanted in ("tfx.Artifact", f"tfx.{type_name}", type_name)
    if field == "state":
        states = metadata_store_pb2.Artifact.State
        # What TFX 1.16 put out on a laptop before its run ended has no state yet.
        return wanted == states.Name(artifact.state)
    if field == "name":
        return runtime_name(artifact.id) == wanted
    match = _METADATA.fullmatch(field)
    value = metadata_of(artifact).get(match[1])
    if match[2] == "number_value":
        return _is_number(value) and float(value) == float(wanted)
    return value == wanted


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def import_artifact(
    task: Task, given: Given, recorder: Recorder, uri_map: UriMap
) -> dict[str, list[metadata_store_pb2.Artifact]]:
    """Makes an importer's artifact, or finds the one of the same URI and properties.

    Returns:
        Its one output key to its one artifact, which may not be stored yet.
    """
    importer = task.executor.importer
    source = importer.artifact_uri
    kind = source.WhichOneof("value")
    uri = given.parameters.get(source.runtime_parameter) if kind == "runtime_parameter" else None
    if kind == "constant":
        uri = source.constant.string_value
    [(key, defined)] = task.component.output_definitions.artifacts.items()
    registered = recorder.register(artifact_type(importer.type_schema))
    metadata = struct_pb2.Struct()
    metadata.update(json_format.MessageToDict(defined.metadata))
    metadata.update(json_format.MessageToDict(importer.metadata))
    new = to_stored(
        pipeline_spec_pb2.RuntimeArtifact(
            uri=uri_map.require_local(task.name, uri or ""), metadata=metadata
        ),
        registered,
    )
    if not importer.reimport:
        for known in reversed(recorder.artifacts_at(new.uri)):
            if known.type_id == registered.id and metadata_of(known) == metadata_of(new):
                return {key: [known]}
    return {key: [new]}
