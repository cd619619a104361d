"""`fareline run --spec`: executes a compiled specification on this machine, to an outcome.

Imports no TFX: the steps do that in their own processes.
"""

import dataclasses
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from fareline.errors import Interrupted
from lineage.store import open_store_in_place
from runners.passwords import store_passwords
from runners.progress import ProgressTable, output_to
from runners.provenance import collect_provenance
from runners.spec.document import load_document
from runners.spec.execute import CANCELLED, SpecResult, new_run_id, run_spec
from runners.spec.parameters import parse_assignments
from runners.spec.plan import Plan, SpecRun, make_plan
from runners.spec.uris import parse_uri_map
from runners.summary import Outcome, read_outcome
from runners.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class SpecRequest:
    """What `fareline run --spec` was asked for.

    Attributes:
        plan: Checked.
        workspace: Where it is recorded.
        use_cache: Whether unchanged tasks may be skipped where the specification allows it.
    """

    plan: Plan
    workspace: Workspace
    use_cache: bool = True


def read_request(
    path: Path,
    workspace: Workspace,
    maps: Sequence[str] = (),
    parameters: Sequence[str] = (),
    use_cache: bool = True,
) -> SpecRequest:
    """Finds every mistake that can be found without running anything.

    Args:
        path: Of the specification.
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
    return SpecRequest(plan, workspace, use_cache)


def run_request(request: SpecRequest) -> tuple[Outcome, Console]:
    """Executes a specification and reads what came of it.

    Returns:
        The outcome, and the console to print it on.

    Raises:
        WorkspaceError: The workspace cannot be written or is in use.
        Interrupted: On an interrupt from the keyboard.
    """
    start = time.monotonic()
    run_id = new_run_id()
    workspace, document = request.workspace, request.plan.document
    with workspace.locked():
        log_path = workspace.logs_dir / f"{run_id}.log"
        with output_to(log_path) as console:
            if document.ignored:
                names = ", ".join(document.ignored)
                console.print(f"Without meaning on one machine: {names}", highlight=False)
            result = _run(request, run_id, console)
            if result.state == CANCELLED:
                raise Interrupted(
                    f"{run_id}: interrupted; what is done is kept, and the next run resumes from it"
                )
            store = open_store_in_place(workspace.store_location, store_passwords())
            seconds = time.monotonic() - start
            outcome = read_outcome(run_id, result.nodes, store, workspace, log_path, seconds)
    return outcome, console


def _run(request: SpecRequest, run_id: str, console: Console) -> SpecResult:
    document = request.plan.document
    table = ProgressTable(console, f"{document.pipeline} · {run_id} · {document.runner} spec")
    runner = f"{document.runner} spec"
    provenance = collect_provenance(None, use_cache=request.use_cache, runner=runner)
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
    before = signal.signal(signal.SIGINT, lambda signum, frame: cancel.set())
    try:
        with table.shown():
            return run_spec(run, table.update, cancel, results)
    finally:
        signal.signal(signal.SIGINT, before)
