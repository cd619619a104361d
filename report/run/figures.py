"""Maps parts of the document to charts. Called by the templates."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

from markupsafe import Markup

from report.run.charts import Plot, bars, frame, said, say_all, tag, ticks
from report.run.document import (
    Column,
    ColumnStats,
    Data,
    Evaluation,
    Feature,
    ModelPicture,
    NodeTime,
    Serving,
    Training,
)

_SHOWN_VALUES = 8
_SKEWED = 4  # the range is so many times as wide as its middle eight tenths
_MOST_DOTS = 1500
_DRAWN_SPLITS = 3  # train, validate and eval; others are in the tables
_SMALL = (360, 170)


def split_names(column: Column) -> list[str]:
    """The series of a column's picture."""
    return [*list(column.splits)[:_DRAWN_SPLITS], *(["previous data"] if column.previous else [])]


def _series(column: Column) -> list[ColumnStats]:
    drawn = list(column.splits.values())[:_DRAWN_SPLITS]
    return [*drawn, *([column.previous] if column.previous else [])]


def column_figure(column: Column, boundaries: Sequence[float] = ()) -> Markup:
    """Distribution of a column's values in each split and in the previous data."""
    series = _series(column)
    if not any(stats.count for stats in series):
        return Markup("")
    if any(stats.top for stats in series):
        return _top_values(column, series)
    if any(stats.bins or stats.quantiles for stats in series):
        return _histogram(column, series, boundaries)
    return Markup("")


def _top_values(column: Column, series: Sequence[ColumnStats]) -> Markup:
    shares = [{value: count / s.count for value, count in s.top} if s.count else {} for s in series]
    names = list(dict.fromkeys(value for share in shares for value in share))[:_SHOWN_VALUES]
    rows = [(_shown(name), [share.get(name) for share in shares]) for name in names]
    highest = max((v for _, values in rows for v in values if v is not None), default=1.0)
    return bars(f"Most frequent values of {column.name}", rows, highest, _percent)


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", "\N{NO-BREAK SPACE}%")


def _shown(value: str) -> str:
    return value if value.strip() else repr(value)


def _histogram(
    column: Column, series: Sequence[ColumnStats], boundaries: Sequence[float]
) -> Markup:
    """Shares of the values: in bins of equal width, or of a long tail in parts of equal weight."""
    skewed = any(_is_skewed(stats) for stats in series)
    bins = [_parts(stats) if skewed else _equal(stats) for stats in series]
    ends = [found for found in bins if found] or [[(0.0, 1.0, 0.0)]]
    low = min(found[0][0] for found in ends)
    high = max(found[-1][1] for found in ends)
    scale = math.asinh if skewed else float
    heights = [_density(found, scale, (low, high)) for found in bins]
    top = max((height for found in heights for _, _, height in found), default=1.0)
    plot = Plot(
        f"Distribution of {column.name}" + (", on a logarithmic axis" if skewed else ""),
        (low, high),
        (0, top * 1.05 or 1),
        _SMALL,
        (column.name[:40], "density"),
        scale,
    )
    for number, found in enumerate(heights):
        plot.steps(found, number)
    for boundary in boundaries:
        if low <= boundary <= high:
            plot.upright(boundary, "boundary")
    return plot.svg(_log_ticks(low, high) if skewed else None)


def _is_skewed(stats: ColumnStats) -> bool:
    if len(stats.quantiles) < 5 or stats.low is None or stats.high is None:
        return False
    inner = stats.quantiles[-2] - stats.quantiles[1]
    return inner > 0 and stats.high - stats.low > _SKEWED * inner


def _equal(stats: ColumnStats) -> list[tuple[float, float, float]]:
    total = sum(b.count for b in stats.bins) or 1.0
    return [(b.low, b.high, b.count / total) for b in stats.bins if b.high > b.low]


