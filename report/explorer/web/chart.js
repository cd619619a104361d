"use strict";
// A line of one metric over runs, drawn by hand: a few dozen points, or a thousand without signs.

Explorer.chart = (() => {
  const { svg } = Explorer.dom;
  const words = Explorer.words;

  /**
   * Draws values at places.
   *
   * @param points [{x, value, label}], value undefined where a run has none.
   * @param size {width, height, dots}: whether every point has its dot.
   */
  function line(points, { width, height, dots }) {
    const there = points.filter((point) => typeof point.value === "number");
    const picture = svg("svg", {
      class: "chart",
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": summary(there),
    });
    if (!there.length) return picture;
    const [low, high] = range(there.map((point) => point.value));
    const y = (value) => height - 10 - ((value - low) / (high - low)) * (height - 24);
    if (dots) {
      for (const value of [low, (low + high) / 2, high]) {
        picture.append(
          svg("line", { class: "chart-grid", x1: 0, x2: width, y1: y(value), y2: y(value) }),
        );
        picture.append(
          svg(
            "text",
            { class: "chart-label", x: 2, y: y(value) - 3 },
            words.number(Number(value.toPrecision(4))),
          ),
        );
      }
    }
    picture.append(
      svg("polyline", {
        class: "chart-line",
        points: there.map((point) => `${point.x},${y(point.value).toFixed(1)}`).join(" "),
      }),
    );
    for (const point of dots ? there : []) {
      picture.append(
        svg(
          "circle",
          { class: "chart-dot", cx: point.x, cy: y(point.value), r: 4 },
          svg("title", {}, `${point.label}: ${words.number(point.value)}`),
        ),
      );
    }
    return picture;
  }

  function range(values) {
    const [low, high] = [
      values.reduce((a, b) => Math.min(a, b)),
      values.reduce((a, b) => Math.max(a, b)),
    ];
    const room = (high - low) * 0.08 || Math.abs(high) * 0.02 || 1;
    return [low - room, high + room];
  }

  function summary(points) {
    if (!points.length) return "No values";
    const values = points.map((point) => point.value);
    return `${words.count(points.length, "value")}, from ${words.number(Math.min(...values))} to ${words.number(Math.max(...values))}, last ${words.number(values.at(-1))}`;
  }

  return { line };
})();
