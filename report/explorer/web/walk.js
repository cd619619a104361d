"use strict";
// Walking the whole store, by the rules of `lineage/graph/trace.py`: an artifact is traced to the
// executions that made it, not to the cached ones that put it out again, unless nothing else did;
// the baseline of a model is shown and not followed.

Explorer.walk = (() => {
  /** The links among some whose executions really ran; all, if none did. */
  function real(links) {
    const ran = links.filter((link) => link.execution.state !== "cached");
    return ran.length ? ran : links;
  }

  /** The executions that made an artifact. */
  const makers = (artifact) => real(artifact.makers).map((link) => link.execution);

  /** The executions that used an artifact: first those that built on it, the newest first. */
  function users(artifact) {
    return [...real(artifact.users)]
      .sort((one, other) => one.baseline - other.baseline || other.execution.id - one.execution.id)
      .map((link) => link.execution);
  }

  /** Everything that an element came from, as a set of elements, itself included. */
  function upstream(start, limit = Infinity) {
    return go(start, limit, (element) => {
      if (element.kind === "artifact") return makers(element);
      if (element.kind === "execution") {
        const inputs = element.inputs.filter((link) => !link.baseline).map((link) => link.artifact);
        return [...inputs, ...element.sources];
      }
      return [];
    });
  }

  /** Everything that came from an element, itself included. */
  function downstream(start, limit = Infinity) {
    return go(start, limit, (element) => {
      if (element.kind === "artifact")
        return real(element.users)
          .filter((link) => !link.baseline)
          .map((link) => link.execution);
      if (element.kind === "execution") return element.outputs.map((link) => link.artifact);
      return element.readers.filter((reader) => reader.state !== "cached");
    });
  }

  function go(start, limit, next) {
    const found = new Set([start]);
    for (const element of found) {
      if (found.size >= limit) break;
      for (const other of next(element)) found.add(other);
    }
    return found;
  }

  return { makers, users, upstream, downstream };
})();
