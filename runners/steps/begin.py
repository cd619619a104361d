"""`fareline step begin`: checks and compiles once, and freezes what every step of the run needs."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from data.sources.csv import CsvSource
from fareline import collector, recorded
from fareline.errors import UserMistake
from fareline.scratch import scratch_folder
from pipeline.settings.settings import Settings
from pipeline.source.check import check_request
from runners.local.run import (
    ChosenInputs,
    RunRequest,
    build_pipeline,
    choose_inputs,
    connect_workspace,
    try_graph,
)
from runners.own_code import choose_keras_3, offer_own_code, require_own_code
from runners.progress import output_to
from runners.provenance import collect_provenance
from runners.publishing.interrupted import settle_when_idle
from runners.steps.claims import STORE_SECONDS, claimed
from runners.steps.frozen import FrozenRun, StepFiles
from runners.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Begun:
    """A run that has begun.

    Attributes:
        run: Frozen run.
        continues: Whether it had begun before.
    """

    run: FrozenRun
    continues: bool


def begin_run(request: RunRequest, source: CsvSource, run_id: str, runner: str) -> Begun:
    """Begins a run, or continues one with the same settings and code.

    Args:
        request: Request of the user.
        source: From `check_request`.
        run_id: Id of the run.
        runner: Name of the orchestrator, for the record.

    Raises:
        UserMistake: The run began with other settings or other code.
        TryLater: A whole run is using the workspace, or another process begins this run.
    """
    workspace, files = request.workspace, StepFiles(request.workspace, run_id)
    offer_own_code(request.settings)
    # Before TFX is imported: the code of the run is what is here now.
    provenance = collect_provenance(request.settings, request.overrides, request.use_cache, runner)
    frozen = functools.partial(_frozen, request, provenance.properties, run_id)
    if not files.has_begun():
        try_graph(request, source)
    settle_when_idle(workspace, request.push_folders)
    with workspace.shared(), claimed(files.claim_path("begin"), run_id):
        if files.has_begun():
            run = files.read()
            _require_same(run, frozen({}))
            return Begun(run, continues=True)
        with output_to(workspace.logs_dir / f"{run_id}.log"):
            with claimed(workspace.store_lock_path, str(workspace.root), STORE_SECONDS):
                connection = connect_workspace(request)
                chosen = choose_inputs(request)
                _make_tables(connection)
                workspace.note_run(run_id)
            graph = _compile(request, source, run_id, provenance, chosen)
        run = frozen(upstream_of(graph))
        files.freeze(run, graph.SerializeToString(deterministic=True))
        return Begun(run, continues=False)


@dataclasses.dataclass(frozen=True)
class Graph:
    """The nodes of a pipeline.

    Attributes:
        pipeline: Its name.
        upstream: By node, in DAG order, the nodes that it waits for.
    """

    pipeline: str
    upstream: Mapping[str, Sequence[str]]


def read_graph(settings: Settings, read_key: Callable[[], bytes]) -> Graph:
    """The graph that a run of these settings would have; nothing of it is kept."""
    source = check_request(settings, read_key)
    with scratch_folder("fareline-graph-") as folder, output_to(Path(folder) / "log"):
        request = RunRequest(settings, Workspace(Path(folder)))
        return Graph(settings.pipeline_name, upstream_of(_compile(request, source, "graph")))


def upstream_of(graph) -> dict[str, list[str]]:
    """By node of a compiled pipeline, in DAG order, the nodes that it waits for."""
    from runners.local.launching import nodes_of

    return {name: sorted(node.upstream_nodes) for name, node in nodes_of(graph).items()}


def _frozen(
    request: RunRequest, properties: dict, run_id: str, upstream: dict[str, list[str]]
) -> FrozenRun:
    return FrozenRun(
        run_id=run_id,
        pipeline=request.settings.pipeline_name,
        upstream=upstream,
        push_dir=request.push_destination,
        serving_sample=request.settings.drift.serving_sample,
        code_fingerprint=properties[recorded.CODE_FINGERPRINT],
        settings_sha256=properties[recorded.SETTINGS_SHA256],
        use_cache=request.use_cache,
        began=time.time(),
        own_packages=request.settings.code.packages,
        code_folder=str(request.settings.code_folder),
        beam=request.settings.beam.model_dump(mode="json"),
    )


def _require_same(run: FrozenRun, wanted: FrozenRun) -> None:
    named = {
        "settings_sha256": "settings",
        "code_fingerprint": "code",
        "use_cache": "use of the cache",
    }
    differ = [said for name, said in named.items() if getattr(run, name) != getattr(wanted, name)]
    if differ:
        raise UserMistake.explain(
            run.run_id,
            f"has begun already, with other {' and '.join(differ)}",
            "expected the same, to go on with it",
            "name another --run, or bring back what it began with",
        )


def _compile(
    request: RunRequest,
    source: CsvSource,
    run_id: str,
    provenance=None,
    chosen: ChosenInputs | None = None,
):
    choose_keras_3()
    with collector.paused():
        from runners.local.launching import compile_run

    require_own_code(request.settings)
    pipeline = build_pipeline(request, source, chosen=chosen)
    return compile_run(pipeline, run_id, provenance)


def _make_tables(connection) -> None:
    """Has ML Metadata make its tables now, before several processes want to."""
    from lineage.store.open import connect

    connect(connection)
