"use strict";
// Signs for states and for kinds of artifacts. Each is a shape of its own, so that none depends on
// its colour.

Explorer.icons = (() => {
  const { svg } = Explorer.dom;

  const PATHS = {
    // States: a tick, an arrow round, a cross, an hourglass, a question mark.
    executed: ["M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8", "M5.2 8.2 7.2 10.2 10.9 6"],
    complete: ["M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8", "M5.2 8.2 7.2 10.2 10.9 6"],
    cached: ["M13.6 8a5.6 5.6 0 1 1-1.7-4", "M12.3 1.4v3H9.3"],
    failed: [
      "M5.4 1.8h5.2l3.6 3.6v5.2l-3.6 3.6H5.4L1.8 10.6V5.4z",
      "M5.8 5.8l4.4 4.4",
      "M10.2 5.8l-4.4 4.4",
    ],
    running: ["M4 1.8h8", "M4 14.2h8", "M5 1.8v2.4L8 8l3-3.8V1.8", "M5 14.2v-2.4L8 8l3 3.8v2.4"],
    unknown: ["M5.6 5.6a2.4 2.4 0 1 1 3.4 2.2c-.7.3-1 .8-1 1.6", "M8 12.4v.1"],
    // Kinds.
    data: [
      "M2.6 4c0-1.2 2.4-2 5.4-2s5.4.8 5.4 2-2.4 2-5.4 2-5.4-.8-5.4-2",
      "M2.6 4v8c0 1.2 2.4 2 5.4 2s5.4-.8 5.4-2V4",
      "M2.6 8c0 1.2 2.4 2 5.4 2s5.4-.8 5.4-2",
    ],
    model: ["M8 1.6l5.6 3.2v6.4L8 14.4l-5.6-3.2V4.8z", "M2.6 5 8 8l5.4-3", "M8 8v6.2"],
    pushed: ["M8 10.4V2", "M4.8 5 8 1.8 11.2 5", "M2.4 9.6V14h11.2V9.6"],
    verdict: ["M8 1.6l5.4 1.9v4.3c0 3.2-2.2 5.4-5.4 6.6-3.2-1.2-5.4-3.4-5.4-6.6V3.5z"],
    schema: ["M2.4 2.4h11.2v11.2H2.4z", "M2.4 6h11.2", "M6.4 6v7.6"],
    chart: ["M2.4 2v12h11.6", "M5.4 11V8", "M8.4 11V4.6", "M11.4 11V6.6"],
    transform: ["M2 5h9", "M8.6 2.4 11.4 5 8.6 7.6", "M14 11H5", "M7.4 8.4 4.6 11l2.8 2.6"],
    settings: [
      "M2 4.6h6",
      "M11.4 4.6H14",
      "M9.7 3a1.6 1.6 0 1 0 .01 0",
      "M2 11.4h2.6",
      "M8 11.4h6",
      "M6.3 9.8a1.6 1.6 0 1 0 .01 0",
    ],
    thing: ["M4 2h5.4L12.6 5.2V14H4z", "M9.2 2v3.4h3.4"],
    file: ["M4 2h5.4L12.6 5.2V14H4z", "M9.2 2v3.4h3.4", "M6 8.4h4.6", "M6 11h4.6"],
    run: ["M2.4 8h2.4", "M11.2 8h2.4", "M4.8 5.6h6.4v4.8H4.8z"],
    step: ["M2.6 4h10.8v8H2.6z"],
    // Signs.
    differs: ["M3 6h10", "M3 10h10", "M11 2.6 5 13.4"],
    same: ["M3 6h10", "M3 10h10"],
    yes: ["M3 8.4l3.2 3.2L13 4.8"],
    no: ["M4 4l8 8", "M12 4l-8 8"],
    gone: ["M2.6 4h10.8", "M6 4V2.2h4V4", "M4 4l.8 10h6.4L12 4", "M6.6 6.8v4.6", "M9.4 6.8v4.6"],
    live: ["M8 1.8l1.9 4 4.3.5-3.2 3 .9 4.3L8 11.4l-3.9 2.2.9-4.3-3.2-3 4.3-.5z"],
    sun: [
      "M8 5a3 3 0 1 0 .01 0",
      "M8 1v1.4",
      "M8 13.6V15",
      "M1 8h1.4",
      "M13.6 8H15",
      "M3 3l1 1",
      "M12 12l1 1",
      "M13 3l-1 1",
      "M4 12l-1 1",
    ],
    moon: ["M13.6 9.6A6 6 0 0 1 6.4 2.4a6 6 0 1 0 7.2 7.2z"],
    help: [
      "M8 1.8a6.2 6.2 0 1 0 .01 0",
      "M6.2 6.2a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.8.7-.8 1.2",
      "M8 11.4v.1",
    ],
    close: ["M4 4l8 8", "M12 4l-8 8"],
    left: ["M10 3 5 8l5 5"],
    right: ["M6 3l5 5-5 5"],
    down: ["M3 6l5 5 5-5"],
    warning: ["M8 2.2 14.6 13.6H1.4z", "M8 6.4v3.4", "M8 11.6v.1"],
    plus: ["M8 3v10", "M3 8h10"],
    minus: ["M3 8h10"],
    fit: ["M2 5.4V2h3.4", "M10.6 2H14v3.4", "M14 10.6V14h-3.4", "M5.4 14H2v-3.4"],
    swap: [
      "M2.4 5.4h11",
      "M10.6 2.6l2.8 2.8-2.8 2.8",
      "M13.6 10.6h-11",
      "M5.4 7.8l-2.8 2.8 2.8 2.8",
    ],
    upstream: ["M14 8H3", "M6.6 4 2.6 8l4 4"],
    downstream: ["M2 8h11", "M9.4 4l4 4-4 4"],
    copy: ["M5.4 5.4h8.2v8.2H5.4z", "M10.6 5.4V2.4H2.4v8.2h3"],
  };

  const KINDS = {
    Examples: "data",
    ExternalArtifact: "data",
    Model: "model",
    ModelRun: "chart",
    TransformGraph: "transform",
    TransformCache: "transform",
    Schema: "schema",
    ExampleStatistics: "chart",
    ExampleAnomalies: "verdict",
    ModelBlessing: "verdict",
    InfraBlessing: "verdict",
    ModelEvaluation: "chart",
    HyperParameters: "settings",
    TunerResults: "chart",
    PushedModel: "pushed",
  };

  /** An icon by name, hidden from screen readers: the words beside it say the same. */
  function icon(name) {
    const paths = (PATHS[name] ?? PATHS.thing).map((d) => svg("path", { d }));
    return svg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, paths);
  }

  /** The icon's name for any element of the store. */
  function kindOf(element) {
    if (element.kind === "execution") return element.state;
    if (element.kind === "source") return "file";
    if (element.kind === "run") return "run";
    return KINDS[element.type] ?? "thing";
  }

  /** A state as sign and word. */
  function state(value, label) {
    const known = value in PATHS ? value : "unknown";
    return Explorer.dom.el("span", { class: `state is-${known}` }, icon(known), label ?? value);
  }

  /** A yes or no as sign and word. */
  function verdict(good, label) {
    return Explorer.dom.el(
      "span",
      { class: `state is-${good ? "good" : "bad"}` },
      icon(good ? "yes" : "no"),
      label,
    );
  }

  /** Whether two sides are the same, as sign and words. */
  function likeness(same, label) {
    const kind = same ? "likeness soft" : "likeness difference";
    return Explorer.dom.el("span", { class: kind }, icon(same ? "same" : "differs"), label);
  }

  return { icon, kindOf, state, verdict, likeness };
})();
