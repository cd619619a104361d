"""The model card: use, data, metrics by slice and limits, in the page and as Markdown.

Free text comes from the section `card` of the settings; the rest from what the run recorded.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from lineage.text.times import clock_of
from report.run.document import Card, Document, Evaluation
from report.run.sources import Sources

# Keys of the settings, and the headings they stand under.
HEADINGS = {
    "title": "Name",
    "owner": "Owner",
    "intended_use": "Intended use",
    "out_of_scope": "Not for",
    "data": "About the data",
    "considerations": "Considerations",
    "license": "License",
}
_MOST_SLICES = 12


def gather_card(document: Document, sources: Sources) -> Document:
    """Adds the card of the run's model; a run without a model has none."""
    model = document.verdict.model
    if model is None:
        absent = {**document.absent, "card": "The run has no model."}
        return dataclasses.replace(document, absent=absent)
    texts = {
        heading: str(text)
        for key, heading in HEADINGS.items()
        if (text := sources.section("card").get(key))
    }
    evaluation = document.evaluation
    card = Card(
        model=model,
        texts=texts,
        facts=_facts(document, sources),
        metrics=list(_metrics(evaluation)) if evaluation else [],
        slices=list(_slices(evaluation)) if evaluation else [],
        main_metric=evaluation.main_metric if evaluation else "",
        limits=list(_limits(document)),
    )
    return dataclasses.replace(document, card=card)


def _facts(document: Document, sources: Sources) -> dict[str, list[str]]:
    verdict, data = document.verdict, document.data
    facts: dict[str, list[str]] = {
        "Model": [f"{verdict.model} of {document.run_id}", verdict.headline],
        "Trained": [clock_of(document.started)],
    }
    label = sources.section("label")
    if label:
        task = str(sources.settings.get("task", ""))
        facts["Predicts"] = [f"{label.get('column')} ({task}){_rule(label)}"]
    if data:
        lines = [f"{split}: {rows:,} examples" for split, rows in data.splits.items()]
        if verdict.spans:
            lines.append(f"span {verdict.spans}")
        facts["Data"] = [*lines, *(str(file.get("path")) for file in data.files)]
        used = [column.name for column in data.columns if set(column.roles) - {"label"}]
        if used:
            facts["Reads"] = [", ".join(sorted(used))]
    if document.training and document.training.chosen:
        chosen = document.training.chosen
        facts["Hyperparameters"] = [", ".join(f"{k} {_short(v)}" for k, v in chosen.items())]
    return facts


def _rule(label: Mapping[str, Any]) -> str:
    """How the label is made of the column, in words."""
    parts = []
    for name, value in label.items():
        if name == "above" and isinstance(value, Mapping):
            parts.append(
                f"above {value.get('times')} \N{MULTIPLICATION SIGN} {value.get('column')}"
            )
        elif name != "column":
            said = ", ".join(map(str, value)) if isinstance(value, list) else value
            parts.append(f"{name}: {said}")
    return f": {'; '.join(parts)}" if parts else ""


def _metrics(evaluation: Evaluation) -> Iterator[tuple[str, Any, str]]:
    demands: dict[str, list[str]] = {}
    for check in evaluation.checks:
        if check["slice"] == evaluation.overall.name:
            said = f"{check['kind'].replace('_', ' ')} {check['bound']:g}"
            demands.setdefault(check["metric"], []).append(said)
    for name, value in evaluation.overall.metrics.items():
        yield name, value, ", ".join(demands.get(name, []))


def _slices(evaluation: Evaluation) -> Iterator[tuple[str, Any, Any]]:
    """The worst slices with enough examples; without a ranking, the largest slices."""
    by_name = {each.name: each for each in evaluation.slices}
    names = [name for name in evaluation.worst if name in by_name] or sorted(
        by_name, key=lambda n: -(by_name[n].metrics.get("example_count") or 0)
    )
    for name in names[:_MOST_SLICES]:
        metrics = by_name[name].metrics
        yield name, metrics.get("example_count"), metrics.get(evaluation.main_metric)


def _limits(document: Document) -> Iterator[str]:
    if document.verdict.outcome != "pushed":
        yield f"This model was not published: {document.verdict.headline}"
    evaluation, data = document.evaluation, document.data
    if evaluation:
        for gap in evaluation.gaps:
            if gap["gap"] is not None:
                (best, high), (worst, low) = gap["best"], gap["worst"]
                yield (
                    f"{gap['metric']} differs by {_short(gap['gap'])} between slices of "
                    f"{gap['slices']}: {_short(high)} on {best}, {_short(low)} on {worst}."
                )
        uncounted = {c["slice"] for c in evaluation.checks if not_counted(c)}
        if uncounted:
            yield f"{len(uncounted)} slices have too few examples for a reliable metric."
    if data:
        bad = sum(data.quarantined.values())
        if bad:
            yield f"{bad:,} row{'s' * (bad != 1)} could not be read."
        for each in data.decisions:
            yield f"{each['column']}: {each['found']} ({each['action']})"
    yield "Metrics are of the eval split, which has the same source as the training data."


def not_counted(check: Mapping[str, Any]) -> bool:
    """Whether a check does not count, because its slice is too small."""
    return bool(check["not_counted"])


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def to_markdown(card: Card) -> str:
    """Writes the card as Markdown. Text of the data is escaped: it is no markup."""
    lines = [f"# Model card: {_text(card.texts.get('Name') or card.model or '')}", ""]
    for heading, text in card.texts.items():
        if heading != "Name":
            lines += [f"## {heading}", "", _text(text.strip()), ""]
    for heading, said in card.facts.items():
        lines += [f"## {heading}", "", *(f"* {_text(line)}" for line in said), ""]
    if card.metrics:
        lines += ["## Metrics on the eval split", "", "| metric | value | threshold |"]
        lines += ["| --- | ---: | --- |"]
        lines += [f"| {_cell(n)} | {_cell(_short(v))} | {_cell(t)} |" for n, v, t in card.metrics]
        lines.append("")
    if card.slices:
        name = _cell(card.main_metric or "metric")
        lines += ["## Slices", "", f"| slice | examples | {name} |", "| --- | ---: | ---: |"]
        lines += [
            f"| {_cell(s)} | {_cell(_short(n))} | {_cell(_short(v))} |" for s, n, v in card.slices
        ]
        lines.append("")
    lines += ["## Limits", "", *(f"* {_text(line)}" for line in card.limits), ""]
    return "\n".join(lines)


_MARKUP = str.maketrans(
    {c: f"\\{c}" for c in r"\`*_[]#|~"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)


def _text(text: str) -> str:
    return text.translate(_MARKUP)


def _cell(text: str) -> str:
    return " ".join(_text(text).split())
