"use strict";
// Choosing a run: a dialog with all runs, the newest first, and a search through them.

Explorer.picker = (() => {
  const { el, name, cut } = Explorer.dom;
  const { icon, state } = Explorer.icons;
  const words = Explorer.words;
  const STEP = 100;

  /** Asks for a run; calls back with it. */
  function open(title, current, choose) {
    const dialog = document.getElementById("picker");
    const list = el("div", { class: "runs", role: "listbox", "aria-label": "Runs" });
    const input = el("input", {
      type: "text",
      class: "field",
      placeholder: "Run, time, status, pipeline, pushed …",
      "aria-label": "Search runs",
      autocomplete: "off",
      dir: "auto",
      oninput: () => fill(input.value),
    });
    const close = el(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": "Close",
        onclick: () => dialog.close(),
      },
      icon("close"),
    );
    dialog.replaceChildren(
      el("div", { class: "dialog-head" }, el("h2", { id: "picker-title" }, title), close),
      el("div", { class: "dialog-body" }, input, list),
    );
    dialog.onkeydown = (event) => move(event, input, list);
    fill("");
    dialog.showModal();
    input.focus();
    list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "center" });

    function fill(text) {
      const terms = text.toLowerCase().split(/\s+/).filter(Boolean);
      const found = Explorer.data.runs
        .filter((run) => terms.every((term) => haystack(run).includes(term)))
        .reverse();
      list.replaceChildren(
        ...(found.length ? rows(found) : [el("p", { class: "soft" }, "No run matches.")]),
      );
    }

    function rows(runs) {
      const here = Math.max(STEP, runs.findIndex((run) => run.id === current) + 10);
      const drawn = runs.slice(0, here).map((run) => row(run));
      const rest = runs.slice(here);
      if (rest.length) {
        const more = el(
          "button",
          {
            type: "button",
            class: "button",
            onclick: () => {
              const next = rest.splice(0, STEP * 5).map(row);
              more.before(...next);
              next[0].focus();
              if (!rest.length) more.remove();
            },
          },
          `Show more of ${words.count(runs.length, "run")}`,
        );
        drawn.push(more);
      }
      return drawn;
    }

    function row(run) {
      const metric = Explorer.data.mainMetric;
      const value = run.metrics[metric];
      return el(
        "button",
        {
          type: "button",
          class: "run-row",
          role: "option",
          "aria-selected": String(run.id === current),
          onclick: () => {
            dialog.close();
            choose(run);
          },
        },
        state(run.status),
        el(
          "span",
          { class: "run-name" },
          name(cut(run.id, 120)),
          el("span", { class: "soft" }, name(cut(run.pipeline, 60))),
        ),
        el("span", { class: "number soft" }, words.shortTime(run.started)),
        el(
          "span",
          { class: "number" },
          value === undefined ? "" : `${metric} ${words.number(value)}`,
        ),
        outcome(run),
      );
    }
  }

  /** The outcome of a run's model, as sign and words. */
  function outcome(run) {
    const isLive = run.pushed.some((id) => Explorer.data.live.has(`a${id}`));
    if (isLive) return el("span", { class: "state is-good" }, icon("live"), "live");
    if (run.pushed.length) return el("span", { class: "state is-good" }, icon("pushed"), "pushed");
    if (run.blessed === false || run.fit === false)
      return el("span", { class: "state is-bad" }, icon("no"), "refused");
    return el("span", { class: "soft" }, "not pushed");
  }

  function haystack(run) {
    return `${run.id} ${run.pipeline} ${words.time(run.started)} ${run.status} ${outcome(run).textContent}`.toLowerCase();
  }

  function move(event, input, list) {
    const rows = [input, ...list.querySelectorAll("button")];
    const at = rows.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && rows[at + step]) {
      event.preventDefault();
      rows[at + step].focus();
    } else if (event.key === "Enter" && document.activeElement === input) {
      event.preventDefault();
      rows[1]?.click();
    }
  }

  return { open, outcome };
})();
