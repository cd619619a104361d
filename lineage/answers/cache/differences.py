"""Differences between two executions of one node, as far as TFX's cache key is concerned.

Called by `lineage.answers.cache.explain`.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from fareline.recorded.texts import parse_json
from lineage.graph.elements import Artifact, Execution
from lineage.graph.graph import Graph
from lineage.text.harmless import plain

INPUT, PARAMETER, CODE, SOURCE, TYPE, OUTPUTS = (
    "input", "parameter", "code", "source_files", "type", "outputs",
)  # fmt: skip
_FINGERPRINT = "input_fingerprint"
_CODE_KEY = "source_fingerprint"  # see pipeline.dag: a digest over the sources of user functions
_CODE_OF = {
    "ExampleGen": "data/ or pipeline/ingest/",
    "Transform": "preprocessing/",
    "Tuner": "models/ or preprocessing/features.py",
    "Trainer": "models/ or preprocessing/features.py",
    "Evaluator": "evaluation (pipeline/)",
    "InfraValidator": "serving/",
}
_VERSION = "tfx_version"
_SHOWN = 60  # characters of a value
_ABSENT = "nothing"


@dataclasses.dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Attributes:
        kind: `input`, `parameter`, `code`, `source_files`, `type` or `outputs`.
        name: Key of the input, or dotted path of the parameter.
        was: Before; ids for an input.
        now: In the execution that is explained.
        text: In words.
        upstream: The execution of the same run that made the new input.
    """

    kind: str
    name: str
    was: Any
    now: Any
    text: str
    upstream: Execution | None = None


def differences_between(graph: Graph, earlier: Execution, later: Execution) -> list[Difference]:
    """Compares the recorded parts of TFX's cache key."""
    return [
        *_type(earlier, later),
        *_parameters(graph, earlier, later),
        *_inputs(graph, earlier, later),
        *_outputs(graph, earlier, later),
    ]


def _type(earlier: Execution, later: Execution) -> Iterator[Difference]:
    if earlier.type != later.type:
        text = f"its type is {plain(later.type)}, not {plain(earlier.type)}"
        yield Difference(TYPE, "type", earlier.type, later.type, text)


def _parameters(graph: Graph, earlier: Execution, later: Execution) -> Iterator[Difference]:
    was, now = flatten(earlier.properties), flatten(later.properties)
    for name in sorted({*was, *now}):
        # What TFX notes for itself, such as the result of a failure.
        if name.startswith("__") or was.get(name) == now.get(name):
            continue
        before, after = was.get(name), now.get(name)
        last = name.rpartition(".")[2]
        if last == _CODE_KEY and after:
            where = _CODE_OF.get(later.place.node, "the component")
            happened = "changed" if before else "may have changed: it was not recorded then"
            yield Difference(CODE, name, before, after, f"code of {where} {happened}")
        elif last == _FINGERPRINT:
            if before and after:
                text = f"the files that it reads changed: {_in_words(str(before), str(after))}"
                yield Difference(SOURCE, name, before, after, text)
        elif last == "span" and (before is None or after is None):
            continue  # filled in while it executes; of a failed or cached execution it is absent
        else:
            text = f"{plain(name)} is {_short(after)}, was {_short(before)}"
            yield Difference(PARAMETER, name, before, after, text)


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters by dotted path, with JSON texts decoded."""
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        parsed = inner
        if isinstance(inner, str) and inner.lstrip()[:1] in ("{", "["):
            parsed = parse_json(inner)
            parsed = inner if parsed is None else parsed
        if isinstance(parsed, Mapping) and parsed:
            flat.update(flatten(parsed, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = parsed
    return flat


def _inputs(graph: Graph, earlier: Execution, later: Execution) -> Iterator[Difference]:
    was, now = graph.inputs(earlier), graph.inputs(later)
    for key in sorted({*was, *now}):
        before, after = was.get(key, []), now.get(key, [])
        if before == after:
            # The key is made of the whole record, time of the last change included.
            for artifact in after:
                if artifact.updated > earlier.updated:
                    text = f"{key}: the record of {artifact.key} changed in the store meanwhile"
                    yield Difference(INPUT, key, [artifact.key], [artifact.key], text)
            continue
        makers = [_maker(graph, a, later) for a in after if a not in before]
        upstream = next((maker for maker in makers if maker is not None), None)
        text = f"{key} is {_listed(after)}, was {_listed(before)}"
        if upstream is not None:
            text += f", since {upstream.place.node} executed"
        elif key == "baseline_model":
            text += f": {'another' if before else 'now a'} model is the baseline"
        names = [a.key for a in before], [a.key for a in after]
        yield Difference(INPUT, key, *names, text, upstream)


def _maker(graph: Graph, artifact: Artifact, reader: Execution) -> Execution | None:
    """Which execution of the reader's run executed to make an artifact."""
    for producer in graph.producers(artifact):
        if producer.state == "executed" and producer.place.run_id == reader.place.run_id:
            return producer
    return None


def _outputs(graph: Graph, earlier: Execution, later: Execution) -> Iterator[Difference]:
    was, now = graph.outputs(earlier), graph.outputs(later)
    if not now:
        return  # it failed: what it was to put out is not recorded
    if set(was) != set(now):
        text = f"its outputs are {', '.join(map(plain, now))}; were {', '.join(map(plain, was))}"
        yield Difference(OUTPUTS, "outputs", sorted(was), sorted(now), text)
    versions = [
        sorted({str(a.properties.get(_VERSION, "")) for found in side.values() for a in found})
        for side in (was, now)
    ]
    if versions[0] != versions[1]:
        text = f"TFX is {', '.join(versions[1])}, was {', '.join(versions[0])}"
        yield Difference(OUTPUTS, _VERSION, versions[0], versions[1], text)


def _in_words(before: str, after: str) -> str:
    """Two of TFX's fingerprints: the numbers of files and bytes, or the times alone."""
    was, now = _numbers(before), _numbers(after)
    words = [
        f"{now.get(name, '?')} {unit}, were {was.get(name, '?')}"
        for name, unit in (("num_files", "files"), ("total_bytes", "bytes"))
        if was.get(name) != now.get(name)
    ]
    return ", ".join(words) or "same number and bytes, other times of change"


def _numbers(fingerprint: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for part in fingerprint.replace("\n", ",").split(","):
        name, _, value = part.partition(":")
        if value.isdecimal():
            totals[name] = totals.get(name, 0) + int(value)
    return totals


def _listed(artifacts: list[Artifact]) -> str:
    return ", ".join(artifact.key for artifact in artifacts) or _ABSENT


def _short(value: Any) -> str:
    return _ABSENT if value is None else plain(value, _SHOWN)
