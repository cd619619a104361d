"""Charts as SVG: axes, steps, lines, bars, dots. Nothing moves; colours come from the page's theme.

Why no chart library: of those that draw on the server, vl-convert writes colours into the picture,
so that a dark page needs each chart twice, and is a wheel of 30 MB; what runs in the browser is
megabytes of script for some forty small pictures. Here a chart is a few kilobytes, the same bytes
twice, and its colours are classes of the page's style. Text of the data is always escaped.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from markupsafe import Markup, escape

_WIDE = 400  # a wider one is moved sideways on a phone, and not made smaller
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 20, 34
_LETTER = 6.5  # pixels, about, of the words of a tick
Points = Sequence[tuple[float, float]]


def tag(name: str, *children: Any, **attributes: Any) -> Markup:
    """An element; names of attributes have `_` for `-`, and what is None is left out."""
    written = "".join(
        f' {key.strip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = Markup("").join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inner}</{name}>")


def _text(value: Any) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def said(value: float, digits: int = 4) -> str:
    """A number on an axis."""
    if value and abs(value) < 1e-3:
        return f"{value:.0e}".replace("e-0", "e-")
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 10 * size or (unit != "k" and abs(value) >= size):
            return f"{value / size:.{digits}g}{unit}"
    return f"{value:.{digits}g}"


def say_all(values: Sequence[float]) -> list[tuple[float, str]]:
    """Formats several values, with enough digits to distinguish them."""
    for digits in range(4, 12):
        words = [said(value, digits) for value in values]
        if len(set(words)) == len(words):
            break
    return list(zip(values, words, strict=True)) if values else []


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers within a range."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [place * step for place in range(first, math.floor(high / step + 1e-9) + 1)]


class Plot:
    """A picture with two axes.

    Args:
        label: Description for screen readers.
        x: Lowest and highest value of the horizontal axis.
        y: Lowest and highest value of the vertical axis.
        size: Width and height, pixels.
        names: Names of the axes.
        scale: Scale of x, where it is not linear.
    """

    def __init__(
        self,
        label: str,
        x: tuple[float, float],
        y: tuple[float, float],
        size: tuple[int, int] = (360, 220),
        names: tuple[str, str] = ("", ""),
        scale: Callable[[float], float] = float,
    ):
        self._label, self._names, self._scale = label, names, scale
        self._width, self._height = size
        self._x, self._y = _widened(x), _widened(y)
        self._parts: list[Markup] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is, in pixels."""
        low, high = map(self._scale, self._x)
        share = (self._scale(x) - low) / (high - low)
        up = (y - self._y[0]) / (self._y[1] - self._y[0])
        wide, tall = self._width - _LEFT - _RIGHT, self._height - _TOP - _BOTTOM
        inside = min(max(share, 0.0), 1.0), min(max(up, 0.0), 1.0)
        return _LEFT + inside[0] * wide, _TOP + (1 - inside[1]) * tall

    def line(self, points: Points, series: int, **attributes: Any) -> None:
        """Joins points."""
        if points:
            self._parts.append(
                tag(
                    "path",
                    d=_path([self.at(*p) for p in points]),
                    class_=f"line s{series}",
                    **attributes,
                )
            )

    def steps(self, bins: Sequence[tuple[float, float, float]], series: int) -> None:
        """A histogram as an area: low, high and height of each bin."""
        if not bins:
            return
        base = self._y[0]
        points = [self.at(bins[0][0], base)]
        for low, high, height in bins:
            points += [self.at(low, height), self.at(high, height)]
        points.append(self.at(bins[-1][1], base))
        self._parts.append(tag("path", d=_path(points), class_=f"area s{series}"))

    def dots(self, points: Points, series: int, radius: float = 2.0) -> None:
        """Points alone."""
        for x, y in points:
            across, down = self.at(x, y)
            self._parts.append(tag("circle", cx=across, cy=down, r=radius, class_=f"dot s{series}"))

    def upright(self, x: float, name: str = "mark", **attributes: Any) -> None:
        """A line from top to bottom."""
        across, top = self.at(x, self._y[1])
        _, bottom = self.at(x, self._y[0])
        self._parts.append(
            tag("line", x1=across, x2=across, y1=top, y2=bottom, class_=name, **attributes)
        )

    def add(self, part: Markup) -> None:
        """Anything else."""
        self._parts.append(part)

    def svg(self, x_ticks: Sequence[tuple[float, str]] | None = None) -> Markup:
        """The whole picture."""
        # Where the values lie in the picture, for the mark that the page's script moves.
        (left, top), (right, bottom) = (
            self.at(self._x[0], self._y[1]),
            self.at(self._x[1], self._y[0]),
        )
        area = {"data_left": left, "data_right": right, "data_top": top, "data_bottom": bottom}
        parts = [*self._axes(x_ticks), *self._parts]
        return frame(self._label, (self._width, self._height), parts, **area)

    def _axes(self, x_ticks: Sequence[tuple[float, str]] | None) -> Iterable[Markup]:
        bottom, right = self._height - _BOTTOM, self._width - _RIGHT
        for value, words in say_all(ticks(*self._y, 4)):
            _, down = self.at(self._x[0], value)
            yield tag("line", x1=_LEFT, x2=right, y1=down, y2=down, class_="grid")
            yield tag("text", words, x=_LEFT - 6, y=down + 4, class_="tick end")
        if x_ticks is None:
            x_ticks = say_all(ticks(*self._x))
        for value, words in x_ticks:
            across, _ = self.at(value, self._y[0])
            inside = self._width - len(words) * _LETTER / 2
            yield tag("text", words, x=min(across, inside), y=bottom + 14, class_="tick middle")
        middle = (_LEFT + right) / 2
        yield tag("text", self._names[0], x=middle, y=self._height - 4, class_="axis middle")
        if self._names[1]:
            yield tag("text", self._names[1], x=4, y=10, class_="axis")


