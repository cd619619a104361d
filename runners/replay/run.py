"""`fareline run --spec`: executes a compiled specification on this machine, to an outcome.

Imports no TFX, unless settings are given to compile again: the steps do that in their processes.
"""

import dataclasses
import importlib.util
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from fareline.errors import Interrupted
from lineage.facts.pushes import PUSH_DESTINATION, local_destination
from lineage.store.open import open_store_in_place
from pipeline.rules.settings import check_settings
from pipeline.settings.load import load_settings
from pipeline.settings.settings import Settings
from runners.outcome.page import write_page
from runners.outcome.summary import Outcome, read_outcome
from runners.own_code import offer_own_code, on_python_path
from runners.passwords import store_passwords
from runners.progress import ProgressTable, output_to
from runners.provenance import Provenance, collect_provenance
from runners.publishing.interrupted import settle, settle_own
from runners.replay.execute import CANCELLED, SpecResult, new_run_id, run_spec
from runners.replay.plan import Plan, SpecRun, make_plan
from runners.replay.reading.document import SpecError, load_document
from runners.replay.reading.parameters import parse_assignments
from runners.replay.reading.uris import parse_uri_map
from runners.stopping import told_of_signals
from runners.submit.quietly import compile_quietly
from runners.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class SpecRequest:
    """A request for `fareline run --spec`.

    Attributes:
        plan: Checked.
        workspace: Workspace of the run.
        text: Text of the specification.
        use_cache: Whether unchanged tasks may be skipped where the specification allows it.
        settings: Settings of the specification, if given.
        provenance: Record of the run about itself, where known.
    """

    plan: Plan
    workspace: Workspace
    text: str
    use_cache: bool = True
    settings: Settings | None = None
    provenance: Provenance | None = None

    @property
    def runner(self) -> str:
        """Name of the runner in `fareline lineage`."""
        return f"{self.plan.document.runner} spec"

    def require_functions(self) -> None:
        """Checks that the packages of the user's functions are available, as in the image.

        Raises:
            SpecError: One is not.
        """
        for task, name, path in self.plan.functions():
            package = path.partition(".")[0]
            if importlib.util.find_spec(package) is None:
                raise SpecError.explain(
                    f"{self.plan.document.source}: {task}: its {name} {path}",
                    f"there is no package {package} here",
                    "expected what the image has",
                    "name the settings, beside which it lies, with --config; or put the folder "
                    "that holds it on PYTHONPATH",
                )

    def compiled_from(self, config: Path | None, overrides: Sequence[str]) -> "SpecRequest":
        """Adds the settings that the specification was compiled from, for the run to record them.

        They are compiled again, for which TFX is imported, and must come out as the same text.

        Raises:
            SettingsError: They are wrong in themselves.
            SpecError: The specification was compiled from others.
        """
        runner = self.plan.document.runner
        settings = load_settings(config, overrides)
        check_settings(settings)
        offer_own_code(settings)
        provenance = collect_provenance(settings, overrides, self.use_cache, self.runner)
        if compile_quietly(settings, runner).text != self.text:
            raise SpecError.explain(
                self.plan.document.source,
                "the settings given are not those that it was compiled from",
                f"expected what `fareline compile {runner}` makes of them",
                "compile it again, or leave out --config and --set",
            )
        return dataclasses.replace(self, settings=settings, provenance=provenance)


def read_request(
    path: Path,
    workspace: Workspace,
    maps: Sequence[str] = (),
    parameters: Sequence[str] = (),
    use_cache: bool = True,
) -> SpecRequest:
    """Finds every mistake that can be found without running anything.

    Args:
        path: Path of the specification.
        workspace: Where it is recorded, and where artifacts go if it names no pipeline root.
        maps: `gs://bucket=DIR`, repeated.
        parameters: `NAME=VALUE`, repeated.
        use_cache: Whether unchanged tasks may be skipped where the specification allows it.

    Raises:
        SpecError: One clear message.
    """
    document = load_document(path)
    plan = make_plan(
        document,
        parse_assignments(list(parameters)),
        parse_uri_map(maps),
        default_root=str(workspace.artifacts_dir),
    )
    return SpecRequest(plan, workspace, path.read_text(encoding="utf-8"), use_cache)


def run_request(request: SpecRequest) -> tuple[Outcome, Console]:
    """Executes a specification and reads the outcome.

    Returns:
        The outcome, and the console to print it on.

    Raises:
        WorkspaceError: The workspace cannot be written or is in use.
        Interrupted: On an interrupt from the keyboard.
    """
    start = time.monotonic()
    request.require_functions()
    run_id = new_run_id()
    workspace, document = request.workspace, request.plan.document
    with workspace.locked(with_reserve=True):
        log_path = workspace.logs_dir / f"{run_id}.log"
        with output_to(log_path) as console:
            if document.ignored:
                names = ", ".join(document.ignored)
                console.print(f"Without meaning on one machine: {names}", highlight=False)
            for line in settle(workspace, _push_folders(request.plan)):
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            result = _run(request, run_id, console)
            if result.state == CANCELLED:
                raise Interrupted(
                    f"{run_id}: interrupted; finished work is kept, and the next run "
                    "resumes from it"
                )
            store = open_store_in_place(workspace.store_location, store_passwords())
            seconds = time.monotonic() - start
            outcome = read_outcome(run_id, result.nodes, store, workspace, log_path, seconds)
            page = write_page(store, run_id, workspace)
            settle_own(workspace, _push_folders(request.plan))
    return dataclasses.replace(outcome, page=page), console


def _push_folders(plan: Plan) -> list[Path]:
    """The folders of this machine that its Pusher, if there is one, pushes to."""
    told = [
        task.spec.inputs.parameters[PUSH_DESTINATION].runtime_value.constant.string_value
        for task in plan.tasks
        if PUSH_DESTINATION in task.spec.inputs.parameters
    ]
    found = {local_destination(plan.uri_map.apply(text)) for text in told}
    return sorted(found - {None})


def _run(request: SpecRequest, run_id: str, console: Console) -> SpecResult:
    document = request.plan.document
    table = ProgressTable(console, f"{document.pipeline} · {run_id} · {request.runner}")
    provenance = request.provenance
    if provenance is None:
        provenance = collect_provenance(None, (), request.use_cache, request.runner)
    run = SpecRun(
        request.plan,
        request.workspace,
        run_id,
        provenance.properties,
        provenance.code_version,
        request.use_cache,
    )
    results = run.results()
    table.add_nodes(list(results.values()))
    cancel = threading.Event()
    links = request.workspace.logs_dir / run_id / "code"
    with (
        told_of_signals(cancel.set),
        table.shown(),
        on_python_path(request.settings, links),
    ):
        return run_spec(run, table.update, cancel, results)
