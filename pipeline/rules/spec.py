"""Rules for a compiled spec before it leaves this machine: one function per rule.

Each yields problems, worded so that a user knows what to do. Called by runners.submit.compilation.
Imports neither TFX nor TensorFlow: a spec is JSON.
"""

import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fareline.near import near_names
from pipeline.settings.runners import DEFAULT_NODE, Cluster, RunnerName
from pipeline.settings.settings import WHOLE, Settings
from pipeline.user_code import IMAGE_PACKAGES

Spec = Mapping[str, Any]

# Exec properties that name code by a dotted path.
_CODE_KEYS = ("preprocessing_fn", "stats_options_updater_fn", "run_fn", "tuner_fn", "module_path")
_EXECUTOR_FLAG = "--executor_class_path"
_IMAGE_OPTION = "--sdk_container_image="
# Linux limits one argument to 128 KiB, and a step gets all its inputs as one.
ARGUMENT_BYTES = 100_000


def check_spec(settings: Settings, runner: RunnerName, spec: Spec, is_part: bool = False) -> None:
    """Applies every rule about a compiled spec.

    Args:
        settings: Valid.
        runner: Kind of the cluster.
        spec: The spec.
        is_part: Whether nodes were left out.

    Raises:
        SettingsError: There are mistakes; one line per mistake.
    """
    section = getattr(settings.runners, runner)
    problems = [
        *(() if is_part else find_unknown_nodes(settings, runner, spec)),
        *find_code_outside_the_image(spec, settings.code.packages),
        *(() if section.EXECUTES_RESOLVERS else find_resolvers(spec)),
        *find_paths_of_this_machine(spec),
        *find_missing_values(spec),
        *find_sdist_rebuilds(spec),
        *find_oversize(section, spec),
    ]
    if problems:
        raise settings.wrong(problems)


def executors(spec: Spec) -> dict[str, Mapping[str, Any]]:
    """Node to its executor, as the deployment part of a spec has it."""
    found = spec["deploymentSpec"]["executors"]
    return {label.removesuffix("_executor"): executor for label, executor in found.items()}


def find_unknown_nodes(settings: Settings, runner: RunnerName, spec: Spec) -> Iterator[str]:
    """Resources are asked for nodes that there are; a part of the graph lacks some of them."""
    if settings.pipeline != WHOLE:
        return
    nodes = [name for name, executor in executors(spec).items() if "container" in executor]
    for name in getattr(settings.runners, runner).resources:
        if name != DEFAULT_NODE and name not in nodes:
            near = near_names(name, nodes)
            hint = f"did you mean {near[0]}" if near else f"there are {', '.join(sorted(nodes))}"
            yield (
                f"runners.{runner}.resources.{name}: there is no such step in a container; "
                f"expected one, or {DEFAULT_NODE}. Hint: {hint}."
            )


def find_code_outside_the_image(spec: Spec, own: Sequence[str] = ()) -> Iterator[str]:
    """The code that a node names can be imported in the image.

    Args:
        spec: The spec.
        own: The packages of the user (`code`), which have been imported here already.
    """
    for node, key, path in _named_code(spec):
        module = path.rpartition(".")[0] if key != "module_path" else path
        package = path.partition(".")[0]
        if package in own:
            continue
        if package not in IMAGE_PACKAGES:
            yield (
                f"{node}: its {key} {path} is in none of the packages of the image; expected one "
                f"of {', '.join(IMAGE_PACKAGES)}. Hint: move the code there."
            )
        elif not _can_be_found(module):
            yield (
                f"{node}: its {key} {path} cannot be imported; expected a module {module}. "
                "Hint: correct the dotted path."
            )
    for node, task in spec["root"]["dag"]["tasks"].items():
        if "module_file" in task.get("inputs", {}).get("parameters", {}):
            yield (
                f"{node}: its code is a file of this machine; expected a dotted path. Hint: move "
                "the code into a package of the image, and name the function in place of "
                "module_file."
            )


def _can_be_found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # what should be its package is none
        return False


def _named_code(spec: Spec) -> Iterator[tuple[str, str, str]]:
    """Triples of (node, what names it, dotted path)."""
    for node, key, value in _constants(spec):
        if key in _CODE_KEYS and value:
            yield node, key, value
    for node, executor in executors(spec).items():
        arguments = executor.get("container", {}).get("args", [])
        if _EXECUTOR_FLAG in arguments:
            path = arguments[arguments.index(_EXECUTOR_FLAG) + 1]
            yield node, "executor", path


def find_resolvers(spec: Spec) -> Iterator[str]:
    """No node is a resolver, which open-source Kubeflow does not execute."""
    for node, executor in executors(spec).items():
        if "resolver" in executor:
            yield (
                f"{node}: it is a resolver, which open-source Kubeflow does not execute; expected "
                "a component. Hint: LiveBaseline brings the model in use; for other artifacts "
                "write a component that finds them."
            )


def find_paths_of_this_machine(spec: Spec) -> Iterator[str]:
    """No value is a path that exists here alone."""
    for node, key, value in _constants(spec):
        if value.startswith(("/", "~/", "./", "../", "file:")):
            yield (
                f"{node}: its {key} {value} is a path of this machine; expected gs://…, or the "
                "name of something in the image. Hint: put it into the bucket, or into a package."
            )


def _constants(spec: Spec) -> Iterator[tuple[str, str, str]]:
    """Triples of (node, parameter, text)."""
    for node, task in spec["root"]["dag"]["tasks"].items():
        for key, given in task.get("inputs", {}).get("parameters", {}).items():
            value = given.get("runtimeValue", {}).get("constant")
            if isinstance(value, str):
                yield node, key, value
    for node, executor in executors(spec).items():
        value = executor.get("importer", {}).get("artifactUri", {}).get("constant")
        if isinstance(value, str):
            yield node, "uri", value


def find_missing_values(spec: Spec) -> Iterator[str]:
    """Every runtime parameter has a value."""
    definitions = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, definition in definitions.items():
        if definition.get("defaultValue") in (None, ""):
            yield (
                f"runtime parameter {name}: it has no value; expected one in the spec. Hint: "
                "declare it in pipeline/dag.py with placement.parameterize(name, value)."
            )


def find_sdist_rebuilds(spec: Spec) -> Iterator[str]:
    """No step has TFX pack itself up: with any Beam option, an image is named as well."""
    for node, executor in executors(spec).items():
        arguments = executor.get("container", {}).get("args", [])
        beam = [a for a in arguments if a.startswith("--") and "=" in a]
        if beam and not any(a.startswith(_IMAGE_OPTION) for a in beam):
            yield (
                f"{node}: its Beam options {' '.join(beam)} name no image, so that each execution "
                f"builds an sdist of TFX; expected {_IMAGE_OPTION}IMAGE among them. Hint: leave "
                "the Beam options to runners.*.beam_args."
            )


def find_oversize(section: Cluster, spec: Spec) -> Iterator[str]:
    """The spec, and what each step is handed, is small enough."""
    size = len(json.dumps(spec))
    if size > section.SPEC_BYTES:
        yield (
            f"the compiled spec: {size:,} bytes; expected at most {section.SPEC_BYTES:,}. Hint: "
            "shorten what travels as settings, such as long lists of slices or features."
        )
    for node, task in spec["root"]["dag"]["tasks"].items():
        size = len(json.dumps(task.get("inputs", {})))
        if size > ARGUMENT_BYTES:
            yield (
                f"{node}: its inputs are {size:,} bytes, and go to its container as one argument; "
                f"expected at most {ARGUMENT_BYTES:,}. Hint: shorten the settings that it reads."
            )
