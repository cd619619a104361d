"use strict";
// What panels and tables are made of: links to elements, tables of values, verdicts, properties.

Explorer.parts = (() => {
  const { el, name, long, cut, some, visible } = Explorer.dom;
  const { icon, kindOf, verdict } = Explorer.icons;
  const words = Explorer.words;
  const SHOWN = 8;

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

  /** What an artifact says at once, as sign and words: blessed or refused, pushed, live. */
  function saidSign(artifact) {
    if (Explorer.data.live.has(artifact.ref))
      return el("span", { class: "state is-good" }, icon("live"), "live now");
    const said = verdictOf(artifact);
    if (said === undefined) return null;
    return verdict(
      said,
      artifact.type === "PushedModel"
        ? said
          ? "pushed"
          : "not pushed"
        : said
          ? "blessed"
          : "refused",
    );
  }

  /** The overall metrics of a model: of the newest evaluation in which it was the one judged. */
  function metricsOf(model) {
    const judges = model.users
      .filter((link) => link.keys.includes("model"))
      .map((link) => link.execution)
      .reverse();
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
    return there.length
      ? el(
          "dl",
          { class: "facts" },
          there.map(([term, content]) => [el("dt", {}, term), el("dd", {}, content)]),
        )
      : "";
  }

  function section(title, ...content) {
    return el("section", { class: "panel-section" }, el("h3", {}, title), content);
  }

  const nothing = (text) => el("p", { class: "soft none" }, text);

  function table(rows) {
    return el(
      "table",
      { class: "values" },
      el(
        "tbody",
        {},
        rows.map(([key, value]) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, name(cut(String(key), 120))),
            el(
              "td",
              { class: "number" },
              long(words.value(typeof value === "number" ? words.number(value) : value), 160),
            ),
          ),
        ),
      ),
    );
  }

  /** Elements to go to, each with the names of the input or output that led there. */
  function links(pairs) {
    return some(pairs, ([element, keys]) => link(element, keys), SHOWN, "");
  }

  function link(element, keys) {
    const text = element.kind === "source" ? element.name : element.key;
    return el(
      "span",
      { class: "element-link" },
      icon(kindOf(element)),
      el(
        "button",
        {
          type: "button",
          class: "link",
          "data-goto": element.ref,
          title: cut(visible(text), 200),
          onclick: () => Explorer.app.select(element),
        },
        name(cut(text, 140)),
      ),
      keys.length ? el("span", { class: "soft" }, " as ", name(cut(keys.join(", "), 120))) : null,
      element.kind === "artifact" ? saidSign(element) : null,
      element.kind === "execution" && element.state !== "executed"
        ? el("span", { class: "soft" }, ` ${element.state}`)
        : null,
    );
  }

  const runLink = (id) =>
    el(
      "button",
      { type: "button", class: "link", onclick: () => Explorer.app.go({ view: "run", run: id }) },
      name(cut(id, 140)),
    );

  function propertiesOf(element, title = "Properties") {
    const pairs = Explorer.data.properties(element);
    if (!pairs.length) return section(title, nothing("none recorded"));
    const list = el("dl", { class: "properties" });
    for (const [key, value] of pairs) {
      const text = words.value(value);
      const isBlock = text.includes("\n");
      list.append(
        el("dt", {}, name(cut(key, 200))),
        el(
          "dd",
          { class: isBlock ? "mono block" : "mono" },
          text === "" ? el("span", { class: "soft" }, "empty") : long(text, 320),
          isTime(value) ? el("div", { class: "soft" }, words.time(value)) : null,
        ),
      );
    }
    return section(title, list);
  }

  /** Whether a number is likely to be milliseconds since 1970. */
  const isTime = (value) => Number.isInteger(value) && value > 1.2e12 && value < 4e12;

  return {
    verdictOf,
    saidSign,
    metricsOf,
    facts,
    section,
    nothing,
    table,
    links,
    link,
    runLink,
    propertiesOf,
  };
})();
