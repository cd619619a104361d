"use strict";
// What is drawn: a card per execution with a pill per artifact that it put out, a card per source
// file, and one per artifact that none of the executions shown has made. Then where they go: dagre
// lays the cards out in layers, left to right.

Explorer.cards = (() => {
  const WIDE = { width: 156, layers: 34 };
  const COMPACT = { width: 144, layers: 26 };
  const HEAD = 48;
  const PILL = 30;
  const FOOT = 4;
  const ROWS = 18; // between two cards of a layer

  /**
   * Builds the drawing of some elements.
   *
   * @param elements Executions, sources, and artifacts that are to be seen in any case.
   * @param compact Whether artifacts are left out.
   */
  function build(elements, compact = false) {
    const size = compact ? COMPACT : WIDE;
    const cards = new Map();
    const items = new Map();
    const executions = elements.filter((e) => e.kind === "execution").sort((a, b) => a.id - b.id);
    const shown = new Set(executions);
    for (const source of elements.filter((e) => e.kind === "source")) add(source, []);
    for (const execution of executions) {
      const outputs = compact ? [] : execution.outputs.map((link) => link.artifact);
      add(
        execution,
        outputs.filter((artifact) => homeOf(artifact, shown) === execution),
      );
    }
    for (const artifact of elements) {
      if (artifact.kind === "artifact" && !items.has(artifact.ref)) add(artifact, []);
    }
    return {
      size,
      cards: [...cards.values()],
      items,
      edges: edgesOf(executions, items, cards, shown),
    };

    function add(element, pills) {
      const height = HEAD + pills.length * PILL + (pills.length ? FOOT : 0);
      const card = { ref: element.ref, element, pills, width: size.width, height, x: 0, y: 0 };
      cards.set(element.ref, card);
      items.set(element.ref, { ref: element.ref, element, card, row: 0 });
      pills.forEach((artifact, i) =>
        items.set(artifact.ref, { ref: artifact.ref, element: artifact, card, row: i + 1 }),
      );
    }
  }

  /** The execution whose card carries an artifact: the one that made it, if it is shown. */
  function homeOf(artifact, shown) {
    const there = artifact.makers
      .map((link) => link.execution)
      .filter((execution) => shown.has(execution));
    return there.find((execution) => execution.state !== "cached") ?? there[0];
  }

  function edgesOf(executions, items, cards, shown) {
    const edges = [];
    for (const execution of executions) {
      for (const source of execution.sources) {
        if (cards.has(source.ref))
          edges.push({ from: source.ref, to: execution.ref, keys: [], baseline: false });
      }
      for (const { artifact, keys, baseline } of execution.inputs) {
        // Without pills, or where it was put out again, the line starts at the execution.
        const home = homeOf(artifact, shown);
        const from = items.has(artifact.ref) ? artifact.ref : home?.ref;
        if (from && items.get(from).card.ref !== execution.ref)
          edges.push({ from, to: execution.ref, keys, baseline });
      }
    }
    const known = new Set();
    return edges.filter(
      ({ from, to }) => !known.has(`${from} ${to}`) && known.add(`${from} ${to}`),
    );
  }

  /** Gives every card its place and every edge its points; returns the size of the whole. */
  function layOut(model) {
    const nodes = model.cards.map((card) => ({
      v: card.ref,
      width: card.width,
      height: card.height,
    }));
    const pairs = new Map();
    for (const edge of model.edges) {
      const [v, w] = [model.items.get(edge.from).card.ref, edge.to];
      // An edge that is only a comparison pulls less.
      const pair = pairs.get(`${v} ${w}`) ?? { v, w, weight: 0 };
      pair.weight += edge.baseline ? 0.2 : 1;
      pairs.set(`${v} ${w}`, pair);
    }
    const lines = [...pairs.values()];
    Explorer.layOut(
      nodes,
      lines,
      { rankdir: "LR", ranksep: model.size.layers, nodesep: ROWS, edgesep: 12 },
      {},
    );
    nodes.forEach((node, i) =>
      Object.assign(model.cards[i], { x: node.x - node.width / 2, y: node.y - node.height / 2 }),
    );
    const columns = { lefts: model.cards.map((card) => card.x), width: model.size.width };
    for (const edge of model.edges) {
      const line = pairs.get(`${model.items.get(edge.from).card.ref} ${edge.to}`);
      edge.path = pathOf(
        model.items.get(edge.from),
        model.items.get(edge.to),
        line.points.slice(1, -1),
        columns,
      );
    }
    const right = Math.max(0, ...model.cards.map((card) => card.x + card.width));
    const bottom = Math.max(
      0,
      ...model.cards.map((card) => card.y + card.height),
      ...lines.flatMap((line) => line.points.map((p) => p.y)),
    );
    return { width: right, height: bottom };
  }

  /** Where an item is on the stage: its middle. */
  function middle(item) {
    const { card, row } = item;
    return row ? card.y + HEAD + (row - 1) * PILL + PILL / 2 - 2 : card.y + HEAD / 2;
  }

  /** A line from the right of one item to the left of another; straight where it passes a layer. */
  function pathOf(from, to, between, columns) {
    const points = [[from.card.x + from.card.width - (from.row ? 5 : 0), middle(from)]];
    for (const { x, y } of between) {
      const column = columns.lefts.find((left) => x > left && x < left + columns.width);
      if (column !== undefined && column > from.card.x && column < to.card.x)
        points.push([column, y], [column + columns.width, y]);
    }
    points.push([to.card.x - 6, middle(to)]);
    const [start, ...rest] = points;
    let [x, y] = start;
    let path = `M${round(x)} ${round(y)}`;
    for (const [nextX, nextY] of rest) {
      const bend = (x + nextX) / 2;
      path +=
        nextY === y
          ? `H${round(nextX)}`
          : `C${round(bend)} ${round(y)} ${round(bend)} ${round(nextY)} ${round(nextX)} ${round(nextY)}`;
      [x, y] = [nextX, nextY];
    }
    return path;
  }

  const round = (value) => Math.round(value * 10) / 10;

  /** All items on the way up (or down) from some item, in this drawing. */
  function reach(model, start, up) {
    const next = new Map();
    const join = (one, other) => {
      const [from, to] = up ? [other, one] : [one, other];
      next.set(from, [...(next.get(from) ?? []), to]);
    };
    for (const { from, to, baseline } of model.edges) if (!baseline) join(from, to);
    for (const card of model.cards) for (const pill of card.pills) join(card.ref, pill.ref);
    const found = new Set([start]);
    for (const ref of found) for (const other of next.get(ref) ?? []) found.add(other);
    return found;
  }

  return { build, layOut, middle, reach };
})();
