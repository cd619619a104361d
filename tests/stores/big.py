"""Writes a metadata store of any size in the layout of our own runs, for measuring and for tests.

Run `i` of `n` reads span `i`; its model is compared with the model of run `i - 1`; every hundredth
run is refused. Ten executions and 33 events a run. With `--shared-data` every run after the first
takes schema and examples from the cache: one artifact of each reaches every model. Deterministic
but for the clock of the store.
"""

import json
from pathlib import Path

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from lineage.store.open import sqlite_connection

PIPELINE = "chicago-taxi"
RUNS_PER_WRITE = 100
EXECUTIONS_PER_RUN = 10
EVENTS_PER_RUN = 33
_INTEGER_PROPERTIES = {"Examples": ("span", "version"), "ExampleStatistics": ("span",)}
_TEXT_PROPERTIES = {"Examples": ("split_names",)}

# Node: what it reads and what it writes, as output key to artifact type; `baseline` is the model of
# the run before.
NODES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "CuratedSchema": ({}, {"schema": "Schema"}),
    "ExampleGen": ({}, {"examples": "Examples"}),
    "StatisticsGen": ({"examples": "examples"}, {"statistics": "ExampleStatistics"}),
    "ExampleValidator": (
        {"statistics": "statistics", "schema": "schema"},
        {"anomalies": "ExampleAnomalies"},
    ),
    "Transform": (
        {"examples": "examples", "schema": "schema"},
        {
            "transformed_examples": "Examples",
            "transform_graph": "TransformGraph",
            "updated_analyzer_cache": "TransformCache",
        },
    ),
    "Tuner": (
        {"examples": "transformed_examples", "transform_graph": "transform_graph"},
        {"best_hyperparameters": "HyperParameters", "tuner_results": "TunerResults"},
    ),
    "Trainer": (
        {
            "examples": "transformed_examples",
            "transform_graph": "transform_graph",
            "hyperparameters": "best_hyperparameters",
        },
        {"model": "Model", "model_run": "ModelRun"},
    ),
    "Evaluator": (
        {"examples": "examples", "model": "model", "baseline_model": "baseline"},
        {"evaluation": "ModelEvaluation", "blessing": "ModelBlessing"},
    ),
    "InfraValidator": ({"examples": "examples", "model": "model"}, {"blessing": "InfraBlessing"}),
    "Pusher": (
        {"model": "model", "model_blessing": "blessing", "infra_blessing": "infra_blessing"},
        {"pushed_model": "PushedModel"},
    ),
}


# Nodes whose output, of this key, every run takes from the first one with `shared_data`.
SHARED = {"CuratedSchema": "schema", "ExampleGen": "examples"}


def write_store(path: Path, runs: int, shared_data: bool = False) -> None:
    """Writes a store of `runs` runs, in batches of a hundred.

    Args:
        path: SQLite file; must not be there.
        runs: How many.
        shared_data: Whether all runs have the schema and the examples of the first.
    """
    store = metadata_store.MetadataStore(sqlite_connection(path))
    types = _Types(store)
    kept: dict[str, mlmd.Artifact] = {}
    for first in range(0, runs, RUNS_PER_WRITE):
        batch = _Batch(types, kept, SHARED if shared_data else {})
        for index in range(first, min(first + RUNS_PER_WRITE, runs)):
            batch.add_run(index)
        kept = batch.write(store)


class _Types:
    """Type ids by name."""

    def __init__(self, store: metadata_store.MetadataStore):
        self.contexts = {
            name: store.put_context_type(mlmd.ContextType(name=name))
            for name in ("pipeline", "pipeline_run", "node")
        }
        self.executions = {}
        for node in NODES:
            name = f"tfx.components.{node.lower()}.component.{node}"
            self.executions[node] = store.put_execution_type(mlmd.ExecutionType(name=name))
        self.artifacts = {}
        for name in sorted({kind for _, outputs in NODES.values() for kind in outputs.values()}):
            kind = mlmd.ArtifactType(name=name)
            kind.properties.update(dict.fromkeys(_INTEGER_PROPERTIES.get(name, ()), mlmd.INT))
            kind.properties.update(dict.fromkeys(_TEXT_PROPERTIES.get(name, ()), mlmd.STRING))
            self.artifacts[name] = store.put_artifact_type(kind)


