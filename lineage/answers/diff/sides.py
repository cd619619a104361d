"""The two sides of a diff: a run or a model, with its artifacts and executions.

Called by lineage.answers.diff.diff.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence

from fareline.errors import UserMistake
from fareline.recorded.run import RunRecord
from lineage import ids
from lineage.facts.models import Blessing, ModelFacts, Push, facts_of_models, source_examples
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph

_EXPECTED = "expected a run, a model, or an id that leads to one"
_HINT = "`fareline lineage runs` lists the runs, `fareline lineage models` the models"
_PAYLOAD = re.compile(r"(?P<root>.+)/[^/]+/[^/]+/\d+")  # ROOT/NODE/OUTPUT/EXECUTION


@dataclasses.dataclass(frozen=True)
class Side:
    """One side.

    Attributes:
        asked: The id, in full.
        run_id: The run; empty if the store does not say which.
        record: Record of the run about itself.
        executions: Executions of the run, by id.
        facts: Facts of the model; None if there is none.
        judged: Blessings of the model: from this run if a run was requested, otherwise all.
        pushes: Pushes of the model, selected like `judged`.
        examples: Examples, as ingested.
        evaluation: Evaluation of the model, in this run if the run evaluated it, else the latest.
        statistics: Statistics of the examples.
        schema: Schema that Transform read.
        hyperparameters: Hyperparameters that Trainer read.
    """

    asked: str
    run_id: str
    record: RunRecord
    executions: tuple[Execution, ...]
    facts: ModelFacts | None
    judged: tuple[Blessing, ...]
    pushes: tuple[Push, ...]
    examples: tuple[Artifact, ...]
    evaluation: Artifact | None
    statistics: tuple[Artifact, ...]
    schema: Artifact | None
    hyperparameters: Artifact | None

    @property
    def replacements(self) -> list[tuple[str, str]]:
        """Texts that name the place of the run: pipeline root, workspace, run id."""
        roots: dict[str, str] = {}
        own = [a.uri for a in (*self.examples, *self.statistics, self.schema) if a is not None]
        for uri in [*own, *([self.facts.model.uri] if self.facts else [])]:
            if match := _PAYLOAD.fullmatch(uri.rstrip("/")):
                root = match["root"]
                roots[root] = "{root}"
                parent, _, name = root.rpartition("/")
                if name == "artifacts" and parent.count("/") > 1:
                    roots[parent] = "{workspace}"
        if self.run_id:
            roots[self.run_id] = "{run}"
        return sorted(roots.items(), key=lambda pair: -len(pair[0]))


def find_side(graph: Graph, text: str) -> Side:
    """Finds a run or a model, and what belongs to it.

    Raises:
        UserMistake: The id leads to neither.
    """
    target = ids.find(graph, text)
    model = None
    if isinstance(target, ids.RunKey):
        run_id = target.run_id
    elif isinstance(target, Execution):
        run_id = target.place.run_id
    elif isinstance(target, Artifact):
        if target.type in ("Model", "PushedModel"):
            model = ids.find_model(graph, text)
        makers = graph.producers(target if target.type == "PushedModel" or not model else model)
        run_id = next((e.place.run_id for e in makers if e.place.run_id), "")
        if target.type == "PushedModel":
            makers = graph.producers(model) if model else []
            run_id = next((e.place.run_id for e in makers if e.place.run_id), run_id)
    else:
        found = f"is a pipeline ({target.key})"
        raise UserMistake.explain(text, found, _EXPECTED, _HINT)
    if not run_id and model is None:
        raise UserMistake.explain(text, "belongs to no run", _EXPECTED, _HINT)
    return _side(graph, model.key if model else run_id, run_id, model)


def _side(graph: Graph, asked: str, run_id: str, model: Artifact | None) -> Side:
    executions = graph.executions_of_run(run_id) if run_id else []
    outputs = _linked(graph, executions, is_output=True)
    inputs = _linked(graph, executions, is_output=False)
    whole_run = model is None
    if model is None:
        # A crashed run may have read a model and made none.
        made = [a for _, _, a in outputs if a.type == "Model"]
        model = made[-1] if made else None
    facts = facts_of_models(graph, [model])[0] if model else None
    if facts and not executions:
        executions = list(facts.makers)
        inputs = _linked(graph, executions, is_output=False)
    examples = tuple(source_examples(graph, [facts])[facts.model.id]) if facts else ()
    if not examples:
        ingested = [a for _, keys, a in outputs if a.type == "Examples" and "examples" in keys]
        examples = tuple(dict.fromkeys(ingested))
    own = {a.id for _, _, a in outputs}
    evaluations = facts.evaluations if facts else ()
    judged, pushes = (facts.blessings, facts.pushes) if facts else ((), ())
    in_run = [a for a in evaluations if a.id in own] if whole_run else []
    if whole_run:
        judged = tuple(b for b in judged if b.artifact.id in own)
        pushes = tuple(p for p in pushes if p.artifact.id in own)
    read = [a for _, keys, a in inputs if "hyperparameters" in keys]
    return Side(
        asked,
        run_id,
        graph.places.record(run_id),
        tuple(executions),
        facts,
        judged,
        pushes,
        examples,
        next(reversed([*(in_run or evaluations)]), None),
        tuple(dict.fromkeys(a for _, keys, a in outputs if "statistics" in keys)),
        _schema(inputs, outputs),
        read[-1] if read else None,
    )


_Linked = Sequence[tuple[Execution, tuple[str, ...], Artifact]]


def _linked(graph: Graph, executions: Iterable[Execution], is_output: bool) -> _Linked:
    """Inputs or outputs of executions: execution, keys, artifact; in the order of the store."""
    by_id = {execution.id: execution for execution in executions}
    links = [k for k in graph.links_of_executions(by_id) if k.is_output is is_output]
    artifacts = {a.id: a for a in graph.artifacts(link.artifact_id for link in links)}
    return [
        (by_id[link.execution_id], link.keys, artifacts[link.artifact_id])
        for link in links
        if link.artifact_id in artifacts
    ]


def _schema(inputs: _Linked, outputs: _Linked) -> Artifact | None:
    """The schema that Transform, Trainer or the validator read; else the one among the outputs."""
    for word in ("Transform", "Trainer", "Validator"):
        for execution, keys, artifact in inputs:
            if "schema" in keys and word in execution.place.node:
                return artifact
    put_out = [(execution, a) for execution, _, a in outputs if a.type == "Schema"]
    # What SchemaGen infers beside a curated schema is a proposal only.
    put_out.sort(key=lambda pair: "SchemaGen" in pair[0].place.node)
    return put_out[0][1] if put_out else None
