"""The answer of `lineage models`: as JSON, and as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lineage.answers.models.models import ModelRow, metric_names
from lineage.text.flat import number
from lineage.text.harmless import plain, text
from lineage.text.tables import Column, fitted
from lineage.text.times import clock, iso

if TYPE_CHECKING:
    from rich.text import Text

NOT_RECORDED = "not recorded"
_SHOWN_METRICS = 6


def models_as_json(rows: Sequence[ModelRow], sorted_by: str) -> dict[str, Any]:
    """One object; keys are stable.

    `sorted_by`; `metrics`: names of all metrics; `models`: in order, each with `model`, `pipeline`,
    `run` (that made it), `runs`, `created`, `spans`, `examples`, `hyperparameters` and `metrics`
    (null if not recorded), `blessed` (as it was last pushed; else the latest verdicts),
    `was_blessed`, `later_verdicts` (after that push, each `by` and `blessed`), `pushed_versions`,
    `live`, `sample` (number of rows; null: all).
    """
    return {
        "sorted_by": sorted_by,
        "metrics": metric_names(rows),
        "models": [_row_as_json(row) for row in rows],
    }


def models_as_table(
    rows: Sequence[ModelRow], width: int, first_metric: str | None = None
) -> "Text":
    """A table, a row for each model; of many metrics, the first few.

    Args:
        rows: In order.
        width: Width of the terminal.
        first_metric: Metric of the first column, which is always shown.
    """
    names = metric_names(rows)
    names.sort(key=lambda name: name != first_metric)
    names = names[:_SHOWN_METRICS]
    first = names[:1]
    columns = [
        *(Column("model"), Column("run", 3), Column("created (UTC)", 6), Column("span", 5)),
        *(Column(text(name).plain, 0 if name in first else 7 + i, True)
          for i, name in enumerate(names)),
        *([] if names else [Column("metrics", 7)]),
        *(Column("blessed", 2), Column("pushed", 4), Column("live", 1)),
        Column("hyperparameters", 1),
    ]  # fmt: skip
    cells = []
    for row in rows:
        pushes = row.facts.pushes
        cells.append(
            [
                row.model.key,
                row.facts.run_id or NOT_RECORDED,
                clock(row.model.created),
                _data(row),
                *([_rounded(row.metrics.get(name)) for name in names] or [NOT_RECORDED]),
                row.facts.blessed_words,
                pushes[-1].version or "yes" if pushes else "no",
                "LIVE" if row.facts.live else "no",
                _compact(row.hyperparameters),
            ]
        )
    return fitted(columns, [[*map(text, row)] for row in cells], width)


def _data(row: ModelRow) -> str:
    spans = ", ".join(map(str, row.spans)) or "-"
    return spans if row.sample is None else f"{spans} (sample of {row.sample:,})"


def _row_as_json(row: ModelRow) -> dict[str, Any]:
    facts = row.facts
    return {
        "model": row.model.key,
        "pipeline": facts.pipeline or None,
        "run": facts.run_id or None,
        "runs": facts.runs,
        "created": iso(row.model.created),
        "spans": row.spans,
        "examples": [artifact.key for artifact in row.examples],
        "hyperparameters": dict(row.hyperparameters) or None,
        "metrics": {name: number(value) for name, value in row.metrics.items()} or None,
        "blessed": facts.blessed,
        "was_blessed": facts.was_blessed,
        "later_verdicts": [{"by": b.execution.key, "blessed": b.blessed} for b in facts.later],
        "pushed_versions": list(dict.fromkeys(push.version for push in facts.pushes)),
        "live": facts.live,
        "sample": row.sample,
    }


def _rounded(value: Any) -> str:
    known = number(value)
    if known is None:
        return "-"
    return f"{known:,.0f}" if known == int(known) and abs(known) > 1 else f"{known:.4f}"


def _compact(hyperparameters: Any) -> str:
    if not hyperparameters:
        return NOT_RECORDED
    return " ".join(f"{name}={_short(hyperparameters[name])}" for name in sorted(hyperparameters))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else plain(value)