def _parts(stats: ColumnStats) -> list[tuple[float, float, float]]:
    """Quantiles that are equal weigh together."""
    ends = stats.quantiles
    share = 1 / max(len(ends) - 1, 1)
    found: list[tuple[float, float, float]] = []
    waiting = 0.0
    for low, high in itertools.pairwise(ends):
        waiting += share
        if high > low:
            found.append((low, high, waiting))
            waiting = 0.0
    return found


def _density(
    bins: Sequence[tuple[float, float, float]], scale, ends: tuple[float, float]
) -> list[tuple[float, float, float]]:
    """Weight over width as it is drawn, of an axis that is 1 wide; thin bins are not endless."""
    whole = scale(ends[1]) - scale(ends[0]) or 1.0
    least = 0.01
    return [
        (low, high, share / max((scale(high) - scale(low)) / whole, least))
        for low, high, share in bins
    ]


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    powers = [10.0**p for p in range(0, 13)]
    values = [v for v in [0.0, *powers, *(-p for p in powers)] if low <= v <= high]
    step = max(1, math.ceil(len(values) / 6))
    return [(v, said(v)) for v in sorted(values)[::step]] or say_all(ticks(low, high))


def feature_figure(feature: Feature, columns: Sequence[Column]) -> Markup:
    """The buckets of a feature on the histogram of its column."""
    column = next((each for each in columns if each.name == feature.column), None)
    if column is None or not feature.boundaries:
        return Markup("")
    first = dict([next(iter(column.splits.items()))]) if column.splits else {}
    return column_figure(Column(column.name, column.kind, first), feature.boundaries)


def learning_figure(training: Training, metric: str) -> Markup:
    """A metric at each evaluation, in training and on the validation split."""
    pairs = [
        ("training", training.curves.get(metric)),
        ("validation", training.curves.get(f"val_{metric}")),
    ]
    values = [v for _, curve in pairs if curve for v in curve if v is not None]
    if not values:
        return Markup("")
    count = max(len(curve) for _, curve in pairs if curve)
    step = training.steps_per_evaluation or 1
    margin = (max(values) - min(values)) * 0.08
    plot = Plot(
        f"{metric} in training and on the validation split",
        (step, max(count, 2) * step),
        (min(values) - margin, max(values) + margin),
        names=("batches" if training.steps_per_evaluation else "evaluation", metric),
    )
    for number, (_, curve) in enumerate(pairs):
        points = [((i + 1) * step, v) for i, v in enumerate(curve or ()) if v is not None]
        plot.line(points, number)
        plot.dots(points, number)
    if training.best is not None:
        plot.upright((training.best + 1) * step, "mark")
    return plot.svg()


def trials_figure(training: Training) -> Markup:
    """Parallel coordinates: a line for each trial, its score last."""
    trials = training.trials
    names = [n for n in (trials[0] if trials else {}) if n not in ("trial_id", "score")] + ["score"]
    numbers = [n for n in names if all(isinstance(t.get(n), int | float) for t in trials)]
    if len(trials) < 2 or len(numbers) < 2:
        return Markup("")
    width, height, top, bottom = 720, 230, 34, 204
    across = [60 + i * (width - 120) / (len(numbers) - 1) for i in range(len(numbers))]
    ends = {n: (min(t[n] for t in trials), max(t[n] for t in trials)) for n in numbers}
    parts: list[Markup] = []
    for place, name in zip(across, numbers, strict=True):
        low, high = ends[name]
        parts += [
            tag("line", x1=place, x2=place, y1=top, y2=bottom, class_="rule"),
            tag("text", name, x=place, y=14, class_="axis middle"),
            tag("text", said(high), x=place, y=28, class_="tick middle"),
            tag("text", said(low), x=place, y=bottom + 16, class_="tick middle"),
        ]
    for trial in trials:
        points = []
        for place, name in zip(across, numbers, strict=True):
            low, high = ends[name]
            share = (trial[name] - low) / (high - low) if high > low else 0.5
            points.append(f"{place:.1f} {bottom - share * (bottom - top):.1f}")
        chosen = all(training.chosen.get(n) == trial[n] for n in numbers if n != "score")
        title = tag("title", ", ".join(f"{n} {said(trial[n])}" for n in numbers))
        parts.append(
            tag("path", title, d="M" + "L".join(points), class_=f"line s{0 if chosen else 3}")
        )
    return frame("Trials of the search, one line each", (width, height), parts)


