"""Small metadata stores for tests, written with ml_metadata in the layout that TFX writes."""

import sqlite3

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from lineage.store.open import sqlite_connection

COMPLETE = mlmd.Execution.COMPLETE
CACHED = mlmd.Execution.CACHED
FAILED = mlmd.Execution.FAILED
CANCELED = mlmd.Execution.CANCELED
RUNNING = mlmd.Execution.RUNNING


# What TFX calls the artifacts of its standard components' outputs.
TYPES = {
    "examples": "Examples",
    "transformed_examples": "Examples",
    "statistics": "ExampleStatistics",
    "schema": "Schema",
    "anomalies": "ExampleAnomalies",
    "transform_graph": "TransformGraph",
    "best_hyperparameters": "HyperParameters",
    "tuner_results": "TunerResults",
    "model_run": "ModelRun",
    "drift": "pipeline.DataDrift",
    "decision": "pipeline.DataDecision",
    "model": "Model",
    "evaluation": "ModelEvaluation",
    "blessing": "ModelBlessing",
    "infra_blessing": "InfraBlessing",
    "InfraValidator.blessing": "InfraBlessing",  # the key alone does not tell
    "pushed_model": "PushedModel",
}


class StoreWriter:
    """Records executions in the contexts `pipeline`, `pipeline_run` and `node`, as TFX does.

    Args:
        path: SQLite file, created if it is not there.
    """

    def __init__(self, path):
        self.path = path
        self._store = metadata_store.MetadataStore(sqlite_connection(path))
        self._context_types = {
            name: self._store.put_context_type(mlmd.ContextType(name=name))
            for name in ("pipeline", "pipeline_run", "node")
        }

    def add_run(self, pipeline, run_id, started, nodes):
        """Records one run with nodes of a state and seconds each.

        Args:
            pipeline: Name.
            run_id: Name of the run.
            started: Milliseconds since 1970.
            nodes: Node id to (state, seconds).
        """
        for node, (state, seconds) in nodes.items():
            execution_id = self.add_execution(pipeline, run_id, node, state)
            # The store takes the times from the clock; tests want to know them.
            self._set(
                "Execution",
                execution_id,
                create_time_since_epoch=started,
                last_update_time_since_epoch=started + round(seconds * 1000),
            )
        [run] = [c for c in self._store.get_contexts_by_type("pipeline_run") if c.name == run_id]
        self._set("Context", run.id, create_time_since_epoch=started)

    def add_execution(
        self, pipeline, run_id, node, state=COMPLETE, outputs=None, reused=(), inputs=(), **rest
    ):
        """Records one execution.

        Args:
            pipeline: Name.
            run_id: Name of the run.
            node: Node id.
            state: State of the execution.
            outputs: Output key to new artifacts, of any type with any custom properties.
            reused: Pairs of output key and the id of an artifact that is there already.
            inputs: Pairs of input key, or several joined by `+`, and the id of an artifact.
            **rest: Custom properties of the execution, each a text or a number.

        Returns:
            Id of the execution; `artifact_ids` has those of its artifacts, outputs first.
        """
        type_id = self._store.put_execution_type(mlmd.ExecutionType(name=node))
        execution = mlmd.Execution(type_id=type_id, last_known_state=state)
        set_properties(execution, rest)
        pairs = []
        for key, artifacts in (outputs or {}).items():
            for index, artifact in enumerate(artifacts):
                name = TYPES.get(f"{node}.{key}", TYPES.get(key, f"type of {key}"))
                artifact.type_id = self._store.put_artifact_type(mlmd.ArtifactType(name=name))
                pairs.append((artifact, _event(mlmd.Event.OUTPUT, key, index)))
        for kind, listed in ((mlmd.Event.OUTPUT, reused), (mlmd.Event.INPUT, inputs)):
            for key, artifact_id in listed:
                [artifact] = self._store.get_artifacts_by_id([artifact_id])
                pairs.append((artifact, _event(kind, key, 0)))
        contexts = [
            mlmd.Context(type_id=self._context_types[kind], name=name)
            for kind, name in (
                ("pipeline", pipeline),
                ("pipeline_run", run_id),
                ("node", f"{pipeline}.{node}"),
            )
        ]
        execution_id, self.artifact_ids, _ = self._store.put_execution(
            execution, pairs, contexts, reuse_context_if_already_exist=True
        )
        return execution_id

    def add_cache_key(self, execution_id, key):
        """Puts an execution into the context of a cache key, as TFX does when it has begun."""
        type_id = self._store.put_context_type(mlmd.ContextType(name="execution_cache"))
        known = self._store.get_context_by_type_and_name("execution_cache", key)
        new = mlmd.Context(type_id=type_id, name=key)
        context_id = known.id if known else self._store.put_contexts([new])[0]
        link = mlmd.Association(context_id=context_id, execution_id=execution_id)
        self._store.put_attributions_and_associations([], [link])

    def set_state(self, artifact_id, state):
        """Sets the state of an artifact, such as `mlmd.Artifact.DELETED`."""
        [found] = self._store.get_artifacts_by_id([artifact_id])
        found.state = state
        self._store.put_artifacts([found])

    def record_run(self, run_id, **properties):
        """Sets custom properties of a run, which must be there."""
        [run] = [c for c in self._store.get_contexts_by_type("pipeline_run") if c.name == run_id]
        set_properties(run, properties)
        self._store.put_contexts([run])

    def _set(self, table, row_id, **columns):
        assignments = ", ".join(f"{name} = ?" for name in columns)
        with sqlite3.connect(self.path) as connection:
            connection.execute(
                f"UPDATE {table} SET {assignments} WHERE id = ?", (*columns.values(), row_id)
            )
        connection.close()


def artifact(uri, **custom_properties):
    """An artifact with custom properties, each a text or a whole number."""
    made = mlmd.Artifact(uri=str(uri), state=mlmd.Artifact.LIVE)
    set_properties(made, custom_properties)
    return made


def set_properties(element, values):
    """Sets custom properties: texts, whole numbers and fractions."""
    kinds = {str: "string_value", int: "int_value", float: "double_value"}
    for name, value in values.items():
        setattr(element.custom_properties[name], kinds[type(value)], value)


def _event(kind, key, index):
    """An event of TFX; one artifact that is two inputs has both in one event."""
    event = mlmd.Event(type=kind)
    for part in key.split("+"):
        event.path.steps.add().key = part
        event.path.steps.add().index = index
    return event