class _Batch:
    """Runs that are written in one transaction."""

    def __init__(self, types: _Types, kept: dict[str, mlmd.Artifact], shared: dict[str, str]):
        self._types = types
        self._shared = shared
        self._artifacts: list[mlmd.Artifact] = [*kept.values()]
        self._executions: list[mlmd.Execution] = []
        self._events: list[tuple[int, int, mlmd.Event]] = []
        self._places: list[list[tuple[str, str]]] = []
        # What runs take from an earlier one, by `baseline` or output key, as its place above.
        self._kept: dict[str, int] = {name: place for place, name in enumerate(kept)}

    def add_run(self, index: int) -> None:
        run_id = f"run-{index:06d}"
        made: dict[str, int] = {}
        for node, (inputs, outputs) in NODES.items():
            execution = len(self._executions)
            cached = self._shared.get(node) in self._kept
            self._executions.append(
                mlmd.Execution(
                    type_id=self._types.executions[node],
                    name=f"{run_id}-{node}",
                    last_known_state=mlmd.Execution.CACHED if cached else mlmd.Execution.COMPLETE,
                )
            )
            self._set_properties(self._executions[-1], node, index)
            self._places.append(
                [
                    ("pipeline", PIPELINE),
                    ("pipeline_run", run_id),
                    ("node", f"{PIPELINE}.{node}"),
                ]
            )
            for key, source in inputs.items():
                artifact = self._kept.get("baseline") if source == "baseline" else made[source]
                if artifact is not None:
                    self._events.append((execution, artifact, _event(mlmd.Event.INPUT, key)))
            for key, kind in outputs.items():
                known_as = "infra_blessing" if node == "InfraValidator" else key
                if cached:
                    made[known_as] = self._kept[key]
                else:
                    made[known_as] = len(self._artifacts)
                    self._artifacts.append(self._artifact(kind, node, key, index))
                event = _event(mlmd.Event.OUTPUT, key)
                self._events.append((execution, made[known_as], event))
            if node in self._shared:
                self._kept[self._shared[node]] = made[self._shared[node]]
        if is_blessed(index):
            self._kept["baseline"] = made["model"]

    def write(self, store: metadata_store.MetadataStore) -> dict[str, mlmd.Artifact]:
        """Writes the batch; returns what the next one takes from it."""
        executions, artifacts, _ = store.put_lineage_subgraph(
            self._executions, self._artifacts, [], self._events
        )
        contexts = self._put_contexts(store)
        store.put_attributions_and_associations(
            [],
            [
                mlmd.Association(execution_id=execution, context_id=contexts[place])
                for execution, places in zip(executions, self._places, strict=True)
                for place in places
            ],
        )
        found = {}
        for name, place in self._kept.items():
            [found[name]] = store.get_artifacts_by_id([artifacts[place]])
        return found

    def _put_contexts(self, store) -> dict[tuple[str, str], int]:
        """Returns the ids of all contexts of the batch by type and name."""
        wanted = dict.fromkeys(place for places in self._places for place in places)
        known = {}
        for kind in self._types.contexts:
            known |= {(kind, c.name): c.id for c in store.get_contexts_by_type(kind)}
        new = [place for place in wanted if place not in known]
        made = store.put_contexts(
            [mlmd.Context(type_id=self._types.contexts[kind], name=name) for kind, name in new]
        )
        return known | dict(zip(new, made, strict=True))

    def _artifact(self, kind: str, node: str, key: str, index: int) -> mlmd.Artifact:
        artifact = mlmd.Artifact(
            type_id=self._types.artifacts[kind],
            uri=f"/pipelines/{PIPELINE}/{node}/{key}/{index}",
            state=mlmd.Artifact.LIVE,
        )
        for name in _INTEGER_PROPERTIES.get(kind, ()):
            artifact.properties[name].int_value = index if name == "span" else 0
        for name in _TEXT_PROPERTIES.get(kind, ()):
            artifact.properties[name].string_value = json.dumps(["train", "eval"])
        artifact.custom_properties["tfx_version"].string_value = "1.21.0"
        if kind == "ModelBlessing":
            artifact.custom_properties["blessed"].int_value = int(is_blessed(index))
        if kind == "InfraBlessing":
            artifact.custom_properties["blessing_status"].string_value = "INFRA_BLESSED"
        if kind == "PushedModel":
            artifact.custom_properties["pushed"].int_value = int(is_blessed(index))
            if is_blessed(index):
                artifact.custom_properties["pushed_version"].string_value = str(index)
                destination = f"/serving/{PIPELINE}/{index}"
                artifact.custom_properties["pushed_destination"].string_value = destination
        return artifact

    @staticmethod
    def _set_properties(execution: mlmd.Execution, node: str, index: int) -> None:
        properties = execution.custom_properties
        if node == "ExampleGen":
            properties["input_base"].string_value = f"/data/span-{index}"
            properties["span"].int_value = index
        elif node in ("Transform", "Tuner", "Trainer"):
            properties["custom_config"].string_value = json.dumps({"source_fingerprint": "f" * 64})


def is_blessed(index: int) -> bool:
    """Whether the model of run `index` was blessed and pushed."""
    return index % 100 != 99


def _event(kind: "mlmd.Event.Type", key: str) -> mlmd.Event:
    event = mlmd.Event(type=kind)
    event.path.steps.add().key = key
    event.path.steps.add().index = 0
    return event
