"use strict";
// Labels of cards and pills, and their descriptions for screen readers.

Explorer.labels = (() => {
  const { el, cut, visible } = Explorer.dom;
  const { icon } = Explorer.icons;

  function titleOf(element) {
    if (element.kind === "execution") return element.node;
    if (element.kind === "source") return Explorer.words.base(element.name);
    return element.type;
  }

  /** A finding of drift, gate or quarantine as mood and words; null if there is none. */
  function findingOf(element) {
    if (element.kind === "execution") {
      const found = element.outputs.map((link) => findingOf(link.artifact)).filter(Boolean);
      return found.find((each) => each.mood === "bad") ?? found[0] ?? null;
    }
    if (element.kind !== "artifact") return null;
    const count = (name) => Number(Explorer.data.property(element, name) ?? 0);
    const kind = element.type.split(".").pop();
    if (kind === "DataDrift") {
      const [stops, others] = [count("stops"), count("retunes") + count("warns")];
      if (stops) return { mood: "bad", words: "drift stops the run" };
      return others ? { mood: "warn", words: "drift" } : null;
    }
    if (kind === "DataDecision") {
      if (count("stops")) return { mood: "bad", words: "the gate stops the run" };
      return count("anomalies") ? { mood: "warn", words: "anomalies" } : null;
    }
    const bad = Explorer.words.structure(Explorer.data.property(element, "quarantined"));
    const rows = Object.values(bad ?? {}).reduce((sum, each) => sum + Number(each), 0);
    return rows ? { mood: "warn", words: `${rows.toLocaleString("en")} rows in quarantine` } : null;
  }

  /** The sign of an artifact: refused, pushed and live, deleted, or a finding. */
  function signOf(artifact) {
    const sign = (shape, mood) => el("span", { class: `pill-sign is-${mood}` }, icon(shape));
    const said = Explorer.parts.verdictOf(artifact);
    if (said !== undefined) return sign(said ? "yes" : "no", said ? "good" : "bad");
    if (Explorer.data.live.has(artifact.ref)) return sign("live", "good");
    if (artifact.state.includes("delet")) return sign("gone", "bad");
    const finding = findingOf(artifact);
    return finding ? sign("warning", finding.mood) : null;
  }

  function spoken(element) {
    const text = cut(
      visible(element.kind === "source" ? `File ${element.name}` : element.key),
      200,
    );
    const finding = findingOf(element);
    const found = finding ? `, ${finding.words}` : "";
    if (element.kind === "execution") return `${text}, ${element.state}${found}`;
    if (element.kind === "source") return text;
    const said = Explorer.parts.verdictOf(element);
    const live = Explorer.data.live.has(element.ref) ? ", live now" : "";
    return `${text}, ${Explorer.words.stateOf(element)}${said === undefined ? "" : said ? ", approved" : ", refused"}${live}${found}`;
  }

  return { titleOf, signOf, spoken, findingOf };
})();
