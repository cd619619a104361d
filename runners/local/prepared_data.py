"""Finds the data that a training pipeline starts from (`data.prepared`), before TFX is imported.

Only data of a run of the data pipeline that ended well and passed DataGate is taken, and of a
sample only where the training is of the same sample. Called by runners.local.run,
runners.local.planning and runners.steps.begin.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fareline.errors import UserMistake
from fareline.near import near_names
from fareline.recorded.data import spans_of
from lineage.text.harmless import plain
from pipeline.settings.data import LATEST
from pipeline.settings.settings import TRAINING, Settings
from runners.passwords import store_passwords
from runners.workspace import Workspace

if TYPE_CHECKING:
    from lineage.facts.runs import Run
    from lineage.graph.elements import Artifact
    from lineage.graph.graph import Graph

_SETTING = "data.prepared"
_GATE, _SUCCESSES = "DataGate", ("executed", "cached")
# Output of the data pipeline to the nodes that have it, the first that ran.
_MAKERS = {
    "examples": ("ExampleGen",),
    "schema": ("CuratedSchema", "SchemaGen"),
    "drift": ("DriftMonitor",),
}


def choose_prepared(settings: Settings, workspace: Workspace) -> dict[str, int]:
    """Chooses the data.

    Args:
        settings: Validated.
        workspace: Workspace with the store.

    Returns:
        Output of the data pipeline (`examples`, `schema`, `drift`) to the id of its artifact; empty
        where the settings ask for another pipeline than `training`.

    Raises:
        UserMistake: There is no such data, or it must not be trained on.
    """
    if settings.pipeline != TRAINING:
        return {}
    from lineage.graph.graph import Graph
    from lineage.store.open import open_store_in_place

    if settings.metadata.store is None and not workspace.metadata_path.is_file():
        raise _nothing_yet(settings)
    graph = Graph(open_store_in_place(workspace.store_location, store_passwords()))
    return choose_data(graph, settings)


def choose_data(graph: "Graph", settings: Settings) -> dict[str, int]:
    """The choice of `choose_prepared` in an open store."""
    from lineage.facts.runs import list_runs

    runs = list_runs(graph, pipeline=settings.data_pipeline_name)
    wanted = settings.data.prepared
    if not runs:
        raise _nothing_yet(settings)
    if wanted != LATEST:
        runs = _named(graph, wanted, runs)
    problem = ""
    for run in runs:
        found, refused = _data_of(graph, run, settings)
        if not refused:
            return {key: artifact.id for key, artifact in found.items()}
        problem = problem or f"{plain(run.run_id)} {refused}"
    raise UserMistake.explain(
        f"{_SETTING}: {wanted}",
        problem,
        f"expected a run of {settings.data_pipeline_name} whose data passed the gate, of "
        f"{_rows(settings.data.sample)}{_span(settings.data.span)}",
        "run with --set pipeline=data first, or name another run",
    )


def _named(graph: "Graph", wanted: str, runs: Sequence["Run"]) -> list["Run"]:
    """The run with an id, or the runs that have some Examples, the latest first."""
    named = [run for run in runs if run.run_id == wanted]
    named = named or [run for run in runs if any(wanted == a.key for a in run.examples)]
    if named:
        return named
    known = [run.run_id for run in runs] + [a.key for run in runs for a in run.examples]
    near = near_names(wanted, known)
    raise UserMistake.explain(
        f"{_SETTING}: {wanted}",
        f"{runs[0].pipeline} has no such run or data",
        "expected latest, a run of it, or its data, such as Examples:12",
        f"did you mean {plain(near[0])}" if near else "`fareline runs` lists them",
    )


def _data_of(
    graph: "Graph", run: "Run", settings: Settings
) -> tuple[Mapping[str, "Artifact"], str]:
    """The artifacts of a run by their keys, and what is wrong with them; empty if nothing is."""
    from lineage.facts.payload import MISSING, look_at
    from lineage.facts.runs import COMPLETE, outputs_of_run

    states = {node.node: node.state for node in run.nodes}
    if states.get(_GATE) == "failed":
        return {}, f"was stopped by {_GATE}"
    if run.status != COMPLETE or states.get(_GATE) not in _SUCCESSES:
        return {}, f"did not end well with {_GATE}"
    if run.sample != settings.data.sample:
        return {}, f"read {_rows(run.sample)}"
    spans = [span for artifact in run.examples for span, _ in spans_of(artifact)]
    if settings.data.span is not None and max(spans, default=None) != settings.data.span:
        return {}, f"read {f'span {max(spans)}' if spans else 'no span'}"
    outputs = outputs_of_run(graph, run.run_id)
    found = {}
    for key, makers in _MAKERS.items():
        maker = next((name for name in makers if name in outputs), None)
        artifacts = outputs.get(maker, {}).get(key, []) if maker else []
        if not artifacts:
            return {}, f"has no {key}"
        found[key] = artifacts[0]
        if found[key].state == "deleted" or look_at(found[key].uri).status == MISSING:
            return {}, f"has {found[key].key}, whose files are gone"
    return found, ""


def _nothing_yet(settings: Settings) -> UserMistake:
    return UserMistake.explain(
        _SETTING,
        f"{settings.data_pipeline_name} was not run in this workspace yet",
        "expected a run of it whose data passed the gate",
        "run with --set pipeline=data first",
    )


def _rows(sample: int | None) -> str:
    return "all rows" if sample is None else f"a sample of {sample:,} rows"


def _span(span: int | None) -> str:
    return "" if span is None else f", with span {span} as the newest"