def _models(evaluation: Evaluation) -> list[ModelPicture]:
    return [p for p in (evaluation.candidate, evaluation.baseline) if p is not None]


def model_names(evaluation: Evaluation) -> list[str]:
    """The series of the evaluation's pictures."""
    return ["candidate", "baseline"][: len(_models(evaluation))]


def roc_figure(evaluation: Evaluation, place: int = 0) -> Markup:
    """True positives against false positives, over all thresholds."""
    plot = Plot(
        "ROC curve", (0, 1), (0, 1), (360, 300), ("false positive rate", "true positive rate")
    )
    plot.line([(0, 0), (1, 1)], 3)
    for number, model in enumerate(_models(evaluation)):
        if place < len(model.operating):
            found = model.operating[place]
            points = [
                (fp / (found.negatives or 1), tp / (found.positives or 1))
                for tp, fp in zip(found.true_positives, found.false_positives, strict=True)
            ]
            plot.line(_ended(points, (1.0, 1.0), (0.0, 0.0)), number)
    plot.add(tag("circle", r=5, class_="now gone", data_now="roc"))
    return plot.svg()


def precision_figure(evaluation: Evaluation, place: int = 0) -> Markup:
    """Precision against recall, over all thresholds."""
    plot = Plot("Precision and recall", (0, 1), (0, 1), (360, 300), ("recall", "precision"))
    for number, model in enumerate(_models(evaluation)):
        if place < len(model.operating):
            found = model.operating[place]
            points = [
                (tp / (found.positives or 1), tp / (tp + fp))
                for tp, fp in zip(found.true_positives, found.false_positives, strict=True)
                if tp + fp > 0
            ]
            plot.line(points, number)
    plot.add(tag("circle", r=5, class_="now gone", data_now="pr"))
    return plot.svg()


def _ended(points, first, last):
    return [first, *points, last]


def calibration_figure(evaluation: Evaluation, place: int = 0) -> Markup:
    """Share of positives against mean score."""
    plot = Plot("Calibration", (0, 1), (0, 1), (360, 300), ("mean score", "share of positives"))
    plot.line([(0, 0), (1, 1)], 3)
    for number, model in enumerate(_models(evaluation)):
        if place < len(model.calibration):
            found = model.calibration[place]
            points = list(zip(found.scores, found.rates, strict=True))
            plot.line(points, number)
            plot.dots(points, number, 3.0)
    return plot.svg()


def scores_figure(evaluation: Evaluation, place: int = 0) -> Markup:
    """Distribution of scores over positives and negatives."""
    model = evaluation.candidate
    if model is None or place >= len(model.positives):
        return Markup("")
    both = [model.positives[place], model.negatives[place]]
    top = max((v for values in both for v in values), default=1.0) or 1.0
    plot = Plot(
        "Scores of positives and negatives", (0, 1), (0, top * 1.05), (360, 300), ("score", "share")
    )
    for number, values in enumerate(both):
        wide = 1 / len(values)
        plot.steps([(i * wide, (i + 1) * wide, v) for i, v in enumerate(values)], number)
    plot.upright(0.5, "now-line", data_now="score")
    return plot.svg()


def predicted_figure(evaluation: Evaluation) -> Markup:
    """Predicted against true amounts."""
    model = evaluation.candidate
    if model is None or not model.labels:
        return Markup("")
    labels, predictions = _fewer(model.labels), _fewer(model.predictions)
    ends = _middle([*labels, *predictions])
    plot = Plot("Predicted against true", ends, ends, (360, 300), ("true", "predicted"))
    plot.line([(ends[0], ends[0]), (ends[1], ends[1])], 3)
    plot.dots(list(zip(labels, predictions, strict=True)), 0, 1.6)
    return plot.svg()


