"use strict";
// What differs between two runs: settings, data, metrics, and node by node.

Explorer.differences = (() => {
  const words = Explorer.words;
  const LONGEST = 1500; // lines; longer texts are compared as one

  /** Node by node, in the order of both runs: pairs of executions and in what they differ. */
  function ofNodes(a, b) {
    const byNode = (run) => new Map(run.executions.map((execution) => [execution.node, execution]));
    const [inA, inB] = [byNode(a), byNode(b)];
    const nodes = [...new Set([...inA.keys(), ...inB.keys()])];
    return nodes.map((node) => {
      const [one, other] = [inA.get(node), inB.get(node)];
      return {
        node,
        a: one,
        b: other,
        in: one && other ? ofExecutions(one, other) : [one ? "only in A" : "only in B"],
      };
    });
  }

  /** In what two executions of a node differ; nothing if they put out the same artifacts. */
  function ofExecutions(one, other) {
    const ids = (links) =>
      links
        .map((link) => link.artifact.id)
        .sort((x, y) => x - y)
        .join(" ");
    const found = [];
    const same = one.outputs.length > 0 && ids(one.outputs) === ids(other.outputs);
    if (same) return found;
    if (ofProperties(one, other).length) found.push("settings");
    if (ids(one.inputs) !== ids(other.inputs)) found.push("inputs");
    // Other inputs or settings give other outputs: that need not be said as well.
    return found.length || ids(one.outputs) === ids(other.outputs) ? found : ["outputs"];
  }

  /** The properties in which two elements or runs differ: rows of path, A, B. */
  function ofProperties(one, other) {
    const [a, b] = [one, other].map((element) => new Map(Explorer.data.properties(element)));
    const names = [...new Set([...a.keys(), ...b.keys()])].sort();
    return names.flatMap((name) => ofValues(name, a.get(name), b.get(name)));
  }

  function ofValues(path, a, b) {
    if (a === b || JSON.stringify(a) === JSON.stringify(b)) return [];
    const [one, other] = [a, b].map((value) => words.structure(value) ?? value);
    if (isObject(one) && isObject(other)) {
      const names = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
      return names.flatMap((name) => ofValues(`${path} › ${name}`, one[name], other[name]));
    }
    if (isText(one) && isText(other)) return ofLines(path, one.split("\n"), other.split("\n"));
    return [{ path, a: one, b: other }];
  }

  const isObject = (value) => value !== null && typeof value === "object";
  const isText = (value) => typeof value === "string" && value.includes("\n");

  /** Lines that only one of two texts has, by their longest common subsequence. */
  function ofLines(path, a, b) {
    if (a.length > LONGEST || b.length > LONGEST)
      return [{ path, a: a.join("\n"), b: b.join("\n") }];
    const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i -= 1) {
      for (let j = b.length - 1; j >= 0; j -= 1) {
        common[i][j] =
          a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
      }
    }
    const rows = [];
    let row;
    let [i, j] = [0, 0];
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) {
        row = undefined;
        i += 1;
        j += 1;
        continue;
      }
      if (!row) rows.push((row = { path: `${path}, line ${i + 1}`, a: undefined, b: undefined }));
      if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1]))
        row.a = joined(row.a, a[i++]);
      else row.b = joined(row.b, b[j++]);
    }
    return rows;
  }

  const joined = (text, line) => (text === undefined ? line : `${text}\n${line}`);

  /** Metrics of both, with the change from A to B. */
  function ofMetrics(a, b) {
    const names = [...new Set([...Object.keys(a.metrics), ...Object.keys(b.metrics)])].sort();
    return names.map((name) => ({ name, a: a.metrics[name], b: b.metrics[name] }));
  }

  /** Source files of both, by path: `sha256` or size tell whether they are the same. */
  function ofData(a, b) {
    const files = (run) =>
      new Map(
        run.executions
          .flatMap((e) => e.sources)
          .flatMap((source) => source.files)
          .map((file) => [file.path, file]),
      );
    const [inA, inB] = [files(a), files(b)];
    return [...new Set([...inA.keys(), ...inB.keys()])].sort().map((path) => ({
      path,
      a: inA.get(path),
      b: inB.get(path),
      same: sameFile(inA.get(path), inB.get(path)),
    }));
  }

  const sameFile = (one, other) =>
    Boolean(one && other) && one.sha256 === other.sha256 && one.bytes === other.bytes;

  return { ofNodes, ofProperties, ofMetrics, ofData, ofLines };
})();
