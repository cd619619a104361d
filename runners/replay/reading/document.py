"""Reads a compiled specification: a PipelineSpec for Kubeflow or a PipelineJob for Vertex.

Both are parsed by the protocol buffers of the kfp package, which are what the backends parse them
with. A field that these do not know is refused, not dropped.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from fareline.errors import UserMistake

KUBEFLOW, VERTEX = "kubeflow", "vertex"
SCHEMA_VERSION = "2.1."
# Of a PipelineJob of Vertex AI: who runs it, where, and with which key. Nothing of that is here.
CLOUD_ONLY = ("encryptionSpec", "name", "network", "reservedIpRanges", "serviceAccount")
_KNOWN = ("displayName", "labels", "pipelineSpec", "runtimeConfig")
FAIL_FAST = "PIPELINE_FAILURE_POLICY_FAIL_FAST"
_FAILURE_POLICIES = ("PIPELINE_FAILURE_POLICY_UNSPECIFIED", "PIPELINE_FAILURE_POLICY_FAIL_SLOW")


class SpecError(UserMistake):
    """A specification cannot be executed here. No task was started."""


@dataclasses.dataclass(frozen=True)
class Document:
    """A specification as it would be sent.

    Attributes:
        source: Its path, or what a server calls it; for messages.
        runner: Platform that it was compiled for: `kubeflow` or `vertex`.
        spec: The graph.
        executors: Executor label to what it does.
        pipeline_root: Where the artifacts go; empty if it does not say.
        values: Runtime parameters whose values it brings along.
        fail_fast: Whether nothing may start after a failure.
        ignored: Requests of the specification that have no meaning on one machine, by name.
    """

    source: str
    runner: str
    spec: pipeline_spec_pb2.PipelineSpec
    executors: Mapping[str, pipeline_spec_pb2.PipelineDeploymentConfig.ExecutorSpec]
    pipeline_root: str
    values: Mapping[str, Any]
    fail_fast: bool = False
    ignored: tuple[str, ...] = ()

    @property
    def pipeline(self) -> str:
        """Name of the pipeline."""
        return self.spec.pipeline_info.name


def load_document(path: Path) -> Document:
    """Reads and parses a file.

    Raises:
        SpecError: The file cannot be read, or is no specification.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SpecError.explain(
            str(path),
            f"cannot be read ({reason})",
            "expected a compiled pipeline",
            "`fareline compile vertex -o pipeline.json` writes one",
        ) from error
    try:
        # JSON first: the YAML parser takes it as well, and is a hundred times slower.
        contents = [json.loads(text)] if text.lstrip().startswith("{") else _documents(text)
    except (ValueError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0]
        raise _no_specification(str(path), f"is neither JSON nor YAML ({first})") from error
    return parse_document(contents, str(path))


def parse_document(contents: list[Any], source: str) -> Document:
    """Parses what a file held, or what was sent to a server.

    Args:
        contents: The YAML documents; the first is the specification.
        source: Name of the specification in messages.

    Raises:
        SpecError: The text is not a specification, or has an unsupported schema.
    """
    content = contents[0] if contents else None
    if not isinstance(content, dict):
        raise _no_specification(source, "holds no mapping")
    ignored = ["platforms"] if len(contents) > 1 and "platforms" in (contents[1] or {}) else []
    job = pipeline_spec_pb2.PipelineJob()
    fail_fast = False
    if "pipelineSpec" in content:
        runner, graph = VERTEX, content["pipelineSpec"]
        ignored += [name for name in CLOUD_ONLY if content.get(name)]
        unknown = sorted(set(content) - {*_KNOWN, *CLOUD_ONLY})
        if unknown:
            raise _unknown(source, unknown[0])
        config = dict(content.get("runtimeConfig") or {})
        fail_fast = _fails_fast(source, config.pop("failurePolicy", ""))
        _parse({"runtimeConfig": config}, job, source)
    else:
        runner, graph = KUBEFLOW, content
    spec = _parse(graph, pipeline_spec_pb2.PipelineSpec(), source)
    if not spec.pipeline_info.name or not spec.root.dag.tasks:
        raise _no_specification(source, "names no pipeline, or no task")
    if not spec.schema_version.startswith(SCHEMA_VERSION):
        raise SpecError.explain(
            source,
            f"its schema is {spec.schema_version or 'not named'}",
            f"expected {SCHEMA_VERSION}0, the only one that Kubeflow takes",
            "compile it with use_pipeline_spec_2_1=True",
        )
    deployment = _parse(
        json_format.MessageToDict(spec.deployment_spec),
        pipeline_spec_pb2.PipelineDeploymentConfig(),
        source,
    )
    if runner == KUBEFLOW:
        ignored += _drop_checks(deployment)
    values = {name: to_python(v) for name, v in job.runtime_config.parameter_values.items()}
    return Document(
        source,
        runner,
        spec,
        dict(deployment.executors),
        job.runtime_config.gcs_output_directory or spec.default_pipeline_root,
        values,
        fail_fast,
        tuple(ignored),
    )


def to_python(value: Any) -> Any:
    """A protobuf Value as Python has it: whole numbers are floats, as in JSON."""
    return json_format.MessageToDict(value)


def _documents(text: str) -> list[Any]:
    return list(yaml.safe_load_all(text))


def _parse(content: Any, message: Any, source: str) -> Any:
    try:
        return json_format.ParseDict(content, message)
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise _no_specification(source, f"does not parse ({str(error).splitlines()[0]})") from error


def _fails_fast(source: str, policy: str) -> bool:
    if policy and policy != FAIL_FAST and policy not in _FAILURE_POLICIES:
        raise _unknown(source, f"failurePolicy {policy}")
    return policy == FAIL_FAST


def _drop_checks(deployment: pipeline_spec_pb2.PipelineDeploymentConfig) -> list[str]:
    """Removes what Kubeflow's backend never runs: the check before the cache is asked.

    Source: backend/src/v2/driver of kubeflow/pipelines reads no `lifecycle`.
    """
    dropped = []
    for label, executor in sorted(deployment.executors.items()):
        if executor.container.HasField("lifecycle"):
            executor.container.ClearField("lifecycle")
            dropped.append(f"preCacheCheck of {label}, which Kubeflow never runs")
    return dropped


def _unknown(source: str, name: str) -> SpecError:
    return SpecError.explain(
        source,
        f"asks for {name}",
        "expected only what can be executed on one machine",
        "docs/specs.md lists that",
    )


def _no_specification(source: str, found: str) -> SpecError:
    return SpecError.explain(
        source,
        found,
        "expected a PipelineSpec as YAML or a PipelineJob as JSON",
        "`fareline compile kubeflow` and `fareline compile vertex` write them",
    )
