"""Plan of a run: the nodes that it would execute, the outputs that it would reuse, and why.

TFX decides, on a copy of the store: its Launcher resolves the inputs of a node, runs its driver and
looks into the cache, and stops where it would call the executor. The store and
the workspace stay unchanged. Called by `fareline run --plan`. Imports TFX when a
plan is made.
"""

import dataclasses
import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fareline import collector
from fareline.errors import UserMistake
from fareline.scratch import scratch_folder
from runners.local.run import RunRequest, build_pipeline, choose_inputs
from runners.own_code import choose_keras_3, require_own_code
from runners.progress import output_to

if TYPE_CHECKING:
    from tfx.orchestration.portable.data_types import ExecutionInfo
    from tfx.proto.orchestration import pipeline_pb2

    from data.sources.csv import CsvSource
    from runners.local.launching import NodeLauncher

EXECUTE, CACHED, REUSED, RESOLVE = "execute", "cached", "reused", "resolve"
_RUN_ID = "plan"


@dataclasses.dataclass(frozen=True)
class PlannedNode:
    """What a run would do with a node.

    Attributes:
        name: Its id.
        plan: `EXECUTE`, `CACHED`, `REUSED` where a partial run takes an earlier run's outputs, or
            `RESOLVE` for a node that looks for artifacts in every run.
        why: In short; empty if it is cached or looks for artifacts.
    """

    name: str
    plan: str
    why: str = ""


def plan_run(request: RunRequest, source: "CsvSource") -> list[PlannedNode]:
    """Finds out what a run would do now.

    Args:
        request: As of the run.
        source: From `check_request`.

    Returns:
        A node each, in DAG order.

    Raises:
        UserMistake: The store is on a server; or as of the run.
    """
    if request.settings.metadata.store is not None:
        raise UserMistake.explain(
            "--plan",
            "the store is on a server",
            "expected a store in a file, of which a plan makes a copy",
            "leave out --plan, or plan on a workspace of this machine",
        )
    chosen = choose_inputs(request)
    with scratch_folder("fareline-plan-") as folder, output_to(Path(folder) / "log"):
        store = Path(folder) / "metadata.db"
        choose_keras_3()
        require_own_code(request.settings)
        with collector.paused():
            from lineage.store.open import connect_for_run
            from lineage.store.sqlite_snapshot import snapshot

        if request.workspace.metadata_path.is_file():
            with snapshot(request.workspace.metadata_path) as copy:
                shutil.copyfile(copy, store)
        connection = connect_for_run(store)
        pipeline = build_pipeline(request, source, connection, chosen)
        return list(plan_nodes(pipeline, request, Path(folder) / "artifacts"))


def plan_nodes(pipeline, request: RunRequest, artifacts: Path) -> Iterator[PlannedNode]:
    """Plans the nodes of a pipeline; writes to its store, which is a copy.

    Args:
        pipeline: From `build_pipeline`, connected to the copy.
        request: As of the run.
        artifacts: Folder for what TFX makes on the way.
    """
    from lineage.answers.cache.explain import FORCED
    from lineage.graph.graph import Graph
    from lineage.store.open import connect
    from lineage.text.harmless import plain
    from runners.local.launching import (
        NodeLauncher,
        SerializedMetadata,
        compile_run,
        planned_nodes,
        reused_nodes,
    )
    from runners.local.partial_runs import mark_part, reuse
    from runners.local.publication import must_execute

    connection = pipeline.metadata_connection_config
    compiled = compile_run(pipeline, _RUN_ID)
    reused_run = ""
    if request.part is not None:
        graph = Graph(connect(connection))
        marked = mark_part(compiled, request.part, graph, request.settings.data.sample)
        reused_run = plain(marked.reused_run)
    # Not in the cache key; folders of executions that never begin are made there.
    compiled.runtime_spec.pipeline_root.field_value.string_value = str(artifacts)
    not_cached = functools.partial(
        must_execute,
        open_now=lambda: connect(connection),
        run_id=_RUN_ID,
        push_dir=request.push_destination,
        serving_sample=request.settings.drift.serving_sample,
    )
    launcher = NodeLauncher(compiled, connection)
    reused = reused_nodes(compiled)
    if reused:
        with SerializedMetadata(connection, launcher.lock) as handle:
            reuse(handle, compiled)
    executed: list[str] = []
    for name in planned_nodes(compiled):
        if name in reused:
            yield PlannedNode(name, REUSED, f"before the part that runs: outputs of {reused_run}")
            continue
        if not launcher.nodes[name].execution_options.caching_options.enable_cache:
            why = "the cache is off"
        elif waits := [each for each in executed if each in _producers(launcher.nodes[name])]:
            why = f"after {', '.join(waits)}"
        elif not_cached(name):
            why = FORCED[name]
        else:
            planned = _ask_cache(launcher, name)
            if planned.plan == EXECUTE:
                executed.append(name)
            yield planned
            continue
        executed.append(name)
        yield PlannedNode(name, EXECUTE, why)


def _producers(node: "pipeline_pb2.PipelineNode") -> set[str]:
    """The nodes whose outputs a node takes; those that it only waits for are not among them."""
    return {
        channel.producer_node_query.id
        for spec in node.inputs.inputs.values()
        for channel in spec.channels
    }


def _ask_cache(launcher: "NodeLauncher", name: str) -> PlannedNode:
    """Asks TFX's cache for the outputs of a node."""
    from tfx.orchestration.portable import launcher as tfx_launcher

    class Preparing(tfx_launcher.Launcher):
        """TFX's launcher up to the executor."""

        prepared = None

        def launch(self):
            if self._system_node_handler:
                return super().launch()
            self.prepared = self._prepare_execution()
            return self.prepared.execution_info

    made = launcher.launcher_of(name, Preparing)
    info = made.launch()
    if made.prepared is None:
        return PlannedNode(name, RESOLVE)
    if not made.prepared.is_execution_needed:
        launcher.final_state(info)
        return PlannedNode(name, CACHED)
    return PlannedNode(name, EXECUTE, _why(launcher, info))


def _why(launcher: "NodeLauncher", info: "ExecutionInfo") -> str:
    """What differs from the last time that the node was executed."""
    from tfx.orchestration import data_types_utils

    from lineage.answers.cache.explain import explain_one
    from lineage.graph.graph import Graph
    from lineage.store.open import connect

    store = connect(launcher.connection)
    [execution] = store.get_executions_by_id([info.execution_id])
    for name, value in info.exec_properties.items():  # those of the driver among them
        if isinstance(value, str | int | float) and name not in execution.custom_properties:
            data_types_utils.set_metadata_value(execution.custom_properties[name], value)
    store.put_executions([execution])
    graph = Graph(store)
    explained = explain_one(graph, *graph.executions([execution.id]))
    if explained.reason == "unknown":
        return "its outputs are not in the cache any more"
    return explained.text
