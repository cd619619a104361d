"""The content of the page: a whole store as columns with every value written once, compressed.

Ten thousand executions take about half a megabyte so. The same store gives the same bytes: nothing
of the clock, the machine or the path goes in, and everything is in the order of its id.
`web/store.js` reads this format back.
"""

import base64
import dataclasses
import json
import math
import shlex
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lineage.facts.failures import failure_of
from lineage.facts.pushes import live_pushes
from lineage.graph.elements import Artifact, Execution, Link
from lineage.graph.graph import Graph
from lineage.ids import PipelineKey, RunKey, Target
from report.explorer.facts import RunFacts, facts_of_runs
from report.explorer.sources import SourceNode, find_sources

FORMAT = 1
# JavaScript's numbers are exact up to here.
_EXACT = 2**53 - 1


def packed_content(graph: Graph, focus: Target | None) -> str:
    """Reads the whole store; returns its content, deflated, in base64."""
    text = json.dumps(content(graph, focus), ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def content(graph: Graph, focus: Target | None) -> dict[str, Any]:
    """Reads the whole store; returns what the page shows of it.

    Args:
        graph: Lineage graph of the store.
        focus: Element that the page opens on; None for the last run.
    """
    graph.read_all()
    artifacts, executions = graph.all_artifacts(), graph.all_executions()
    links = graph.links_of_executions(e.id for e in executions)
    values = _Values()
    return {
        "format": FORMAT,
        "artifacts": _artifact_columns(artifacts, values),
        "executions": _execution_columns(executions, values),
        "links": _link_columns(links, values),
        "runs": [_run(facts, values) for facts in facts_of_runs(graph)],
        "sources": [_source(source) for source in find_sources(graph)],
        "live": {base: pushed.id for base, pushed in live_pushes(graph).items()},
        "focus": _focus(graph, focus),
        "place": shlex.join(graph.place if "--workspace" in graph.place else ()),
        # Last, since the others fill them.
        "sets": values.sets,
        "values": values.values,
    }


class _Values:
    """Every value once, and every set of properties once."""

    def __init__(self):
        self.values: list[Any] = []
        self.sets: list[list[int]] = []
        self._index: dict[tuple[type, str], int] = {}
        self._set_index: dict[tuple[int, ...], int] = {}

    def add(self, value: Any) -> int:
        key = (type(value), value if isinstance(value, str) else json.dumps(value, sort_keys=True))
        if key not in self._index:
            self._index[key] = len(self.values)
            self.values.append(_plain(value))
        return self._index[key]

    def add_all(self, values: Iterable[Any]) -> list[int]:
        return [self.add(value) for value in values]

    def add_set(self, properties: Mapping[str, Any]) -> int:
        ordered = [part for name in sorted(properties) for part in (name, properties[name])]
        pairs = tuple(self.add_all(ordered))
        if pairs not in self._set_index:
            self._set_index[pairs] = len(self.sets)
            self.sets.append(list(pairs))
        return self._set_index[pairs]


def _plain(value: Any) -> Any:
    """What JSON and JavaScript keep as it is; what they would change becomes text."""
    if isinstance(value, dict):
        return {str(name): _plain(value[name]) for name in sorted(value, key=str)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    too_large = isinstance(value, int) and abs(value) > _EXACT
    if too_large or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value


def _artifact_columns(artifacts: Sequence[Artifact], values: _Values) -> dict[str, list[int]]:
    return {
        "id": _steps(a.id for a in artifacts),
        "type": values.add_all(a.type for a in artifacts),
        "name": values.add_all(a.name for a in artifacts),
        "uri": values.add_all(a.uri for a in artifacts),
        "state": values.add_all(a.state for a in artifacts),
        "created": _steps(a.created for a in artifacts),
        "updated": [a.updated - a.created for a in artifacts],
        "set": [values.add_set(a.properties) for a in artifacts],
    }


def _execution_columns(executions: Sequence[Execution], values: _Values) -> dict[str, list[int]]:
    return {
        "id": _steps(e.id for e in executions),
        "type": values.add_all(e.type for e in executions),
        "name": values.add_all(e.proto.name for e in executions),
        "key": values.add_all("#" if e.place.repeated else "" for e in executions),
        "pipeline": values.add_all(e.place.pipeline for e in executions),
        "run": values.add_all(e.place.run_id for e in executions),
        "node": values.add_all(e.place.node for e in executions),
        "state": values.add_all(e.state for e in executions),
        "created": _steps(e.created for e in executions),
        "updated": [e.updated - e.created for e in executions],
        "failure": values.add_all(_failure(e) for e in executions),
        "set": [values.add_set(e.properties) for e in executions],
    }


def _failure(execution: Execution) -> dict[str, Any] | None:
    """What a failed execution is known to have failed with; None of all others."""
    failure = failure_of(execution)
    return dataclasses.asdict(failure) if failure else None


def _link_columns(links: Sequence[Link], values: _Values) -> dict[str, list[int]]:
    return {
        "execution": _steps(link.execution_id for link in links),
        "artifact": _steps(link.artifact_id for link in links),
        "output": [int(link.is_output) for link in links],
        "keys": values.add_all(list(link.keys) for link in links),
    }


def _run(facts: RunFacts, values: _Values) -> dict[str, Any]:
    return {
        "id": facts.run_id,
        "pipeline": facts.pipeline,
        "started": facts.started,
        "ended": facts.ended,
        "status": facts.status,
        "outcome": facts.outcome,
        "nodes": facts.nodes,
        "data": facts.data,
        "models": facts.models,
        "evaluations": facts.evaluations,
        "metrics": _plain(facts.metrics),
        "blessed": facts.blessed,
        "fit": facts.fit_to_serve,
        "pushed": facts.pushed,
        "again": facts.pushed_again,
        "command": facts.command,
        "set": values.add_set(facts.properties),
    }


def _source(source: SourceNode) -> dict[str, Any]:
    files = [dataclasses.asdict(file) for file in source.files]
    return {"name": source.name, "files": files, "executions": list(source.executions)}


def _focus(graph: Graph, target: Target | None) -> dict[str, Any]:
    """What the page opens on, in the words of its own addresses."""
    if isinstance(target, Artifact):
        return {"view": "near", "sel": f"a{target.id}"}
    if isinstance(target, Execution):
        return {"view": "near", "sel": f"e{target.id}"}
    if isinstance(target, RunKey):
        return {"view": "run", "run": target.run_id}
    if isinstance(target, PipelineKey):
        runs = [
            run_id
            for run_id in graph.places.run_contexts()
            for execution in graph.executions_of_run(run_id)[:1]
            if execution.place.pipeline == target.name
        ]
        return {"view": "run", "run": runs[-1]} if runs else {}
    return {}


def _steps(numbers: Iterable[int]) -> list[int]:
    """Each number as its distance from the one before: small numbers compress well."""
    steps, last = [], 0
    for number in numbers:
        steps.append(number - last)
        last = number
    return steps
