"""The graph of a store, which is read on demand in batches and cached.

ML Metadata 1.21 knows neither `filter_query` nor `get_lineage_subgraph`; events, contexts and ids
are what every version has. A long walk reads the rest of a moderate store at once, because ten
thousand small queries take longer than one large query.
"""

from collections.abc import Callable, Iterable, Sequence

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from lineage.graph.elements import Artifact, Execution, Link, Place, link_of, state_of
from lineage.graph.places import Places
from lineage.graph.span_links import links_of_spans

# From so many questions on, a store of at most so many executions is read whole (a second or two).
_MANY_QUESTIONS = 150
_MODERATE_STORE = 30_000
# So it is when one step of a walk leads to so many executions, and to more than one in so many.
_MANY_EXECUTIONS = 1_000
_LARGE_PART = 10
# SQLite and the servers take long lists of ids, but not of any length.
_IDS_PER_QUESTION = 5_000


class Graph:
    """Artifacts, executions and links of one store.

    A snapshot of the parts that were read; create a new graph to see additions of a running
    pipeline.

    Args:
        store: From `lineage.store.open.open_store`.
        place: The options that a command finds this store by, such as `--workspace DIR`; empty
            where it looks there by itself.
    """

    def __init__(self, store: metadata_store.MetadataStore, place: tuple[str, ...] = ()):
        self.store = store
        self.place = place
        self._artifact_types = {t.id: t.name for t in store.get_artifact_types()}
        self._execution_types = {t.id: t.name for t in store.get_execution_types()}
        self._artifacts: dict[int, Artifact] = {}
        self._execution_protos: dict[int, metadata_store_pb2.Execution] = {}
        self.places = Places(store, self._keep_executions)
        self._executions: dict[int, Execution] = {}
        self._links_of_artifact: dict[int, tuple[Link, ...]] = {}
        self._links_of_execution: dict[int, tuple[Link, ...]] = {}
        self._span_links: list[Link] | None = None
        self._questions = 0
        self._is_whole = False

    # Elements by id, by type, by run.

    def artifacts(self, ids: Iterable[int]) -> list[Artifact]:
        """Returns artifacts in the order of `ids`; ids that the store lacks are left out."""
        wanted = list(dict.fromkeys(ids))
        missing = [i for i in wanted if i not in self._artifacts]
        if missing:
            for batch in _in_batches(missing):
                self._keep(self.store.get_artifacts_by_id(batch))
            self._count_question()
        return [self._artifacts[i] for i in wanted if i in self._artifacts]

    def executions(self, ids: Iterable[int]) -> list[Execution]:
        """Returns executions in the order of `ids`; ids that the store lacks are left out."""
        there = list(self.states(ids))
        new = [i for i in there if i not in self._executions]
        places = self.places.places(new)
        for i in new:
            proto = self._execution_protos[i]
            kind = self._execution_types.get(proto.type_id, "Unknown")
            place = places.get(i, Place("", "", kind.rpartition(".")[2]))
            self._executions[i] = Execution(i, kind, place, proto)
        return [self._executions[i] for i in there]

    def states(self, ids: Iterable[int]) -> dict[int, str]:
        """Returns states of executions, in the order of `ids`; what the store lacks is left out.

        Cheaper than `executions`, which also finds out where they belong.
        """
        wanted = list(dict.fromkeys(ids))
        missing = [i for i in wanted if i not in self._execution_protos]
        if missing:
            for batch in _in_batches(missing):
                self._keep_executions(self.store.get_executions_by_id(batch))
            self._count_question()
        protos = self._execution_protos
        return {i: state_of(protos[i]) for i in wanted if i in protos}

    def artifacts_of_type(self, *names: str) -> list[Artifact]:
        """Returns all artifacts of some types, by id; none for a type that the store lacks."""
        known = set(self._artifact_types.values())
        found = []
        for name in names:
            if name in known:
                found += self._keep(self.store.get_artifacts_by_type(name))
        return sorted(found, key=lambda artifact: artifact.id)

    def artifacts_at(self, uri: str) -> list[Artifact]:
        """Returns the artifacts whose payload is at a URI."""
        return self._keep(self.store.get_artifacts_by_uri(uri))

    def artifact_types(self) -> list[str]:
        """Names of all artifact types, sorted."""
        return sorted(self._artifact_types.values())

    # Links.

    def links_of_artifacts(self, ids: Iterable[int]) -> list[Link]:
        """Returns every link that touches one of the artifacts, in the order given."""
        wanted = list(dict.fromkeys(ids))
        self._read_links(wanted, self._links_of_artifact, by_artifact=True)
        return [link for i in wanted for link in self._links_of_artifact[i]]

    def links_of_executions(self, ids: Iterable[int]) -> list[Link]:
        """Returns every link that touches one of the executions, in the order given."""
        wanted = list(dict.fromkeys(ids))
        self._read_links(wanted, self._links_of_execution, by_artifact=False)
        return [link for i in wanted for link in self._links_of_execution[i]]

    def producers(self, artifact: Artifact) -> list[Execution]:
        """The executions that output an artifact: the original one, then the cached ones."""
        links = self.links_of_artifacts([artifact.id])
        return self.executions(sorted(link.execution_id for link in links if link.is_output))

    def consumers(self, artifact: Artifact) -> list[Execution]:
        """The executions that read an artifact."""
        links = self.links_of_artifacts([artifact.id])
        return self.executions(sorted(link.execution_id for link in links if not link.is_output))

    def inputs(self, execution: Execution) -> dict[str, list[Artifact]]:
        """Inputs of an execution by key."""
        return self._by_key(execution, is_output=False)

    def outputs(self, execution: Execution) -> dict[str, list[Artifact]]:
        """Outputs of an execution by key."""
        return self._by_key(execution, is_output=True)

    def executions_of_run(self, run_id: str) -> list[Execution]:
        """The executions of a run, by id; none for an unknown run."""
        return self.executions(self.places.members(run_id))

    # The whole.

    def count_executions(self) -> int:
        """The highest execution id: how many there are, or were."""
        return self.places.highest_id()

    def read_all(self) -> None:
        """Reads artifacts, executions and links of the whole store."""
        self._is_whole = True
        self._keep(self.store.get_artifacts())
        self._keep_executions(self.store.get_executions())
        links = _read_events(self.store.get_events_by_execution_ids, self._execution_protos)
        links += self._links_of_spans()
        self._links_of_execution = _group(links, self._execution_protos, "execution_id")
        self._links_of_artifact = _group(links, self._artifacts, "artifact_id")

    def expect(self, executions: int) -> None:
        """Announces the size of a walk; reads the whole store if that is faster."""
        if self._is_whole or executions < _MANY_EXECUTIONS:
            return
        if executions * _LARGE_PART > self.count_executions() <= _MODERATE_STORE:
            self.read_all()

    def all_artifacts(self) -> list[Artifact]:
        """Every artifact that was read; after `read_all`, of the store."""
        return [self._artifacts[i] for i in sorted(self._artifacts)]

    def all_executions(self) -> list[Execution]:
        """Every execution that was read; after `read_all`, of the store."""
        return self.executions(sorted(self._execution_protos))

    # Reading.

    def _keep(self, protos: Iterable[metadata_store_pb2.Artifact]) -> list[Artifact]:
        kept = []
        for proto in protos:
            if proto.id not in self._artifacts:
                kind = self._artifact_types.get(proto.type_id, "Unknown")
                self._artifacts[proto.id] = Artifact(proto.id, kind, proto)
            kept.append(self._artifacts[proto.id])
        return kept

    def _keep_executions(self, protos: Iterable[metadata_store_pb2.Execution]) -> None:
        for proto in protos:
            self._execution_protos.setdefault(proto.id, proto)

    def _by_key(self, execution: Execution, is_output: bool) -> dict[str, list[Artifact]]:
        found: dict[str, list[Artifact]] = {}
        links = self.links_of_executions([execution.id])
        self.artifacts(link.artifact_id for link in links)
        for link in links:
            if link.is_output is is_output and link.artifact_id in self._artifacts:
                for key in link.keys or ("",):
                    found.setdefault(key, []).append(self._artifacts[link.artifact_id])
        return {key: sorted(found[key], key=lambda a: a.id) for key in sorted(found)}

    def _read_links(
        self, wanted: Iterable[int], known: dict[int, tuple[Link, ...]], by_artifact: bool
    ) -> None:
        missing = [i for i in wanted if i not in known]
        if not missing:
            return
        if self._count_question():
            known = self._links_of_artifact if by_artifact else self._links_of_execution
            missing = [i for i in missing if i not in known]
        ask = self.store.get_events_by_artifact_ids
        if not by_artifact:
            ask = self.store.get_events_by_execution_ids
        name = "artifact_id" if by_artifact else "execution_id"
        wanted = set(missing)
        more = [link for link in self._links_of_spans() if getattr(link, name) in wanted]
        known.update(_group([*_read_events(ask, missing), *more], missing, name))

    def _links_of_spans(self) -> list[Link]:
        if self._span_links is None:
            ask = self.store.get_events_by_artifact_ids
            self._span_links = links_of_spans(
                self.artifacts_of_type, lambda ids: _read_events(ask, ids)
            )
        return self._span_links

    def _count_question(self) -> bool:
        """Returns whether the whole store was read now."""
        self._questions += 1
        if self._questions != _MANY_QUESTIONS or self.count_executions() > _MODERATE_STORE:
            return False
        self.read_all()
        return True


def _in_batches(ids: Iterable[int]) -> Iterable[Sequence[int]]:
    listed = list(ids)
    for start in range(0, len(listed), _IDS_PER_QUESTION):
        yield listed[start : start + _IDS_PER_QUESTION]


def _read_events(ask: Callable[..., Sequence], ids: Iterable[int]) -> list[Link]:
    """Asks for events and returns the links among them."""
    events = (event for batch in _in_batches(ids) for event in ask(batch))
    return [link for link in map(link_of, events) if link]


def _group(links: Sequence[Link], ids: Iterable[int], name: str) -> dict[int, tuple[Link, ...]]:
    """Links by artifact or execution id, ordered by the other id; ids without any get none."""
    grouped: dict[int, list[Link]] = {i: [] for i in ids}
    for link in links:
        grouped.setdefault(getattr(link, name), []).append(link)
    return {
        i: tuple(sorted(found, key=lambda link: (link.execution_id, link.artifact_id)))
        for i, found in grouped.items()
    }
