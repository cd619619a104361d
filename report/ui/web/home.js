"use strict";
// All runs as a table: sorted by a heading, filtered by words and comparisons, and kept up to date.
// How it is sorted and filtered stands in the address.

(() => {
  const root = document.documentElement;
  const find = (id) => document.getElementById(id);
  const EVERY_MS = 1500;
  const SIGNS = { pushed: "✓", complete: "✓", completed: "✓", refused: "✗", failed: "✗" };
  const CLASSES = {
    pushed: "is-good",
    complete: "is-good",
    completed: "is-good",
    failed: "is-bad",
    refused: "is-refused",
    interrupted: "is-refused",
  };
  // Name, heading, value to sort and filter by.
  const FIXED = [
    ["id", "run", (run) => run.id],
    ["outcome", "outcome", (run) => run.outcome],
    ["started", "started (UTC)", (run) => run.started],
    ["seconds", "took", (run) => run.seconds],
    ["span", "span", (run) => number(run.span)],
    ["model", "model", (run) => Number(run.model.split(":")[1] ?? "") || null],
    ["live", "published", (run) => (run.live ? 2 : run.version ? 1 : null)],
  ];

  let content = JSON.parse(find("content").textContent);
  let columns = [];
  let chosen = [];
  const asked = { sort: "started", up: false, filter: "" };

  function number(text) {
    return text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text);
  }

  function el(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  }

  // The columns that some run has a value in.
  function findColumns() {
    const names = (part) => [...new Set(content.runs.flatMap((run) => Object.keys(run[part])))];
    const pipelines = new Set(content.runs.map((run) => run.pipeline));
    columns = FIXED.filter(([name]) => name !== "span" || content.runs.some((run) => run.span));
    if (pipelines.size > 1) columns.splice(1, 0, ["pipeline", "pipeline", (run) => run.pipeline]);
    // What says how much was evaluated comes after what says how well.
    const counts = (name) => /^example_count$|_mean$/.test(name);
    const metrics = names("metrics").sort((a, b) => counts(a) - counts(b));
    for (const name of metrics)
      columns.push([name, name.replaceAll("_", " "), (run) => run.metrics[name] ?? null, "metrics"]);
    for (const name of names("hyperparameters")) {
      const key = columns.some(([known]) => known === name) ? `hp_${name}` : name;
      const value = (run) => run.hyperparameters[name] ?? null;
      columns.push([key, name.replaceAll("_", " "), value, "hyperparameters"]);
    }
    if (!columns.some(([name]) => name === asked.sort)) asked.sort = "started";
  }

  // What is said of a run.

  const clock = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
  const shown = (value) =>
    typeof value !== "number"
      ? String(value)
      : Number.isInteger(value)
        ? value.toLocaleString("en")
        : Math.abs(value) >= 1e4 || Math.abs(value) < 1e-4
          ? value.toPrecision(4)
          : String(Number(value.toPrecision(4)));

  function duration(seconds) {
    if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
    const minutes = Math.floor(seconds / 60);
    return minutes < 60
      ? `${minutes} min ${Math.round(seconds % 60)} s`
      : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  function cell([name, , value, part], run) {
    if (name === "id") {
      const box = el("input", { type: "checkbox", "aria-label": `Choose ${run.id} to compare` });
      box.checked = chosen.includes(run.id);
      box.addEventListener("change", () => choose(run.id, box.checked));
      const link = el("a", { href: `/run/${encodeURIComponent(run.id)}` }, el("bdi", {}, run.id));
      return el("th", { scope: "row" }, el("span", { class: "name" }, box, link));
    }
    if (name === "outcome") {
      const word = `${SIGNS[run.outcome] ?? "▶"} ${run.outcome.replaceAll("_", " ")}`;
      const state = el("span", { class: `state ${CLASSES[run.outcome] ?? "is-running"}` }, word);
      const said = run.said ? [el("span", { class: "said soft", title: run.said }, run.said)] : [];
      return el("td", { class: "outcome" }, state, ...said);
    }
    if (name === "started") return el("td", { class: "number" }, clock(run.started));
    if (name === "seconds") return el("td", { class: "number" }, duration(run.seconds));
    if (name === "live") return published(run);
    const found = part ? value(run) : run[name];
    const missing = found === null || found === "";
    return el("td", { class: part ? "number" : "" }, missing ? "–" : shown(found));
  }

  function published(run) {
    if (!run.version) return el("td", {}, "–");
    const parts = [el("span", { class: "mono" }, run.version)];
    if (run.live) parts.push(" ", el("span", { class: "tag live" }, "live"));
    if (run.pushed_again) parts.push(" ", el("span", { class: "tag" }, "already published"));
    return el("td", { class: "published" }, ...parts);
  }

  // Which runs, and in what order.

  function matcher(text) {
    const terms = text.trim().split(/\s+/).filter(Boolean).map(term);
    return (run) => terms.every((matches) => matches(run));
  }

  /** `auc>0.95`, `outcome=failed`, or a word that stands anywhere in the row. */
  function term(text) {
    const parts = /^([^<>=!]+)(>=|<=|!=|>|<|=)(.+)$/.exec(text);
    const column = parts && columns.find(([name]) => name === parts[1].toLowerCase());
    if (!column) {
      const word = text.toLowerCase();
      return (run) =>
        [run.id, run.pipeline, run.outcome, run.said, run.model, run.version, run.live && "live"]
          .join(" ")
          .toLowerCase()
          .includes(word);
    }
    const [name, , value] = column;
    const [, , sign, wanted] = parts;
    const of = (run) =>
      name === "live" ? (run.live ? "yes" : "no") : name in run ? run[name] : value(run);
    return (run) => {
      const found = of(run);
      const pair =
        typeof found === "number" && wanted !== "" && !Number.isNaN(Number(wanted))
          ? [found, Number(wanted)]
          : [String(found ?? "").toLowerCase(), wanted.toLowerCase()];
      const [a, b] = pair;
      if (found === null && sign !== "!=") return false;
      return { ">": a > b, "<": a < b, ">=": a >= b, "<=": a <= b, "=": a === b, "!=": a !== b }[sign];
    };
  }

  function ordered(runs) {
    const [, , value] = columns.find(([name]) => name === asked.sort);
    const keyed = runs.map((run) => ({ run, key: value(run) }));
    const empty = (key) => key === null || key === undefined || key === "";
    keyed.sort((a, b) => {
      if (empty(a.key) || empty(b.key)) return empty(a.key) - empty(b.key);
      const order =
        typeof a.key === "number" && typeof b.key === "number"
          ? a.key - b.key
          : String(a.key).localeCompare(String(b.key), "en");
      return asked.up ? order : -order;
    });
    return keyed.map((each) => each.run);
  }

  // Drawing.

  function draw() {
    findColumns();
    const head = find("table").tHead.rows[0];
    const focused = document.activeElement?.closest?.("th")?.dataset.column;
    head.replaceChildren(...columns.map(heading));
    if (focused) head.querySelector(`[data-column="${CSS.escape(focused)}"] button`)?.focus();
    drawRows();
  }

  function heading([name, title, , part]) {
    const button = el("button", { type: "button" }, title);
    button.addEventListener("click", () => {
      asked.up = asked.sort === name ? !asked.up : name === "id";
      asked.sort = name;
      remember();
      draw();
      find("announce").textContent = `Sorted by ${title}, ${asked.up ? "up" : "down"}`;
    });
    const sorted = asked.sort === name ? (asked.up ? "ascending" : "descending") : undefined;
    const numbers = part || name === "seconds" || name === "started";
    return el(
      "th",
      { scope: "col", "data-column": name, "aria-sort": sorted, class: numbers ? "number" : "" },
      button,
    );
  }

  function drawRows() {
    const matches = matcher(asked.filter);
    const runs = ordered(content.runs.filter(matches));
    const focused = document.activeElement?.closest?.("tbody tr")?.dataset.run;
    const inBox = document.activeElement?.type === "checkbox";
    const body = el("tbody", {});
    for (const run of runs) {
      const row = el("tr", { "data-run": run.id, class: run.at_work ? "at-work" : "" });
      row.append(...columns.map((column) => cell(column, run)));
      body.append(row);
    }
    find("table").tBodies[0].replaceWith(body);
    if (focused)
      body.querySelector(`[data-run="${CSS.escape(focused)}"] ${inBox ? "input" : "a"}`)?.focus();
    const all = content.count;
    find("count").textContent =
      runs.length === all ? `${all} run${all === 1 ? "" : "s"}` : `${runs.length} of ${all} runs`;
    find("empty").hidden = runs.length > 0;
    find("empty").textContent = all
      ? "No run matches. Clear the filter to see all runs."
      : "There is no run yet. Start one with `fareline run`; it appears here by itself.";
  }

  function choose(id, isChosen) {
    chosen = chosen.filter((known) => known !== id);
    if (isChosen) chosen = [...chosen, id].slice(-2);
    for (const box of document.querySelectorAll("tbody input"))
      box.checked = chosen.includes(box.closest("tr").dataset.run);
    const link = find("compare");
    link.hidden = chosen.length < 2;
    const [a, b] = chosen.map(encodeURIComponent);
    if (chosen.length === 2) link.href = `/compare?a=${a}&b=${b}`;
  }

  // The address, the theme, and what the store has now.

  function remember() {
    const said = new URLSearchParams();
    if (asked.filter) said.set("filter", asked.filter);
    if (asked.sort !== "started" || asked.up) said.set("sort", `${asked.up ? "" : "-"}${asked.sort}`);
    history.replaceState(null, "", `${location.pathname}${String(said) && `#${said}`}`);
  }

  function read() {
    const said = new URLSearchParams(location.hash.slice(1));
    asked.filter = said.get("filter") ?? "";
    const sort = said.get("sort") ?? "-started";
    [asked.sort, asked.up] = [sort.replace(/^-/, ""), !sort.startsWith("-")];
    find("filter").value = asked.filter;
  }

  async function refresh() {
    try {
      const answer = await fetch(`/runs.json?mark=${encodeURIComponent(content.mark)}`);
      root.toggleAttribute("data-gone", !answer.ok);
      if (answer.status === 200) {
        content = await answer.json();
        draw();
      }
    } catch {
      root.toggleAttribute("data-gone", true);
    }
  }

  function keepRefreshing() {
    setTimeout(async () => {
      if (!document.hidden) await refresh();
      keepRefreshing();
    }, EVERY_MS);
  }

  function theme() {
    const toggle = find("theme");
    const dark = () =>
      root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
    const kept = localStorage.getItem("lineage-theme");
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
    const name = () => (toggle.textContent = dark() ? "Light theme" : "Dark theme");
    toggle.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      localStorage.setItem("lineage-theme", root.dataset.theme);
      name();
    });
    name();
  }

  theme();
  read();
  find("filter").addEventListener("input", () => {
    asked.filter = find("filter").value;
    remember();
    drawRows();
  });
  addEventListener("hashchange", () => {
    read();
    draw();
  });
  draw();
  root.dataset.ready = "true";
  if (content.count > content.runs.length) refresh();
  keepRefreshing();
})();