def residuals_figure(evaluation: Evaluation) -> Markup:
    """Predicted minus true: how often."""
    model = evaluation.candidate
    if model is None or not model.labels:
        return Markup("")
    found = [p - t for p, t in zip(model.predictions, model.labels, strict=True)]
    low, high = _middle(found)
    count, wide = 40, (high - low) / 40 or 1.0
    counts = [0] * count
    for value in found:
        if low <= value <= high:
            counts[min(int((value - low) / wide), count - 1)] += 1
    bins = [(low + i * wide, low + (i + 1) * wide, n / len(found)) for i, n in enumerate(counts)]
    top = max(n for *_, n in bins) or 1.0
    plot = Plot(
        "Residuals", (low, high), (0, top * 1.05), (360, 300), ("predicted minus true", "share")
    )
    plot.steps(bins, 0)
    plot.upright(0.0, "mark")
    return plot.svg()


def _fewer(values: Sequence[float]) -> list[float]:
    step = max(1, math.ceil(len(values) / _MOST_DOTS))
    return list(values[::step])


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """Without a hundredth at either end, or a single value hides the rest."""
    ordered = sorted(values)
    cut = len(ordered) // 100
    return ordered[cut], ordered[-1 - cut]


def slices_figure(evaluation: Evaluation, metric: str) -> Markup:
    """A metric of the largest slices: candidate, baseline and interval."""
    found = [
        s for s in (evaluation.overall, *evaluation.slices) if s.metrics.get(metric) is not None
    ]
    head, rest = found[:1], found[1:]
    rest.sort(key=lambda s: (-(s.metrics.get("example_count") or 0), s.name))
    shown = [*head, *rest[:24]]
    if not shown:
        return Markup("")
    values = [s.metrics[metric] for s in shown]
    values += [v for s in shown if (v := s.baseline.get(metric)) is not None]
    values += [end for s in shown for end in s.intervals.get(metric, ())]
    low, high = min(values), max(values)
    low, high = low - (high - low) * 0.05, high + (high - low) * 0.05
    names = [s.name if len(s.name) <= 36 else f"{s.name[:35]}…" for s in shown]
    width, left, row = 720, _room_for(names), 20
    parts: list[Markup] = []

    def across(value: float) -> float:
        return left + (value - low) / ((high - low) or 1) * (width - left - 60)

    for number, (each, name) in enumerate(zip(shown, names, strict=True)):
        down = 14 + number * row
        parts += [
            tag(
                "text",
                name,
                tag("title", each.name),
                x=left - 10,
                y=down + 4,
                class_="tick end ink",
            ),
            tag("line", x1=left, x2=width - 60, y1=down, y2=down, class_="grid"),
        ]
        if interval := each.intervals.get(metric):
            parts.append(
                tag(
                    "line",
                    x1=across(interval[0]),
                    x2=across(interval[1]),
                    y1=down,
                    y2=down,
                    class_="interval",
                )
            )
        if (before := each.baseline.get(metric)) is not None:
            parts.append(
                tag("rect", x=across(before) - 1.5, y=down - 7, width=3, height=14, class_="bar s1")
            )
        value = each.metrics[metric]
        parts += [
            tag("circle", cx=across(value), cy=down, r=4.5, class_="dot s0 solid"),
            tag("text", f"{value:.4g}", x=width - 52, y=down + 4, class_="tick"),
        ]
    return frame(f"{metric} by slice", (width, 14 + len(shown) * row), parts)


def _room_for(names: Sequence[str]) -> int:
    """Width for names at the left of a chart, pixels; those of East Asia have wide letters."""
    widths = [sum(11.5 if letter >= "\u2e80" else 6.6 for letter in name) for name in names]
    return round(min(250.0, 18 + max(widths, default=0.0)))


