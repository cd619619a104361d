"""The page of a run and the card of its model, written when it has ended.

Called by `runners.local` and `runners.replay`. TFX, TFDV and the rest are loaded by then, so that
the page costs its own work only. If a page cannot be written, the log says so, and the run does not
fail.
"""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import metadata_store

from lineage.graph.elements import Execution
from lineage.graph.graph import Graph
from runners.stores import place_of
from runners.workspace import Workspace
from serving.versions.cards import write_card

_LOG = logging.getLogger(__name__)
_RESOLVER = "Resolver"  # its type's last word; it only looks, in every run


@dataclasses.dataclass(frozen=True)
class Page:
    """A page, and what it says that a summary repeats.

    Attributes:
        path: Path of the page.
        same_as: The run whose page it is, where this run took everything from the cache.
        previous: Previous run of the same pipeline; None without one.
        changes: Differences from the previous run, by group: path, before, now.
        baseline: Metrics over all examples of the model that was compared with.
    """

    path: Path
    same_as: str | None = None
    previous: str | None = None
    changes: Mapping[str, list[tuple[str, Any, Any]]] = dataclasses.field(default_factory=dict)
    baseline: Mapping[str, float | None] = dataclasses.field(default_factory=dict)


def write_page(
    store: metadata_store.MetadataStore, run_id: str, workspace: Workspace
) -> Page | None:
    """Writes the page of a run that has ended, and its model's card beside what was pushed.

    Of a run that took everything from the cache nothing is written: the page of the run that made
    all this shows the same.

    Args:
        store: Store, with the end of the run.
        run_id: Id of the run.
        workspace: Workspace for the page.

    Returns:
        The page of this run's results; None without one.
    """
    try:
        graph = Graph(store, place_of(workspace.root))
        made_it = _run_that_made_it(graph, run_id)
        if made_it is not None:
            page = workspace.report_path(made_it)
            if page.is_file():
                return Page(page, same_as=made_it)
        return _write(graph, run_id, workspace)
    except Exception:  # noqa: BLE001 - the model may be live by now; its page is no reason to fail
        _LOG.exception("the page of %s was not written", run_id)
        return None


def _write(graph: Graph, run_id: str, workspace: Workspace) -> Page:
    from fareline.files import write_text
    from report.run.gather import gather
    from report.run.page import report_page
    from report.run.sections.card import to_markdown

    document = gather(graph, run_id)
    path = workspace.report_path(run_id)
    path.parent.mkdir(exist_ok=True)
    write_text(path, report_page(document))
    destination = document.verdict.destination
    if destination and "://" not in destination and document.card:
        write_card(destination, to_markdown(document.card))
    evaluation = document.evaluation
    baseline = evaluation.overall.baseline if evaluation else {}
    return Page(path, None, document.verdict.previous, document.verdict.changes, baseline)


def _run_that_made_it(graph: Graph, run_id: str) -> str | None:
    """The run that made the outputs of the last node of a run whose nodes were all cached."""
    executions = [e for e in graph.executions_of_run(run_id) if not e.type.endswith(_RESOLVER)]
    if not executions or {e.state for e in executions} != {"cached"}:
        return None
    for execution in reversed(executions):
        for artifacts in graph.outputs(execution).values():
            for artifact in artifacts:
                if made := _maker(graph.producers(artifact)):
                    return made.place.run_id
    return None


def _maker(producers: list[Execution]) -> Execution | None:
    return next((each for each in producers if each.state == "executed"), None)
