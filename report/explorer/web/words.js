"use strict";
// Times, sizes and values as words. Times are UTC, as everywhere in the project.

Explorer.words = (() => {
  function time(milliseconds) {
    if (!milliseconds) return "not recorded";
    const date = new Date(milliseconds);
    return Number.isNaN(date.getTime())
      ? String(milliseconds)
      : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  }

  function shortTime(milliseconds) {
    return milliseconds ? time(milliseconds).slice(0, 16) : "";
  }

  function duration(milliseconds) {
    const seconds = milliseconds / 1000;
    if (seconds < 0.1) return `${Math.max(0, Math.round(milliseconds))} ms`;
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  function bytes(count) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let rest = count;
    let unit = 0;
    while (rest >= 1000 && unit < units.length - 1) {
      rest /= 1000;
      unit += 1;
    }
    return `${unit ? rest.toFixed(1) : rest} ${units[unit]}`;
  }

  /** The size of files as words; undefined if one of them was not recorded. */
  function sizeOf(files) {
    const sizes = files.map((file) => file.bytes);
    return sizes.includes(null) ? undefined : bytes(sizes.reduce((sum, size) => sum + size, 0));
  }

  /** A number with at most five digits after the point. */
  function number(value) {
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value)) return String(value);
    return Math.abs(value) >= 0.001 ? String(Number(value.toFixed(5))) : value.toPrecision(3);
  }

  /** A value of a property as text; structured ones, and texts that are JSON, indented. */
  function value(content) {
    if (typeof content === "string") {
      const parsed = structure(content);
      return parsed === undefined ? content : JSON.stringify(parsed, null, 2);
    }
    if (content !== null && typeof content === "object") return JSON.stringify(content, null, 2);
    return typeof content === "number" ? String(content) : String(content);
  }

  /** The lists and objects that a text of JSON holds; undefined for any other text. */
  function structure(text) {
    if (typeof text !== "string" || !/^\s*[[{]/.test(text)) return undefined;
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** The state of an artifact's record; MLMD says `live` of every complete artifact, served or not. */
  function stateOf(artifact) {
    return artifact.state === "live" ? "complete" : artifact.state;
  }

  function count(amount, one, many = `${one}s`) {
    return `${amount.toLocaleString("en")} ${amount === 1 ? one : many}`;
  }

  /** The last part of a path. */
  function base(path) {
    return path.replace(/\/+$/, "").split("/").pop() || path;
  }

  return { time, shortTime, duration, bytes, sizeOf, number, value, structure, stateOf, count, base };
})();
