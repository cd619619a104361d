"""Rules for a graph before TFX's compiler gets it: one function per rule.

The compiler finds most of this too, one thing at a time, in its own words, and at times too late.
Called by runners.submit.compilation. Imports TFX inside the functions alone.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.settings.settings import Settings

# What the compiler takes for a type of our own; TFX's own types have schemas of their own.
_TYPE_NAME = re.compile(r"[a-z][a-z0-9-_]{2,20}[.][A-Z][a-zA-Z0-9-_]{2,49}")


def check_graph(settings: Settings, components: Sequence[Any]) -> None:
    """Applies every rule about the nodes of a pipeline.

    Raises:
        SettingsError: There are mistakes; one line per mistake.
    """
    problems = [
        *find_uncompilable_nodes(components),
        *find_unknown_strategies(components),
        *find_joined_inputs(components),
        *find_unnamed_types(components),
    ]
    if problems:
        raise settings.wrong(problems)


def find_uncompilable_nodes(components: Sequence[Any]) -> Iterator[str]:
    """Every node is an importer, a resolver, or has an executor class or a container."""
    from tfx.components import InfraValidator
    from tfx.dsl.component.experimental.executor_specs import TemplatedExecutorContainerSpec
    from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
    from tfx.dsl.components.common.importer import Importer
    from tfx.dsl.components.common.resolver import Resolver
    from tfx.orchestration.pipeline import Pipeline

    for node in components:
        if isinstance(node, InfraValidator):
            yield (
                f"{node.id}: TFX's InfraValidator, and whatever is derived from it, is refused by "
                "the compiler; expected another class. Hint: use "
                "pipeline.components.infra_validator."
            )
        elif isinstance(node, Pipeline):
            yield (
                f"{node.id}: it is a pipeline within the pipeline; expected components. Hint: put "
                "its components into the outer one."
            )
        elif not isinstance(node, Importer | Resolver) and not isinstance(
            node.executor_spec, ExecutorClassSpec | TemplatedExecutorContainerSpec
        ):
            yield (
                f"{node.id}: its executor is a {type(node.executor_spec).__name__}; expected a "
                "class or a container. Hint: write the component with @component."
            )


def find_unknown_strategies(components: Sequence[Any]) -> Iterator[str]:
    """A resolver asks for what the platform can answer."""
    from tfx.dsl.components.common.resolver import RESOLVER_STRATEGY_CLASS, Resolver
    from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
    from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
        LatestBlessedModelStrategy,
    )

    known = (LatestArtifactStrategy, LatestBlessedModelStrategy)
    for node in components:
        if not isinstance(node, Resolver):
            continue
        strategy = node.exec_properties[RESOLVER_STRATEGY_CLASS]
        if strategy not in known:
            yield (
                f"{node.id}: its strategy {strategy.__name__} is unknown to Kubeflow and Vertex; "
                f"expected {' or '.join(each.__name__ for each in known)}. Hint: where several "
                "spans are wanted, have the source hold them, and read it whole."
            )


def find_joined_inputs(components: Sequence[Any]) -> Iterator[str]:
    """An input comes from one output: the compiler knows no union, and no window of spans."""
    from tfx.dsl.components.common.resolver import Resolver
    from tfx.types import Channel

    for node in components:
        if isinstance(node, Resolver):  # what it resolves is a question, and no output
            continue
        for key, channel in node.inputs.items():
            if not isinstance(channel, Channel):
                yield (
                    f"{node.id}: its input {key} is a {type(channel).__name__}; expected the "
                    "output of one node. Hint: connect it directly, or join the artifacts in a "
                    "component."
                )


def find_unnamed_types(components: Sequence[Any]) -> Iterator[str]:
    """The type of an artifact that TFX does not know is named so that a step can import it."""
    from tfx.orchestration.kubeflow.v2.compiler_utils import TITLE_TO_CLASS_PATH

    known = {title.removeprefix("tfx.") for title in TITLE_TO_CLASS_PATH}
    for node in components:
        for key, channel in node.outputs.items():
            name = channel.type.TYPE_NAME
            if name not in known and not _TYPE_NAME.fullmatch(name):
                yield (
                    f"{node.id}: the type {name} of its output {key} has no name that the compiler "
                    "takes; expected MODULE.CLASS, by which a step imports it. Hint: set its "
                    "TYPE_NAME, or use a standard artifact."
                )
