"use strict";
// The panel at the right: everything that `lineage show` says of an artifact, execution, run or file.

Explorer.details = (() => {
  const { el, name, long, cut, some, button, visible } = Explorer.dom;
  const { icon, kindOf, state, verdict } = Explorer.icons;
  const words = Explorer.words;
  const SHOWN = 8;
  const LONG_TITLE = 120;
  const FATE = ["ModelBlessing", "InfraBlessing", "PushedModel"];

  /** What a blessing says, or whether a push took place; undefined for other artifacts. */
  function verdictOf(artifact) {
    const blessed = Explorer.data.property(artifact, "blessed");
    if (["ModelBlessing", "InfraBlessing"].includes(artifact.type)) {
      if (blessed !== undefined) return Boolean(blessed);
      const status = Explorer.data.property(artifact, "blessing_status");
      return status === undefined ? undefined : status === "INFRA_BLESSED";
    }
    if (artifact.type !== "PushedModel" || Explorer.data.live.has(artifact.ref)) return undefined;
    const pushed = Explorer.data.property(artifact, "pushed");
    return pushed === undefined ? undefined : Boolean(pushed);
  }

  /** Shows an element, or a run. */
  function show(element) {
    const panel = document.getElementById("details");
    const draw = { artifact: artifactPanel, execution: executionPanel, source: sourcePanel, run: runPanel }[element?.kind];
    panel.replaceChildren(...(draw ? draw(element) : [el("p", { class: "panel-empty soft" }, "Choose something to see what the store says of it.")]));
    panel.scrollTop = 0;
  }

  function artifactPanel(artifact) {
    return [
      head(artifact, artifact.type, artifact.key, [
        el("span", { class: "tag" }, `state: ${artifact.state}`),
        saidSign(artifact),
      ]),
      actions(artifact),
      ...special(artifact),
      facts([
        artifact.name ? ["Name", long(artifact.name)] : null,
        ["URI", el("div", { class: "mono" }, long(artifact.uri || "none"))],
        ["Created", words.time(artifact.created)],
        artifact.updated !== artifact.created ? ["Updated", words.time(artifact.updated)] : null,
      ]),
      section("Made by", artifact.makers.length ? links(artifact.makers.map((link) => [link.execution, link.keys])) : nothing("nothing in this store")),
      section("Used by", artifact.users.length ? links(artifact.users.map((link) => [link.execution, link.keys]).reverse()) : nothing("nobody yet")),
      propertiesOf(artifact),
    ];
  }

  function executionPanel(execution) {
    return [
      head(execution, execution.node, execution.key, [state(execution.state)]),
      actions(execution),
      facts([
        ["Run", execution.run ? runLink(execution.run) : "not recorded"],
        execution.pipeline ? ["Pipeline", long(execution.pipeline)] : null,
        ["Type", el("div", { class: "mono" }, long(execution.type))],
        ["Started", words.time(execution.created)],
        ["Took", words.duration(execution.updated - execution.created)],
      ]),
      execution.sources.length ? section("Read from outside", links(execution.sources.map((source) => [source, []]))) : null,
      section("Inputs", execution.inputs.length ? links(execution.inputs.map((link) => [link.artifact, link.keys])) : nothing("none")),
      section("Outputs", execution.outputs.length ? links(execution.outputs.map((link) => [link.artifact, link.keys])) : nothing("none")),
      propertiesOf(execution),
    ].filter(Boolean);
  }

  function sourcePanel(source) {
    const file = (entry) => el("dl", { class: "facts file" }, [
      ["Path", el("div", { class: "mono" }, long(entry.path))],
      ["Files", entry.files ?? "not recorded"],
      ["Size", entry.bytes === null ? "not recorded" : `${words.bytes(entry.bytes)} (${entry.bytes.toLocaleString("en")} bytes)`],
      ["SHA-256", entry.sha256 ? el("div", { class: "mono" }, long(entry.sha256)) : "not recorded"],
    ].map(([term, content]) => [el("dt", {}, term), el("dd", {}, content)]));
    return [
      head(source, words.base(source.name), "Source, from outside of the store", []),
      actions(source),
      some(source.files, file, SHOWN, "files"),
      section("Read by", links(source.readers.map((reader) => [reader, []]).reverse())),
    ];
  }

  function runPanel(run) {
    const count = Object.entries(run.nodes).map(([kind, amount]) => state(kind, `${amount} ${kind}`));
    const artifacts = (ids) => links(ids.map((id) => [Explorer.data.get(`a${id}`), []]));
    return [
      head(run, run.id, run.pipeline || "Run", [state(run.status), run.outcome ? el("span", { class: "tag" }, run.outcome) : null]),
      el("div", { class: "actions" },
        button("Compare with…", () => Explorer.app.go({ view: "compare", a: Explorer.data.runs[run.index - 1]?.id, b: run.id }), {}, icon("swap"))),
      facts([
        ["Started", words.time(run.started)],
        ["Took", run.ended ? words.duration(Math.max(0, run.ended - run.started)) : "not recorded"],
        ["Nodes", el("div", { class: "row" }, count)],
        ["Data", run.data.length ? artifacts(run.data) : "none"],
        ["Model", run.models.length ? artifacts(run.models) : "none"],
        ["Evaluator", run.blessed === null ? "said nothing" : verdict(run.blessed, run.blessed ? "blessed" : "refused")],
        ["InfraValidator", run.fit === null ? "said nothing" : verdict(run.fit, run.fit ? "fit to serve" : "not fit to serve")],
        ["Pushed", run.pushed.length ? artifacts(run.pushed) : "no"],
      ]),
      Object.keys(run.metrics).length ? section("Metrics", table(Object.entries(run.metrics))) : null,
      propertiesOf(run, "Recorded by the run"),
    ].filter(Boolean);
  }

  // Parts.

  /** What an artifact says at once, as sign and words: blessed or refused, pushed, live. */
  function saidSign(artifact) {
    if (Explorer.data.live.has(artifact.ref)) return el("span", { class: "state is-good" }, icon("live"), "live now");
    const said = verdictOf(artifact);
    if (said === undefined) return null;
    return verdict(said, artifact.type === "PushedModel" ? (said ? "pushed" : "not pushed") : said ? "blessed" : "refused");
  }

  function head(element, title, key, states) {
    return el("div", { class: "panel-head" },
      el("h2", {}, icon(kindOf(element)), name(cut(title, LONG_TITLE))),
      el("div", { class: "panel-key mono" }, title.length > LONG_TITLE ? long(title, LONG_TITLE) : null, long(key, LONG_TITLE)),
      el("div", { class: "row" }, states));
  }

  function actions(element) {
    const { app } = Explorer;
    const state = app.state;
    const row = el("div", { class: "actions" });
    const light = (way, label) => button(label, () => app.go({ ...state, hl: state.hl === way ? undefined : way }), { "aria-pressed": String(state.hl === way) }, icon(way === "up" ? "upstream" : "downstream"));
    row.append(light("up", "Upstream"), light("down", "Downstream"));
    if (state.view !== "near") row.append(button("Explore from here", () => app.go({ view: "near", at: element.ref, sel: element.ref })));
    if (element.kind !== "source") row.append(button("To the source", () => app.go({ view: "near", at: element.ref, sel: element.ref, all: "up", hl: "up" })));
    if (element.kind === "execution" && element.run && state.view === "near") row.append(button("Show in its run", () => app.go({ view: "run", run: element.run, sel: element.ref })));
    if (state.view === "near") row.append(button("All that came of it", () => app.go({ view: "near", at: element.ref, sel: element.ref, all: "down", hl: "down" })));
    return row;
  }

  /** What is worth saying first, by type. */
  function special(artifact) {
    const { data } = Explorer;
    if (artifact.type === "Model") {
      const came = [...Explorer.walk.upstream(artifact, 400)];
      const origin = came.filter((e) => e.kind === "artifact" && (e.type === "Schema" || (e.type === "Examples" && e.makers.some((link) => link.execution.inputs.length === 0))));
      const sources = came.filter((e) => e.kind === "source");
      const metrics = metricsOf(artifact);
      const fate = artifact.users.filter((link) => link.keys.includes("model")).flatMap((link) => link.execution.outputs).map((link) => link.artifact).filter((made) => FATE.includes(made.type));
      const chosen = words.structure(data.property(artifact, "hyperparameters"));
      return [
        section("Metrics", metrics ? table(metrics) : nothing("not recorded")),
        section("Judged and pushed", fate.length ? links([...new Set(fate)].map((made) => [made, []])) : nothing("not yet")),
        section("Came from", links([...sources, ...origin].map((e) => [e, []]))),
        chosen ? section("Hyperparameters", table(Object.entries(chosen))) : null,
      ].filter(Boolean);
    }
    if (artifact.type === "Examples") {
      const splits = words.structure(data.property(artifact, "split_names"));
      const span = data.property(artifact, "span");
      const sources = artifact.makers.flatMap((link) => link.execution.sources);
      return [facts([
        splits ? ["Splits", name(splits.join(", "))] : null,
        span === undefined ? null : ["Span", `${span}${data.property(artifact, "version") === undefined ? "" : `, version ${data.property(artifact, "version")}`}`],
        sources.length ? ["Source", links([...new Set(sources)].map((source) => [source, []]))] : null,
      ])];
    }
    if (artifact.type === "ModelEvaluation") {
      const overall = words.structure(data.property(artifact, "metrics"))?.overall;
      return overall ? [section("Metrics", table(Object.entries(overall)))] : [];
    }
    return [];
  }

  /** The overall metrics of a model: of the newest evaluation in which it was the one judged. */
  function metricsOf(model) {
    const judges = model.users.filter((link) => link.keys.includes("model")).map((link) => link.execution).reverse();
    for (const judge of judges) {
      for (const { artifact } of judge.outputs) {
        if (artifact.type !== "ModelEvaluation") continue;
        const overall = words.structure(Explorer.data.property(artifact, "metrics"))?.overall;
        if (overall) return Object.entries(overall);
      }
    }
    return undefined;
  }

  function facts(rows) {
    const there = rows.filter(Boolean);
    return there.length ? el("dl", { class: "facts" }, there.map(([term, content]) => [el("dt", {}, term), el("dd", {}, content)])) : "";
  }

  function section(title, ...content) {
    return el("section", { class: "panel-section" }, el("h3", {}, title), content);
  }

  const nothing = (text) => el("p", { class: "soft none" }, text);

  function table(rows) {
    return el("table", { class: "values" }, el("tbody", {}, rows.map(([key, value]) => el("tr", {}, el("th", { scope: "row" }, name(cut(String(key), 120))), el("td", { class: "number" }, long(words.value(typeof value === "number" ? words.number(value) : value), 160))))));
  }

  /** Elements to go to, each with the names of the input or output that led there. */
  function links(pairs) {
    return some(pairs, ([element, keys]) => link(element, keys), SHOWN, "");
  }

  function link(element, keys) {
    const text = element.kind === "source" ? element.name : element.key;
    return el("span", { class: "element-link" }, icon(kindOf(element)),
      el("button", { type: "button", class: "link", "data-goto": element.ref, title: cut(visible(text), 200), onclick: () => Explorer.app.select(element) }, name(cut(text, 140))),
      keys.length ? el("span", { class: "soft" }, " as ", name(cut(keys.join(", "), 120))) : null,
      element.kind === "artifact" ? saidSign(element) : null,
      element.kind === "execution" && element.state !== "executed" ? el("span", { class: "soft" }, ` ${element.state}`) : null);
  }

  const runLink = (id) => el("button", { type: "button", class: "link", onclick: () => Explorer.app.go({ view: "run", run: id }) }, name(cut(id, 140)));

  function propertiesOf(element, title = "Properties") {
    const pairs = Explorer.data.properties(element);
    if (!pairs.length) return section(title, nothing("none recorded"));
    const list = el("dl", { class: "properties" });
    for (const [key, value] of pairs) {
      const text = words.value(value);
      const isBlock = text.includes("\n");
      list.append(el("dt", {}, name(cut(key, 200))), el("dd", { class: isBlock ? "mono block" : "mono" }, text === "" ? el("span", { class: "soft" }, "empty") : long(text, 320), isTime(value) ? el("div", { class: "soft" }, words.time(value)) : null));
    }
    return section(title, list);
  }

  /** Whether a number is likely to be milliseconds since 1970. */
  const isTime = (value) => Number.isInteger(value) && value > 1.2e12 && value < 4e12;

  return { show, verdictOf, section, table, link, metricsOf };
})();
