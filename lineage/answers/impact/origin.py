"""The origin for `lineage impact`: a file, a span or an id, and the artifacts that have it.

Called by cli.lineage.impact.
"""

import os
import re
from collections.abc import Sequence

from fareline.errors import UserMistake
from fareline.near import near_names
from fareline.prediction_ids import is_prediction_id
from fareline.recorded.data import spans_of
from lineage import ids
from lineage.answers.impact.files import (
    DIGEST,
    Origin,
    SourceFile,
    by_digest,
    by_file,
    by_pattern,
    note_of_splits,
    source_files_of,
    unrecorded_makers,
)
from lineage.facts.feedback import Prediction, find_prediction
from lineage.facts.source_patterns import patterns_of
from lineage.graph.elements import Artifact
from lineage.graph.graph import Graph
from lineage.text.harmless import plain

_SPAN = re.compile(r"span[:-](?P<span>\d+)(/version[:-](?P<version>\d+))?")
_EXPECTED = "expected a file, span:N, a SHA-256, or an id such as Model:12 or a run"
_HINT = "`fareline lineage show PIPELINE` shows what there is"
_SHOWN = 3


def find_origin(
    graph: Graph, text: str | None, sha256: str | None = None, pipeline: str | None = None
) -> Origin:
    """Finds the artifacts that hold what was asked about.

    Args:
        graph: To look in.
        text: File, span, SHA-256 or id.
        sha256: SHA-256 of a file or a unique prefix of it; `text` is not needed then.
        pipeline: Leaves the files and spans of other pipelines out.

    Raises:
        UserMistake: No element matches, or several do; the message lists similar ones.
    """
    if pipeline is not None and pipeline not in graph.places.pipelines():
        listed = ", ".join(map(plain, graph.places.pipelines())) or "none"
        raise UserMistake.explain(
            pipeline, "is not a pipeline of this store", f"expected one of: {listed}", _HINT
        )
    examples = _ingested(graph, pipeline)
    files = source_files_of(examples)
    if sha256 is not None:
        found = by_digest(graph, sha256.lower(), examples, files)
        if found is None:
            raise _not_found(graph, sha256, examples, files)
        return found
    if text is None:
        raise UserMistake.explain("impact", "no source was named", _EXPECTED, "name it")
    if match := _SPAN.fullmatch(text):
        return _by_span(text, match["span"], match["version"], examples)
    if is_prediction_id(text) and (prediction := find_prediction(graph, text)):
        return _by_prediction(prediction)
    found = _both(by_file(text, files), by_pattern(graph, text, examples))
    found = note_of_splits(graph, found) if found else None
    if found is None and DIGEST.fullmatch(text.lower()):
        found = by_digest(graph, text.lower(), examples, files)
    return found or _by_id(graph, text, examples, files)


def _ingested(graph: Graph, pipeline: str | None) -> list[Artifact]:
    """Examples as they were ingested: not what Transform made of them."""
    listed = graph.artifacts_of_type("Examples")
    makers: dict[int, int] = {}
    transformed = set()
    for link in graph.links_of_artifacts(a.id for a in listed):
        if link.is_output:
            makers.setdefault(link.artifact_id, link.execution_id)
            if "transformed_examples" in link.keys:
                transformed.add(link.artifact_id)
    found = [artifact for artifact in listed if artifact.id not in transformed]
    if pipeline is None:
        return found
    graph.executions(makers[a.id] for a in found if a.id in makers)
    return [
        artifact
        for artifact in found
        for maker in graph.executions([makers[artifact.id]] if artifact.id in makers else [])
        if maker.place.pipeline == pipeline
    ]


def _by_span(text: str, span: str, version: str | None, examples: Sequence[Artifact]) -> Origin:
    found = [
        artifact
        for artifact in examples
        for number, its_version in spans_of(artifact)
        if number == int(span) and (version is None or its_version == int(version))
    ]
    if found:
        return Origin(text, "span", tuple(found))
    raise UserMistake.explain(
        text, "no Examples have this span", "expected one that was read", _spans_hint(examples)
    )


