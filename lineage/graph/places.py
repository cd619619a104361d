"""The pipeline, run and node of an execution: the contexts that TFX records.

`pipeline_run` is named by the run; `node` is named `PIPELINE.NODE`. Stores of other tools, which
lack them, give executions without a run.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

from ml_metadata import errors
from ml_metadata.metadata_store import ListOptions, OrderByField, metadata_store
from ml_metadata.proto import metadata_store_pb2

from fareline.recorded.run import RunRecord
from lineage.graph.elements import Place, decode_values

_RUN, _NODE, _PIPELINE = "pipeline_run", "node", "pipeline"
# Asking for the contexts of one execution takes as long as listing so many executions of a node.
_LISTED_PER_QUESTION = 40
_MANY = 300  # nobody waits for the contexts of fewer


class Places:
    """Places of executions, read when they are asked for.

    Args:
        store: Store with the records.
        keep: Takes the executions that the store sends along, for them not to be asked for again.
    """

    def __init__(
        self,
        store: metadata_store.MetadataStore,
        keep: Callable[[Sequence[metadata_store_pb2.Execution]], None] = lambda executions: None,
    ):
        self._store = store
        self._keep = keep
        self._type_names = {t.id: t.name for t in store.get_context_types()}
        self._runs: dict[str, metadata_store_pb2.Context] | None = None
        self._nodes: dict[int, tuple[str, str]] = {}
        self._run_of: dict[int, str] = {}
        self._members: dict[str, tuple[int, ...]] = {}
        self._counts: dict[str, Counter] = {}
        self._type_ids: dict[int, int] = {}
        self._all_nodes_read = False
        self._pipelines: list[str] | None = None

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

    def record(self, run_id: str) -> RunRecord:
        """The record of a run about itself; empty for an unknown run."""
        context = self.run_contexts().get(run_id)
        return RunRecord(decode_values(context.custom_properties) if context else {}, run_id)

    def members_of_pipeline(self, name: str) -> frozenset[int]:
        """Ids of the executions of a pipeline; none for an unknown one."""
        found: set[int] = set()
        for context in self._contexts(_PIPELINE):
            if context.name == name:
                found.update(self._executions_in(context))
        return frozenset(found)

    def members(self, run_id: str) -> tuple[int, ...]:
        """Ids of the executions of a run, ascending; none for an unknown run."""
        if run_id not in self._members:
            context = self.run_contexts().get(run_id)
            self._members[run_id] = tuple(sorted(self._executions_in(context) if context else ()))
            self._run_of.update(dict.fromkeys(self._members[run_id], run_id))
        return self._members[run_id]

    def places(self, ids: Collection[int]) -> dict[int, Place]:
        """Finds the places of executions; those that have none are left out."""
        many = len(ids) > _MANY and len(ids) > self.highest_id() // _LISTED_PER_QUESTION
        if many:
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
        count = self._counts.get(run_id)
        if count is None:
            count = Counter(self._nodes.get(i) for i in self._members.get(run_id, ()))
            self._counts[run_id] = count
        return Place(pipeline, run_id, node, repeated=count[pipeline, node] > 1)

    def _read(self, execution_id: int) -> None:
        """Reads its node, and those of its type in its run: whether the node was repeated there."""
        if execution_id in self._nodes:
            return
        run_id = self._read_contexts(execution_id)
        self._counts.pop(run_id, None)
        for sibling in self.members(run_id) if run_id else ():
            alike = self._type_ids.get(sibling) == self._type_ids.get(execution_id)
            if alike and sibling not in self._nodes:
                self._read_contexts(sibling)

    def _read_contexts(self, execution_id: int) -> str:
        run_id = ""
        try:
            contexts = self._store.get_contexts_by_execution(execution_id)
        except errors.NotFoundError:  # of an execution that has none
            return run_id
        for context in contexts:
            kind = self._type_names.get(context.type_id)
            if kind == _RUN:
                run_id = context.name
            elif kind == _NODE:
                self._nodes[execution_id] = self._split(context.name)
        return run_id

    def _read_all_nodes(self) -> None:
        if self._all_nodes_read:
            return
        self._all_nodes_read = True
        for context in self._contexts(_NODE):
            place = self._split(context.name)
            self._nodes.update(dict.fromkeys(self._executions_in(context), place))

    def _split(self, name: str) -> tuple[str, str]:
        """Divides `PIPELINE.NODE`; either may hold a dot itself."""
        if self._pipelines is None:
            self._pipelines = self.pipelines()
        owners = [p for p in self._pipelines if name.startswith(f"{p}.")]
        if not owners:
            pipeline, _, node = name.rpartition(".")
            return pipeline, node
        pipeline = max(owners, key=len)
        return pipeline, name[len(pipeline) + 1 :]

    def _executions_in(self, context: metadata_store_pb2.Context) -> list[int]:
        found = self._store.get_executions_by_context(context.id)
        self._keep(found)
        self._type_ids.update((execution.id, execution.type_id) for execution in found)
        return [execution.id for execution in found]

    def highest_id(self) -> int:
        """The highest id of an execution, which is the number of executions ever recorded."""
        options = ListOptions(limit=1, order_by=OrderByField.ID, is_asc=False)
        newest = self._store.get_executions(options)
        return newest[0].id if newest else 0

    def _contexts(self, kind: str) -> Sequence[metadata_store_pb2.Context]:
        if kind not in self._type_names.values():
            return ()
        return self._store.get_contexts_by_type(kind)
