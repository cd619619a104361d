"""A specification that can be executed here: checked, ordered, its values and folders in place."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lineage.facts.pushes import PUSHED_MODEL
from pipeline.settings.slicing import parse_feature_key
from runners.progress import NodeResult
from runners.replay.artifacts import artifact_type
from runners.replay.processes import PRELOADABLE, is_preloadable
from runners.replay.reading.document import Document, SpecError
from runners.replay.reading.graph import Task, order_tasks
from runners.replay.reading.parameters import join_values
from runners.replay.reading.refusals import require_executable
from runners.replay.reading.uris import UriMap
from runners.workspace import Workspace

_EXECUTOR_FLAG = "--executor_class_path"
_EVAL_CONFIG = "eval_config"
_USER_FUNCTIONS = ("preprocessing_fn", "run_fn", "tuner_fn")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The executed run.

    Attributes:
        document: The specification.
        tasks: In an order in which they may run.
        values: Values of the pipeline's parameters.
        uri_map: Folders of buckets.
        pipeline_root: Local folder that the artifacts go to; each run has its own below it.
    """

    document: Document
    tasks: Sequence[Task]
    values: Mapping[str, Any]
    uri_map: UriMap
    pipeline_root: str

    def modules(self) -> list[str]:
        """Modules that a preloaded process imports; empty if no command can run in one."""
        wanted: dict[str, None] = {}
        for task in self.tasks:
            container = task.executor.container
            words = [*container.command, *container.args]
            if is_preloadable(words):
                wanted |= dict.fromkeys(PRELOADABLE)
                if _EXECUTOR_FLAG in words[:-1]:
                    executor = words[words.index(_EXECUTOR_FLAG) + 1]
                    wanted[executor.rpartition(".")[0]] = None
                for _, path in _functions_of(task):
                    wanted[path.rpartition(".")[0]] = None
        return list(wanted)

    def functions(self) -> Iterator[tuple[str, str, str]]:
        """Triples of (task, name, dotted path) of the user functions that tasks call."""
        for task in self.tasks:
            for name, path in (*_functions_of(task), *_judges_of(task)):
                yield task.name, name, path


@dataclasses.dataclass(frozen=True)
class SpecRun:
    """The run and its options.

    Attributes:
        plan: From `make_plan`.
        workspace: Workspace with the store of the run.
        run_id: In ML Metadata.
        properties: Record of the run about itself, by the names of `fareline.recorded`.
        code_version: Names the code; empty for none.
        use_cache: Whether tasks may be served from the cache where the specification says so.
    """

    plan: Plan
    workspace: Workspace
    run_id: str
    properties: Mapping[str, str | int] = dataclasses.field(default_factory=dict)
    code_version: str = ""
    use_cache: bool = True

    def results(self) -> dict[str, NodeResult]:
        """One per task, in order, none of which has begun: what `run_spec` fills."""
        return {
            task.name: NodeResult(task.name, publishes=_publishes(task)) for task in self.plan.tasks
        }


def make_plan(
    document: Document,
    given: Mapping[str, Any] | None = None,
    uri_map: UriMap | None = None,
    default_root: str = "",
) -> Plan:
    """Checks everything that can be checked before anything starts.

    Args:
        document: The specification.
        given: Values of the pipeline's parameters, beside those that it brings along.
        uri_map: Folders of buckets.
        default_root: Where the artifacts go if the document does not say.

    Returns:
        The plan.

    Raises:
        SpecError: The specification asks for what this does not do, is not sound, a parameter has
            no value, or a bucket no folder.
    """
    uri_map = uri_map or UriMap()
    tasks = order_tasks(document)
    require_executable(document, tasks)
    values = join_values(document, given or {})
    root = uri_map.require_local(
        f"{document.source}: pipeline root", document.pipeline_root or default_root
    )
    if not root:
        raise SpecError.explain(
            f"{document.source}: pipeline root",
            "is not named",
            "expected where the artifacts go",
            "compile it with one, or name a --workspace",
        )
    for name, value in values.items():
        _require_local(uri_map, f"{document.source}: parameter {name}", value)
    for task in tasks:
        for name, parameter in task.spec.inputs.parameters.items():
            constant = parameter.runtime_value.constant.string_value
            uri_map.require_place(task.name, name, constant)
        for word in [*task.executor.container.command, *task.executor.container.args]:
            uri_map.require_local(f"{task.name}: its command", word)
        uri_map.require_local(task.name, task.executor.importer.artifact_uri.constant.string_value)
    return Plan(document, tasks, values, uri_map, root.rstrip("/"))


def _publishes(task: Task) -> bool:
    """Whether a task outputs a PushedModel, as a Pusher does."""
    defined = task.component.output_definitions.artifacts.values()
    return any(artifact_type(each.artifact_type).name == PUSHED_MODEL for each in defined)


def _functions_of(task: Task) -> Iterator[tuple[str, str]]:
    """Pairs of (name, dotted path)."""
    for name in _USER_FUNCTIONS:
        if name in task.spec.inputs.parameters:
            path = task.spec.inputs.parameters[name].runtime_value.constant.string_value
            if path.rpartition(".")[0].replace(".", "").isidentifier():
                yield name, path


def _judges_of(task: Task) -> Iterator[tuple[str, str]]:
    """Pairs of (name, dotted path) of the metrics and slices that an EvalConfig names."""
    if _EVAL_CONFIG not in task.spec.inputs.parameters:
        return
    text = task.spec.inputs.parameters[_EVAL_CONFIG].runtime_value.constant.string_value
    with contextlib.suppress(ValueError, TypeError, AttributeError):  # of another component
        config = json.loads(text)
        for specs in config.get("metrics_specs", ()):
            for metric in specs.get("metrics", ()):
                if function := json.loads(metric.get("config") or "{}").get("function"):
                    yield "metric", function
        for specs in config.get("slicing_specs", ()):
            for key in specs.get("feature_keys", ()):
                if function := parse_feature_key(key).function:
                    yield "slice", function


def _require_local(uri_map: UriMap, where: str, value: Any) -> None:
    if isinstance(value, str):
        uri_map.require_local(where, value)
