"""The tasks of a specification, in the order in which they may run.

A task waits for what its `dependentTasks` name and for the producers of what it reads. Pipelines
inside pipelines, such as the one that TFX makes around an exit handler, are flattened: a task that
waits for one waits for all of its tasks.
"""

import dataclasses
import graphlib
from collections.abc import Iterator, Mapping

from kfp.pipeline_spec import pipeline_spec_pb2

from runners.replay.reading.document import Document, SpecError

_ALWAYS = pipeline_spec_pb2.PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED


@dataclasses.dataclass(frozen=True)
class Scope:
    """The pipeline that a task stands in.

    Attributes:
        path: Names of the tasks that lead to it; empty for the outermost.
        component: Its component, with the inputs that tasks in it may read.
        task: The task that runs it; None for the outermost.
        parent: The scope of that task.
    """

    path: tuple[str, ...]
    component: pipeline_spec_pb2.ComponentSpec
    task: pipeline_spec_pb2.PipelineTaskSpec | None = None
    parent: "Scope | None" = None

    def name_of(self, task: str) -> str:
        """The name that a task of this scope has in the run."""
        return ".".join((*self.path, task))


@dataclasses.dataclass(frozen=True)
class Task:
    """One task that does something.

    Attributes:
        name: In the run; with the names of the pipelines around it if there are any.
        key: Its name in its own pipeline.
        spec: Specification of the task.
        component: Its inputs and outputs.
        executor: Executor of the task.
        scope: Scope of the task.
        after: The tasks that it waits for, each as the tasks that it stands for: one, or those of
            a pipeline.
        always: Whether the task runs even if others failed: an exit handler.
    """

    name: str
    key: str
    spec: pipeline_spec_pb2.PipelineTaskSpec
    component: pipeline_spec_pb2.ComponentSpec
    executor: pipeline_spec_pb2.PipelineDeploymentConfig.ExecutorSpec
    scope: Scope
    after: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    always: bool = False


def order_tasks(document: Document) -> list[Task]:
    """Finds all tasks and their order.

    Raises:
        SpecError: A task names what is not there, or tasks wait for each other in a circle.
    """
    tasks = {task.name: task for task in _tasks_in(document, Scope((), document.spec.root))}
    tasks = {name: _with_dependencies(document, task, tasks) for name, task in tasks.items()}
    waits = {
        name: {leaf for leaves in task.after.values() for leaf in leaves}
        for name, task in tasks.items()
    }
    sorter = graphlib.TopologicalSorter(waits)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise SpecError.explain(
            document.source,
            f"its tasks wait for each other: {' -> '.join(reversed(error.args[1]))}",
            "expected an order in which they can run",
            "see dependentTasks and producerTask there",
        ) from error
    ordered = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += [tasks[name] for name in ready]
        sorter.done(*ready)
    return ordered


def _tasks_in(document: Document, scope: Scope) -> Iterator[Task]:
    for key in sorted(scope.component.dag.tasks):
        spec = scope.component.dag.tasks[key]
        where = f"{document.source}: {scope.name_of(key)}"
        component = _component(document, where, spec.component_ref.name)
        if component.WhichOneof("implementation") == "dag":
            yield from _tasks_in(document, Scope((*scope.path, key), component, spec, scope))
            continue
        if component.executor_label not in document.executors:
            raise _missing(where, "executor", component.executor_label)
        yield Task(
            scope.name_of(key),
            key,
            spec,
            component,
            document.executors[component.executor_label],
            scope,
        )


def _component(document: Document, where: str, name: str) -> pipeline_spec_pb2.ComponentSpec:
    if name not in document.spec.components:
        raise _missing(where, "component", name)
    return document.spec.components[name]


def _with_dependencies(document: Document, task: Task, tasks: Mapping[str, Task]) -> Task:
    """Adds what a task waits for, what the pipelines around it wait for included."""
    after: dict[str, tuple[str, ...]] = {}
    always = task.spec.trigger_policy.strategy == _ALWAYS
    scope: Scope | None = task.scope
    spec: pipeline_spec_pb2.PipelineTaskSpec | None = task.spec
    while spec is not None and scope is not None:
        for named in _named_by(spec):
            name = scope.name_of(named)
            inside = tuple(t for t in tasks if t == name or t.startswith(f"{name}."))
            if not inside:
                raise _missing(f"{document.source}: {task.name}", "task", named)
            after[name] = inside
        spec, scope = scope.task, scope.parent
    return dataclasses.replace(task, after=after, always=always)


def _named_by(spec: pipeline_spec_pb2.PipelineTaskSpec) -> list[str]:
    """The tasks that a task names: to wait for, or to read from."""
    named = list(spec.dependent_tasks)
    for artifact in spec.inputs.artifacts.values():
        if artifact.WhichOneof("kind") == "task_output_artifact":
            named.append(artifact.task_output_artifact.producer_task)
    for parameter in spec.inputs.parameters.values():
        kind = parameter.WhichOneof("kind")
        if kind in ("task_output_parameter", "task_final_status"):
            named.append(getattr(parameter, kind).producer_task)
    return sorted(set(named))


def _missing(where: str, kind: str, name: str) -> SpecError:
    return SpecError.explain(
        where,
        f"names the {kind} {name or '(none)'}, which is not there",
        f"expected a {kind} of the specification",
        "a backend refuses that as well: compile it again",
    )
