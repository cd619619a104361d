"""Finds the files and addresses that a graph uses, from the graph alone, before any of it runs.

A published model is a folder, copied to wherever it serves. It may read its own assets, which the
loader gives to the graph by their place in that folder, and its variables; nothing else. The names
of files are followed back through the graph: through arguments of functions to their callers, and
through what the saved objects bind to them.

Called by `serving.validation.saved_files`. Must not import TFX.

Source: tensorflow/core/ops, release 2.16 and 2.21; tests/component/serving/test_graph_io.py goes
over every operation of the installed TensorFlow that takes the name of a file or an address.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.validation.verdict import Reason, RefusedModelError

# Reads the files named by these inputs. All may read an asset.
READS = {
    "CSVDataset": (0,),
    "FixedLengthRecordDataset": (0,),
    "GenerateVocabRemapping": (0, 1),
    "InitializeTRTResource": (1,),
    "InitializeTableFromTextFile": (1,),
    "LoadAndRemapMatrix": (0,),
    "MatchingFiles": (0,),
    "MatchingFilesDataset": (0,),
    "ReadFile": (0,),
    "TFRecordDataset": (0,),
    "TextLineDataset": (0,),
}
# These read folders, databases, or a queue of names that only a running session knows.
READS_ANY = {
    "FixedLengthRecordReader",
    "IdentityReader",
    "LMDBDataset",
    "LMDBReader",
    "ListSnapshotChunksDataset",
    "LoadDataset",
    "SnapshotChunkDataset",
    "SnapshotDatasetReader",
    "SnapshotNestedDatasetReader",
    "SqlDataset",
    "TFRecordReader",
    "TextLineReader",
    "WholeFileReader",
}
# The attributes that name a file.
READS_ATTRIBUTE = {
    "DecodeProto": "descriptor_source",
    "EncodeProto": "descriptor_source",
    "FixedUnigramCandidateSampler": "vocab_file",
    "RecordInput": "file_pattern",
    "Skipgram": "filename",
}
WRITES = {
    "CreateSummaryDbWriter",
    "CreateSummaryFileWriter",
    "DatasetToTFRecord",
    "DumpTensor",
    "Save",
    "SaveDataset",
    "SaveSlices",
    "SerializeTRTResource",
    "SnapshotDataset",
    "SummaryWriter",
    "WriteFile",
}
WRITES_ATTRIBUTE = {
    "DebugIdentity": "debug_urls",
    "DebugNanCount": "debug_urls",
    "DebugNumericSummary": "debug_urls",
    "Print": "output_stream",
}
WRITES_UNLESS_EMPTY = {"CacheDataset": (1,)}
# What tf.saved_model.save itself puts into a graph, to load and save the variables.
SAVER = {
    "DTensorRestore": (0,),
    "MergeV2Checkpoints": (0, 1),
    "Restore": (0,),
    "RestoreSlice": (0,),
    "SaveV2": (0,),
}
CONNECTS = {
    "DataServiceDataset",
    "DistributedSave",
    "FileSystemSetConfiguration",
    "RegisterDataset",
    "RpcClient",
    "RpcServer",
}
# It runs a graph that it gets as text, where nothing can be looked for.
HIDES = {"DatasetFromGraph"}

# Values that say where no file is: the default of an attribute, and what is held in memory.
_NO_FILE = ("", "local://", "stdout", "stderr")
_NO_FILES = ("bytes://", "log(")
# They hand a name on as it is.
_STEPS = {
    "ConcatV2", "ExpandDims", "Fill", "Identity", "IdentityN", "Pack", "Reshape", "Snapshot",
    "Squeeze", "StopGradient", "StridedSlice", "TensorDataset", "TensorSliceDataset",
}  # fmt: skip
# The saver puts the names of its parts together from the one it is given.
_SAVER_STEPS = _STEPS | {"Select", "SelectV2", "ShardedFilename", "StaticRegexFullMatch",
                         "StringJoin"}  # fmt: skip
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
# Their functions get what goes in, and never what such a function has answered before, as those of
# other operations (For, ReduceDataset, ScanDataset) may.
_MAPS = {
    "FilterDataset", "FlatMapDataset", "InterleaveDataset", "LegacyParallelInterleaveDataset",
    "MapAndBatchDataset", "MapDataset", "ParallelInterleaveDataset", "ParallelMapDataset",
    "TakeWhileDataset",
}  # fmt: skip
_LOOPS = {"While", "StatelessWhile"}
_BRANCHES = {"If", "StatelessIf", "Case", "StatelessCase"}
# A server reads this one as well.
_OLD_ASSETS = "saved_model_assets"
_ASSET, _SAVED, _GIVEN = "an asset", "the saver's", "an argument"  # of a function nobody calls


def asset_files(graph: Any) -> list[Any]:
    """Returns the AssetFileDefs of a MetaGraphDef, also where TensorFlow 1 kept them."""
    if graph.asset_file_def or _OLD_ASSETS not in graph.collection_def:
        return list(graph.asset_file_def)
    packed = graph.collection_def[_OLD_ASSETS].any_list.value
    return [meta_graph_pb2.AssetFileDef.FromString(each.value) for each in packed]


def base_name(operation: str) -> str:
    """Returns the name that the tables above have: without its history and its version."""
    name = operation.removeprefix("Experimental")
    if name == "SaveV2":  # Another operation than Save, and not a newer one.
        return name
    stem = name.rstrip("0123456789")
    return stem.removesuffix("V") if stem != name and stem.endswith("V") else name


@dataclasses.dataclass(frozen=True)
class _Body:
    """A function of the library, or the graph itself, whose name is empty."""

    name: str
    nodes: dict[str, Any]
    arguments: dict[str, int]
    results: list[str]

    @classmethod
    def of_function(cls, function: Any) -> "_Body":
        signature = function.signature
        arguments = {each.name: place for place, each in enumerate(signature.input_arg)}
        results = [function.ret[each.name] for each in signature.output_arg]
        nodes = {node.name: node for node in function.node_def}
        return cls(signature.name, nodes, arguments, results)


class _Names:
    """Follows the name of a file back to where it comes from."""

    def __init__(self, graph: Any):
        self.bodies = {"": _Body("", {node.name: node for node in graph.graph_def.node}, {}, [])}
        for function in graph.graph_def.library.function:
            body = _Body.of_function(function)
            self.bodies[body.name] = body
        self._assets = {_node_of(each.tensor_info.name) for each in asset_files(graph)}
        self._saver = _node_of(graph.saver_def.filename_tensor_name)
        self._objects = graph.object_graph_def
        self._callers: dict[str, list[tuple[_Body, Any]]] = defaultdict(list)
        for body in self.bodies.values():
            for node in body.nodes.values():
                for name in functions_of(node):
                    self._callers[name].append((body, node))

    def sources(self, body: _Body, node: Any, places: Iterable[int], steps: set) -> set[str]:
        """Where the inputs at `places` come from: our words above, or what was found, quoted."""
        inputs = _data_inputs(node)
        todo = [(body, inputs[place]) for place in places if place < len(inputs)]
        seen, found = set(), set()
        while todo:
            body, reference = todo.pop()
            if (body.name, reference) in seen:
                continue
            seen.add((body.name, reference))
            if _node_of(reference) in body.arguments:
                place = body.arguments[_node_of(reference)]
                before = [*self._from_callers(body, place), *self._from_objects(body, place)]
                found |= {each for each in before if isinstance(each, str)} or (
                    set() if before else {_GIVEN}
                )
                todo += [each for each in before if not isinstance(each, str)]
                continue
            source = body.nodes.get(_node_of(reference))
            if not body.name and _node_of(reference) in self._assets:
                found.add(_ASSET)
            elif not body.name and _node_of(reference) == self._saver:
                found.add(_SAVED)
            elif source is not None and source.op == "ReadVariableOp":
                values = _values_of_variable(body, _data_inputs(source)[0])
                todo += [(body, each) for each in values]
                found |= set() if values else _describe(source)
            elif source is not None and source.op in steps:
                todo += [(body, each) for each in _data_inputs(source)]
            else:
                found |= _describe(source)
        return found

    def _from_callers(self, body: _Body, place: int) -> Iterator[tuple[_Body, str]]:
        for caller, node in self._callers[body.name]:
            inputs = _data_inputs(node)
            if node.op in _BRANCHES:
                inputs = inputs[1:]
            elif node.op not in _CALLS | _LOOPS and node.op != body.name:
                # A function over rows of a dataset, or the like: any of its inputs may be it.
                yield from ((caller, each) for each in inputs)
                if base_name(node.op) not in _MAPS:
                    yield from self._results(functions_of(node))
                continue
            yield from ((caller, each) for each in inputs[place : place + 1])
            if node.op in _LOOPS:
                turned = self.bodies.get(node.attr["body"].func.name)
                if turned:
                    yield from ((turned, each) for each in turned.results[place : place + 1])

    def _results(self, functions: Iterable[str]) -> Iterator[tuple[_Body, str]]:
        bodies = (self.bodies[name] for name in functions if name in self.bodies)
        yield from ((body, each) for body in bodies for each in body.results)

    def _from_objects(self, body: _Body, place: int) -> Iterator[str | tuple[_Body, str]]:
        """What `tf.saved_model.load` binds: the last arguments are captured objects."""
        if body.name not in self._objects.concrete_functions:
            return
        bound = self._objects.concrete_functions[body.name].bound_inputs
        place -= len(body.arguments) - len(bound)
        if place < 0:
            return
        saved = self._objects.nodes[bound[place]]
        if saved.WhichOneof("kind") == "asset":
            yield _ASSET
        elif saved.WhichOneof("kind") == "constant":
            yield self.bodies[""], saved.constant.operation
        else:
            yield f"a {saved.WhichOneof('kind')}"


def check_graph_io(graph: Any) -> None:
    """Refuses a graph that uses files outside the model, or the network.

    Args:
        graph: A MetaGraphDef.

    Raises:
        RefusedModelError: READS_FILE, WRITES_FILE or CONNECTS.
    """
    names = _Names(graph)
    for body in names.bodies.values():
        for node in body.nodes.values():
            fault = _fault(names, body, node)
            if fault:
                raise _refusal(*fault, node, body)


def _fault(names: _Names, body: _Body, node: Any) -> tuple[Reason, str] | None:
    """What is wrong with an operation, and the words for it; None: nothing."""
    operation = base_name(node.op)
    if operation in CONNECTS:
        return Reason.CONNECTS, "connects to another process"
    if operation in HIDES:
        return Reason.READS_FILE, "runs a graph that it holds as text, which may use any file"
    if operation in READS_ANY:
        return Reason.READS_FILE, "reads files that the graph does not tell"
    if operation in WRITES:
        return Reason.WRITES_FILE, "writes files"
    for table, reason, verb in (
        (READS_ATTRIBUTE, Reason.READS_FILE, "reads"),
        (WRITES_ATTRIBUTE, Reason.WRITES_FILE, "writes to"),
    ):
        if operation in table and (file := _file_in(node.attr[table[operation]])):
            return reason, f"{verb} {file!r}"
    if operation in READS:
        others = names.sources(body, node, READS[operation], _STEPS) - {_ASSET, _GIVEN}
        if others:
            return Reason.READS_FILE, f"reads {_first(others)}, which is not one of its assets"
    if operation in WRITES_UNLESS_EMPTY:
        others = names.sources(body, node, WRITES_UNLESS_EMPTY[operation], _STEPS) - {"''"}
        if others:
            return Reason.WRITES_FILE, f"writes to {_first(others)}"
    if operation in SAVER:
        return _saver_fault(names.sources(body, node, SAVER[operation], _SAVER_STEPS), operation)
    return None


def _saver_fault(sources: set[str], operation: str) -> tuple[Reason, str] | None:
    """The saver's own operations use the name that it is given, and parts put behind it."""
    leads_out = {each for each in sources if ".." in each or each.startswith("'/")}
    if sources & {_SAVED, _GIVEN} and not leads_out:
        return None
    reads = "Restore" in operation
    name = _first(leads_out or sources)
    return (
        Reason.READS_FILE if reads else Reason.WRITES_FILE,
        f"{'reads' if reads else 'writes to'} {name}, which is not the file of its variables",
    )


