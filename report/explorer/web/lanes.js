"use strict";
// The lanes of the timeline: for each run its data, its model and how that was judged, its push.
// `part` is what is shown: {runs, from: index of the first, column: pixels, metric}.

Explorer.lanes = (() => {
  const { el, svg, name, cut } = Explorer.dom;
  const { icon } = Explorer.icons;
  const words = Explorer.words;
  const LANES = { run: 6, data: 50, model: 106, push: 164 }; // from the top, in pixels
  const HEIGHT = 216;

  const center = (part, i) => (i + 0.5) * part.column;

  function draw(part) {
    const track = el("div", { class: "track" });
    track.style.width = `${part.runs.length * part.column}px`;
    track.style.height = `${HEIGHT}px`;
    track.append(
      connectors(part),
      ...headings(part),
      ...dataBars(part),
      ...models(part),
      ...pushes(part),
    );
    return track;
  }

  /** A line down a part.column for whatever led to what: data to model to push. */
  function connectors(part) {
    const { runs } = part;
    const layer = svg("svg", {
      class: "connectors",
      width: runs.length * part.column,
      height: HEIGHT,
      "aria-hidden": "true",
    });
    runs.forEach((run, i) => {
      const down = (y1, y2) =>
        layer.append(svg("line", { x1: center(part, i), x2: center(part, i), y1, y2 }));
      if (run.data.length && run.models.length) down(LANES.data + 30, LANES.model);
      if (run.models.length && run.pushed.length) down(LANES.model + 34, LANES.push);
    });
    return layer;
  }

  function headings(part) {
    const { runs } = part;
    return runs.map((run, i) => {
      const [day, hour] = words.shortTime(run.started).split(" ");
      const sameDay = i > 0 && words.shortTime(runs[i - 1].started).startsWith(day);
      return spot(
        part,
        {
          lane: "run",
          at: i,
          width: part.column,
          label: `Run ${cut(run.id, 80)}, ${words.time(run.started)}, ${run.status}`,
          kind: "heading",
          onclick: () => Explorer.app.go({ view: "run", run: run.id }),
        },
        el("span", {}, sameDay ? "" : day.slice(5)),
        el("span", {}, hour),
      );
    });
  }

  /** The sealed spans of feedback that rows are from, and how many have which outcome. */
  function sealedSpans(examples) {
    const inputs = examples.makers[0]?.execution.inputs ?? [];
    const spans = inputs.map((link) => link.artifact).filter(({ type }) => type === "FeedbackSpan");
    return [spans.map(titleOfSpan).join(", "), outcomesOf(spans)].filter(Boolean).join(": ");
  }

  function titleOfSpan(span) {
    const property = (key) => Explorer.data.property(span, key);
    return `span ${property("span")} v${property("version")}`;
  }

  /** How many predictions of sealed spans have which outcome. */
  function outcomesOf(spans) {
    const sum = (state) => spans.reduce((all, span) => all + (statesOf(span)[state] || 0), 0);
    return ["labelled", "late", "expired", "conflicting"]
      .map((state) => [state, sum(state)])
      .filter(([, count]) => count > 0)
      .map(([state, count]) => `${count.toLocaleString("en")} ${state}`)
      .join(", ");
  }

  function statesOf(span) {
    try {
      return JSON.parse(Explorer.data.property(span, "states")) || {};
    } catch {
      return {}; // not recorded, or not as Fareline does
    }
  }

  /** One bar over neighbouring runs that read the same data. */
  function dataBars(part) {
    const { runs } = part;
    const bars = [];
    let i = 0;
    while (i < runs.length) {
      const ids = runs[i].data.join();
      let end = i + 1;
      while (end < runs.length && runs[end].data.join() === ids) end += 1;
      if (ids) {
        const examples = Explorer.data.get(`a${runs[i].data[0]}`);
        const span = Explorer.data.property(examples, "span");
        const file = examples.makers[0]?.execution.sources[0];
        const place = file ? words.base(file.name) : examples.key;
        const sealed = sealedSpans(examples);
        const label =
          (end - i) * part.column < 110
            ? (span ?? examples.id)
            : sealed || (span === undefined ? place : `${place}, span ${span}`);
        const bar = spot(
          part,
          {
            lane: "data",
            at: i,
            width: (end - i) * part.column - 6,
            label: `${examples.key}${sealed ? `, ${sealed}` : span === undefined ? "" : `, span ${span}`}, read by ${words.count(end - i, "run")}`,
            kind: "data-bar",
            onclick: () => Explorer.app.select(examples),
          },
          icon("data"),
          name(String(label)),
        );
        bar.dataset.end = String(end - 1);
        bars.push(bar);
      }
      i = end;
    }
    return bars;
  }

  function models(part) {
    const { runs } = part;
    return runs.flatMap((run, i) => {
      const before = Explorer.data.runs[part.from + i - 1];
      const model = Explorer.data.get(`a${run.models.at(-1)}`);
      const value = run.metrics[part.metric];
      if (!model) {
        if (run.status === "complete") return [];
        return [
          spot(
            part,
            {
              lane: "model",
              at: i,
              width: 34,
              label: `Run ${run.status} without a model`,
              kind: `mark is-${run.status}`,
              onclick: () => Explorer.app.go({ view: "run", run: run.id }),
            },
            icon(run.status),
          ),
        ];
      }
      const same = before?.models.at(-1) === model.id;
      // A refusal is shown, also of a model that was blessed before.
      const reused = same && run.blessed !== false;
      const verdict = run.blessed === null ? "not evaluated" : run.blessed ? "blessed" : "refused";
      const said = reused ? "same as before" : same ? `same as before, ${verdict}` : verdict;
      const kind = reused
        ? "cached"
        : run.blessed === null
          ? "unknown"
          : run.blessed
            ? "good"
            : "bad";
      const sign = reused ? "cached" : run.blessed === null ? "model" : run.blessed ? "yes" : "no";
      return [
        spot(
          part,
          {
            lane: "model",
            at: i,
            width: 34,
            label: `${model.key}, ${said}${value === undefined ? "" : `, ${part.metric} ${words.number(value)}`}`,
            kind: `mark is-${kind}`,
            onclick: () => Explorer.app.select(model),
          },
          icon(sign),
        ),
      ];
    });
  }

  function pushes(part) {
    const { runs } = part;
    const copies = liveCopies();
    return runs.flatMap((run, i) =>
      run.pushed.slice(-1).map((id) => {
        const pushed = Explorer.data.get(`a${id}`);
        const copy = copies.get(Explorer.data.property(pushed, "pushed_destination"));
        const live = copy || Explorer.data.live.has(pushed.ref);
        const again = Explorer.data.property(pushed, "version_created") === 0;
        const version = Explorer.data.property(pushed, "pushed_version");
        return spot(
          part,
          {
            lane: "push",
            at: i,
            width: 34,
            label: `${pushed.key}${version ? `, version ${version}` : ""}${copy ? `, live now as ${copy}` : live ? ", live now" : again ? ", already there" : ", pushed"}`,
            kind: `mark ${live ? "is-live" : again ? "is-cached" : "is-good"}`,
            onclick: () => Explorer.app.select(pushed),
          },
          icon(live ? "live" : again ? "cached" : "pushed"),
        );
      }),
    );
  }

  /** What rollback and promote made live again: place of the version copied to the copy's version. */
  function liveCopies() {
    const found = new Map();
    for (const ref of Explorer.data.live) {
      const copy = Explorer.data.get(ref);
      const origin = Explorer.data.property(copy, "copy_of_version");
      const place = Explorer.data.property(copy, "pushed_destination");
      if (origin && place)
        found.set(
          String(place).replace(/[^/]+$/, origin),
          Explorer.data.property(copy, "pushed_version"),
        );
    }
    return found;
  }

  /** A button in a lane: `at` is its column; what it shows is named for the selection. */
  function spot(part, { lane, at, width, label, kind, onclick }, ...content) {
    const made = el(
      "button",
      {
        type: "button",
        class: `spot ${kind}`,
        "aria-label": label,
        title: label,
        "data-spot": `${lane}:${at}`,
        tabindex: "-1",
        onclick,
      },
      content,
    );
    const inset = kind.startsWith("mark") ? (part.column - width) / 2 : lane === "data" ? 3 : 0;
    Object.assign(made.style, {
      left: `${part.column * at + inset}px`,
      top: `${LANES[lane]}px`,
      width: `${width}px`,
    });
    const run = part.runs[at];
    const element = { data: run.data[0], model: run.models.at(-1), push: run.pushed.at(-1) }[lane];
    if (element !== undefined) made.dataset.ref = `a${element}`;
    return made;
  }

  return { draw, titleOfSpan, outcomesOf, LANES };
})();
