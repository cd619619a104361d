"""Small metadata stores for tests, written with ml_metadata in the layout that TFX writes."""

import sqlite3

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from lineage.store import sqlite_connection

COMPLETE = mlmd.Execution.COMPLETE
CACHED = mlmd.Execution.CACHED
FAILED = mlmd.Execution.FAILED
CANCELED = mlmd.Execution.CANCELED
RUNNING = mlmd.Execution.RUNNING


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

    def add_execution(self, pipeline, run_id, node, state=COMPLETE, outputs=None, reused=()):
        """Records one execution.

        Args:
            pipeline: Name.
            run_id: Name of the run.
            node: Node id.
            state: State of the execution.
            outputs: Output key to new artifacts, of any type with any custom properties.
            reused: Pairs of output key and the id of an artifact that is there already.

        Returns:
            Id of the execution.
        """
        type_id = self._store.put_execution_type(mlmd.ExecutionType(name=node))
        pairs = []
        for key, artifacts in (outputs or {}).items():
            for index, artifact in enumerate(artifacts):
                name = f"type of {key}"
                artifact.type_id = self._store.put_artifact_type(mlmd.ArtifactType(name=name))
                pairs.append((artifact, _output_event(key, index)))
        for key, artifact_id in reused:
            [artifact] = self._store.get_artifacts_by_id([artifact_id])
            pairs.append((artifact, _output_event(key, 0)))
        contexts = [
            mlmd.Context(type_id=self._context_types[kind], name=name)
            for kind, name in (
                ("pipeline", pipeline),
                ("pipeline_run", run_id),
                ("node", f"{pipeline}.{node}"),
            )
        ]
        execution_id, _, _ = self._store.put_execution(
            mlmd.Execution(type_id=type_id, last_known_state=state),
            pairs,
            contexts,
            reuse_context_if_already_exist=True,
        )
        return execution_id

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
    for name, value in custom_properties.items():
        if isinstance(value, str):
            made.custom_properties[name].string_value = value
        else:
            made.custom_properties[name].int_value = value
    return made


def _output_event(key, index):
    event = mlmd.Event(type=mlmd.Event.OUTPUT)
    event.path.steps.add().key = key
    event.path.steps.add().index = index
    return event
