"""The runs of a store: their nodes, states and outcomes.

Works on any TFX store, by the contexts that TFX writes (see `lineage.graph.places`), and reads in
bulk: a handful of questions for a thousand runs. Drawn by lineage.answers.runs.view; also called by
runners.outcome.summary and runners.local.publication, which ask for the outputs of the run that
they are about.
"""

import dataclasses
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fareline import recorded
from fareline.recorded.data import sample_of, spans_of
from fareline.recorded.run import RunRecord
from lineage.facts.models import is_blessed
from lineage.facts.pushes import live_pushes, pushed_to
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from lineage.text.times import iso

COMPLETE, FAILED, RUNNING, UNFINISHED = "complete", "failed", "running", "unfinished"
# From so many runs on, asking for all artifacts of a type is quicker than asking by id.
_MANY_RUNS = 50
_BLESSINGS = ("ModelBlessing", "InfraBlessing")
_TYPES = ("Examples", "Model", "ModelEvaluation", *_BLESSINGS, "PushedModel")
_BAD_OUTCOMES = ("failed", "interrupted")


@dataclasses.dataclass(frozen=True)
class NodeRun:
    """One execution of one node in a run.

    Attributes:
        node: Node id, such as `Trainer`.
        execution_id: In the store.
        state: `executed`, `cached`, `failed`, `running` or `unknown`.
        seconds: From registration to the last update.
    """

    node: str
    execution_id: int
    state: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class Pushed:
    """A push of a run.

    Attributes:
        artifact: The PushedModel.
        version: Version of the model; empty if the destination has no versions.
        live: Whether the destination serves it; None if it has no versions.
        live_as: The version that is live with its content, if rollback or promote copied it there.
    """

    artifact: Artifact
    version: str
    live: bool | None
    live_as: str | None = None


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one pipeline.

    Attributes:
        run_id: Run id, as TFX recorded it.
        pipeline: Name of the pipeline.
        started: Milliseconds since 1970, UTC.
        ended: Recorded end, otherwise the last update of its executions.
        nodes: In the order of execution.
        missing: Nodes that it was to execute and never began; only of runs that recorded a plan.
        outcome: Outcome, as recorded: `pushed`, `refused`, `failed`, `interrupted`; empty in a
            stock store.
        examples: The Examples that have a span; if none has, all that are called `examples`. Of a
            run that ingests none, those that it took from another run.
        models: The Models.
        evaluations: The ModelEvaluations.
        verdicts: Node that checked the model, to whether it blessed the model; None: unknown.
        pushed: Pushed models; empty without a push.
        sample: Number of rows of the sample that it read; None: all rows.
        graph: `whole`, `data` or `training`, as `pipeline` in its settings; empty if not recorded.
        is_part: Whether a part of that graph was asked for.
    """

    run_id: str
    pipeline: str
    started: int
    ended: int
    nodes: tuple[NodeRun, ...]
    missing: tuple[str, ...] = ()
    outcome: str = ""
    examples: tuple[Artifact, ...] = ()
    models: tuple[Artifact, ...] = ()
    evaluations: tuple[Artifact, ...] = ()
    verdicts: Mapping[str, bool | None] = dataclasses.field(default_factory=dict)
    pushed: tuple[Pushed, ...] = ()
    sample: int | None = None
    graph: str = ""
    is_part: bool = False

    @property
    def status(self) -> str:
        """`failed`, `running`, `unfinished` (killed between two nodes, or at work), `complete`."""
        states = {node.state for node in self.nodes}
        if "failed" in states or self.outcome in _BAD_OUTCOMES:
            return FAILED
        if "running" in states:
            return RUNNING
        stopped = self.missing or not self.nodes
        return UNFINISHED if stopped and not self.outcome else COMPLETE

    @property
    def seconds(self) -> float:
        """From start to end."""
        return max(0, self.ended - self.started) / 1000

    @property
    def blessed(self) -> bool | None:
        """Whether all checks of the run blessed the model; None without a check."""
        return all(self.verdicts.values()) if self.verdicts else None

    @property
    def refused_by(self) -> list[str]:
        """The nodes that did not bless it."""
        return [node for node, blessed in self.verdicts.items() if not blessed]


def list_runs(graph: Graph, limit: int | None = None, pipeline: str | None = None) -> list[Run]:
    """Lists the runs of all pipelines or of one, the latest first.

    Args:
        graph: Lineage graph of the store.
        limit: Largest number of runs; None: all.
        pipeline: Name of the pipeline; None: all.
    """
    contexts = graph.places.run_contexts()
    names = [*reversed(contexts)]
    if pipeline is not None:
        members = graph.places.members_of_pipeline(pipeline)
        names = [name for name in names if not members.isdisjoint(graph.places.members(name))]
    return read_runs(graph, names[:limit])


def read_runs(graph: Graph, names: Iterable[str]) -> list[Run]:
    """Reads runs, all in a handful of questions, in the order given.

    Args:
        graph: Lineage graph of the store.
        names: Ids of runs that are there.
    """
    ids = {name: graph.places.members(name) for name in names}
    graph.executions(i for found in ids.values() for i in found)
    outputs = _outputs(graph, ids)
    live = _live_places(graph)
    runs = [_run(graph, name, ids[name], outputs, live) for name in ids]
    taken = _taken_over(graph, {run.run_id: ids[run.run_id] for run in runs if not run.examples})
    return [dataclasses.replace(r, examples=taken.get(r.run_id, r.examples)) for r in runs]


def outputs_of_run(graph: Graph, run_id: str) -> dict[str, dict[str, list[Artifact]]]:
    """Finds the outputs of each node of a run, cached outputs included.

    Returns:
        Node id to output key to artifacts; empty for an unknown run.
    """
    found: dict[str, dict[str, list[Artifact]]] = {}
    for execution in graph.executions_of_run(run_id):
        for key, artifacts in graph.outputs(execution).items():
            found.setdefault(execution.place.node, {}).setdefault(key, []).extend(artifacts)
    return found


def drift_of_data(graph: Graph, run: Run) -> Artifact | None:
    """The drift of a run's data: that which it recorded, or else the run that the data is of."""
    found = outputs_of_run(graph, run.run_id).get("DriftMonitor", {}).get("drift", [])
    if found:
        return found[0]
    readers = [e for examples in run.examples for e in graph.consumers(examples)]
    compared = [e for e in readers if e.place.node == "DriftMonitor"]
    outputs = [a for e in reversed(compared) for a in graph.outputs(e).get("drift", ())]
    return next(iter(outputs), None)


