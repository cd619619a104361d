"use strict";
// The panel at the right: everything that `lineage show` says of an artifact, execution, run or file.

Explorer.details = (() => {
  const { el, name, long, cut, some, button, visible } = Explorer.dom;
  const { icon, kindOf, state, verdict } = Explorer.icons;
  const { saidSign, metricsOf, facts, section, nothing, table, links, runLink, propertiesOf } =
    Explorer.parts;
  const words = Explorer.words;
  const SHOWN = 8;
  const LONG_TITLE = 120;
  const PICTURED = [
    "Examples",
    "ExampleStatistics",
    "DataDecision",
    "DataDrift",
    "TunerResults",
    "ModelRun",
    "ModelEvaluation",
    "ModelBlessing",
    "InfraBlessing",
  ];
  const FATE = ["ModelBlessing", "InfraBlessing", "PushedModel"];

  /** Shows an element, or a run. */
  function show(element) {
    const panel = document.getElementById("details");
    const draw = {
      artifact: artifactPanel,
      execution: executionPanel,
      source: sourcePanel,
      run: runPanel,
    }[element?.kind];
    panel.replaceChildren(
      ...(draw
        ? draw(element)
        : [
            el(
              "p",
              { class: "panel-empty soft" },
              "Select an element to see its details.",
            ),
          ]),
    );
    panel.prepend(sheetButton(panel));
    panel.scrollTop = 0;
  }

  /** On a narrow page the panel is a sheet at the bottom, which can be hidden. */
  function sheetButton(panel) {
    const label = () => (panel.classList.contains("is-away") ? "Show details" : "Hide details");
    const toggle = button(
      label(),
      () => {
        panel.classList.toggle("is-away");
        toggle.textContent = label();
        toggle.setAttribute("aria-expanded", String(!panel.classList.contains("is-away")));
      },
      { class: "sheet-toggle", "aria-expanded": String(!panel.classList.contains("is-away")) },
    );
    return toggle;
  }

  function artifactPanel(artifact) {
    return [
      head(artifact, artifact.type, artifact.key, [
        el("span", { class: "tag" }, `state: ${words.stateOf(artifact)}`),
        saidSign(artifact),
        findingSign(artifact),
      ]),
      actions(artifact),
      ...special(artifact),
      picturesOf(artifact),
      facts([
        artifact.name ? ["Name", long(artifact.name)] : null,
        ["URI", el("div", { class: "mono" }, long(artifact.uri || "none"))],
        ["Created", words.time(artifact.created)],
        artifact.updated !== artifact.created ? ["Updated", words.time(artifact.updated)] : null,
      ]),
      section(
        "Output of",
        artifact.makers.length
          ? links(artifact.makers.map((link) => [link.execution, link.keys]))
          : nothing("no execution in this store"),
      ),
      section(
        "Input of",
        artifact.users.length
          ? links(artifact.users.map((link) => [link.execution, link.keys]).reverse())
          : nothing("no execution yet"),
      ),
      propertiesOf(artifact),
    ];
  }

  /** What drift, the gate or the quarantine found, as sign and words. */
  function findingSign(element) {
    const found = Explorer.labels.findingOf(element);
    if (!found) return null;
    const mood = found.mood === "bad" ? "bad" : "running";
    return el("span", { class: `state is-${mood}` }, icon("warning"), found.words);
  }

  /** The pictures that the page of the run has of an artifact; a server makes them. */
  function picturesOf(artifact) {
    if (!Explorer.served() || !PICTURED.includes(artifact.type.split(".").pop())) return "";
    const frame = el("iframe", {
      class: "pictures",
      title: `Pictures of ${artifact.key}`,
      src: `/pictures/${artifact.id}`,
    });
    const whole = section("Pictures", frame);
    frame.addEventListener("load", () => {
      const shown = frame.contentDocument;
      if (!shown?.querySelector("main.pictures")) {
        whole.remove();
        return;
      }
      const { theme } = document.documentElement.dataset;
      if (theme) shown.documentElement.dataset.theme = theme;
      frame.style.height = `${shown.querySelector("main.pictures").scrollHeight + 4}px`;
      frame.dataset.ready = "true";
    });
    return whole;
  }

  function executionPanel(execution) {
    return [
      head(execution, execution.node, execution.key, [
        state(execution.state),
        findingSign(execution),
      ]),
      actions(execution),
      facts([
        ["Run", execution.run ? runLink(execution.run) : "not recorded"],
        execution.pipeline ? ["Pipeline", long(execution.pipeline)] : null,
        ["Type", el("div", { class: "mono" }, long(execution.type))],
        ["Started", words.time(execution.created)],
        ["Duration", words.duration(execution.updated - execution.created)],
      ]),
      execution.state === "failed" ? failureOf(execution) : null,
      execution.sources.length
        ? section("Source files", links(execution.sources.map((source) => [source, []])))
        : null,
      section(
        "Inputs",
        execution.inputs.length
          ? links(execution.inputs.map((link) => [link.artifact, link.keys]))
          : nothing("none"),
      ),
      section(
        "Outputs",
        execution.outputs.length
          ? links(execution.outputs.map((link) => [link.artifact, link.keys]))
          : nothing("none"),
      ),
      propertiesOf(execution),
    ].filter(Boolean);
  }

  /** What a failed execution failed with, where, and the command that prints its log. */
  function failureOf(execution) {
    const { failure, run, node } = execution;
    const command = run ? `fareline logs ${run} ${node} ${Explorer.data.place}`.trim() : "";
    const again = Explorer.data.run(run)?.command;
    return section(
      "Error",
      failure ? el("div", { class: "mono" }, long(failure.error)) : nothing("no error was recorded"),
      facts([
        failure?.place ? ["At", el("div", { class: "mono" }, long(failure.place))] : null,
        command ? ["Log command", el("div", { class: "mono" }, long(command))] : null,
        again ? ["Repeat the run", el("div", { class: "mono" }, long(again))] : null,
      ]),
      failure && failure.text !== failure.error
        ? el(
            "details",
            { class: "traceback" },
            el("summary", {}, "Traceback"),
            el("pre", {}, failure.text.split("\n").map(visible).join("\n")),
          )
        : null,
    );
  }

  function sourcePanel(source) {
    const file = (entry) =>
      el(
        "dl",
        { class: "facts file" },
        [
          ["Path", el("div", { class: "mono" }, long(entry.path))],
          ["Files", entry.files ?? "not recorded"],
          [
            "Size",
            entry.bytes === null
              ? "not recorded"
              : `${words.bytes(entry.bytes)} (${entry.bytes.toLocaleString("en")} bytes)`,
          ],
          [
            "SHA-256",
            entry.sha256 ? el("div", { class: "mono" }, long(entry.sha256)) : "not recorded",
          ],
        ].map(([term, content]) => [el("dt", {}, term), el("dd", {}, content)]),
      );
    return [
      head(source, words.base(source.name), "Source file, outside the store", []),
      actions(source),
      some(source.files, file, SHOWN, "files"),
      section("Read by", links(source.readers.map((reader) => [reader, []]).reverse())),
    ];
  }

  function runPanel(run) {
    const count = Object.entries(run.nodes).map(([kind, amount]) =>
      state(kind, `${amount} ${kind}`),
    );
    const artifacts = (ids) => links(ids.map((id) => [Explorer.data.get(`a${id}`), []]));
    return [
      head(run, run.id, run.pipeline || "Run", [
        state(run.status),
        run.outcome ? el("span", { class: "tag" }, run.outcome) : null,
      ]),
      comparison(run),
      Explorer.served()
        ? el(
            "p",
            { class: "panel-section" },
            el("a", { href: `/run/${encodeURIComponent(run.id)}` }, "Page of the run"),
          )
        : "",
      facts([
        ["Started", words.time(run.started)],
        ["Duration", run.ended ? words.duration(Math.max(0, run.ended - run.started)) : "not recorded"],
        ["Nodes", el("div", { class: "row" }, count)],
        ["Data", run.data.length ? artifacts(run.data) : "none"],
        ["Model", run.models.length ? artifacts(run.models) : "none"],
        [
          "Evaluator",
          run.blessed === null
            ? "no verdict"
            : verdict(run.blessed, run.blessed ? "blessed" : "refused"),
        ],
        [
          "InfraValidator",
          run.fit === null
            ? "no verdict"
            : verdict(run.fit, run.fit ? "fit to serve" : "not fit to serve"),
        ],
        [
          "Pushed",
          run.pushed.length
            ? [
                artifacts(run.pushed),
                run.again ? el("p", { class: "soft none" }, "already published before") : null,
              ]
            : "no",
        ],
      ]),
      Object.keys(run.metrics).length
        ? section("Metrics", table(Object.entries(run.metrics)))
        : null,
      propertiesOf(run, "Recorded by the run"),
    ].filter(Boolean);
  }

  /** A button that opens the comparison with the previous run, if there is one. */
  function comparison(run) {
    const before = Explorer.data.runs[run.index - 1];
    if (!before) return "";
    const go = () => Explorer.app.go({ view: "compare", a: before.id, b: run.id });
    return el(
      "div",
      { class: "actions" },
      button("Compare with the previous run", go, {}, icon("swap")),
    );
  }

  // Parts.

  function head(element, title, key, states) {
    return el(
      "div",
      { class: "panel-head" },
      el("h2", {}, icon(kindOf(element)), name(cut(title, LONG_TITLE))),
      el(
        "div",
        { class: "panel-key mono" },
        title.length > LONG_TITLE ? long(title, LONG_TITLE) : null,
        long(key, LONG_TITLE),
      ),
      el("div", { class: "row" }, states),
    );
  }

  function actions(element) {
    const { app } = Explorer;
    const state = app.state;
    const row = el("div", { class: "actions" });
    const light = (way, label) =>
      button(
        label,
        () => app.go({ ...state, hl: state.hl === way ? undefined : way }),
        { "aria-pressed": String(state.hl === way) },
        icon(way === "up" ? "upstream" : "downstream"),
      );
    row.append(light("up", "Upstream"), light("down", "Downstream"));
    if (state.view !== "near")
      row.append(
        button("Explore from here", () =>
          app.go({ view: "near", at: element.ref, sel: element.ref }),
        ),
      );
    if (element.kind !== "source")
      row.append(
        button("Show origin", () =>
          app.go({ view: "near", at: element.ref, sel: element.ref, all: "up", hl: "up" }),
        ),
      );
    if (element.kind === "execution" && element.run && state.view === "near")
      row.append(
        button("Show in its run", () =>
          app.go({ view: "run", run: element.run, sel: element.ref }),
        ),
      );
    if (state.view === "near")
      row.append(
        button("Everything derived from it", () =>
          app.go({ view: "near", at: element.ref, sel: element.ref, all: "down", hl: "down" }),
        ),
      );
    return row;
  }

  /** The most important facts of an artifact, by type. */
  function special(artifact) {
    const { data } = Explorer;
    if (artifact.type === "Model") {
      const came = [...Explorer.walk.upstream(artifact, 400)];
      const origin = came.filter(
        (e) =>
          e.kind === "artifact" &&
          (e.type === "Schema" ||
            (e.type === "Examples" && e.makers.some((link) => link.execution.inputs.length === 0))),
      );
      const sources = came.filter((e) => e.kind === "source");
      const metrics = metricsOf(artifact);
      const fate = artifact.users
        .filter((link) => link.keys.includes("model"))
        .flatMap((link) => link.execution.outputs)
        .map((link) => link.artifact)
        .filter((made) => FATE.includes(made.type));
      const chosen = words.structure(data.property(artifact, "hyperparameters"));
      return [
        section("Metrics", metrics ? table(metrics) : nothing("not recorded")),
        section(
          "Evaluation and publishing",
          fate.length ? links([...new Set(fate)].map((made) => [made, []])) : nothing("not yet"),
        ),
        section("Derived from", links([...sources, ...origin].map((e) => [e, []]))),
        chosen ? section("Hyperparameters", table(Object.entries(chosen))) : null,
      ].filter(Boolean);
    }
    if (artifact.type === "Examples") {
      const splits = words.structure(data.property(artifact, "split_names"));
      const span = data.property(artifact, "span");
      const sources = artifact.makers.flatMap((link) => link.execution.sources);
      return [
        facts([
          splits ? ["Splits", name(splits.join(", "))] : null,
          span === undefined
            ? null
            : [
                "Span",
                `${span}${data.property(artifact, "version") === undefined ? "" : `, version ${data.property(artifact, "version")}`}`,
              ],
          sources.length
            ? ["Source", links([...new Set(sources)].map((source) => [source, []]))]
            : null,
        ]),
      ];
    }
    if (artifact.type === "ModelEvaluation") {
      const overall = words.structure(data.property(artifact, "metrics"))?.overall;
      return overall ? [section("Metrics", table(Object.entries(overall)))] : [];
    }
    return [];
  }

  return { show };
})();
