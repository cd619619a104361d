"use strict";
// What stands on cards and pills, and what a screen reader says of them.

Explorer.labels = (() => {
  const { el, cut, visible } = Explorer.dom;
  const { icon } = Explorer.icons;

  function titleOf(element) {
    if (element.kind === "execution") return element.node;
    if (element.kind === "source") return Explorer.words.base(element.name);
    return element.type;
  }

  /** What is to be seen of an artifact at once: refused, pushed and live, deleted. */
  function signOf(artifact) {
    const sign = (shape, mood) => el("span", { class: `pill-sign is-${mood}` }, icon(shape));
    const said = Explorer.parts.verdictOf(artifact);
    if (said !== undefined) return sign(said ? "yes" : "no", said ? "good" : "bad");
    if (Explorer.data.live.has(artifact.ref)) return sign("live", "good");
    return artifact.state.includes("delet") ? sign("gone", "bad") : null;
  }

  function spoken(element) {
    const text = cut(
      visible(element.kind === "source" ? `File ${element.name}` : element.key),
      200,
    );
    if (element.kind === "execution") return `${text}, ${element.state}`;
    if (element.kind === "source") return text;
    const said = Explorer.parts.verdictOf(element);
    const live = Explorer.data.live.has(element.ref) ? ", live now" : "";
    return `${text}, ${element.state}${said === undefined ? "" : said ? ", says yes" : ", says no"}${live}`;
  }

  return { titleOf, signOf, spoken };
})();
