"""Pictures of a live model that is watched: a figure over windows, expected and by labels.

Called by `report.run.page`, with the answer of `fareline monitor` as it stands in JSON.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from lineage.text.times import utc
from report.run.charts import Plot, tag

Windows = Sequence[Mapping[str, Any]]
EXPECTED, BY_LABELS, REFERENCE = 0, 1, 2
NAMES = ("expected from the scores", "by labels", "on the eval split")
_SIZE = (360, 200)
_MOST_TICKS = 5
_APART = 3.0  # pixels between the two intervals of a window


def slices_of(windows: Windows) -> list[str]:
    """The slices, the whole first."""
    return [each["slice"] for each in windows[-1]["slices"]] if windows else []


def auc_figure(windows: Windows, name: str, reference: Mapping[str, Any] | None) -> Markup:
    """The AUC of a slice over windows, each with its 95 % interval; empty without values."""
    series = [_points(windows, name, kind) for kind in ("estimate", "truth")]
    values = [end for points in series for _, figure in points for end in _ends(figure)]
    if not values:
        return Markup("")
    if reference is not None:
        values.append(reference["value"])
    plot = _plot(f"AUC of {name} over windows", windows, (min(values), max(values)), "AUC")
    if reference is not None:
        ends = [(x, reference["value"]) for x in (0, len(windows) - 1)]
        plot.line(ends, REFERENCE, stroke_dasharray="4 3")
    for number, points in enumerate(series):
        plot.line([(x, figure["value"]) for x, figure in points], number)
        for x, figure in points:
            _interval(plot, x, figure, number)
        plot.dots([(x, figure["value"]) for x, figure in points], number, 2.5)
    return plot.svg(_ticks(windows))


def difference_figure(windows: Windows, name: str) -> Markup:
    """The AUC by labels less the expected one: a change of concept shows here first."""
    points = [(x, each["difference"]) for x, each in _slice(windows, name)]
    points = [(x, value) for x, value in points if value is not None]
    if not points:
        return Markup("")
    values = [0.0, *(value for _, value in points)]
    title = f"AUC of {name} from labels minus expected AUC, over windows"
    plot = _plot(title, windows, (min(values), max(values)), "difference")
    plot.line([(0, 0.0), (len(windows) - 1, 0.0)], REFERENCE, stroke_dasharray="4 3")
    plot.line(points, BY_LABELS)
    plot.dots(points, BY_LABELS, 2.5)
    return plot.svg(_ticks(windows))


def rows_figure(windows: Windows, name: str) -> Markup:
    """Number of rows of each window."""
    points = [(x, each["rows"]) for x, each in _slice(windows, name)]
    highest = max((count for _, count in points), default=0)
    plot = _plot(f"Rows of {name} over windows", windows, (0, highest or 1), "rows")
    plot.line(points, EXPECTED)
    plot.dots(points, EXPECTED, 2.5)
    return plot.svg(_ticks(windows))


def _plot(title: str, windows: Windows, ends: tuple[float, float], name: str) -> Plot:
    low, high = ends
    room = (high - low) * 0.08
    last = max(len(windows) - 1, 1)
    return Plot(title, (0, last), (low - room, high + room), _SIZE, ("window (UTC)", name))


def _slice(windows: Windows, name: str) -> list[tuple[int, Mapping[str, Any]]]:
    return [
        (place, each)
        for place, window in enumerate(windows)
        for each in window["slices"]
        if each["slice"] == name
    ]


def _points(windows: Windows, name: str, kind: str) -> list[tuple[int, Mapping[str, Any]]]:
    return [(x, each[kind]) for x, each in _slice(windows, name) if each[kind] is not None]


def _ends(figure: Mapping[str, Any]) -> tuple[float, float]:
    return figure["low"], figure["high"]


def _interval(plot: Plot, x: float, figure: Mapping[str, Any], number: int) -> None:
    across, low = plot.at(x, figure["low"])
    _, high = plot.at(x, figure["high"])
    across += (number - 0.5) * _APART
    plot.add(tag("line", x1=across, x2=across, y1=low, y2=high, class_=f"line s{number}"))


def _ticks(windows: Windows) -> list[tuple[float, str]]:
    """Days where windows are days or longer, else hours, of windows below a minute seconds."""
    step = max(1, -(-len(windows) // _MOST_TICKS))
    long_ms = windows[0]["end_ms"] - windows[0]["start_ms"]
    if long_ms < 60_000:
        form = "%H:%M:%S"
    else:
        form = "%m-%d" if long_ms >= 86_400_000 else "%d. %H:%M"
    return [
        (place, utc(windows[place]["start_ms"]).strftime(form))
        for place in range(0, len(windows), step)
    ]
