"""`fareline run`: from settings to an outcome, on this machine.

Everything that can be wrong with what the user asked for is found before TFX is imported, which
takes ten seconds.
"""

import dataclasses
import datetime
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from data.privacy import key_id
from data.sources.csv import CsvSource
from fareline import collector
from fareline.errors import Interrupted
from fareline.scratch import scratch_folder
from lineage.text.harmless import plain
from pipeline.settings.settings import DATA, TRAINING, Settings
from runners.local.prepared_data import choose_prepared
from runners.local.reading_progress import describe_reading
from runners.local.training_progress import describe_search, describe_training
from runners.local.warm_start import choose_warm_start
from runners.local.warming import warm_servers
from runners.own_code import (
    choose_keras_3,
    offer_own_code,
    own_components,
    require_own_code,
)
from runners.part import Part
from runners.passwords import store_passwords
from runners.pii_key import read_pii_key
from runners.progress import NodeResult, ProgressTable, output_to
from runners.provenance import Provenance, collect_provenance
from runners.publishing.interrupted import settle, settle_own
from runners.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """A request for `fareline run`.

    Attributes:
        settings: Validated.
        workspace: Workspace for all results.
        use_cache: Whether unchanged nodes may be skipped.
        overrides: Values of `--set`, which the settings already contain.
        part: Part of the graph to run; None: the whole graph.
        note: User's note for the record.
        tags: Words to find it by; recorded.
    """

    settings: Settings
    workspace: Workspace
    use_cache: bool = True
    overrides: Sequence[str] = ()
    part: Part | None = None
    note: str = ""
    tags: Sequence[str] = ()

    @property
    def push_destination(self) -> str:
        """The serving folder, or a place elsewhere, that the run pushes to."""
        place = self.settings.push.destination
        place = place or str(self.workspace.serving_dir(self.settings.name))
        return place if "://" in place else str(self.settings.resolve(place))

    @property
    def push_folders(self) -> list[Path]:
        """The push destination if it is a folder; empty if it is elsewhere."""
        place = self.push_destination
        return [] if "://" in place else [Path(place)]


