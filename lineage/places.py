"""Which pipeline, run and node an execution belongs to: the contexts that TFX records.

`pipeline_run` is named by the run; `node` is named `PIPELINE.NODE`. Stores of other tools, which
lack them, give executions without a run.
"""

from collections import Counter
from collections.abc import Collection, Sequence

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from lineage.elements import Place

_RUN, _NODE, _PIPELINE = "pipeline_run", "node", "pipeline"
# From so many executions on, asking each node for its executions is quicker than the reverse.
_MANY = 300


class Places:
    """Places of executions, read when they are asked for.

    Args:
        store: Where they are recorded.
    """

    def __init__(self, store: metadata_store.MetadataStore):
        self._store = store
        self._type_names = {t.id: t.name for t in store.get_context_types()}
        self._runs: dict[str, metadata_store_pb2.Context] | None = None
        self._nodes: dict[int, tuple[str, str]] = {}
        self._run_of: dict[int, str] = {}
        self._members: dict[str, tuple[int, ...]] = {}
        self._all_nodes_read = False

    def run_contexts(self) -> dict[str, metadata_store_pb2.Context]:
        """All runs by their id, in the order of their start."""
        if self._runs is None:
            contexts = self._contexts(_RUN)
            ordered = sorted(contexts, key=lambda c: (c.create_time_since_epoch, c.id))
            self._runs = {context.name: context for context in ordered}
        return self._runs

    def pipelines(self) -> list[str]:
        """Names of all pipelines, sorted."""
        return sorted(context.name for context in self._contexts(_PIPELINE))

    def members(self, run_id: str) -> tuple[int, ...]:
        """Ids of the executions of a run, ascending; none for an unknown run."""
        if run_id not in self._members:
            context = self.run_contexts().get(run_id)
            found = self._store.get_executions_by_context(context.id) if context else ()
            self._members[run_id] = tuple(sorted(execution.id for execution in found))
            self._run_of.update(dict.fromkeys(self._members[run_id], run_id))
        return self._members[run_id]

    def places(self, ids: Collection[int]) -> dict[int, Place]:
        """Finds the places of executions; those that have none are left out."""
        if len(ids) > _MANY:
            self._read_all_nodes()
            for run_id in self.run_contexts():
                self.members(run_id)
        else:
            for execution_id in ids:
                self._read(execution_id)
        return {i: self._place(i) for i in ids if i in self._nodes or i in self._run_of}

    def _place(self, execution_id: int) -> Place:
        run_id = self._run_of.get(execution_id, "")
        pipeline, node = self._nodes.get(execution_id, ("", ""))
        siblings = self._members.get(run_id, ())
        count = Counter(self._nodes.get(i) for i in siblings)
        return Place(pipeline, run_id, node, repeated=count[pipeline, node] > 1)

    def _read(self, execution_id: int) -> None:
        """Reads the nodes of the whole run, to know whether the node was repeated in it."""
        if execution_id in self._nodes:
            return
        run_id = self._read_contexts(execution_id)
        for sibling in self.members(run_id) if run_id else ():
            if sibling not in self._nodes:
                self._read_contexts(sibling)

    def _read_contexts(self, execution_id: int) -> str:
        run_id = ""
        for context in self._store.get_contexts_by_execution(execution_id):
            kind = self._type_names.get(context.type_id)
            if kind == _RUN:
                run_id = context.name
            elif kind == _NODE:
                pipeline, _, node = context.name.rpartition(".")
                self._nodes[execution_id] = (pipeline, node)
        return run_id

    def _read_all_nodes(self) -> None:
        if self._all_nodes_read:
            return
        self._all_nodes_read = True
        for context in self._contexts(_NODE):
            pipeline, _, node = context.name.rpartition(".")
            for execution in self._store.get_executions_by_context(context.id):
                self._nodes[execution.id] = (pipeline, node)

    def _contexts(self, kind: str) -> Sequence[metadata_store_pb2.Context]:
        if kind not in self._type_names.values():
            return ()
        return self._store.get_contexts_by_type(kind)
