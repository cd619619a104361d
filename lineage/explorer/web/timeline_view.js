"use strict";
// Over time: the data that each run read, the model it made and how that was judged, what was
// pushed; a column per run, as many as there is room for, and a slider through all of them.

Explorer.views.timeline = (() => {
  const { el, svg, name, cut, button } = Explorer.dom;
  const { icon } = Explorer.icons;
  const words = Explorer.words;
  const NARROW = 58; // a column, with many runs
  const WIDE = 150; // and with few
  const LABELS = 92; // the names of the lanes, at the left
  const LANES = { run: 6, data: 50, model: 106, push: 164 };
  const HEIGHT = 216;

  let root;
  let metric;
  let from;
  let size;
  let column; // width of one, in pixels
  let place = "model:0"; // where the keyboard is

  const key = (address) => `timeline ${address.metric ?? ""} ${address.from ?? ""} ${window.innerWidth}`;

  function enter(main, address) {
    const { data } = Explorer;
    if (!data.runs.length) {
      main.append(el("p", { class: "empty", id: "graph-area", tabindex: "-1" }, "This store says of no run."));
      root = undefined;
      return;
    }
    metric = data.metricNames.includes(address.metric) ? address.metric : data.mainMetric;
    const room = main.clientWidth - LABELS - 40;
    size = Math.max(3, Math.floor(room / NARROW));
    column = Math.min(WIDE, Math.max(NARROW, Math.floor(room / Math.min(size, data.runs.length))));
    const wanted = address.from === undefined ? data.runs.length - size : Number(address.from);
    from = Math.max(0, Math.min(data.runs.length - size, Number.isFinite(wanted) ? wanted : 0));
    root = el("section", { class: "timeline", id: "graph-area", tabindex: "-1", "aria-label": "Timeline", onkeydown: onKey });
    main.append(toolbar(), root, signs());
    draw();
    select(address);
  }

  function toolbar() {
    const { data } = Explorer;
    const chosen = el("select", { class: "field", "aria-label": "Metric", onchange: () => Explorer.app.go({ ...Explorer.app.state, metric: chosen.value }) },
      data.metricNames.map((known) => el("option", { value: known, selected: known === metric }, cut(known, 60))));
    return el("div", { class: "toolbar" },
      el("b", {}, words.count(data.runs.length, "run")),
      el("span", { class: "soft number" }, `${words.shortTime(data.runs[0].started)} to ${words.shortTime(data.lastRun.started)} UTC`),
      data.metricNames.length ? el("label", { class: "push-end row" }, "Metric", chosen) : el("span", { class: "soft push-end" }, "No metrics are recorded in this store."));
  }

  function draw() {
    const runs = Explorer.data.runs.slice(from, from + size);
    const width = runs.length * column;
    const track = el("div", { class: "track" });
    track.style.width = `${width}px`;
    track.style.height = `${HEIGHT}px`;
    track.append(connectors(runs, width), ...headings(runs), ...dataBars(runs), ...models(runs), ...pushes(runs));
    const lanes = el("div", { class: "lanes" },
      Object.entries({ run: "Run", data: "Data", model: "Model", push: "Pushed" }).map(([lane, title]) => {
        const label = el("span", { class: "lane-label" }, title);
        label.style.top = `${LANES[lane] + 7}px`;
        return label;
      }));
    const chart = metric ? [el("div", { class: "lane-label chart-title" }, name(cut(metric, 30))), Explorer.chart.line(pointsOf(runs), { width, height: 150, dots: true })] : [];
    root.replaceChildren(el("div", { class: "timeline-grid" }, lanes, track, chart), ...(Explorer.data.runs.length > size ? [slider()] : []));
    rove();
  }

  const left = (i) => i * column;
  const center = (i) => i * column + column / 2;

  function pointsOf(runs) {
    return runs.map((run, i) => ({ x: center(i), value: run.metrics[metric], label: run.id }));
  }

  /** A line down a column for whatever led to what: data to model to push. */
  function connectors(runs, width) {
    const layer = svg("svg", { class: "connectors", width, height: HEIGHT, "aria-hidden": "true" });
    runs.forEach((run, i) => {
      const down = (y1, y2) => layer.append(svg("line", { x1: center(i), x2: center(i), y1, y2 }));
      if (run.data.length && run.models.length) down(LANES.data + 30, LANES.model);
      if (run.models.length && run.pushed.length) down(LANES.model + 34, LANES.push);
    });
    return layer;
  }

  function headings(runs) {
    return runs.map((run, i) => {
      const [day, hour] = words.shortTime(run.started).split(" ");
      const sameDay = i > 0 && words.shortTime(runs[i - 1].started).startsWith(day);
      return spot("run", i, column, `Run ${cut(run.id, 80)}, ${words.time(run.started)}, ${run.status}`, () => Explorer.app.go({ view: "run", run: run.id }), "heading",
        el("span", {}, sameDay ? "" : day.slice(5)), el("span", {}, hour));
    });
  }

  /** One bar over neighbouring runs that read the same data. */
  function dataBars(runs) {
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
        const label = (end - i) * column < 110 ? (span ?? examples.id) : span === undefined ? place : `${place}, span ${span}`;
        const bar = spot("data", i, (end - i) * column - 6, `${examples.key}${span === undefined ? "" : `, span ${span}`}, read by ${words.count(end - i, "run")}`, () => Explorer.app.select(examples), "data-bar", icon("data"), name(String(label)));
        bar.dataset.end = String(end - 1);
        bars.push(bar);
      }
      i = end;
    }
    return bars;
  }

  function models(runs) {
    return runs.flatMap((run, i) => {
      const before = Explorer.data.runs[from + i - 1];
      const model = Explorer.data.get(`a${run.models.at(-1)}`);
      const value = run.metrics[metric];
      if (!model) {
        if (run.status === "complete") return [];
        return [spot("model", i, 34, `Run ${run.status} without a model`, () => Explorer.app.go({ view: "run", run: run.id }), `mark is-${run.status}`, icon(run.status))];
      }
      const reused = before?.models.at(-1) === model.id;
      const said = run.blessed === null ? "not judged" : run.blessed ? "blessed" : "refused";
      const kind = reused ? "cached" : run.blessed === null ? "unknown" : run.blessed ? "good" : "bad";
      const sign = reused ? "cached" : run.blessed === null ? "model" : run.blessed ? "yes" : "no";
      return [spot("model", i, 34, `${model.key}, ${reused ? "the same as before" : said}${value === undefined ? "" : `, ${metric} ${words.number(value)}`}`, () => Explorer.app.select(model), `mark is-${kind}`, icon(sign))];
    });
  }

  function pushes(runs) {
    return runs.flatMap((run, i) => run.pushed.slice(-1).map((id) => {
      const pushed = Explorer.data.get(`a${id}`);
      const live = Explorer.data.live.has(pushed.ref);
      const again = Explorer.data.property(pushed, "version_created") === 0;
      const version = Explorer.data.property(pushed, "pushed_version");
      return spot("push", i, 34, `${pushed.key}${version ? `, version ${version}` : ""}${live ? ", live now" : again ? ", already there" : ", pushed"}`, () => Explorer.app.select(pushed), `mark ${live ? "is-live" : again ? "is-cached" : "is-good"}`, icon(live ? "live" : again ? "cached" : "pushed"));
    }));
  }

  function spot(lane, i, width, label, onclick, kind, ...content) {
    const made = el("button", { type: "button", class: `spot ${kind}`, "aria-label": label, title: label, "data-spot": `${lane}:${i}`, tabindex: "-1", onclick }, content);
    const inset = kind.startsWith("mark") ? (column - width) / 2 : lane === "data" ? 3 : 0;
    Object.assign(made.style, { left: `${left(i) + inset}px`, top: `${LANES[lane]}px`, width: `${width}px` });
    const element = lane === "data" ? Explorer.data.runs[from + i].data[0] : lane === "model" ? Explorer.data.runs[from + i].models.at(-1) : lane === "push" ? Explorer.data.runs[from + i].pushed.at(-1) : undefined;
    if (element !== undefined) made.dataset.ref = `a${element}`;
    return made;
  }

  /** The whole time in small, with the part that is shown. */
  function slider() {
    const { runs } = Explorer.data;
    const width = size * column;
    const scaled = (index) => (index / Math.max(1, runs.length - 1)) * width;
    const picture = Explorer.chart.line(runs.map((run, i) => ({ x: scaled(i), value: run.metrics[metric], label: run.id })), { width, height: 46, dots: false });
    for (const run of runs) {
      const bad = run.status === "failed" || run.blessed === false;
      if (bad) picture.append(svg("path", { class: "overview-bad", d: `M${scaled(run.index) - 3} 46h6l-3-6z` }));
    }
    picture.append(svg("rect", { class: "overview-window", x: scaled(from), y: 0.5, width: Math.max(6, scaled(from + size - 1) - scaled(from)), height: 45, rx: 4 }));
    const input = el("input", { type: "range", min: 0, max: runs.length - size, value: from, "aria-label": "First run shown", oninput: () => { from = Number(input.value); redraw(input); } });
    input.style.width = `${width}px`;
    return el("div", { class: "overview" }, el("div", { class: "soft" }, `Runs ${(from + 1).toLocaleString("en")} to ${(from + size).toLocaleString("en")} of ${runs.length.toLocaleString("en")}`), picture, input);
  }

  function redraw(input) {
    const hadFocus = document.activeElement === input;
    draw();
    select(Explorer.app.state, false);
    if (hadFocus) root.querySelector("input[type=range]").focus();
    Explorer.app.remember({ from: String(from) });
  }

  function signs() {
    const sign = (shape, kind, text) => el("span", {}, el("span", { class: `sign-small is-${kind}` }, icon(shape)), text);
    return el("div", { class: "legend" }, sign("yes", "good", "blessed"), sign("no", "bad", "refused"), sign("model", "unknown", "not judged"), sign("cached", "cached", "the same as before"), sign("pushed", "good", "pushed"), sign("live", "good", "live now"));
  }

  function onKey(event) {
    const at = event.target.dataset?.spot;
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!at || !step) return;
    event.preventDefault();
    const lanes = Object.keys(LANES);
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
    return root.querySelector(`[data-spot="${lane}:${run}"]`) ?? [...root.querySelectorAll("[data-end]")].find((bar) => bar.dataset.spot.startsWith(`${lane}:`) && Number(bar.dataset.spot.split(":")[1]) <= run && run <= Number(bar.dataset.end));
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
    const here = spots.find((spot) => spot.dataset.spot === place) ?? spots.find((spot) => spot.dataset.spot.startsWith("model")) ?? spots[0];
    for (const spot of spots) spot.tabIndex = spot === here ? 0 : -1;
  }

  function select(address, withDetails = true) {
    if (!root) return;
    for (const spot of root.querySelectorAll("[data-ref]")) spot.setAttribute("aria-current", String(spot.dataset.ref === address.sel));
    if (withDetails) Explorer.details.show(Explorer.data.get(address.sel) ?? Explorer.data.lastRun);
  }

  return { key, enter, select, has: () => true, focus: () => root?.querySelector(".spot[tabindex='0']")?.focus() };
})();