def command_of(record: RunRecord, place: Sequence[str]) -> str:
    """Command of the run; a packaged settings file is the default and is left out.

    Args:
        record: Record of the run.
        place: Address of the store, as the graph has it.
    """
    if record.text(recorded.RUNNER) != "local" or record.overrides is None:
        return ""
    file = record.text(recorded.SETTINGS_FILE) or ""
    return shlex.join(
        [
            *("fareline", "run"),
            *(["--config", file] if os.path.isabs(file) else []),
            *(part for said in record.overrides for part in ("--set", said)),
            *_workspace(place),
        ]
    )


def log_command(run_id: str, node: str, place: Sequence[str]) -> str:
    """What prints the log of a node of a run.

    Args:
        run_id: Id of the run.
        node: Node of the run.
        place: Address of the store, as the graph has it.
    """
    return shlex.join(["fareline", "logs", run_id, node, *_workspace(place)])


def _workspace(place: Sequence[str]) -> Sequence[str]:
    """A place for commands that need the folder, and not the store alone."""
    return place if "--workspace" in place else ()


def _outputs(
    graph: Graph, ids: Mapping[str, Iterable[int]]
) -> dict[int, list[tuple[tuple[str, ...], Artifact]]]:
    """Execution id to pairs of keys and artifact, of the types that a listing shows."""
    links = graph.links_of_executions(i for found in ids.values() for i in found)
    if len(ids) > _MANY_RUNS:
        artifacts = {a.id: a for a in graph.artifacts_of_type(*_TYPES)}
    else:
        put_out = graph.artifacts(link.artifact_id for link in links if link.is_output)
        artifacts = {a.id: a for a in put_out if a.type in _TYPES}
    outputs: dict[int, list[tuple[tuple[str, ...], Artifact]]] = {}
    for link in links:
        if link.is_output and link.artifact_id in artifacts:
            pair = (link.keys, artifacts[link.artifact_id])
            outputs.setdefault(link.execution_id, []).append(pair)
    return outputs