def _refusal(reason: Reason, found: str, node: Any, body: _Body) -> RefusedModelError:
    where = f"the graph, {node.op} {node.name!r}" + (f" in {body.name!r}" if body.name else "")
    hints = {
        Reason.READS_FILE: "keep the file as an asset: tf.saved_model.Asset, tracked by the model",
        Reason.WRITES_FILE: "take it out of what is exported; tf.print writes to the server's log",
        Reason.CONNECTS: "ask before the request, or after the answer",
    }
    expected = "expected a model that uses its own folder only, since it is published as a copy"
    return RefusedModelError.because(reason, where, found, expected, hints[reason])


def _values_of_variable(body: _Body, handle: str) -> list[str]:
    """What is assigned to a variable, where the loader keeps an asset's name; none if unsure."""
    if handle in body.arguments:  # Who else assigns to it, and what it held before, is not seen.
        return []
    values = []
    for node in body.nodes.values():
        if handle in _data_inputs(node) and node.op == "AssignVariableOp":
            values.append(_data_inputs(node)[1])
        elif handle in _data_inputs(node) and node.op not in {
            "ReadVariableOp",
            "VarIsInitializedOp",
        }:
            return []
    return values


def _first(sources: set[str]) -> str:
    return min(sources, key=lambda each: (not each.startswith("'"), each), default="no name")


