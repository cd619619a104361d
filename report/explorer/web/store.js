"use strict";
// The content of the page, unpacked: elements by reference (`a12`, `e7`, `s0`), links, runs.
// `report/explorer/data.py` writes the format.

Explorer.store = (() => {
  const FORMAT = 1;

  async function load() {
    const packed = Uint8Array.from(
      atob(document.getElementById("content").textContent.trim()),
      (c) => c.charCodeAt(0),
    );
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const content = JSON.parse(await new Response(stream).text());
    if (content.format !== FORMAT)
      throw new Error(`format ${content.format} of the data is not ${FORMAT}`);
    return new Store(content);
  }

  class Store {
    constructor(content) {
      this.content = content;
      this.focus = content.focus;
      this.place = content.place; // for a command that asks this workspace
      this.elements = new Map();
      this.artifacts = this.#artifacts(content.artifacts);
      this.executions = this.#executions(content.executions);
      this.#link(content.links);
      this.sources = content.sources.map((source, index) => this.#source(source, index));
      this.runs = content.runs.map((run, index) => ({
        ...run,
        kind: "run",
        index,
        key: run.id,
        executions: [],
      }));
      this.#runs = new Map(this.runs.map((run) => [run.id, run]));
      for (const execution of this.executions)
        this.#runs.get(execution.run)?.executions.push(execution);
      this.live = new Set(Object.values(content.live).map((id) => `a${id}`));
      this.metricNames = [...new Set(this.runs.flatMap((run) => Object.keys(run.metrics)))].sort();
    }

    #runs;

    get(ref) {
      return this.elements.get(ref);
    }

    run(id) {
      return this.#runs.get(id);
    }

    get lastRun() {
      return this.runs[this.runs.length - 1];
    }

    /** The element that an address means: `a12`, `e7`, `Model:12`, `Trainer@run-7`. */
    find(text) {
      if (!text) return undefined;
      if (this.elements.has(text)) return this.elements.get(text);
      const artifact = this.elements.get(`a${/^[^@]*:(\d+)$/.exec(text)?.[1]}`);
      if (artifact?.key === text) return artifact;
      return this.executions.find((execution) => execution.key === text);
    }

    /** Properties of an element or run as pairs, by name. */
    properties(element) {
      const pairs = this.content.sets[element.set] ?? [];
      const values = this.content.values;
      const found = [];
      for (let i = 0; i < pairs.length; i += 2)
        found.push([values[pairs[i]], values[pairs[i + 1]]]);
      return found;
    }

    property(element, name) {
      return this.properties(element).find(([known]) => known === name)?.[1];
    }

    /** The names of metrics, the one that people look at first in front. */
    get mainMetric() {
      return this.metricNames.find((name) => name.toLowerCase() === "auc") ?? this.metricNames[0];
    }

    #artifacts(columns) {
      const { values } = this.content;
      const ids = summed(columns.id);
      const created = summed(columns.created);
      return ids.map((id, i) => {
        const type = values[columns.type[i]];
        return this.#keep({
          kind: "artifact",
          ref: `a${id}`,
          id,
          type,
          key: `${type}:${id}`,
          name: values[columns.name[i]],
          uri: values[columns.uri[i]],
          state: values[columns.state[i]],
          created: created[i],
          updated: created[i] + columns.updated[i],
          set: columns.set[i],
          makers: [],
          users: [],
        });
      });
    }

    #executions(columns) {
      const { values } = this.content;
      const ids = summed(columns.id);
      const created = summed(columns.created);
      return ids.map((id, i) => {
        const run = values[columns.run[i]];
        const node = values[columns.node[i]];
        const repeated = values[columns.key[i]] === "#";
        return this.#keep({
          kind: "execution",
          ref: `e${id}`,
          id,
          type: values[columns.type[i]],
          key: run ? `${node}@${run}${repeated ? `#${id}` : ""}` : `${node}#${id}`,
          name: values[columns.name[i]],
          pipeline: values[columns.pipeline[i]],
          run,
          node,
          state: values[columns.state[i]],
          failure: values[columns.failure[i]],
          created: created[i],
          updated: created[i] + columns.updated[i],
          set: columns.set[i],
          inputs: [],
          outputs: [],
          sources: [],
        });
      });
    }

    #link(columns) {
      const executions = summed(columns.execution);
      const artifacts = summed(columns.artifact);
      executions.forEach((id, i) => {
        const execution = this.elements.get(`e${id}`);
        const artifact = this.elements.get(`a${artifacts[i]}`);
        if (!execution || !artifact) return;
        const link = { execution, artifact, keys: this.content.values[columns.keys[i]] };
        link.baseline = link.keys.length === 1 && link.keys[0] === "baseline_model";
        (columns.output[i] ? execution.outputs : execution.inputs).push(link);
        (columns.output[i] ? artifact.makers : artifact.users).push(link);
      });
    }

    #source(source, index) {
      const readers = source.executions.map((id) => this.elements.get(`e${id}`));
      const made = this.#keep({
        kind: "source",
        ref: `s${index}`,
        key: source.name,
        name: source.name,
        files: source.files,
        readers,
      });
      for (const reader of readers) reader.sources.push(made);
      return made;
    }

    #keep(element) {
      this.elements.set(element.ref, element);
      return element;
    }
  }

  /** Undoes what `_steps` in data.py did. */
  function summed(steps) {
    let last = 0;
    return steps.map((step) => (last += step));
  }

  return { load };
})();
