"""Gathers the document of a run, section by section. Called by `fareline report` and by a run."""

from collections.abc import Callable
from typing import Any

from lineage.facts.payload_contents import Unreadable
from lineage.graph.graph import Graph
from lineage.text.times import iso
from report.run.document import Document
from report.run.sections.card import gather_card
from report.run.sections.data import gather_data
from report.run.sections.evaluation import gather_evaluation
from report.run.sections.features import gather_features
from report.run.sections.record import gather_record
from report.run.sections.serving import gather_serving
from report.run.sections.training import gather_training
from report.run.sections.verdict import gather_verdict
from report.run.sources import Sources

_SECTIONS: dict[str, Callable[[Sources], Any]] = {
    "data": gather_data,
    "features": gather_features,
    "training": gather_training,
    "evaluation": gather_evaluation,
    "serving": gather_serving,
}
# What reading raises of JSON in other shapes: files may be of another version, or of anyone.
_NOT_AS_EXPECTED = (AttributeError, KeyError, IndexError, TypeError, ValueError)


def gather(graph: Graph, run_id: str) -> Document:
    """Reads all that there is to show of a run.

    Args:
        graph: Lineage graph of the store.
        run_id: Run id of a run that is there.
    """
    sources = Sources(graph, run_id)
    sections: dict[str, Any] = {}
    absent: dict[str, str] = {}
    for name, gather_section in _SECTIONS.items():
        try:
            sections[name] = gather_section(sources)
        except Unreadable as reason:
            absent[name] = str(reason)
        except _NOT_AS_EXPECTED as error:
            what = type(error).__name__
            absent[name] = (
                f"This section cannot be shown: its record has another form ({what}: {error})."
            )
    run = sources.run
    document = Document(
        run_id=run.run_id,
        pipeline=run.pipeline,
        started=iso(run.started),
        ended=iso(run.ended),
        seconds=run.seconds,
        verdict=gather_verdict(sources),
        record=gather_record(sources),
        absent=absent,
        **sections,
    )
    return gather_card(document, sources)


def name_of_run(document: Document) -> str:
    """Pipeline and run, for a title."""
    return f"{document.pipeline} · {document.run_id}" if document.pipeline else document.run_id
