"use strict";
// The tables below two compared runs: metrics, data, outcome, settings, node by node.

Explorer.compareTables = (() => {
  const { el, name, long, cut } = Explorer.dom;
  const { state, verdict, likeness } = Explorer.icons;
  const words = Explorer.words;

  /** All tables for two runs; `nodes` is what `Explorer.differences.ofNodes` says of them. */
  function draw(a, b, nodes) {
    return el(
      "div",
      { class: "tables" },
      metrics(a, b),
      dataTable(a, b),
      results(a, b),
      settings(a, b),
      nodeTable(nodes),
    );
  }

  function block(title, ...content) {
    return el("section", { class: "block" }, el("h2", {}, title), content);
  }

  function grid(columns, rows, label) {
    return el(
      "div",
      { class: "table-scroll", role: "region", "aria-label": label, tabindex: "0" },
      el(
        "table",
        { class: "compare", "aria-label": label },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            columns.map((title) => (title ? el("th", { scope: "col" }, title) : el("td", {}))),
          ),
        ),
        el(
          "tbody",
          {},
          rows.map(({ cells, same }) =>
            el(
              "tr",
              { class: same ? "is-same" : "" },
              cells.map((cell, i) => (i ? el("td", {}, cell) : el("th", { scope: "row" }, cell))),
            ),
          ),
        ),
      ),
    );
  }

  const sign = (same) => likeness(same, same ? "same" : "differs");

  function metrics(a, b) {
    const rows = Explorer.differences.ofMetrics(a, b);
    if (!rows.length)
      return block(
        "Metrics",
        el("p", { class: "soft" }, "Neither run recorded metrics in this store."),
      );
    const shown = (value) =>
      el("span", { class: "number" }, value === undefined ? "none" : words.number(value));
    const change = (row) => {
      if (typeof row.a !== "number" || typeof row.b !== "number") return "";
      if (row.a === row.b) return sign(true);
      return el(
        "span",
        { class: "number" },
        `${row.b > row.a ? "▲ +" : "▼ −"}${words.number(Math.abs(row.b - row.a))}`,
      );
    };
    return block(
      "Metrics",
      grid(
        ["Metric", "A", "B", "From A to B"],
        rows.map((row) => ({
          cells: [name(cut(row.name, 120)), shown(row.a), shown(row.b), change(row)],
          same: row.a === row.b,
        })),
        "Metrics",
      ),
    );
  }

  function dataTable(a, b) {
    const rows = Explorer.differences.ofData(a, b);
    const file = (entry) =>
      entry
        ? el(
            "span",
            { class: "mono" },
            [
              entry.sha256 ? `${entry.sha256.slice(0, 12)}…` : "SHA-256 not recorded",
              words.sizeOf([entry]),
            ]
              .filter(Boolean)
              .join(", "),
          )
        : el("span", { class: "soft" }, "not read");
    const artifacts = a.data.join() === b.data.join();
    const ids = (run) => run.data.map((id) => Explorer.parts.link(Explorer.data.get(`a${id}`), []));
    const rowsOfIds = { cells: ["Examples", ids(a), ids(b), sign(artifacts)], same: artifacts };
    const made = rows.map((row) => ({
      cells: [
        el("span", { class: "mono" }, name(cut(row.path, 160))),
        file(row.a),
        file(row.b),
        sign(row.same),
      ],
      same: row.same,
    }));
    return block("Data", grid(["", "A", "B", ""], [rowsOfIds, ...made], "Data"));
  }

  function results(a, b) {
    const ids = (list) =>
      list.length ? list.map((id) => Explorer.parts.link(Explorer.data.get(`a${id}`), [])) : "none";
    const said = (value, yes, no) =>
      value === null ? "no verdict" : verdict(value, value ? yes : no);
    const rows = [
      ["Model", ids(a.models), ids(b.models), a.models.join() === b.models.join()],
      [
        "Evaluator",
        said(a.blessed, "blessed", "refused"),
        said(b.blessed, "blessed", "refused"),
        a.blessed === b.blessed,
      ],
      [
        "InfraValidator",
        said(a.fit, "fit to serve", "not fit to serve"),
        said(b.fit, "fit to serve", "not fit to serve"),
        a.fit === b.fit,
      ],
      ["Pushed", ids(a.pushed), ids(b.pushed), a.pushed.join() === b.pushed.join()],
    ];
    return block(
      "Outcome",
      grid(
        ["", "A", "B", ""],
        rows.map(([title, one, other, same]) => ({ cells: [title, one, other, sign(same)], same })),
        "Outcome",
      ),
    );
  }

  function differingRows(rows) {
    const value = (content) =>
      content === undefined
        ? el("span", { class: "soft" }, "absent")
        : el("div", { class: "mono block" }, long(words.value(content), 240));
    return rows.map((row) => ({
      cells: [name(cut(row.path, 200)), value(row.a), value(row.b)],
      same: false,
    }));
  }

  function settings(a, b) {
    const rows = Explorer.differences.ofProperties(a, b).filter((row) => row.path !== "ended");
    const recorded = Explorer.data.properties(a).length + Explorer.data.properties(b).length;
    if (!rows.length)
      return block(
        "Settings, code and packages",
        el(
          "p",
          { class: "soft" },
          recorded ? "Both runs have the same." : "Neither run recorded settings, code or packages in this store.",
        ),
      );
    return block(
      "Settings, code and packages",
      grid(["Property", "A", "B"], differingRows(rows), "Settings"),
    );
  }

  function nodeTable(nodes) {
    const one = (execution) =>
      execution
        ? [
            el(
              "button",
              { type: "button", class: "link", onclick: () => Explorer.app.select(execution) },
              state(execution.state),
            ),
            " ",
            el(
              "span",
              { class: "soft number" },
              words.duration(execution.updated - execution.created),
            ),
          ]
        : el("span", { class: "soft" }, "absent");
    const rows = nodes.map((row) => ({
      cells: [
        name(cut(row.node, 100)),
        one(row.a),
        one(row.b),
        likeness(!row.in.length, row.in.join(", ") || "same outputs"),
      ],
      same: !row.in.length,
    }));
    const details = nodes
      .filter((row) => row.a && row.b && row.in.includes("settings"))
      .map((row) => [
        el("h3", {}, name(cut(`${row.node}: settings`, 120))),
        grid(
          ["Property", "A", "B"],
          differingRows(Explorer.differences.ofProperties(row.a, row.b)),
          `Settings of ${row.node}`,
        ),
      ]);
    return block("Nodes", grid(["Node", "A", "B", ""], rows, "Nodes"), details);
  }

  return { draw };
})();
