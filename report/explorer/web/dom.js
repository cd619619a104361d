"use strict";
// The namespace of the page, and making elements. Data only ever becomes text: nothing here, or
// anywhere in the page, turns a string into markup.

globalThis.Explorer = {};

/** Whether a server shows the page among others, and answers what it asks. */
Explorer.served = () => Boolean(document.body.dataset.mark);

Explorer.dom = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const SHORT = 400; // characters of a long text that are shown at first

  /** Makes an HTML element; `on…` attributes are listeners, false and null leave one out. */
  function el(tag, attributes, ...children) {
    return fill(document.createElement(tag), attributes, children);
  }

  /** The same for SVG. */
  function svg(tag, attributes, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
  }

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : String(value));
    }
    element.append(
      ...children.flat(Infinity).filter((child) => child !== null && child !== undefined),
    );
    return element;
  }

  /**
   * Makes seen what is unseen: control characters as the pictures that Unicode has for them, and
   * those that turn the direction of text as their numbers, since they could make one id read as
   * another. Right-to-left letters need none of these and are left alone.
   */
  function visible(text) {
    return String(text)
      .replace(
        /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
        (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`,
      )
      .replace(/[\u2028\u2029]/g, "\u2424")
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (c) =>
        String.fromCharCode(0x2400 + c.charCodeAt(0)),
      )
      .replace(/\u007f/g, "\u2421");
  }

  /** A name from the store on one line, isolated from the direction of the text around it. */
  function name(text, attributes) {
    return el("bdi", { dir: "auto", ...attributes }, visible(text));
  }

  /** A text of any length: the beginning, and the rest on demand. */
  function long(text, limit = SHORT) {
    const whole = visible(text);
    const box = el("div", { class: "long", dir: "auto" });
    if (whole.length <= limit * 1.25) {
      box.textContent = whole;
      return box;
    }
    const shown = el("span", {}, cut(whole, limit));
    const button = el("button", { type: "button", class: "link", "aria-expanded": "false" });
    const label = () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.textContent = open
        ? "Show less"
        : `Show all ${whole.length.toLocaleString("en")} characters`;
      shown.textContent = open ? whole : cut(whole, limit);
    };
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "true";
      button.setAttribute("aria-expanded", String(!open));
      label();
    });
    label();
    box.append(shown, " ", button);
    return box;
  }

  /** The first characters of a text, never half of a surrogate pair. */
  function cut(text, limit) {
    if (text.length <= limit) return text;
    const end = /[\ud800-\udbff]/.test(text[limit - 1]) ? limit - 1 : limit;
    return `${text.slice(0, end)}…`;
  }

  /** A list that shows some of its entries and the rest on demand. */
  function some(entries, draw, limit, what) {
    const list = el(
      "ul",
      { class: "plain" },
      entries.slice(0, limit).map((entry) => el("li", {}, draw(entry))),
    );
    const rest = entries.slice(limit);
    if (rest.length) {
      const more = el(
        "button",
        { type: "button", class: "link" },
        `Show ${rest.length.toLocaleString("en")} more ${what}`,
      );
      const item = el("li", {}, more);
      more.addEventListener("click", () => {
        const next = rest.splice(0, 200).map((entry) => el("li", {}, draw(entry)));
        item.before(...next);
        if (rest.length) more.textContent = `Show ${rest.length.toLocaleString("en")} more ${what}`;
        else item.remove();
        next[0].querySelector("button, a")?.focus();
      });
      list.append(item);
    }
    return list;
  }

  function button(text, onclick, attributes, icon) {
    return el(
      "button",
      { type: "button", class: "button", onclick, ...attributes },
      icon ?? null,
      text,
    );
  }

  /** Says something to a screen reader. */
  function announce(text) {
    document.getElementById("announce").textContent = text;
  }

  return { el, svg, name, long, cut, some, button, visible, announce };
})();