def frame(label: str, size: tuple[int, int], parts: Iterable[Markup], **attributes: Any) -> Markup:
    """An SVG with what it shows in words."""
    return tag(
        "svg",
        tag("title", label),
        *parts,
        viewBox=f"0 0 {size[0]} {size[1]}",
        role="img",
        class_="chart wide" if size[0] > _WIDE else "chart",
        **attributes,
    )


def bars(
    label: str,
    rows: Sequence[tuple[str, Sequence[float | None]]],
    highest: float,
    words: Callable[[float], str],
) -> Markup:
    """Horizontal bars, a group for each row.

    Args:
        label: Description for screen readers.
        rows: Name, and a value for each series.
        highest: Value of the longest possible bar.
        words: A value in words.
    """
    width, name_width, thick = 360, 136, 8
    room = width - name_width - 52
    parts: list[Markup] = []
    down = 4.0
    for name, values in rows:
        tall = thick * len(values)
        shown = name if len(name) <= 20 else f"{name[:19]}…"
        text = tag(
            "text",
            shown,
            tag("title", name),
            x=name_width - 6,
            y=down + tall / 2 + 4,
            class_="tick end ink",
        )
        parts.append(text)
        for series, value in enumerate(values):
            if value is not None:
                long = max(room * value / highest, 0.5) if highest else 0.5
                parts.append(
                    tag(
                        "rect",
                        x=name_width,
                        y=down + series * thick,
                        width=long,
                        height=thick - 1,
                        class_=f"bar s{series}",
                    )
                )
        first = next((value for value in values if value is not None), None)
        if first is not None:
            longest = (
                max((room * v / highest for v in values if v is not None), default=0.0)
                if highest
                else 0
            )
            parts.append(
                tag(
                    "text",
                    words(first),
                    x=name_width + longest + 5,
                    y=down + tall / 2 + 4,
                    class_="tick",
                )
            )
        down += tall + 7
    return frame(label, (width, int(down) + 2), parts)


def legend(names: Sequence[str]) -> Markup:
    """Names and colours of the series."""
    items = [tag("li", tag("i", class_=f"key s{n}"), name) for n, name in enumerate(names)]
    return tag("ul", *items, class_="legend")


def _path(points: Points) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _widened(ends: tuple[float, float]) -> tuple[float, float]:
    low, high = ends
    return (low, high) if high > low else (low - 0.5, low + 0.5)
