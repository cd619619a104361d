"""Printable ids, and what they mean: `Model:12`, `Trainer@run-7`, a run, a pipeline, a URI.

Unique prefixes are enough, in every part; what matches exactly goes first. An unknown id says what
is near. Run ids are matched before `TYPE:NUMBER`, since TFX's own contain colons. The id of a
logged prediction means the newest version of a sealed span that has it.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar, Union

from fareline.errors import UserMistake
from fareline.near import near_names
from fareline.prediction_ids import is_prediction_id
from lineage.facts.feedback import find_prediction
from lineage.facts.pushes import live_pushes
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from lineage.text.harmless import plain

LATEST = "latest"
LIVE = "live"
_FORMS = "expected such as Model:12, Trainer@RUN, a run id, a pipeline, a URI, latest or live"
_HINT = "`fareline lineage runs` lists the runs, `fareline lineage models` the models"
_ARTIFACT = re.compile(r"(?P<type>[^\s:@#]+):(?P<number>\d+)")
_EXECUTION = re.compile(r"(?P<node>[^@#]+)(@(?P<run>[^#]+))?(#(?P<number>\d+))?")
_MORE = "write more of it"
_SHOWN = 3
_Kind = TypeVar("_Kind")


@dataclasses.dataclass(frozen=True)
class RunKey:
    """A run.

    Attributes:
        run_id: Run id, as TFX recorded it.
    """

    run_id: str

    @property
    def key(self) -> str:
        """The printable id."""
        return self.run_id


@dataclasses.dataclass(frozen=True)
class PipelineKey:
    """A pipeline.

    Attributes:
        name: Name of the pipeline.
    """

    name: str

    @property
    def key(self) -> str:
        """The printable id."""
        return self.name


@dataclasses.dataclass(frozen=True)
class LiveKey:
    """The live models of all destinations.

    Attributes:
        pushed: A PushedModel for each.
    """

    pushed: tuple[Artifact, ...]

    @property
    def key(self) -> str:
        """The printable id."""
        return LIVE


Target = Union[Artifact, Execution, RunKey, PipelineKey]  # noqa: UP007 - evaluated on Python 3.10


def find(graph: Graph, text: str) -> Target:
    """Finds what an id means.

    Raises:
        UserMistake: No element has this id, or several have it.
    """
    if text == LATEST:
        return RunKey(_latest_run(graph))
    if text == LIVE:
        return _only_live(live_pushes(graph))
    if is_prediction_id(text) and (prediction := find_prediction(graph, text)):
        return prediction.spans[-1]
    runs = _matching(text, graph.places.run_contexts())
    pipelines = _matching(text, graph.places.pipelines())
    exact = [RunKey(r) for r in runs if r == text] or [
        PipelineKey(p) for p in pipelines if p == text
    ]
    found: list[Target] = [*exact]
    if not found and (match := _ARTIFACT.fullmatch(text)):
        found += _artifacts(graph, match["type"], int(match["number"]))
    if not found and text.isdecimal():
        found += [*graph.artifacts([int(text)]), *graph.executions([int(text)])]
    if not found and (match := _EXECUTION.fullmatch(text)) and (match["run"] or match["number"]):
        found += _executions(graph, match["node"], match["run"], match["number"])
    if not found:
        found += [*map(RunKey, runs), *map(PipelineKey, pipelines)]
    if not found and "/" in text:
        found += graph.artifacts_at(text.rstrip("/"))
    return _only_one(text, found, "is not in the store", near=lambda: _near(graph, text))


def find_start(graph: Graph, text: str) -> Target | LiveKey:
    """As `find`; `live` means what is live at any destination, such as a folder and Vertex AI."""
    pushed = list(live_pushes(graph).values()) if text == LIVE else []
    return LiveKey(tuple(pushed)) if len(pushed) > 1 else find(graph, text)


def find_artifact(graph: Graph, text: str) -> Artifact:
    """Finds an artifact; what is no artifact is refused."""
    return _require(find(graph, text), Artifact, text, "expected an artifact, such as Model:12")


def find_execution(graph: Graph, text: str) -> Execution:
    """Finds an execution; any other id is refused."""
    return _require(find(graph, text), Execution, text, "expected an execution: Trainer@RUN")


def find_run(graph: Graph, text: str) -> str:
    """Finds a run and returns its id; what is no run is refused."""
    return _require(find(graph, text), RunKey, text, "expected a run").run_id


def find_pipeline(graph: Graph, text: str) -> str:
    """Finds a pipeline by name, or a unique prefix of it, and returns its name."""
    names = graph.places.pipelines()
    found = _matching(text, names)
    if len(found) == 1:
        return found[0]
    near = plain(", ".join((found or near_names(text, names, _SHOWN, 0.5))[:_SHOWN]))
    said = f"is {len(found)} pipelines" if found else "is not a pipeline of the store"
    hint = f"did you mean {near}" if near else _HINT
    raise UserMistake.explain(text, said, "expected one", hint)


def find_model(graph: Graph, text: str) -> Artifact:
    """Finds a Model: by its own id, a pushed copy of it, or the run that has it.

    Raises:
        UserMistake: No run matches, or several do.
    """
    target = find(graph, text)
    if isinstance(target, RunKey):
        executions = graph.executions_of_run(target.run_id)
    elif isinstance(target, Execution):
        executions = [target]
    elif isinstance(target, Artifact) and target.type == "PushedModel":
        executions = graph.producers(target)[:1]
    else:
        executions = []
    if isinstance(target, Artifact) and target.type == "Model":
        return target
    links = graph.links_of_executions(e.id for e in executions)
    ids = sorted({link.artifact_id for link in links if "model" in link.keys})
    models = [a for a in graph.artifacts(ids) if a.type == "Model"]
    return _only_one(text, models, "has no model", near=list)


def _latest_run(graph: Graph) -> str:
    runs = list(graph.places.run_contexts())
    if not runs:
        raise UserMistake.explain(LATEST, "the store has no run", "expected one", _HINT)
    return runs[-1]


def _matching(prefix: str, names: Iterable[str]) -> list[str]:
    """The one that is equal, or else all that start so."""
    listed = list(names)
    return [prefix] if prefix in listed else [name for name in listed if name.startswith(prefix)]


def _artifacts(graph: Graph, type_prefix: str, number: int) -> list[Target]:
    folded = {name.casefold(): name for name in graph.artifact_types()}
    types = [folded[name] for name in _matching(type_prefix.casefold(), folded)]
    return [a for a in graph.artifacts([number]) if a.type in types]


def _executions(
    graph: Graph, node_prefix: str, run_prefix: str | None, number: str | None
) -> list[Target]:
    if run_prefix is None:
        candidates = graph.executions([int(number or 0)])
    else:
        runs = graph.places.run_contexts()
        name = _latest_run(graph) if run_prefix == LATEST else run_prefix
        run_ids = _matching(name, runs)
        candidates = [e for run_id in run_ids for e in graph.executions_of_run(run_id)]
    if number is not None:
        candidates = [e for e in candidates if e.id == int(number)]
    nodes = _matching(node_prefix, dict.fromkeys(e.place.node for e in candidates))
    return [e for e in candidates if e.place.node in nodes]


def _near(graph: Graph, text: str) -> list[str]:
    """Ids that the user may have meant."""
    if match := _ARTIFACT.fullmatch(text):
        number = int(match["number"])
        [*types] = near_names(match["type"], graph.artifact_types())
        if types:
            ids = [artifact.id for artifact in graph.artifacts_of_type(types[0])]
            nearest = sorted(ids, key=lambda i: (abs(i - number), i))[:_SHOWN]
            return [f"{types[0]}:{i}" for i in sorted(nearest)]
    runs = list(graph.places.run_contexts())
    node, at, run = text.partition("@")
    if at:
        run = _latest_run(graph) if run == LATEST else run
        run_ids = _matching(run, runs)[-1:] or near_names(run, runs, _SHOWN, 0.5)
        nodes = {e.place.node for run_id in run_ids for e in graph.executions_of_run(run_id)}
        names = near_names(node, sorted(nodes)) or sorted(nodes)[:1]
        return [f"{name}@{run_id}" for run_id in run_ids for name in names]
    # The name of a node or a type alone: with what makes it an id.
    ids = dict.fromkeys([LATEST, LIVE, *runs, *graph.places.pipelines()], "")
    for execution in graph.executions_of_run(runs[-1]) if runs else ():
        ids[execution.place.node] = f"@{LATEST}"
    close = near_names(text, [*ids, *graph.artifact_types()], _SHOWN, 0.5)
    return [name + ids[name] if name in ids else _newest_of(graph, name) for name in close]


def _newest_of(graph: Graph, kind: str) -> str:
    return f"{kind}:{max((a.id for a in graph.artifacts_of_type(kind)), default=1)}"


def _only_live(live: Mapping[str, Artifact]) -> Artifact:
    if len(live) > 1:
        listed = ", ".join(f"{each.key} at {plain(base)}" for base, each in live.items())
        found = f"is {len(live)} things: {listed}"
        raise UserMistake.explain(LIVE, found, "expected one", "name one of them")
    return _only_one(LIVE, [*live.values()], "no model is live", near=list)


def _only_one(text: str, found: Sequence, nothing: str, near: Callable[[], list[str]]):
    """Returns the one that was found, or says that it is none or which ones there are."""
    if len(found) == 1:
        return found[0]
    if found:
        keys = [plain(target.key) for target in found]
        listed = ", ".join(keys[:_SHOWN]) + (", …" if len(keys) > _SHOWN else "")
        more = "name one of them" if text == LATEST else _MORE
        raise UserMistake.explain(text, f"is {len(keys)} things: {listed}", "expected one", more)
    close = near()
    hint = f"did you mean {' or '.join(map(plain, close))}" if close else _HINT
    raise UserMistake.explain(text, nothing, _FORMS, hint)


def _require(target: Target, kind: type[_Kind], text: str, expected: str) -> _Kind:
    if isinstance(target, kind):
        return target
    words = {Artifact: "an artifact", Execution: "an execution", RunKey: "a run"}
    found = f"is {words.get(type(target), 'a pipeline')} ({plain(target.key)})"
    raise UserMistake.explain(text, found, expected, _HINT)
