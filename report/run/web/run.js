"use strict";
// The page of a run stands without this; here is what moves: the theme, sorted tables, the threshold.

(() => {
  const root = document.documentElement;
  const announce = document.getElementById("announce");
  const say = (text) => (announce.textContent = text);

  function theme() {
    const toggle = document.getElementById("theme");
    if (!toggle) return;
    const dark = () =>
      root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
    const name = () => {
      toggle.textContent = dark() ? "Light theme" : "Dark theme";
    };
    toggle.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      name();
    });
    name();
  }

  // A click on a heading sorts by its column; empty cells stay last.
  function sortable(table) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") === "descending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[column]) }));
        rows.sort((a, b) => {
          if (a.key === "" || b.key === "") return (a.key === "") - (b.key === "");
          const order =
            typeof a.key === "number" && typeof b.key === "number"
              ? a.key - b.key
              : String(a.key).localeCompare(String(b.key), "en");
          return up ? order : -order;
        });
        body.append(...rows.map((one) => one.row));
        say(`${table.caption.textContent}, sorted by ${button.textContent}`);
      });
    });
  }

  function keyOf(cell) {
    const value = cell.dataset.value ?? cell.textContent.trim();
    return value === "" || value === "–" ? "" : Number.isNaN(Number(value)) ? value : Number(value);
  }

  // Confusion matrix, and a mark on every curve, at the threshold of the slider.
  function operating(area) {
    const data = JSON.parse(area.querySelector("script").textContent);
    const slider = area.querySelector("input");
    const cell = (name) => area.querySelector(`[data-cell="${name}"]`);
    const share = (part, whole) => (whole > 0 ? part / whole : null);
    const shown = (value) => (value === null ? "–" : `${(100 * value).toFixed(1)} %`);
    const count = (value) => Math.round(value).toLocaleString("en");

    function move() {
      const at = Number(slider.value);
      const [tp, fp] = [data.tp[at], data.fp[at]];
      const [fn, tn] = [data.positives - tp, data.negatives - fp];
      const precision = share(tp, tp + fp);
      const recall = share(tp, data.positives);
      const rate = share(fp, data.negatives);
      const threshold = data.thresholds[at];
      area.querySelector("output").textContent = threshold.toFixed(2);
      slider.setAttribute("aria-valuetext", threshold.toFixed(2));
      for (const [name, value] of Object.entries({ tp, fp, fn, tn })) {
        cell(name).textContent = count(value);
      }
      cell("precision").textContent = shown(precision);
      cell("recall").textContent = shown(recall);
      cell("fpr").textContent = shown(rate);
      cell("accuracy").textContent = shown(share(tp + tn, data.positives + data.negatives));
      cell("f1").textContent = shown(share(2 * tp, 2 * tp + fp + fn));
      mark("roc", rate, recall);
      mark("pr", recall, precision);
      mark("score", threshold, 0);
    }

    function mark(name, x, y) {
      const point = area.querySelector(`[data-now="${name}"]`);
      if (!point) return;
      const box = point.ownerSVGElement.dataset;
      const [left, right, top, bottom] = [box.left, box.right, box.top, box.bottom].map(Number);
      const across = left + (x ?? 0) * (right - left);
      if (point.tagName === "line") {
        point.setAttribute("x1", across);
        point.setAttribute("x2", across);
        return;
      }
      point.classList.toggle("gone", x === null || y === null);
      point.setAttribute("cx", across);
      point.setAttribute("cy", bottom + (y ?? 0) * (top - bottom));
    }

    slider.addEventListener("input", move);
    move();
  }

  function revive() {
    document.querySelectorAll("table[data-sortable]").forEach(sortable);
    document.querySelectorAll("[data-operating]").forEach(operating);
  }

  // Of a run at work, where a server shows the page: what has come is drawn when it has.
  async function follow() {
    const mark = document.body.dataset.mark;
    if (!mark) return;
    try {
      const asked = `${location.pathname}?mark=${encodeURIComponent(mark)}`;
      const answer = await fetch(asked);
      if (answer.status === 200) {
        const anew = new DOMParser().parseFromString(await answer.text(), "text/html");
        const opened = [...document.querySelectorAll("details[open] > summary")];
        const names = new Set(opened.map((summary) => summary.textContent));
        const top = scrollY;
        document.querySelector("main").replaceWith(anew.querySelector("main"));
        document.querySelector(".top p.soft").replaceWith(anew.querySelector(".top p.soft"));
        for (const summary of document.querySelectorAll("details > summary"))
          if (names.has(summary.textContent)) summary.parentElement.open = true;
        scrollTo(0, top);
        revive();
        document.body.dataset.mark = anew.body.dataset.mark ?? "";
        if (!document.body.dataset.mark) say("The run has ended.");
      }
    } catch {
      say("The server does not answer.");
    }
    setTimeout(follow, 1500);
  }

  theme();
  revive();
  if (document.body.dataset.mark) setTimeout(follow, 1500);
  addEventListener("beforeprint", () => {
    for (const closed of document.querySelectorAll("details:not([open], [data-long])")) closed.open = true;
  });
  root.dataset.ready = "true";
})();
