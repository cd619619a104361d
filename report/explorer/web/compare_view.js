"use strict";
// Two runs side by side: their graphs with what differs marked, and tables of the differences.

Explorer.views.compare = (() => {
  const { el, name, cut, button } = Explorer.dom;
  const { icon, state, likeness } = Explorer.icons;
  const words = Explorer.words;

  let stages = [];
  let runs = [];
  let nodes = [];

  const key = (address) => `compare ${address.a} ${address.b}`;

  function enter(main, address) {
    const { data } = Explorer;
    const b = data.run(address.b) ?? data.lastRun;
    const a = data.run(address.a) ?? data.runs[b?.index - 1] ?? data.runs[1];
    stages = [];
    if (!a || data.runs.length < 2) {
      runs = [];
      main.append(
        el(
          "p",
          { class: "empty", id: "graph-area", tabindex: "-1" },
          "A comparison needs two runs; this store has fewer.",
        ),
      );
      return;
    }
    runs = [a, b];
    nodes = Explorer.differences.ofNodes(a, b);
    const pair = el("div", { class: "pair" });
    main.append(
      toolbar(),
      pair,
      Explorer.views.run.legend(),
      Explorer.compareTables.draw(a, b, nodes),
    );
    ["a", "b"].forEach((side, i) => {
      const stage = stageOf(side);
      stages.push(stage);
      pair.append(
        el(
          "section",
          { class: "pair-half", "aria-label": `Run ${side.toUpperCase()}` },
          headOf(runs[i], side),
          stage.area,
        ),
      );
    });
    stages.forEach((stage, i) =>
      stage.draw(Explorer.cards.build(Explorer.views.run.elementsOf(runs[i]), true), { fit: true }),
    );
    select(address);
  }

  function stageOf(side) {
    const notes = new Map(
      nodes.filter((row) => row[side] && row.in.length).map((row) => [row[side].ref, noteOf(row)]),
    );
    return new Explorer.Stage({
      id: side === "a" ? "graph-area" : "graph-area-b",
      label: `Graph of run ${side.toUpperCase()}`,
      onSelect: Explorer.app.select,
      sub: Explorer.views.run.subOf,
      difference: (element) => notes.get(element.ref),
      tall: () => Math.max(220, (window.innerHeight - 200) / 2),
    });
  }

  /** What stands on a card; where only the inputs differ, the cause is further up. */
  function noteOf(row) {
    return { text: row.in.join(", "), strong: row.in.join() !== "inputs" };
  }

  function toolbar() {
    const [a, b] = runs;
    const choose = (side, run) =>
      button(
        [el("b", {}, side.toUpperCase()), " ", name(cut(run.id, 60))],
        () =>
          Explorer.picker.open(`Run ${side.toUpperCase()}`, run.id, (chosen) =>
            Explorer.app.go({ view: "compare", a: a.id, b: b.id, [side]: chosen.id }),
          ),
        { "aria-haspopup": "dialog", class: "button run-button" },
        icon("down"),
      );
    const differing = nodes.filter((row) => row.in.length).length;
    return el(
      "div",
      { class: "toolbar" },
      choose("a", a),
      el(
        "button",
        {
          type: "button",
          class: "icon-button",
          "aria-label": "Swap A and B",
          title: "Swap A and B",
          onclick: () => Explorer.app.go({ view: "compare", a: b.id, b: a.id }),
        },
        icon("swap"),
      ),
      choose("b", b),
      likeness(!differing, `${differing} of ${words.count(nodes.length, "node")} differ`),
    );
  }

  function headOf(run, side) {
    return el(
      "div",
      { class: "pair-head" },
      el("b", { class: "side" }, side.toUpperCase()),
      name(cut(run.id, 80), { class: "mono" }),
      state(run.status),
      el("span", { class: "soft number" }, words.shortTime(run.started)),
    );
  }

  function select(address) {
    const element = Explorer.data.get(address.sel);
    for (const stage of stages) {
      const here = element && stage.model.items.has(element.ref);
      const lit =
        here && address.hl
          ? Explorer.cards.reach(stage.model, element.ref, address.hl === "up")
          : undefined;
      stage.select(here ? element.ref : undefined, lit);
    }
    Explorer.details.show(element ?? runs[1]);
  }

  const has = () => true;

  return { key, enter, select, has, focus: () => stages[0]?.focus() };
})();
