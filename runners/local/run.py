"""`fareline run`: from settings to an outcome, on this machine.

Everything that can be wrong with what the user asked for is found before TFX is imported, which
takes ten seconds.
"""

import dataclasses
import datetime
import functools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from data.privacy import key_id
from data.sources.csv import CsvSource
from fareline import collector
from fareline.errors import Interrupted
from pipeline.settings.settings import Settings
from runners.local.reading_progress import describe_reading
from runners.local.training_progress import describe_search, describe_training
from runners.local.warming import warm_servers
from runners.passwords import store_passwords
from runners.pii_key import read_pii_key
from runners.progress import NodeResult, ProgressTable, output_to
from runners.provenance import collect_provenance
from runners.publishing.interrupted import settle, settle_own
from runners.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """What `fareline run` was asked for.

    Attributes:
        settings: Validated.
        workspace: Where everything goes.
        use_cache: Whether unchanged nodes may be skipped.
        overrides: What `--set` said; the settings have it already.
    """

    settings: Settings
    workspace: Workspace
    use_cache: bool = True
    overrides: Sequence[str] = ()


def _pii_key_id(settings: Settings) -> str | None:
    """Tells the key of pseudonyms from others; None if the settings need none.

    Raises:
        DataError: They need one, and there is none.
    """
    if not settings.data.personal_columns(pseudonymize=True):
        return None
    return key_id(read_pii_key())


def run_locally(request: RunRequest, source: CsvSource) -> tuple["Outcome", Console]:  # noqa: F821
    """Runs the pipeline and reads what came of it.

    Args:
        request: What to run, and where.
        source: From `check_request`.

    Returns:
        The outcome, and the console to print it on.

    Raises:
        WorkspaceError: If the workspace cannot be written or is in use.
        Interrupted: On an interrupt from the keyboard.
    """
    start = time.monotonic()
    run_id = datetime.datetime.now(datetime.timezone.utc).strftime("run-%Y%m%d-%H%M%S-%f")
    workspace = request.workspace
    with workspace.locked(with_reserve=True):
        connection = _connect(request)
        log_path = workspace.logs_dir / f"{run_id}.log"
        with output_to(log_path) as console:
            trials = request.settings.tuning.trials
            details = {
                "ExampleGen": functools.partial(describe_reading, workspace.artifacts_dir),
                "Tuner": functools.partial(describe_search, log_path, trials),
                "Trainer": functools.partial(describe_training, log_path),
            }
            table = ProgressTable(console, f"{request.settings.name} · {run_id}", details)
            for line in settle(workspace, _push_folders(request)):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            try:
                with table.shown(), warm_servers(table.update) as on_change:
                    runner = _build_runner(request, source, connection, run_id, table, on_change)
                    outcome = _run_pipeline(runner, run_id, workspace, log_path, start)
                settle_own(workspace, _push_folders(request))
            except KeyboardInterrupt as error:
                raise Interrupted(
                    f"{run_id}: interrupted; what is done is kept, and the next run resumes from it"
                ) from error
    return outcome, console


def _push_destination(request: RunRequest) -> str:
    """The serving folder, or a place elsewhere, that the run pushes to."""
    settings = request.settings
    place = settings.push.destination or str(request.workspace.serving_dir(settings.name))
    return place if "://" in place else str(settings.resolve(place))


def _push_folders(request: RunRequest) -> list[Path]:
    place = _push_destination(request)
    return [] if "://" in place else [Path(place)]


def _build_runner(
    request: RunRequest,
    source: CsvSource,
    connection,
    run_id: str,
    table: ProgressTable,
    on_change: Callable[[NodeResult], None],
):
    _choose_keras_3()
    # Before TFX is imported: the code of the run is what is here now.
    provenance = collect_provenance(request.settings, request.overrides, request.use_cache)
    # TFX is imported here, when its chatter goes to the log and the table is on the screen.
    with collector.paused():
        from absl import logging

        from lineage.graph.graph import Graph
        from lineage.store.open import open_store_in_place
        from pipeline.dag import Placement, create_pipeline
        from runners.beam.engine import run_beam_in_process
        from runners.local.estimate import usual_seconds
        from runners.local.node_logs import NodeLogs
        from runners.local.publication import needs_new_verdict, needs_push
        from runners.local.runner import LocalRunner

    logging.set_verbosity(logging.INFO)
    run_beam_in_process()
    workspace, settings = request.workspace, request.settings
    push_dir = _push_destination(request)
    pipeline = create_pipeline(
        settings,
        Placement(
            pipeline_root=str(workspace.artifacts_dir),
            data_dir=str(source.input_base),
            data_pattern=source.pattern,
            span_range=source.span_range,
            today=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            pii_key_id=_pii_key_id(settings),
            push_dir=push_dir,
            metadata=connection,
            enable_cache=request.use_cache,
        ),
    )

    def open_now():
        return open_store_in_place(workspace.store_location, store_passwords())

    def must_execute(node: str) -> bool:
        if node == "InfraValidator":
            return needs_new_verdict(open_now())
        if node == "DriftMonitor":  # the path does not say what lies there now
            return "://" in (settings.drift.serving_sample or "")
        return node == "Pusher" and needs_push(open_now(), run_id, push_dir)

    if workspace.metadata_path.is_file():  # a server's store is not asked for an estimate
        table.usual = usual_seconds(Graph(open_now()), settings.name)
    unfinished = workspace.note_run(run_id)
    if settings.metadata.store is None:
        unfinished = None  # the store is this workspace's alone, and older than the notes maybe
    node_logs = NodeLogs(workspace.logs_dir / run_id)
    runner = LocalRunner(
        pipeline, run_id, on_change, must_execute, provenance, node_logs, unfinished
    )
    table.add_nodes(list(runner.results.values()))
    return runner


def _run_pipeline(runner, run_id: str, workspace: Workspace, log_path: Path, start: float):
    """Runs to the end, reads what came of it, and records that, whatever it is."""
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


def _connect(request: RunRequest):
    """Connects to the store that the workspace and the settings name."""
    from lineage.store.open import connect_for_run

    workspace, uri = request.workspace, request.settings.metadata.store
    workspace.require_store(uri)
    connection = connect_for_run(uri or workspace.metadata_path, store_passwords())
    if uri is not None:
        workspace.remember_store(uri)
    return connection


def _choose_keras_3() -> None:
    """Keras 3 on TensorFlow, whatever the shell says: the network is built for nothing else."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