def new_run_id() -> str:
    """The id of a run that starts now."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("run-%Y%m%d-%H%M%S-%f")


def _pii_key_id(settings: Settings) -> str | None:
    """Tells the key of pseudonyms from others; None if the settings need none.

    Raises:
        DataError: They need one, and there is none.
    """
    if not settings.data.personal_columns(pseudonymize=True):
        return None
    return key_id(read_pii_key())


def run_locally(request: RunRequest, source: CsvSource) -> tuple["Outcome", Console]:  # noqa: F821
    """Runs the pipeline and reads the outcome.

    Args:
        request: Request of the user.
        source: From `check_request`.

    Returns:
        The outcome, and the console to print it on.

    Raises:
        WorkspaceError: If the workspace cannot be written or is in use.
        Interrupted: On an interrupt from the keyboard.
    """
    start = time.monotonic()
    run_id = new_run_id()
    workspace = request.workspace
    offer_own_code(request.settings)
    # Before TFX is imported: the code of the run is what is here now.
    provenance = collect_provenance(request.settings, request.overrides, request.use_cache)
    provenance = provenance.with_words(request.note, request.tags)
    reused_run = try_graph(request, source)
    if reused_run:
        part = dataclasses.replace(request.part, reused_run=reused_run)
        request = dataclasses.replace(request, part=part)
    with workspace.locked(with_reserve=True):
        connection = connect_workspace(request)
        chosen = choose_inputs(request)
        log_path = workspace.logs_dir / f"{run_id}.log"
        with output_to(log_path) as console:
            trials = request.settings.tuning.trials
            details = {
                "ExampleGen": functools.partial(describe_reading, workspace.artifacts_dir),
                "Tuner": functools.partial(describe_search, log_path, trials),
                "Trainer": functools.partial(describe_training, log_path),
            }
            table = ProgressTable(console, f"{request.settings.pipeline_name} · {run_id}", details)
            for line in settle(workspace, request.push_folders):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            if reused_run:
                said = f"Nodes before the part: outputs of {plain(reused_run)}"
                console.print(said, markup=False, highlight=False, soft_wrap=True)
            try:
                with table.shown(), warm_servers(table.update, table.has_node) as on_change:
                    build = functools.partial(build_pipeline, request, source, connection, chosen)
                    runner = _build_runner(request, build, run_id, provenance, table, on_change)
                    outcome = _run_pipeline(runner, run_id, workspace, log_path, start)
                settle_own(workspace, request.push_folders)
            except KeyboardInterrupt as error:
                raise Interrupted(
                    f"{run_id}: interrupted; finished work is kept, and the next run "
                    "resumes from it"
                ) from error
    return outcome, console


def try_graph(request: RunRequest, source: CsvSource) -> str:
    """Builds the graph once if a mistake of the user can be in it, before anything is written.

    That is where a part of it was asked for, and where functions of the user make it. Imports TFX
    then.

    Returns:
        Id of the run whose outputs a part reuses; empty if it reuses none.

    Raises:
        UserMistake: There is no such part, no run that it can go on from, or no artifact to begin
            with.
        SettingsError: A function of the user cannot be used.
    """
    settings = request.settings
    if settings.metadata.store is None and not request.workspace.metadata_path.is_file():
        choose_inputs(request)  # refuses artifacts of earlier runs: there are none
    if request.part is None and not settings.code.paths():
        return ""
    choose_keras_3()
    with scratch_folder("fareline-graph-") as folder, output_to(Path(folder) / "log"):
        with collector.paused():
            from runners.local.launching import compile_run
            from runners.local.partial_runs import mark_part

        require_own_code(settings)
        compiled = compile_run(build_pipeline(request, source), "graph")
        if request.part is None:
            return ""
        graph = _earlier_runs(request) if request.part.from_nodes else None
        return mark_part(compiled, request.part, graph, settings.data.sample).reused_run


def _earlier_runs(request: RunRequest) -> "Graph | None":  # noqa: F821
    """The store as it is now; None if there is none yet."""
    from lineage.graph.graph import Graph
    from lineage.store.open import open_store

    store = request.settings.metadata.store
    if store is None and not request.workspace.metadata_path.is_file():
        return None
    return Graph(open_store(store or request.workspace.metadata_path, store_passwords()))


def _build_runner(
    request: RunRequest,
    build: Callable[[], "Pipeline"],  # noqa: F821
    run_id: str,
    provenance: Provenance,
    table: ProgressTable,
    on_change: Callable[[NodeResult], None],
):
    choose_keras_3()
    # TFX is imported here, when its chatter goes to the log and the table is on the screen.
    with collector.paused():
        from absl import logging

        from lineage.graph.graph import Graph
        from lineage.store.open import open_store_in_place
        from runners.beam.engine import run_beam_in_process
        from runners.beam.profiles import pipelines_by_node
        from runners.local.estimate import usual_seconds
        from runners.local.node_logs import NodeLogs
        from runners.local.publication import must_execute
        from runners.local.runner import LocalRunner

    require_own_code(request.settings)
    logging.set_verbosity(logging.INFO)
    run_beam_in_process()
    workspace, settings = request.workspace, request.settings
    pipeline = build()

    def open_now():
        return open_store_in_place(workspace.store_location, store_passwords())

    def is_not_cached(node: str) -> bool:
        return must_execute(
            node, open_now, run_id, request.push_destination, settings.drift.serving_sample
        )

    if workspace.metadata_path.is_file():  # a server's store is not asked for an estimate
        table.usual = usual_seconds(Graph(open_now()), settings.pipeline_name, settings.data.sample)
    unfinished = workspace.note_run(run_id)
    if settings.metadata.store is None:
        unfinished = None  # the store is this workspace's alone, and older than the notes maybe
    node_logs = NodeLogs(workspace.logs_dir / run_id)
    runner = LocalRunner(
        pipeline,
        run_id,
        on_change,
        is_not_cached,
        provenance,
        node_logs,
        unfinished,
        request.part,
        pipelines_by_node(settings.beam, settings.code.packages, str(settings.code_folder)),
    )
    table.add_nodes(list(runner.results.values()))
    return runner


@dataclasses.dataclass(frozen=True)
class ChosenInputs:
    """Artifacts in the store that a run begins with, chosen before it starts.

    Attributes:
        warm_start: Id of the model whose weights it begins with; 0: none.
        prepared: Output of the data pipeline to the id of its artifact; empty where the run reads
            the data itself.
    """

    warm_start: int = 0
    prepared: Mapping[str, int] = dataclasses.field(default_factory=dict)


def choose_inputs(request: RunRequest) -> ChosenInputs:
    """Chooses the artifacts that a run begins with.

    Raises:
        UserMistake: There are no such artifacts, or they are of no use here.
    """
    settings, workspace = request.settings, request.workspace
    prepared = choose_prepared(settings, workspace)
    if settings.pipeline == DATA:  # nothing is trained
        return ChosenInputs()
    return ChosenInputs(choose_warm_start(settings, workspace, request.push_destination), prepared)


def build_pipeline(
    request: RunRequest,
    source: CsvSource,
    connection=None,
    chosen: ChosenInputs | None = None,
):
    """Builds the graph of a run on this machine. Imports TFX.

    Args:
        request: Request of the user.
        source: From `check_request`.
        connection: To the store; None where each step brings its own.
        chosen: From `choose_inputs`; without it the graph is only looked at.
    """
    with collector.paused():
        from pipeline.dag import Placement, create_pipeline

    settings, chosen = request.settings, chosen or ChosenInputs()
    return create_pipeline(
        settings,
        Placement(
            pipeline_root=str(request.workspace.artifacts_dir),
            data_dir=str(source.input_base),
            data_pattern=source.pattern,
            span_range=source.span_range,
            today=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            pii_key_id=None if settings.pipeline == TRAINING else _pii_key_id(settings),
            push_dir=request.push_destination,
            metadata=connection,
            enable_cache=request.use_cache,
            warm_start=chosen.warm_start,
            prepared=chosen.prepared,
            own_components=own_components(settings),
        ),
    )


def _run_pipeline(runner, run_id: str, workspace: Workspace, log_path: Path, start: float):
    """Runs to the end, reads the outcome and records it, also of a failed run."""
    from lineage.store.open import open_store_in_place
    from runners.outcome.page import write_page
    from runners.outcome.summary import FAILED, INTERRUPTED, read_outcome

    try:
        with runner.node_logs.attached():
            nodes = runner.run()
        if any(node.error for node in nodes):
            workspace.give_back_reserve()
            runner.record_failures()
        store = open_store_in_place(workspace.store_location, store_passwords())
        seconds = time.monotonic() - start
        outcome = read_outcome(run_id, nodes, store, workspace, log_path, seconds)
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        runner.record_end(INTERRUPTED if interrupted else FAILED)
        raise
    runner.record_end(outcome.status)
    workspace.forget_runs()
    return dataclasses.replace(outcome, page=write_page(store, run_id, workspace))


def connect_workspace(request: RunRequest):
    """Connects to the store that the workspace and the settings name."""
    from lineage.store.open import connect_for_run

    workspace, uri = request.workspace, request.settings.metadata.store
    workspace.require_store(uri)
    connection = connect_for_run(uri or workspace.metadata_path, store_passwords())
    if uri is not None:
        workspace.remember_store(uri)
    return connection