def _describe(node: Any) -> set[str]:
    """What a name comes from that is followed no further; numbers are no names."""
    if node is None:
        return {"an unknown value"}
    if node.op == "Const":
        if node.attr["dtype"].type != types_pb2.DT_STRING:
            return set()
        values = node.attr["value"].tensor.string_val
        return {repr(value.decode(errors="replace")) for value in values} or {"''"}
    if node.op in {"Placeholder", "PlaceholderV2"}:
        return {f"the input {node.name!r}"}
    return {f"a name that {node.op} {node.name!r} makes"}


def _file_in(attribute: Any) -> str:
    """The file that an attribute names; empty if it names none."""
    values = [attribute.s, *attribute.list.s]
    texts = [value.decode(errors="replace") for value in values]
    named = [t for t in texts if t not in _NO_FILE and not t.startswith(_NO_FILES)]
    return named[0] if named else ""


def functions_of(node: Any) -> Iterator[str]:
    """The names of the functions that an operation may call."""
    yield node.op
    for value in node.attr.values():
        if value.func.name:
            yield value.func.name
        yield from (each.name for each in value.list.func)


def _data_inputs(node: Any) -> list[str]:
    return [each for each in node.input if not each.startswith("^")]


def _node_of(reference: str) -> str:
    return reference.partition(":")[0]
