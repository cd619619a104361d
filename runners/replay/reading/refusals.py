"""Requests of a specification that this runner does not support: refused by name in advance.

Each rule yields messages; `require_executable` raises them all at once.
"""

import re
from collections.abc import Iterator, Sequence

from runners.replay.reading.conditions import inputs_named
from runners.replay.reading.document import Document, SpecError
from runners.replay.reading.graph import Scope, Task
from runners.replay.reading.placeholders import names_in, unknown_in

_RUNNER_FLAG = re.compile(r"--runner[= ]?(\w*)")
# Beam runners that are there without a service of their own.
LOCAL_BEAM_RUNNERS = ("DirectRunner", "FnApiRunner", "BundleBasedDirectRunner", "direct")
_CLOUD_EXECUTORS = ("tfx.extensions.google_cloud_ai_platform.", "tfx.extensions.google_cloud_big_")


def require_executable(document: Document, tasks: Sequence[Task]) -> None:
    """Refuses a specification that asks for what this does not do.

    Raises:
        SpecError: One line per reason.
    """
    problems = list(_of_scopes(document.spec.root, "", document))
    for task in tasks:
        problems += [f"{task.name}: {text}" for rule in _RULES for text in rule(task)]
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise SpecError(
            f"{document.source}: cannot be executed on one machine:\n{lines}\n"
            "Hint: docs/specs.md says what can be."
        )


def _of_scopes(component, name: str, document: Document) -> Iterator[str]:
    if component.dag.HasField("outputs"):
        yield f"{name or 'the pipeline'}: outputs of a pipeline as a whole are not supported"
    for key, task in component.dag.tasks.items():
        inner = document.spec.components[task.component_ref.name]
        if inner.WhichOneof("implementation") != "dag":
            continue
        if task.trigger_policy.condition:
            yield f"{key}: a condition on a pipeline inside a pipeline is not supported"
        if task.WhichOneof("iterator"):
            yield f"{key}: loops (an iterator) are not supported"
        yield from _of_scopes(inner, key, document)


def _iterators(task: Task) -> Iterator[str]:
    if task.spec.WhichOneof("iterator"):
        yield "loops (an iterator) are not supported"


def _executors(task: Task) -> Iterator[str]:
    kind = task.executor.WhichOneof("spec")
    if kind == "custom_job":
        yield "a Vertex AI custom job (customJob) needs Vertex AI"
    elif kind is None:
        yield "its executor does nothing that is known here"
    elif kind == "container" and not (task.executor.container.command or _args(task)):
        yield "its container has no command, and there is no image here that would have one"


def _cloud_services(task: Task) -> Iterator[str]:
    for argument in _args(task):
        if argument.startswith(_CLOUD_EXECUTORS):
            yield f"its executor {argument} needs a service of Google Cloud"
    for runner in _RUNNER_FLAG.findall(" ".join(a for a in _args(task) if len(a) < 200)):
        if runner not in LOCAL_BEAM_RUNNERS:
            yield f"Beam's {runner} needs a service; compile it for this with another runner"


def _lists(task: Task) -> Iterator[str]:
    inputs, outputs = task.component.input_definitions, task.component.output_definitions
    for name, spec in [*inputs.artifacts.items(), *outputs.artifacts.items()]:
        if spec.is_artifact_list:
            yield f"{name} is a list of artifacts, which is not supported"
    for name, parameter in task.spec.inputs.parameters.items():
        if parameter.parameter_expression_selector:
            yield f"parameter {name}: an expression as selector is not supported"
        if parameter.runtime_value.WhichOneof("value") in ("constant_value", "runtime_parameter"):
            yield f"parameter {name}: a value of schema 2.0 is not supported"


def _conditions(task: Task) -> Iterator[str]:
    for kind, name in sorted(inputs_named(task.spec.trigger_policy.condition)):
        if name not in getattr(task.spec.inputs, kind):
            yield (
                f"its condition reads {name}, which is none of its inputs; "
                "TFX compiles that where the artifact is an input under another name"
            )


def _scoped_inputs(task: Task) -> Iterator[str]:
    """Inputs that a task takes from the pipeline around it must be there, on every level."""
    spec, scope, name = task.spec, task.scope, task.key
    while spec is not None and scope is not None:
        yield from _missing_in(scope, spec, name)
        spec, scope, name = scope.task, scope.parent, ".".join(scope.path)


def _missing_in(scope: Scope, spec, name: str) -> Iterator[str]:
    around = scope.path[-1] if scope.path else "the pipeline"
    defined = scope.component.input_definitions
    for key, parameter in spec.inputs.parameters.items():
        wanted = parameter.component_input_parameter
        if wanted and wanted not in defined.parameters:
            yield f"{name} reads the parameter {wanted} of {around}, which has none ({key})"
    for key, artifact in spec.inputs.artifacts.items():
        wanted = artifact.component_input_artifact
        if not wanted:
            continue
        if scope.task is None:
            yield f"{name} reads an artifact of the pipeline ({key}), and none can be given here"
        elif wanted not in scope.task.inputs.artifacts:
            yield f"{name} reads the artifact {wanted} of {around}, which has none ({key})"


def _placeholders(task: Task) -> Iterator[str]:
    container = task.executor.container
    texts = [*container.command, *_args(task), *(each.value for each in container.env)]
    for parameter in task.spec.inputs.parameters.values():
        texts.append(parameter.runtime_value.constant.string_value)
    yield from dict.fromkeys(said for text in texts for said in unknown_in(text))
    defined = {
        "inputs": [task.component.input_definitions, task.spec.inputs],
        "outputs": [task.component.output_definitions],
    }
    for placeholder, side, kind, name in dict.fromkeys(n for text in texts for n in names_in(text)):
        known = sorted({key for each in defined[side] for key in getattr(each, kind)})
        if name not in known:
            yield (
                f"the placeholder {placeholder} names what the task does not have; "
                f"expected one of {', '.join(known) or 'nothing'}"
            )


def _args(task: Task) -> list[str]:
    container = task.executor.container
    return [*container.args, *container.lifecycle.pre_cache_check.args]


_RULES = (
    _iterators,
    _executors,
    _cloud_services,
    _lists,
    _conditions,
    _scoped_inputs,
    _placeholders,
)