def _run(
    graph: Graph,
    run_id: str,
    ids: Iterable[int],
    outputs: Mapping[int, list[tuple[tuple[str, ...], Artifact]]],
    live: Mapping[tuple[str, int], int],
) -> Run:
    context = graph.places.run_contexts()[run_id]
    record = graph.places.record(run_id)
    executions = graph.executions(ids)
    put_out = [(e, keys, artifact) for e in executions for keys, artifact in outputs.get(e.id, ())]
    by_type = {
        name: tuple(dict.fromkeys(a for _, _, a in put_out if a.type == name)) for name in _TYPES
    }
    there = {execution.place.node for execution in executions}
    started = context.create_time_since_epoch
    last = max((e.updated for e in executions), default=started)
    return Run(
        run_id=run_id,
        pipeline=next((e.place.pipeline for e in executions if e.place.pipeline), ""),
        started=started,
        ended=record.ended or last,
        nodes=tuple(_node_run(execution) for execution in executions),
        missing=tuple(node for node in record.nodes if node not in there),
        outcome=record.text(recorded.OUTCOME) or "",
        examples=_ingested(put_out),
        models=by_type["Model"],
        evaluations=by_type["ModelEvaluation"],
        verdicts={e.place.node: is_blessed(a) for e, _, a in put_out if a.type in _BLESSINGS},
        pushed=tuple(p for a in by_type["PushedModel"] for p in _pushed(a, live)),
        sample=sample_of(record),
        graph=record.graph,
        is_part=record.text(recorded.FROM_NODES) is not None,
    )


def _ingested(
    put_out: Iterable[tuple[Execution, tuple[str, ...], Artifact]],
) -> tuple[Artifact, ...]:
    """What came in: not what Transform made of it, which has another output key."""
    named = [a for _, keys, a in put_out if a.type == "Examples" and "examples" in keys]
    with_span = [a for a in named if "span" in a.properties]
    return tuple(dict.fromkeys(with_span or named))


def _taken_over(graph: Graph, ids: Mapping[str, Iterable[int]]) -> dict[str, tuple[Artifact, ...]]:
    """Run id to the Examples that its nodes read and none of them has made."""
    links = {name: graph.links_of_executions(found) for name, found in ids.items()}
    made = {name: {k.artifact_id for k in each if k.is_output} for name, each in links.items()}
    read = {
        name: sorted(
            {k.artifact_id for k in each if not k.is_output and "examples" in k.keys} - made[name]
        )
        for name, each in links.items()
    }
    known = {a.id: a for a in graph.artifacts(i for found in read.values() for i in found)}
    return {
        name: tuple(known[i] for i in found if i in known and known[i].type == "Examples")
        for name, found in read.items()
    }


def _live_places(graph: Graph) -> dict[tuple[str, int], int]:
    """Where live content was pushed to, the copy and what it is a copy of, to the live version."""
    found = {}
    for artifact in live_pushes(graph).values():
        if place := pushed_to(artifact):
            origin = artifact.properties.get(recorded.COPY_OF_VERSION) or place[1]
            found |= dict.fromkeys([place, (place[0], int(origin))], place[1])
    return found


def _pushed(artifact: Artifact, live: Mapping[tuple[str, int], int]) -> Iterable[Pushed]:
    if artifact.properties.get("pushed"):
        place = pushed_to(artifact)
        if place is None:
            yield Pushed(artifact, str(artifact.properties.get("pushed_version", "")), None)
            return
        served_as = live.get(place)
        copy = str(served_as) if served_as not in (None, place[1]) else None
        yield Pushed(artifact, str(place[1]), served_as == place[1], copy)


def _node_run(execution: Execution) -> NodeRun:
    return NodeRun(execution.place.node, execution.id, execution.state, execution.seconds)


def run_as_json(run: Run) -> dict[str, Any]:
    """Fields of a run in `runs` and `show`.

    Keys: run_id, pipeline, started, ended, seconds (from start to end), status, outcome (null if
    not recorded), nodes (name, state, seconds), missing (planned nodes that never began), examples
    (id, span, version), models, blessed (null: not judged), refused_by, pushed (id, version, live,
    live_as: the version that rollback or promote made of it, if that is live), sample (number of
    rows; null: all), graph (whole, data or training; null if not recorded), is_part.
    """
    return {
        "run_id": run.run_id,
        "pipeline": run.pipeline,
        "started": iso(run.started),
        "ended": iso(run.ended),
        "seconds": round(run.seconds, 3),
        "status": run.status,
        "outcome": run.outcome or None,
        "nodes": [
            {"name": n.node, "state": n.state, "seconds": round(n.seconds, 3)} for n in run.nodes
        ],
        "missing": list(run.missing),
        "examples": [
            {
                "id": a.key,
                "span": a.properties.get("span"),
                "version": a.properties.get("version"),
                "spans": [span for span, _ in spans_of(a)],
            }
            for a in run.examples
        ],
        "models": [model.key for model in run.models],
        "blessed": run.blessed,
        "refused_by": run.refused_by,
        "pushed": [
            {
                "id": push.artifact.key,
                "version": push.version or None,
                "live": push.live,
                "live_as": push.live_as,
            }
            for push in run.pushed
        ],
        "sample": run.sample,
        "graph": run.graph or None,
        "is_part": run.is_part,
    }
