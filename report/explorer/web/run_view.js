"use strict";
// One run: its graph, and its steps as a table with how long each took.

Explorer.views = {};

Explorer.views.run = (() => {
  const { el, name, cut, button } = Explorer.dom;
  const { icon, state } = Explorer.icons;
  const words = Explorer.words;

  let stage;
  let run;
  let about; // back to the run itself, when a part of it was chosen

  /** What must be drawn anew if it changes. */
  const key = (address) => `run ${address.run}`;

  function enter(main, address) {
    run = Explorer.data.run(address.run);
    if (!run) {
      main.append(empty());
      return;
    }
    stage = new Explorer.Stage({
      id: "graph-area",
      label: "Graph of the run",
      onSelect: Explorer.app.select,
      sub: (element) => subOf(element),
      tall: () => Math.max(300, window.innerHeight - 330),
    });
    main.append(toolbar(), stage.area, legend(), steps());
    const model = Explorer.cards.build(elementsOf(run));
    stage.draw(model, { fit: true });
    select(address);
  }

  /** The executions of a run with their sources, and artifacts that came from elsewhere. */
  function elementsOf(run) {
    const executions = run.executions;
    const made = new Set(
      executions.flatMap((execution) => execution.outputs.map((link) => link.artifact)),
    );
    const foreign = executions
      .flatMap((execution) => execution.inputs.map((link) => link.artifact))
      .filter((artifact) => !made.has(artifact));
    return [
      ...new Set([
        ...executions,
        ...executions.flatMap((execution) => execution.sources),
        ...foreign,
      ]),
    ];
  }

  function subOf(element) {
    if (element.kind === "execution")
      return `${element.state} · ${words.duration(element.updated - element.created)}`;
    if (element.kind === "source") return words.sizeOf(element.files) ?? "size not recorded";
    return element.makers[0]?.execution.run ? `${element.key} · other run` : element.key;
  }

  function toolbar() {
    const { runs, mainMetric } = Explorer.data;
    const neighbour = (step, sign, label) => {
      const other = runs[run.index + step];
      return el(
        "button",
        {
          type: "button",
          class: "icon-button",
          "aria-label": label,
          title: label,
          disabled: !other,
          onclick: () => Explorer.app.go({ view: "run", run: other.id }),
        },
        icon(sign),
      );
    };
    const metric = run.metrics[mainMetric];
    about = button("About this run", () => Explorer.app.go({ view: "run", run: run.id }), {
      class: "button push-end",
    });
    return el(
      "div",
      { class: "toolbar" },
      neighbour(-1, "left", "Previous run"),
      button(
        name(cut(run.id, 80)),
        () =>
          Explorer.picker.open("Runs", run.id, (chosen) =>
            Explorer.app.go({ view: "run", run: chosen.id }),
          ),
        { class: "button run-button", id: "run-switch", "aria-haspopup": "dialog" },
        icon("down"),
      ),
      neighbour(1, "right", "Next run"),
      el(
        "span",
        { class: "soft number" },
        `${(run.index + 1).toLocaleString("en")} of ${runs.length.toLocaleString("en")}`,
      ),
      el(
        "div",
        { class: "chips" },
        state(run.status),
        el("span", { class: "number soft" }, words.shortTime(run.started), " UTC"),
        metric === undefined
          ? null
          : el("span", { class: "number" }, `${mainMetric} `, el("b", {}, words.number(metric))),
        Explorer.picker.outcome(run),
      ),
      about,
    );
  }

  function legend() {
    return el(
      "div",
      { class: "legend" },
      ["executed", "cached", "failed", "running"].map((kind) => state(kind)),
      el("span", {}, icon("yes"), "approved"),
      el("span", {}, icon("no"), "refused"),
      el("span", {}, icon("live"), "live now"),
      el("span", {}, icon("gone"), "deleted"),
      el("span", {}, el("i", { class: "legend-line" }), "baseline, used for comparison only"),
    );
  }

  /** The steps as a table: what a screen reader reads, and where the time went. */
  function steps() {
    const longest = Math.max(1, ...run.executions.map((e) => e.updated - e.created));
    const rows = run.executions.map((execution) => {
      const took = execution.updated - execution.created;
      const bar = el("div", { class: `took-bar is-${execution.state}` });
      bar.style.width = `${Math.max(1, (100 * took) / longest)}%`;
      const outputs = execution.outputs.map(({ artifact }) =>
        el(
          "button",
          { type: "button", class: "link", onclick: () => Explorer.app.select(artifact) },
          name(cut(artifact.key, 80)),
        ),
      );
      return el(
        "tr",
        { "data-row": execution.ref },
        el(
          "th",
          { scope: "row" },
          el(
            "button",
            { type: "button", class: "link", onclick: () => Explorer.app.select(execution) },
            name(cut(execution.node, 80)),
          ),
        ),
        el("td", {}, state(execution.state)),
        el("td", { class: "number took" }, words.duration(took)),
        el("td", { class: "took-cell" }, bar),
        el("td", { class: "outputs" }, outputs),
      );
    });
    const missing =
      Explorer.words
        .structure(Explorer.data.property(run, "nodes"))
        ?.filter((node) => !run.executions.some((e) => e.node === node)) ?? [];
    return el(
      "section",
      { class: "steps", "aria-label": "Steps of the run" },
      el(
        "table",
        {},
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ["Step", "State", "Duration", "", "Outputs"].map((title) =>
              el("th", { scope: "col" }, title),
            ),
          ),
        ),
        el("tbody", {}, rows),
      ),
      missing.length
        ? el("p", { class: "soft" }, "Never started: ", name(cut(missing.join(", "), 300)))
        : null,
    );
  }

  function empty() {
    const text = Explorer.data.elements.size
      ? "This store has no runs. Search, or explore from an artifact."
      : "This store is empty: no run has been recorded yet.";
    return el("p", { class: "empty", id: "graph-area", tabindex: "-1" }, text);
  }

  function select(address) {
    if (!run) return;
    const element = Explorer.data.get(address.sel);
    const lit =
      element && address.hl && stage.model.items.has(element.ref)
        ? Explorer.cards.reach(stage.model, element.ref, address.hl === "up")
        : undefined;
    stage.select(element?.ref, lit);
    for (const row of document.querySelectorAll("[data-row]"))
      row.classList.toggle("is-current", row.dataset.row === address.sel);
    about.hidden = !element;
    Explorer.details.show(element ?? run);
  }

  const has = (element) => Boolean(stage?.model?.items.has(element.ref));

  return { key, enter, select, has, focus: () => stage?.focus(), elementsOf, legend, subOf };
})();
