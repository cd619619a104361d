"use strict";
// The page as a whole: what is shown stands in the address (`#view=run&run=…&sel=…`), so that it can
// be sent to others; views draw it, and every click goes through the address again.

Explorer.app = (() => {
  const { el } = Explorer.dom;
  const { icon, state: stateSign } = Explorer.icons;
  const KEYS = ["view", "run", "at", "all", "a", "b", "sel", "hl", "metric", "from"];

  const EVERY_MS = 3000;
  const app = { state: {}, start, go, select, remember, focusGraph };
  let drawn; // the key of what is drawn

  async function start() {
    theme();
    document.getElementById("help").append(icon("help"));
    try {
      Explorer.data = await Explorer.store.load();
    } catch (error) {
      document
        .getElementById("main")
        .append(
          el("p", { class: "empty" }, `The data of this page cannot be read: ${error.message}`),
        );
      return;
    }
    Explorer.search.start();
    document.getElementById("help").addEventListener("click", help);
    document.addEventListener("keydown", keys);
    for (const link of document.querySelectorAll(".skip")) link.addEventListener("click", skip);
    window.addEventListener("hashchange", render);
    let waiting;
    window.addEventListener("resize", () => {
      clearTimeout(waiting);
      waiting = setTimeout(render, 150);
    });
    counts();
    render();
    document.documentElement.dataset.ready = "true";
    if (Explorer.served()) setTimeout(follow, EVERY_MS);
  }

  /** Where a server shows the page: what a running pipeline has added is drawn when it is there. */
  async function follow() {
    const { body } = document;
    try {
      if (!document.hidden) {
        const answer = await fetch(`/content?mark=${encodeURIComponent(body.dataset.mark)}`);
        if (answer.status === 200) {
          const { mark, content } = await answer.json();
          document.getElementById("content").textContent = content;
          Explorer.data = await Explorer.store.load();
          body.dataset.mark = mark;
          drawn = undefined;
          counts();
          if (!document.querySelector("dialog[open]")) render();
        }
      }
    } catch {
      // The server has ended: what is shown stays.
    }
    setTimeout(follow, EVERY_MS);
  }

  /** To a part of the page, without touching the address, which says what is shown. */
  function skip(event) {
    event.preventDefault();
    document.querySelector(event.currentTarget.getAttribute("href"))?.focus();
  }

  /** The address as an object; what it does not say is as the page was written to open. */
  function read() {
    const { data } = Explorer;
    const said = Object.fromEntries(
      [...new URLSearchParams(location.hash.slice(1))].filter(([known]) => KEYS.includes(known)),
    );
    const empty = !Object.keys(said).length;
    const wanted = empty ? { ...data.focus } : said;
    const found = data.find(wanted.sel);
    if (found) wanted.sel = found.ref;
    if (!(wanted.view in Explorer.views)) wanted.view = wanted.run || !wanted.sel ? "run" : "near";
    if (wanted.view === "run" && !data.run(wanted.run)) {
      wanted.run = (found?.kind === "execution" && found.run) || data.lastRun?.id;
      if (!data.runs.length && data.elements.size) wanted.view = "near";
    }
    return wanted;
  }

  function go(next) {
    const said = new URLSearchParams();
    for (const known of KEYS)
      if (next[known] !== undefined && next[known] !== "") said.set(known, next[known]);
    const hash = `#${said}`;
    // At once, unlike a change of location.hash, so that keys that follow meet what they should.
    if (hash !== location.hash) history.pushState(null, "", hash);
    render();
  }

  /** Notes something in the address without drawing anew. */
  function remember(part) {
    Object.assign(app.state, part);
    const said = new URLSearchParams();
    for (const known of KEYS) if (app.state[known] !== undefined) said.set(known, app.state[known]);
    history.replaceState(null, "", `#${said}`);
    drawn = Explorer.views[app.state.view].key(app.state);
  }

  /** Shows an element: where it is drawn already, or else among its neighbours. */
  function select(element) {
    const view = Explorer.views[app.state.view];
    if (view.has(element)) go({ ...app.state, sel: element.ref });
    else go({ view: "near", at: element.ref, sel: element.ref });
  }

  function render() {
    app.state = read();
    const view = Explorer.views[app.state.view];
    const wanted = view.key(app.state);
    const panel = document.getElementById("details");
    const focused = document.activeElement;
    const inPanel = panel.contains(focused) ? focused.textContent : undefined;
    if (wanted !== drawn) {
      const main = document.getElementById("main");
      main.replaceChildren();
      main.className = "";
      drawn = wanted;
      view.enter(main, app.state);
      main.scrollTop = 0;
    } else {
      view.select(app.state);
    }
    for (const tab of document.querySelectorAll(".tabs a")) {
      if (tab.dataset.view === app.state.view) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    document.body.dataset.view = app.state.view;
    document.title = `${titleOf(app.state)} · Lineage`;
    if (app.started) keepFocus(panel, inPanel);
    app.started = true;
  }

  function titleOf(state) {
    const element = Explorer.data.get(state.sel);
    const names = {
      run: state.run ?? "Runs",
      near: "Explore",
      compare: "Compare",
      timeline: "Timeline",
    };
    return Explorer.dom.cut(element?.key ?? names[state.view], 80);
  }

  /** A button that was pressed and drawn anew keeps the focus; nothing is lost to the page's top. */
  function keepFocus(panel, text) {
    if (document.activeElement !== document.body) return;
    const again =
      text && [...panel.querySelectorAll("button")].find((button) => button.textContent === text);
    if (again) again.focus();
    else if (text) panel.focus();
    else focusGraph();
  }

  /** After the key that asked for it is done with; unless the reader has moved on by then. */
  function focusGraph() {
    const before = document.activeElement;
    setTimeout(() => {
      const now = document.activeElement;
      if (now === before || now === document.body) Explorer.views[app.state.view].focus();
    }, 0);
  }

  function keys(event) {
    const typing = event.target.closest?.("input, select, textarea, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const { state } = app;
    if (event.key === "/") {
      event.preventDefault();
      Explorer.search.focus();
    } else if (event.key === "?") help();
    else if (event.key === "Escape" && (state.hl || state.sel))
      go(state.hl ? { ...state, hl: undefined } : { ...state, sel: undefined });
    else if (event.key === "u" || event.key === "d") highlight(event.key === "u" ? "up" : "down");
    else if (event.key === "e" && event.target.dataset?.ref)
      go({ view: "near", at: event.target.dataset.ref, sel: event.target.dataset.ref });
  }

  /** Highlights everything upstream of the focused or selected item, or downstream of it. */
  function highlight(way) {
    const ref = document.activeElement?.dataset?.ref ?? app.state.sel;
    if (ref)
      go({
        ...app.state,
        sel: ref,
        hl: app.state.hl === way && app.state.sel === ref ? undefined : way,
      });
  }

  function theme() {
    const root = document.documentElement;
    const dark = () =>
      root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
    const toggle = document.getElementById("theme");
    const label = () => {
      toggle.replaceChildren(icon(dark() ? "sun" : "moon"));
      toggle.setAttribute("aria-label", dark() ? "Light colours" : "Dark colours");
      toggle.title = toggle.getAttribute("aria-label");
    };
    const kept = storage((store) => store.getItem("lineage-theme"));
    if (kept === "dark" || kept === "light") root.dataset.theme = kept;
    toggle.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      storage((store) => store.setItem("lineage-theme", root.dataset.theme));
      label();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
    label();
  }

  /** Some browsers keep nothing for a file, and say so with an error. */
  function storage(act) {
    try {
      return act(localStorage);
    } catch {
      return null;
    }
  }

  function counts() {
    const { data } = Explorer;
    const { count } = Explorer.words;
    document.getElementById("foot-count").textContent = [
      count(data.runs.length, "run"),
      count(data.executions.length, "execution"),
      count(data.artifacts.length, "artifact"),
    ].join(" · ");
  }

  function help() {
    const dialog = document.getElementById("help-dialog");
    const rows = [
      [
        "Arrows",
        "move along the lines: right to derived elements, left to origins, up and down within a column; at the edge of the graph they show more elements",
      ],
      ["Enter", "select; the details are on the right"],
      ["u, d", "highlight everything upstream, or downstream; again to stop"],
      ["e", "explore from here"],
      ["/", "search"],
      ["Escape", "end the highlight; clear the selection; close"],
      ["Tab", "go to the next part of the page"],
      ["?", "show this help"],
    ];
    const signs = [
      ["executed", "the node ran"],
      ["cached", "the outputs of an earlier execution were reused"],
      ["failed", "the node failed or was stopped"],
      ["running", "the node is running, or a crash left this state"],
    ];
    dialog.replaceChildren(
      el(
        "div",
        { class: "dialog-head" },
        el("h2", { id: "help-title" }, "Shortcuts and legend"),
        el(
          "button",
          {
            type: "button",
            class: "icon-button",
            "aria-label": "Close",
            onclick: () => dialog.close(),
          },
          icon("close"),
        ),
      ),
      el(
        "div",
        { class: "dialog-body" },
        el(
          "dl",
          { class: "keys" },
          rows.map(([key, text]) => [
            el(
              "dt",
              {},
              key.split(", ").map((one) => [el("kbd", {}, one), " "]),
            ),
            el("dd", {}, text),
          ]),
        ),
        el(
          "dl",
          { class: "keys" },
          signs.map(([kind, text]) => [el("dt", {}, stateSign(kind)), el("dd", {}, text)]),
        ),
        el(
          "p",
          { class: "soft" },
          "The address of the page contains the view and the selection. Copy it to share them.",
        ),
      ),
    );
    dialog.showModal();
  }

  return app;
})();
