"use strict";
// The drawing on the page: cards and pills are buttons at the places that dagre gave them, the lines
// are one SVG behind them. One of the buttons is in the tab order; arrow keys move along the lines.

Explorer.Stage = (() => {
  const { el, svg, name, cut, visible } = Explorer.dom;
  const { icon, kindOf } = Explorer.icons;
  const { titleOf, signOf, spoken, findingOf } = Explorer.labels;
  const { along, beside, inReadingOrder } = Explorer.ways;
  const LEGIBLE = 0.7; // no smaller than this unless asked for
  const [SMALLEST, LARGEST] = [0.25, 1.6];

  class Stage {
    /**
     * @param options label: what a screen reader calls it; onSelect(element); onExpand(element, side);
     *   sub(element): the second line of a card; tall: the most of its height, in pixels, or null
     *   to fill what is there.
     */
    constructor(options) {
      this.options = options;
      // Around the drawing; the buttons to expand need room.
      this.margin = options.onExpand ? 32 : 22;
      this.zoomLevel = el("output", {}, "100%");
      this.scroll = el("div", { class: "graph-scroll" });
      this.area = el(
        "section",
        { class: "graph-area", id: options.id, tabindex: "-1", "aria-label": options.label },
        this.scroll,
        this.#zoomButtons(),
      );
      this.buttons = new Map();
      this.area.addEventListener("keydown", (event) => this.#key(event));
      this.scroll.addEventListener(
        "wheel",
        (event) => {
          if (!event.ctrlKey && !event.metaKey) return;
          event.preventDefault();
          this.zoom(this.scale * (event.deltaY < 0 ? 1.12 : 0.9));
        },
        { passive: false },
      );
    }

    /** Draws a model of `Explorer.cards`; keeps the scale if something was drawn before. */
    draw(model, place = {}) {
      this.model = model;
      this.size = Explorer.cards.layOut(model);
      this.buttons.clear();
      this.edges = [];
      const stage = el("div", {
        class: "graph-stage",
        role: "group",
        "aria-label": "Nodes and their outputs",
      });
      stage.append(this.#lines(), ...inReadingOrder(model.cards).map((card) => this.#card(card)));
      this.stage = stage;
      this.sizer = el("div", { class: "graph-sizer" }, stage);
      this.scroll.replaceChildren(this.sizer);
      this.zoom(this.scale && !place.fit ? this.scale : this.#fitting(LEGIBLE, 1));
      // Room below for the buttons of the size and for a scroll bar.
      if (this.options.tall)
        this.area.style.height = `${Math.min(this.options.tall(), this.sizer.offsetHeight + 52)}px`;
      this.select(place.selected, place.lit);
    }

    /** Marks the selected item, and lights up a set of items; the rest steps back. */
    select(ref, lit) {
      const first = this.model.items.keys().next().value;
      this.selected = this.buttons.has(ref) ? ref : undefined;
      for (const [known, button] of this.buttons) {
        const current = known === this.selected;
        button.setAttribute("aria-current", String(current));
        button.tabIndex = known === (this.selected ?? first) ? 0 : -1;
        button.classList.toggle("is-dim", Boolean(lit) && !lit.has(known));
      }
      for (const { edge, line, head } of this.edges) {
        const on = lit
          ? lit.has(edge.from) && lit.has(edge.to) && !edge.baseline
          : edge.from === this.selected || edge.to === this.selected;
        for (const part of [line, head]) {
          part.classList.toggle("is-lit", on);
          part.classList.toggle("is-dim", Boolean(lit) && !on);
        }
      }
      if (this.selected) this.reveal(this.selected);
    }

    /** Scrolls so that an item is in view, and its neighbours if there is room. */
    reveal(ref) {
      const item = this.model.items.get(ref);
      if (!item || this.scroll.clientWidth === 0) return;
      const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.scroll;
      const [x, y] = [
        (item.card.x + item.card.width / 2 + this.margin) * this.scale,
        (Explorer.cards.middle(item) + this.margin) * this.scale,
      ];
      const roomX = Math.min(230 * this.scale, clientWidth / 3);
      if (x - roomX < scrollLeft || x + roomX > scrollLeft + clientWidth)
        this.scroll.scrollLeft = x - clientWidth / 2;
      if (y - 50 < scrollTop || y + 50 > scrollTop + clientHeight)
        this.scroll.scrollTop = y - clientHeight / 2;
    }

    focus(ref) {
      const button = this.buttons.get(ref ?? this.selected ?? this.model.items.keys().next().value);
      button?.focus({ preventScroll: true });
    }

    zoom(scale) {
      this.scale = Math.min(LARGEST, Math.max(SMALLEST, scale));
      const [width, height] = [
        this.size.width + 2 * this.margin,
        this.size.height + 2 * this.margin,
      ];
      this.stage.style.width = `${width}px`;
      this.stage.style.height = `${height}px`;
      this.stage.style.transform = `scale(${this.scale})`;
      this.sizer.style.width = `${Math.floor(width * this.scale)}px`;
      this.sizer.style.height = `${Math.floor(height * this.scale)}px`;
      this.zoomLevel.textContent = `${Math.round(this.scale * 100)}%`;
    }

    fit() {
      this.zoom(this.#fitting(SMALLEST, 1));
    }

    #fitting(least, most) {
      const { clientWidth, clientHeight } = this.scroll;
      if (!clientWidth) return 1;
      const wide = (clientWidth - 2) / (this.size.width + 2 * this.margin);
      const high = (clientHeight - 2) / (this.size.height + 2 * this.margin);
      return Math.min(most, Math.max(least, Math.min(wide, this.options.tall ? Infinity : high)));
    }

    #zoomButtons() {
      const make = (sign, label, act) =>
        el(
          "button",
          { type: "button", class: "icon-button", "aria-label": label, title: label, onclick: act },
          icon(sign),
        );
      return el(
        "div",
        { class: "zoom", role: "group", "aria-label": "Size of the graph" },
        make("minus", "Smaller", () => this.zoom(this.scale / 1.2)),
        this.zoomLevel,
        make("plus", "Larger", () => this.zoom(this.scale * 1.2)),
        make("fit", "Fit the whole graph", () => this.fit()),
      );
    }

    #lines() {
      const layer = svg("svg", {
        class: "edges",
        "aria-hidden": "true",
        width: this.size.width + 2 * this.margin,
        height: this.size.height + 2 * this.margin,
      });
      const group = svg("g", { transform: `translate(${this.margin} ${this.margin})` });
      for (const edge of this.model.edges) {
        const to = this.model.items.get(edge.to);
        const [x, y] = [to.card.x, Explorer.cards.middle(to)];
        const line = svg("path", {
          class: `edge${edge.baseline ? " is-baseline" : ""}`,
          d: edge.path,
        });
        const head = svg("path", {
          class: "arrow",
          d: `M${x - 8} ${y - 4.5}L${x - 0.5} ${y}L${x - 8} ${y + 4.5}z`,
        });
        group.append(line, head);
        this.edges.push({ edge, line, head });
      }
      layer.append(group);
      return layer;
    }

    #card({ ref, element, pills, width, height, x, y }) {
      const note = this.options.difference?.(element);
      const kind =
        element.kind === "execution"
          ? `is-${element.state}`
          : element.kind === "source"
            ? "is-source"
            : "is-loose";
      const found = findingOf(element);
      const marks = `${note?.strong ? " is-different" : ""}${found ? ` has-${found.mood}` : ""}`;
      const box = el("div", { class: `card ${kind}${marks}` });
      Object.assign(box.style, {
        left: `${x + this.margin}px`,
        top: `${y + this.margin}px`,
        width: `${width}px`,
        height: `${height}px`,
      });
      const sub = note
        ? el("span", { class: "card-sub difference" }, icon("differs"), note.text)
        : el("span", { class: "card-sub" }, this.options.sub(element));
      box.append(
        this.#button(element, `card-head ${kind}`, [
          icon(kindOf(element)),
          name(cut(titleOf(element), 120), { class: "card-name" }),
          sub,
        ]),
      );
      for (const pill of pills)
        box.append(
          this.#button(pill, "pill", [icon(kindOf(pill)), name(cut(pill.type, 120)), signOf(pill)]),
        );
      for (const side of ["left", "right"]) this.#expander(box, element, side);
      return box;
    }

    #button(element, kind, content) {
      const button = el(
        "button",
        {
          type: "button",
          class: kind,
          tabindex: "-1",
          "data-ref": element.ref,
          title: cut(visible(element.kind === "source" ? element.name : element.key), 200),
          "aria-label": spoken(element),
          onclick: () => this.options.onSelect(element),
        },
        content,
      );
      this.buttons.set(element.ref, button);
      return button;
    }

    #expander(box, element, side) {
      const hidden = this.options.hidden?.(element, side) ?? 0;
      if (!hidden) return;
      const words = side === "left" ? "more before" : "more after";
      box.append(
        el(
          "button",
          {
            type: "button",
            class: `expand expand-${side}`,
            "aria-label": `Show ${hidden} ${words} ${cut(visible(titleOf(element)), 80)}`,
            title: `Show ${hidden} ${words}`,
            onclick: () => this.options.onExpand(element, side),
          },
          `+${hidden > 999 ? "999…" : hidden}`,
        ),
      );
    }

    #key(event) {
      const ref = event.target.dataset?.ref;
      if (!ref || event.ctrlKey || event.metaKey || event.altKey) return;
      const next = {
        ArrowRight: () => along(this.model, ref, true),
        ArrowLeft: () => along(this.model, ref, false),
        ArrowDown: () => beside(this.model, ref, 1),
        ArrowUp: () => beside(this.model, ref, -1),
        Home: () => inReadingOrder(this.model.cards)[0]?.ref,
        End: () => inReadingOrder(this.model.cards).at(-1)?.ref,
      }[event.key];
      if (!next) return;
      event.preventDefault();
      const target = next();
      if (target) this.#move(target);
      else if (event.key === "ArrowRight" || event.key === "ArrowLeft")
        this.#expandFrom(ref, event.key === "ArrowRight" ? "right" : "left");
    }

    #move(ref) {
      for (const [known, button] of this.buttons) button.tabIndex = known === ref ? 0 : -1;
      this.reveal(ref);
      this.focus(ref);
    }

    #expandFrom(ref, side) {
      const element = this.model.items.get(ref).card.element;
      if (this.options.hidden?.(element, side)) this.options.onExpand(element, side, ref);
    }
  }

  return Stage;
})();