def _by_prediction(prediction: Prediction) -> Origin:
    spans = prediction.taught or prediction.spans
    newest = spans[-1]
    label = "" if prediction.value is None else f", {prediction.value}"
    number, version = (newest.properties.get(name) for name in ("span", "version"))
    note = (
        f"{prediction.state}{label}: in span {number}, version {version}; answered by "
        f"{plain(prediction.answered)}"
    )
    if prediction.taught:
        return Origin(prediction.id, "prediction", spans, (note,))
    return Origin(prediction.id, "prediction", (), (note, "it is no row to train on"))


def _both(recorded: Origin | None, by_path: Origin | None) -> Origin | None:
    """A store may hold runs of before the recording beside runs of after it."""
    if recorded is None or by_path is None:
        return recorded or by_path
    starts = tuple(dict.fromkeys((*recorded.starts, *by_path.starts)))
    note = f"{len(by_path.starts)} of the Examples are {by_path.notes[0]}"
    return Origin(recorded.text, recorded.matched_by, starts, (*recorded.notes, note))


def _by_id(
    graph: Graph, text: str, examples: Sequence[Artifact], files: Sequence[SourceFile]
) -> Origin:
    try:
        target = ids.find(graph, text)
    except UserMistake as error:
        is_id = any(c in text for c in "@#:") and "did you mean" in str(error)
        if "is not in the store" in str(error) and not is_id:
            raise _not_found(graph, text, examples, files) from error
        raise
    if isinstance(target, ids.PipelineKey):
        found = f"is a pipeline ({plain(target.key)})"
        raise UserMistake.explain(text, found, _EXPECTED, _HINT)
    if isinstance(target, Artifact):
        if target.type != "PushedModel":
            return Origin(text, "id", (target,))
        model = ids.find_model(graph, text)
        return Origin(text, "id", (model,), (f"{target.key} is a pushed copy of {model.key}",))
    executions = [target]
    if isinstance(target, ids.RunKey):
        listed = graph.executions_of_run(target.run_id)
        # What a cached node put out again is of an earlier run.
        executions = [e for e in listed if e.state != "cached"] or listed
    links = graph.links_of_executions(e.id for e in executions)
    starts = graph.artifacts(k.artifact_id for k in links if k.is_output)
    if not starts:
        raise UserMistake.explain(text, "has no outputs", "expected outputs", _HINT)
    return Origin(text, "id", tuple(starts))


def _not_found(
    graph: Graph, text: str, examples: Sequence[Artifact], files: Sequence[SourceFile]
) -> UserMistake:
    patterns = {p for _, e in unrecorded_makers(graph, examples) for p in patterns_of(e.properties)}
    paths = sorted({file.path for file in files} | patterns)
    close = near_names(text, paths, _SHOWN, 0.5)
    by_name = {os.path.basename(path): path for path in paths}
    close += [by_name[n] for n in near_names(os.path.basename(text), by_name, 3)]
    close += near_names(text, [*graph.places.run_contexts()])
    near = [plain(path) for path in dict.fromkeys(close)][:_SHOWN]
    hints = [f"did you mean {' or '.join(near)}"] if near else []
    if not near and patterns:
        hints.append(f"what was read is {' and '.join(map(plain, sorted(patterns)[:_SHOWN]))}")
    hints.append(_spans_hint(examples))
    if not files:
        hints.append(
            "no source files are recorded: they are matched by the patterns that were read"
        )
    return UserMistake.explain(text, "is not in the store", _EXPECTED, "; ".join(hints))


def _spans_hint(examples: Sequence[Artifact]) -> str:
    found = {each for artifact in examples for each in spans_of(artifact)}
    spans = sorted({span for span, _ in found})
    if not spans:
        return "the store has no spans"
    if len(spans) == 1 and (versions := sorted({v for _, v in found if v is not None})):
        return f"there is span:{spans[0]}, version {' or '.join(map(str, versions[-_SHOWN:]))}"
    if len(spans) <= _SHOWN:
        return "there is " + ", ".join(f"span:{span}" for span in spans)
    return f"there are {len(spans)} spans, span:{spans[0]} to span:{spans[-1]}"
