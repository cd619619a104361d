"use strict";
// Search over everything: runs, artifacts, executions, source files, by id, name or path; and the
// values of properties, such as a commit or a SHA-256.

Explorer.search = (() => {
  const { el, name, cut } = Explorer.dom;
  const { icon, kindOf } = Explorer.icons;
  const MOST = 40;
  const IN_VALUES = 4; // shorter texts are not looked for in properties

  let input;
  let box;
  let found = [];
  let active = -1;
  let index;

  function start() {
    input = document.getElementById("search");
    box = document.getElementById("search-results");
    input.addEventListener("input", () => show(input.value));
    input.addEventListener("focus", () => input.value && show(input.value));
    input.addEventListener("keydown", key);
    input.addEventListener("blur", () => setTimeout(hide, 120));
    // Taking the focus would close the list before the click arrives.
    box.addEventListener("mousedown", (event) => event.preventDefault());
  }

  function focus() {
    input.focus();
    input.select();
  }

  /** Finds elements and runs; exact ids first, then what begins so, then what contains it. */
  function find(text) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return [];
    index ??= makeIndex();
    const ranked = [[], [], [], []];
    for (const entry of index) {
      if (entry.key === wanted) ranked[0].push(entry.element);
      else if (entry.key.startsWith(wanted)) ranked[1].push(entry.element);
      else if (entry.text.includes(wanted)) ranked[2].push(entry.element);
    }
    if (wanted.length >= IN_VALUES) ranked[3] = inValues(wanted);
    return [...new Set(ranked.flat())];
  }

  function makeIndex() {
    const { data } = Explorer;
    const newestFirst = (list) => [...list].reverse();
    const all = [
      ...newestFirst(data.runs),
      ...data.sources,
      ...newestFirst(data.artifacts),
      ...newestFirst(data.executions),
    ];
    return all.map((element) => ({
      element,
      key: element.key.toLowerCase(),
      text: `${element.key} ${element.name ?? ""} ${element.uri ?? ""}`.toLowerCase(),
    }));
  }

  function inValues(wanted) {
    const { data } = Explorer;
    const { values, sets } = data.content;
    const holding = new Set();
    values.forEach((value, i) => {
      if (typeof value === "string" && value.toLowerCase().includes(wanted)) holding.add(i);
    });
    const matching = new Set(
      sets.flatMap((pairs, i) => (pairs.some((value) => holding.has(value)) ? [i] : [])),
    );
    return [...data.runs, ...data.artifacts, ...data.executions]
      .filter((element) => matching.has(element.set))
      .reverse();
  }

  function show(text) {
    found = find(text);
    active = found.length ? 0 : -1;
    box.replaceChildren(...found.slice(0, MOST).map(result));
    if (!found.length && text.trim())
      box.append(el("div", { class: "search-none" }, "No match in this store."));
    if (found.length > MOST)
      box.append(
        el(
          "div",
          { class: "search-none" },
          `${(found.length - MOST).toLocaleString("en")} more; type more to narrow the search.`,
        ),
      );
    box.hidden = !text.trim();
    input.setAttribute("aria-expanded", String(!box.hidden));
    mark();
  }

  function result(element, i) {
    return el(
      "div",
      { class: "search-result", role: "option", id: `found-${i}`, onclick: () => choose(element) },
      icon(element.kind === "run" ? element.status : kindOf(element)),
      name(cut(element.key, 160)),
      el("span", { class: "soft" }, name(cut(secondLine(element), 160))),
    );
  }

  function secondLine(element) {
    if (element.kind === "run")
      return `Run of ${element.pipeline || "an unnamed pipeline"}, ${Explorer.words.shortTime(element.started)}`;
    if (element.kind === "execution") return `Execution, ${element.state}`;
    if (element.kind === "source") return "Source file";
    return element.name || element.uri || "Artifact";
  }

  function choose(element) {
    input.value = "";
    hide();
    if (element.kind === "run") Explorer.app.go({ view: "run", run: element.id });
    else Explorer.app.go({ view: "near", at: element.ref, sel: element.ref });
    Explorer.app.focusGraph();
  }

  function hide() {
    box.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function mark() {
    [...box.querySelectorAll("[role=option]")].forEach((option, i) => {
      option.setAttribute("aria-selected", String(i === active));
      if (i === active) option.scrollIntoView({ block: "nearest" });
    });
    if (active >= 0) input.setAttribute("aria-activedescendant", `found-${active}`);
  }

  function key(event) {
    const last = Math.min(found.length, MOST) - 1;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      active = Math.max(0, Math.min(last, active + (event.key === "ArrowDown" ? 1 : -1)));
      mark();
    } else if (event.key === "Enter" && found[active] && !box.hidden) {
      event.preventDefault();
      choose(found[active]);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      input.value = "";
      hide();
      Explorer.app.focusGraph();
    }
  }

  return { start, focus, find };
})();
