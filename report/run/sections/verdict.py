"""The first section: outcome of the run with reasons, and changes since the previous run."""

from typing import Any

from fareline.errors import FarelineError
from fareline.recorded.data import rows_read, sample_of, spans_in_words
from lineage.answers.diff.diff import find_diff
from lineage.answers.why.view import judgement_lines, refusals
from lineage.answers.why.why import why_run
from report.run.document import Verdict
from report.run.sources import Sources

_PUSHES_NOTHING = "This pipeline pushes no model."
_MOST_CHANGES = 8  # of a group
_MOST_RUNS = 100  # in which the one before is looked for
# What follows from other groups, or is another in every run.
_NOT_SHOWN = ("statistics", "slices", "runner")


def gather_verdict(sources: Sources) -> Verdict:
    """Reads the results of all checks, and compares with the previous run of the same pipeline."""
    why = why_run(sources.graph, sources.run_id)
    outcome = _outcome(sources, why)
    examples = [a for a in sources.run.examples if a.type == "Examples"]
    read = rows_read(examples[0]) if examples else None
    previous = _previous(sources)
    pusher, evaluator = why["pusher"], why["evaluator"]
    made = sources.last("Model", "model")
    model = why["model"] or (made.key if made else None)
    reasons = [f"{each['node']} failed: {each['error']}" for each in why["failed"]]
    return Verdict(
        outcome=outcome,
        headline=_headline(outcome, why, model),
        reasons=reasons or ([] if pusher["pushed"] else refusals(why)),
        judgement=judgement_lines(why),
        model=model,
        baseline=evaluator["baseline"],
        version=str(pusher["version"]) if pusher["version"] else None,
        destination=pusher["destination"],
        spans=spans_in_words(examples[0]) if examples else "",
        rows=read["rows"] if read else None,
        previous=previous,
        changes=_changes(sources, previous) if previous else {},
    )


def _outcome(sources: Sources, why: dict[str, Any]) -> str:
    if sources.run.outcome:
        return sources.run.outcome
    if why["pusher"]["pushed"] is not None and sources.run.status == "complete":
        return "pushed" if why["pusher"]["pushed"] else "refused"
    # While a run writes its own page, its end is not recorded yet.
    return "completed" if sources.run.status in ("complete", "unfinished") else sources.run.status


def _headline(outcome: str, why: dict[str, Any], model: str | None) -> str:
    failed = [each["node"] for each in why["failed"]]
    if failed:
        stopped = failed[0] in ("DataGate", "ExampleGen")
        what = "stopped the run" if stopped else "failed"
        return f"{failed[0]} {what}. No model was pushed."
    if outcome == "pushed":
        return f"{model or 'The model'} was pushed."
    if outcome == "refused":
        return f"{model or 'The model'} was refused. No model was pushed."
    is_sample = why["pusher"]["sample"] is not None
    words = {
        "interrupted": "The run was interrupted. No model was pushed.",
        "completed": "The run is complete. "
        + ("The model is of a sample and is not pushed." if is_sample else _PUSHES_NOTHING),
        "running": "The run is at work, or its process was killed.",
    }
    return words.get(outcome, f"The run ended as: {outcome}.")


def _previous(sources: Sources) -> str | None:
    """The run before of the same pipeline: of many runs, only the few before are looked at."""
    graph = sources.graph
    names = list(graph.places.run_contexts())
    earlier = names[: names.index(sources.run_id)]
    for name in reversed(earlier[-_MOST_RUNS:]):
        for execution in graph.executions(sorted(graph.places.members(name))[:1]):
            if execution.place.pipeline == sources.run.pipeline and _is_alike(sources, name):
                return name
    return None


def _is_alike(sources: Sources, name: str) -> bool:
    """Whether a run read a sample of the same size, or all rows, as this one."""
    return sample_of(sources.graph.places.record(name)) == sources.run.sample


def _changes(sources: Sources, previous: str) -> dict[str, list[tuple[str, Any, Any]]]:
    try:
        found = find_diff(sources.graph, previous, sources.run_id)
    except FarelineError:
        return {}
    changes = {}
    for group in found.groups:
        if group.changes and group.name not in _NOT_SHOWN:
            ranked = sorted(group.changes, key=lambda c: (-c.size(0.0), c.path))
            changes[group.name] = [(c.path, c.a, c.b) for c in ranked[:_MOST_CHANGES]]
    return changes