def timeline_figure(nodes: Sequence[NodeTime]) -> Markup:
    """When each node began and ended."""
    shown = [node for node in nodes if node.state != "skipped"]
    end = max((node.start + node.seconds for node in shown), default=0.0) or 1.0
    width, left, row = 720, _room_for([node.name for node in nodes]), 22
    room = width - left - 60
    parts: list[Markup] = []
    for value in ticks(0, end, 6):
        place = left + value / end * room
        parts += [
            tag("line", x1=place, x2=place, y1=0, y2=len(nodes) * row + 4, class_="grid"),
            tag("text", f"{said(value)} s", x=place, y=len(nodes) * row + 18, class_="tick middle"),
        ]
    for number, node in enumerate(nodes):
        down = number * row + 4
        parts.append(tag("text", node.name, x=left - 8, y=down + 12, class_="tick end ink"))
        start, long = left + node.start / end * room, max(node.seconds / end * room, 2.0)
        words = node.state if node.state != "executed" else f"{node.seconds:.1f} s"
        if node.state != "skipped":
            parts.append(
                tag(
                    "rect",
                    x=start,
                    y=down,
                    width=long,
                    height=row - 8,
                    rx=2,
                    class_=f"node {node.state}",
                )
            )
        else:
            start, long = left, 0.0
        parts.append(
            tag("text", words, x=min(start + long + 5, width - 56), y=down + 12, class_="tick")
        )
    return frame("When each node ran", (width, len(nodes) * row + 24), parts)


def latency_figure(serving: Serving) -> Markup:
    """The time of requests, from the quickest to the slowest."""
    values = [v for times in serving.quantiles.values() for v in times]
    if not values:
        return Markup("")
    plot = Plot(
        "Time of a request",
        (0, 100),
        (0, max(values) * 1.05),
        names=("% of the requests", "ms at most"),
    )
    for number, times in enumerate(serving.quantiles.values()):
        shares = [100 * i / (len(times) - 1) for i in range(len(times))] if len(times) > 1 else [0]
        plot.line(list(zip(shares, times, strict=True)), number)
    return plot.svg()


def memory_figure(serving: Serving) -> Markup:
    """Memory of the server after each round."""
    if len(serving.memory) < 2:
        return Markup("")
    plot = Plot(
        "Memory of the server",
        (0, len(serving.memory) - 1),
        (0, max(serving.memory) * 1.2),
        names=("rounds of timed requests", "MiB"),
    )
    points = list(enumerate(serving.memory))
    plot.line(points, 0)
    plot.dots(points, 0, 3.0)
    return plot.svg([(i, "loaded" if not i else str(i)) for i in range(len(serving.memory))])


def side_by_side(a: Evaluation, b: Evaluation) -> Evaluation | None:
    """The evaluated models of two runs as one picture; None without curves of both."""
    if a.candidate is None or b.candidate is None:
        return None
    if not (a.candidate.operating and b.candidate.operating):
        return None
    return dataclasses.replace(a, candidate=a.candidate, baseline=b.candidate)


def paired_columns(a: Data, b: Data) -> list[Column]:
    """The training splits of two runs as the splits of one column."""
    others = {column.name: column for column in b.columns}
    return [
        Column(
            column.name,
            column.kind,
            {"first": _first(column), "second": _first(others[column.name])},
        )
        for column in a.columns
        if column.name in others and column.splits and others[column.name].splits
    ]


def _first(column: Column) -> ColumnStats:
    return next(iter(column.splits.values()))


def label_shares(evaluation: Evaluation) -> list[tuple[str, float, float]]:
    """Each label with the weight and the share of its examples; none of an amount."""
    model = evaluation.candidate
    if model is None:
        return []
    if model.matrix:
        names = evaluation.classes or [str(place) for place in range(len(model.matrix))]
        weights = [sum(row) for row in model.matrix]
    elif model.operating:
        names = ["yes", "no"]
        weights = [model.operating[0].positives, model.operating[0].negatives]
    else:
        return []
    total = sum(weights) or 1.0
    return [(name, weight, weight / total) for name, weight in zip(names, weights, strict=False)]
