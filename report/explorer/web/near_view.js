"use strict";
// The neighbourhood of one element: a step to each side at first, and more where it is asked for.

Explorer.views.near = (() => {
  const { el, name, cut, button } = Explorer.dom;
  const { icon } = Explorer.icons;
  const words = Explorer.words;
  const AT_ONCE = 6; // neighbours that one click adds
  const MOST = 150; // elements of a whole chain that are drawn

  let stage;
  let shown; // elements, in the order in which they came
  let center;
  let cutShort;

  const key = (address) => `near ${address.at ?? address.sel ?? ""} ${address.all ?? ""}`;

  function enter(main, address) {
    center = Explorer.data.find(address.at) ?? Explorer.data.find(address.sel) ?? first();
    if (!center) {
      main.append(
        el(
          "p",
          { class: "empty", id: "graph-area", tabindex: "-1" },
          "This store is empty: there is nothing to explore yet.",
        ),
      );
      return;
    }
    shown = new Set();
    cutShort = false;
    if (address.all === "up" || address.all === "down") addChain(address.all);
    else addAround(center);
    stage = new Explorer.Stage({
      id: "graph-area",
      label: "Graph around the selected element",
      onSelect: Explorer.app.select,
      onExpand: expand,
      hidden: (element, side) => hiddenBeside(element, side).length,
      sub: subOf,
    });
    main.append(toolbar(address), stage.area, Explorer.views.run.legend());
    main.classList.add("is-filled");
    stage.draw(Explorer.cards.build([...shown]), { fit: true });
    select(address);
  }

  /** Without a wish: the live model, or the last model, or whatever is newest. */
  function first() {
    const { data } = Explorer;
    const pushed = data.get([...data.live][0]);
    const served = pushed?.makers[0]?.execution.inputs
      .map((link) => link.artifact)
      .find((artifact) => artifact.type === "Model");
    return (
      served ??
      pushed ??
      [...data.artifacts].reverse().find((artifact) => artifact.type === "Model") ??
      data.artifacts.at(-1) ??
      data.executions.at(-1)
    );
  }

  function addChain(way) {
    const chain =
      way === "up" ? Explorer.walk.upstream(center, MOST) : Explorer.walk.downstream(center, MOST);
    for (const element of chain) if (shown.size < MOST) add(element);
    cutShort = chain.size > MOST;
  }

  function addAround(element) {
    add(element);
    if (element.kind === "artifact") {
      for (const maker of Explorer.walk.makers(element).slice(0, AT_ONCE)) add(maker);
      for (const user of Explorer.walk.users(element).slice(0, AT_ONCE)) add(user);
    } else {
      for (const side of ["left", "right"])
        for (const other of beside(element, side).slice(0, AT_ONCE)) add(other);
    }
  }

  /** Artifacts with a maker in the drawing are pills of its card; others have their own. */
  function add(element) {
    shown.add(element);
  }

  /** All direct neighbours of a card: who made its inputs, who used its outputs. */
  function beside(element, side) {
    const { makers, users } = Explorer.walk;
    const inputs = (element.inputs ?? []).map((link) => link.artifact);
    const outputs = (element.outputs ?? []).map((link) => link.artifact);
    const unmade = inputs.filter((artifact) => !artifact.makers.length);
    if (element.kind === "source")
      return side === "left"
        ? []
        : element.readers.filter((reader, i) => reader.state !== "cached" || i === 0);
    if (element.kind === "artifact") return side === "left" ? makers(element) : users(element);
    return [
      ...new Set(
        side === "left"
          ? [...element.sources, ...inputs.flatMap(makers), ...unmade]
          : outputs.flatMap(users),
      ),
    ];
  }

  const hiddenBeside = (element, side) =>
    beside(element, side).filter((other) => !shown.has(other));

  function expand(element, side, focused) {
    const next = hiddenBeside(element, side).slice(0, AT_ONCE);
    for (const other of next) add(other);
    stage.draw(Explorer.cards.build([...shown]), { fit: false });
    select(Explorer.app.state);
    stage.reveal(next[0].ref);
    stage.focus(focused ?? next[0].ref);
    Explorer.dom.announce(`${words.count(next.length, "element")} added`);
  }

  function subOf(element) {
    if (element.kind === "execution") return `${element.state} · ${runOf(element)}`;
    return element.kind === "source" ? Explorer.views.run.subOf(element) : element.key;
  }

  /** A run's number, as its own view counts: ids are too long for a card. */
  function runOf(execution) {
    const run = Explorer.data.run(execution.run);
    return run ? `run ${(run.index + 1).toLocaleString("en")}` : `#${execution.id}`;
  }

  function toolbar(address) {
    const title = center.kind === "source" ? words.base(center.name) : center.key;
    const whole =
      { up: "Everything upstream of", down: "Everything derived from" }[address.all] ?? "Around";
    return el(
      "div",
      { class: "toolbar" },
      icon(Explorer.icons.kindOf(center)),
      el("span", {}, `${whole} `, el("b", {}, name(cut(title, 80)))),
      el("span", { class: "soft" }, cutShort ? `The first ${MOST} elements; expand for more.` : ""),
      address.all
        ? button(
            "Show neighbours only",
            () => Explorer.app.go({ view: "near", at: center.ref, sel: center.ref }),
            { class: "button push-end" },
          )
        : null,
    );
  }

  function select(address) {
    if (!center) return;
    const element = Explorer.data.find(address.sel) ?? center;
    const there = stage.model.items.has(element.ref);
    const lit =
      address.hl && there
        ? Explorer.cards.reach(stage.model, element.ref, address.hl === "up")
        : undefined;
    stage.select(element.ref, lit);
    Explorer.details.show(element);
  }

  const has = (element) => Boolean(stage?.model?.items.has(element.ref));

  return { key, enter, select, has, focus: () => stage?.focus() };
})();
