"use strict";
// Over time: the data that each run read, the model it made and how that was judged, what was
// pushed; a column per run, as many as there is room for, and a slider through all of them.

Explorer.views.timeline = (() => {
  const { el, svg, name, cut } = Explorer.dom;
  const { icon } = Explorer.icons;
  const words = Explorer.words;
  const NARROW = 58; // a column, with many runs
  const WIDE = 150; // and with few
  const MOST_SPANS = 50; // in the table below
  const LABELS = 92; // the names of the lanes, at the left

  let root;
  let metric;
  let from;
  let size;
  let column; // width of one, in pixels
  let place = "model:0"; // where the keyboard is

  const key = (address) =>
    `timeline ${address.metric ?? ""} ${address.from ?? ""} ${window.innerWidth}`;

  function enter(main, address) {
    const { data } = Explorer;
    if (!data.runs.length) {
      main.append(
        el("p", { class: "empty", id: "graph-area", tabindex: "-1" }, "This store has no runs."),
      );
      root = undefined;
      return;
    }
    metric = data.metricNames.includes(address.metric) ? address.metric : data.mainMetric;
    const room = main.clientWidth - LABELS - 40;
    size = Math.max(3, Math.floor(room / NARROW));
    column = Math.min(WIDE, Math.max(NARROW, Math.floor(room / Math.min(size, data.runs.length))));
    const wanted = address.from === undefined ? data.runs.length - size : Number(address.from);
    from = Math.max(0, Math.min(data.runs.length - size, Number.isFinite(wanted) ? wanted : 0));
    root = el("section", {
      class: "timeline",
      id: "graph-area",
      tabindex: "-1",
      "aria-label": "Timeline",
      onkeydown: onKey,
    });
    main.append(toolbar(), root, signs());
    draw();
    select(address);
  }

  function toolbar() {
    const { data } = Explorer;
    const chosen = el(
      "select",
      {
        class: "field",
        "aria-label": "Metric",
        onchange: () => Explorer.app.go({ ...Explorer.app.state, metric: chosen.value }),
      },
      data.metricNames.map((known) =>
        el("option", { value: known, selected: known === metric }, cut(known, 60)),
      ),
    );
    return el(
      "div",
      { class: "toolbar" },
      el("b", {}, words.count(data.runs.length, "run")),
      el(
        "span",
        { class: "soft number" },
        `${words.shortTime(data.runs[0].started)} to ${words.shortTime(data.lastRun.started)} UTC`,
      ),
      data.metricNames.length
        ? el("label", { class: "push-end row" }, "Metric", chosen)
        : el("span", { class: "soft push-end" }, "No metrics are recorded in this store."),
    );
  }

  function draw() {
    const runs = Explorer.data.runs.slice(from, from + size);
    const width = runs.length * column;
    const track = Explorer.lanes.draw({ runs, from, column, metric });
    const lanes = el(
      "div",
      { class: "lanes" },
      Object.entries({ run: "Run", data: "Data", model: "Model", push: "Pushed" }).map(
        ([lane, title]) => {
          const label = el("span", { class: "lane-label" }, title);
          label.style.top = `${Explorer.lanes.LANES[lane] + 7}px`;
          return label;
        },
      ),
    );
    const chart = metric
      ? [
          el("div", { class: "lane-label chart-title" }, name(cut(metric, 30))),
          Explorer.chart.line(pointsOf(runs), { width, height: 150, dots: true }),
        ]
      : [];
    root.replaceChildren(
      el("div", { class: "timeline-grid" }, lanes, track, chart),
      ...(Explorer.data.runs.length > size ? [slider()] : []),
      ...sealedSpans(),
    );
    rove();
  }

  /** The sealed spans of feedback, also those that no run has read yet; the newest first. */
  function sealedSpans() {
    const spans = Explorer.data.artifacts.filter(({ type }) => type === "FeedbackSpan").reverse();
    if (!spans.length) return [];
    const { titleOfSpan, outcomesOf } = Explorer.lanes;
    const rows = spans.slice(0, MOST_SPANS).map((span) => {
      const runs = [...new Set(span.users.map((link) => link.execution.run))];
      return el(
        "tr",
        {},
        el(
          "td",
          {},
          el(
            "button",
            { type: "button", class: "link", onclick: () => Explorer.app.select(span) },
            name(titleOfSpan(span)),
          ),
        ),
        el("td", {}, outcomesOf([span]) || "no outcome"),
        el("td", {}, name(cut(runs.join(", ") || "no run yet", 200))),
      );
    });
    const titles = ["Sealed span", "Predictions", "Read by"];
    const more = spans.length - rows.length;
    return [
      el(
        "section",
        { class: "steps", "aria-label": "Sealed spans of feedback" },
        el(
          "table",
          {},
          el("thead", {}, el("tr", {}, titles.map((title) => el("th", { scope: "col" }, title)))),
          el("tbody", {}, rows),
        ),
        more > 0 ? el("p", { class: "soft" }, `${words.count(more, "earlier span")} not shown`) : null,
      ),
    ];
  }

  const center = (i) => i * column + column / 2;

  function pointsOf(runs) {
    return runs.map((run, i) => ({ x: center(i), value: run.metrics[metric], label: run.id }));
  }

  /** The whole time in small, with the part that is shown. */
  function slider() {
    const { runs } = Explorer.data;
    const width = size * column;
    const scaled = (index) => (index / Math.max(1, runs.length - 1)) * width;
    const picture = Explorer.chart.line(
      runs.map((run, i) => ({ x: scaled(i), value: run.metrics[metric], label: run.id })),
      { width, height: 46, dots: false },
    );
    for (const run of runs) {
      const bad = run.status === "failed" || run.blessed === false;
      if (bad)
        picture.append(
          svg("path", { class: "overview-bad", d: `M${scaled(run.index) - 3} 46h6l-3-6z` }),
        );
    }
    picture.append(
      svg("rect", {
        class: "overview-window",
        x: scaled(from),
        y: 0.5,
        width: Math.max(6, scaled(from + size - 1) - scaled(from)),
        height: 45,
        rx: 4,
      }),
    );
    const input = el("input", {
      type: "range",
      min: 0,
      max: runs.length - size,
      value: from,
      "aria-label": "First run shown",
      oninput: () => {
        from = Number(input.value);
        redraw(input);
      },
    });
    input.style.width = `${width}px`;
    return el(
      "div",
      { class: "overview" },
      el(
        "div",
        { class: "soft" },
        `Runs ${(from + 1).toLocaleString("en")} to ${(from + size).toLocaleString("en")} of ${runs.length.toLocaleString("en")}`,
      ),
      picture,
      input,
    );
  }

  function redraw(input) {
    const hadFocus = document.activeElement === input;
    draw();
    select(Explorer.app.state, false);
    if (hadFocus) root.querySelector("input[type=range]").focus();
    Explorer.app.remember({ from: String(from) });
  }

  function signs() {
    const sign = (shape, kind, text) =>
      el("span", {}, el("span", { class: `sign-small is-${kind}` }, icon(shape)), text);
    return el(
      "div",
      { class: "legend" },
      sign("yes", "good", "blessed"),
      sign("no", "bad", "refused"),
      sign("model", "unknown", "not evaluated"),
      sign("cached", "cached", "same as before"),
      sign("pushed", "good", "pushed"),
      sign("live", "good", "live now"),
    );
  }

  function onKey(event) {
    const at = event.target.dataset?.spot;
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[
      event.key
    ];
    if (!at || !step) return;
    event.preventDefault();
    const lanes = Object.keys(Explorer.lanes.LANES);
    let [lane, run] = [lanes.indexOf(at.split(":")[0]), Number(at.split(":")[1])];
    if (step[1] > 0) run = Number(event.target.dataset.end ?? run);
    for (;;) {
      lane += step[0];
      run += step[1];
      if (!lanes[lane] || run < 0 || run >= size) break;
      const found = spotAt(lanes[lane], run);
      if (found) {
        place = found.dataset.spot;
        rove();
        found.focus();
        return;
      }
    }
    if (run < 0 && from > 0) turn(-1, lanes[lane]);
    else if (run >= size && from + size < Explorer.data.runs.length) turn(1, lanes[lane]);
  }

  function spotAt(lane, run) {
    return (
      root.querySelector(`[data-spot="${lane}:${run}"]`) ??
      [...root.querySelectorAll("[data-end]")].find(
        (bar) =>
          bar.dataset.spot.startsWith(`${lane}:`) &&
          Number(bar.dataset.spot.split(":")[1]) <= run &&
          run <= Number(bar.dataset.end),
      )
    );
  }

  /** Moves the part that is shown by one run, with the keyboard still at its edge. */
  function turn(by, lane) {
    from += by;
    draw();
    Explorer.app.remember({ from: String(from) });
    const found = spotAt(lane, by > 0 ? size - 1 : 0) ?? root.querySelector(".spot");
    place = found.dataset.spot;
    rove();
    found.focus();
  }

  function rove() {
    const spots = [...root.querySelectorAll(".spot")];
    const here =
      spots.find((spot) => spot.dataset.spot === place) ??
      spots.find((spot) => spot.dataset.spot.startsWith("model")) ??
      spots[0];
    for (const spot of spots) spot.tabIndex = spot === here ? 0 : -1;
  }

  function select(address, withDetails = true) {
    if (!root) return;
    for (const spot of root.querySelectorAll("[data-ref]"))
      spot.setAttribute("aria-current", String(spot.dataset.ref === address.sel));
    if (withDetails) Explorer.details.show(Explorer.data.get(address.sel) ?? Explorer.data.lastRun);
  }

  return {
    key,
    enter,
    select,
    has: () => true,
    focus: () => root?.querySelector(".spot[tabindex='0']")?.focus(),
  };
})();
