"""SavedModels that use files or the network, for the tests of what may be published.

Each is `y = 2 x` with one operation more. `PLANTS` maps a name to what the operation does, and the
reason that it is refused with; `KEPT` are models that use files as they may.
"""

import os
import sys

import tensorflow as tf

_RAW = tf.raw_ops
_VARIANT = {"output_types": [tf.string], "output_shapes": [[]]}


def _first(dataset):
    """The first element of a dataset of texts."""
    return _RAW.DatasetToSingleElement(
        dataset=_RAW.TakeDataset(input_dataset=dataset, count=tf.constant(1, tf.int64), **_VARIANT),
        **_VARIANT,
    )[0]


def _texts():
    return _RAW.TensorDataset(components=[tf.constant("a")], output_shapes=[[]])


def _read_by_reader(path):
    queue = _RAW.FIFOQueueV2(component_types=[tf.string])
    reader = _RAW.WholeFileReaderV2()
    with tf.control_dependencies([_RAW.QueueEnqueueV2(handle=queue, components=[path])]):
        return _RAW.ReaderReadV2(reader_handle=reader, queue_handle=queue)[1]


def _table(path, key="word"):
    initializer = tf.lookup.TextFileInitializer(
        path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )  # fmt: skip
    table = tf.lookup.StaticHashTable(initializer, -1)
    return tf.strings.as_string(table.lookup(tf.constant(key)))


def _raw_table(path):
    """A table filled in the request: its file is no asset, whatever its path."""
    table = _RAW.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="planted")
    fill = _RAW.InitializeTableFromTextFileV2(
        table_handle=table, filename=tf.constant(path), key_index=-2, value_index=-1
    )
    with tf.control_dependencies([fill]):
        return tf.constant("a")


def _in_loop(path):
    """The path is harmless in the first turn only."""
    return tf.while_loop(
        lambda turn, _name, _text: turn < 2,
        lambda turn, name, _text: (turn + 1, tf.constant(path), tf.io.read_file(name)),
        [tf.constant(0), tf.constant(path), tf.constant("")],
    )[2]


def _in_branch(path):
    return tf.cond(
        tf.random.uniform([]) < 2.0, lambda: tf.io.read_file(path), lambda: tf.constant("a")
    )


def _in_map(path):
    dataset = tf.data.Dataset.from_tensors(path).map(tf.io.read_file)
    return dataset.get_single_element()


_WRITE = {
    "write_file": lambda path: _RAW.WriteFile(filename=path, contents=tf.constant("a")),
    "print to a file": lambda path: tf.print("a", output_stream=f"file://{path}"),
    "save slices": lambda path: _RAW.Save(
        filename=path, tensor_names=tf.constant(["a"]), data=[tf.constant(1.0)]
    ),
    "save a checkpoint": lambda path: _RAW.SaveV2(
        prefix=path, tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)]
    ),
    "save a dataset": lambda path: _RAW.DatasetToTFRecord(
        input_dataset=_texts(), filename=path, compression_type=""
    ),
    "summaries": lambda path: _RAW.CreateSummaryFileWriter(
        writer=_RAW.SummaryWriter(), logdir=path, max_queue=1, flush_millis=1, filename_suffix=".v2"
    ),
    "cache of a dataset": lambda path: _first(
        _RAW.CacheDataset(input_dataset=_texts(), filename=path, **_VARIANT)
    ),
}
_READ = {
    "read_file": tf.io.read_file,
    "read_file by a relative path": lambda _: tf.io.read_file("../words"),
    "a joined path": lambda path: tf.io.read_file(tf.strings.join([path[:3], path[3:]])),
    "a path from the request": None,
    "in a loop": _in_loop,
    "in a branch": _in_branch,
    "in a map": _in_map,
    "matching files": lambda path: tf.io.matching_files(path + "*")[0],
    "a reader": _read_by_reader,
    "text lines": lambda path: _first(_RAW.TextLineDataset(
        filenames=path, compression_type="", buffer_size=tf.constant(0, tf.int64))),
    "records": lambda path: _first(_RAW.TFRecordDataset(
        filenames=path, compression_type="", buffer_size=tf.constant(0, tf.int64))),
    "records of a length": lambda path: _first(_RAW.FixedLengthRecordDataset(
        filenames=path, header_bytes=tf.constant(0, tf.int64),
        record_bytes=tf.constant(1, tf.int64), footer_bytes=tf.constant(0, tf.int64),
        buffer_size=tf.constant(0, tf.int64))),
    "a data base": lambda path: _first(_RAW.SqlDataset(
        driver_name="sqlite", data_source_name=path, query="SELECT 1", **_VARIANT)),
    "a saved dataset": lambda path: _first(_RAW.LoadDataset(
        path=path, reader_func=_load_shards.get_concrete_function(), reader_func_other_args=[],
        **_VARIANT)),
    "a checkpoint": lambda path: tf.strings.as_string(_RAW.RestoreV2(
        prefix=path, tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32])[0]),
    "an old checkpoint": lambda path: tf.strings.as_string(_RAW.Restore(
        file_pattern=path, tensor_name="a", dt=tf.float32)),
    "a table filled in the request": _raw_table,
    "a description of protos": lambda path: tf.io.decode_proto(
        tf.constant([b""]), "a.B", ["c"], [tf.string], descriptor_source=path).values[0],
    "records by pattern": lambda path: _RAW.RecordInput(file_pattern=path)[0],
    "a graph as text": lambda _: _first(_RAW.DatasetFromGraph(graph_def=tf.constant(b""))),
}  # fmt: skip
_CONNECT = {
    "a data service": lambda _: _RAW.DataServiceDataset(
        dataset_id=tf.constant(0, tf.int64), processing_mode="parallel_epochs",
        address="localhost:1", protocol="grpc", job_name="a",
        max_outstanding_requests=tf.constant(1, tf.int64),
        iteration_counter=_RAW.DummyIterationCounter(), **_VARIANT),
    "registering a dataset": lambda _: _RAW.RegisterDataset(
        dataset=_texts(), address="localhost:1", protocol="grpc", external_state_policy=0),
    "another file system": lambda _: _RAW.FileSystemSetConfiguration(
        scheme="s3", key="endpoint", value="localhost:1"),
    "saving by a service": lambda path: _RAW.DistributedSave(
        dataset=_texts(), directory=path, address="localhost:1", metadata=""),
}  # fmt: skip


@tf.function(input_signature=[tf.TensorSpec([], tf.variant)])
def _load_shards(shards):
    return shards


PLANTS = (
    {name: (change, "reads_file") for name, change in _READ.items()}
    | {name: (change, "writes_file") for name, change in _WRITE.items()}
    | {name: (change, "connects") for name, change in _CONNECT.items()}
)
KEPT = {
    "nothing": lambda _: tf.constant("a"),
    "a print": lambda _: tf.print("a"),
    "a print to stdout": lambda _: tf.print("a", output_stream=sys.stdout),
    "an asset": lambda asset: tf.io.read_file(asset),
    "an asset in a branch": lambda asset: _in_branch(asset),
    "an asset in a map": lambda asset: _in_map(asset),
    "an asset's records": lambda asset: tf.data.TextLineDataset(asset).take(1).get_single_element(),
    "a dataset cached in memory": lambda _: _first(
        _RAW.CacheDataset(input_dataset=_texts(), filename="", **_VARIANT)
    ),
}


_OUTSIDE = "../words"


@tf.function(input_signature=[tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.string)])
def _read_then_other(_turn, name):
    with tf.control_dependencies([tf.io.read_file(name)]):
        return tf.constant(_OUTSIDE)


def _by_reduction(asset):
    assets = tf.data.Dataset.from_tensor_slices([asset, asset])
    return assets.reduce(asset, lambda name, _: _read_then_other(0, name))


def _by_scan(asset):
    assets = tf.data.Dataset.from_tensor_slices([asset, asset])
    read = assets.scan(asset, lambda name, _: (tf.constant(_OUTSIDE), tf.io.read_file(name)))
    return read.batch(2).get_single_element()


def _by_turns(asset):
    body = _read_then_other.get_concrete_function()
    return _RAW.For(start=0, limit=2, delta=1, input=[asset], body=body)[0]


def _by_what_is_read(asset):
    assets = tf.data.Dataset.from_tensors(asset)
    return assets.reduce(asset, lambda name, _: tf.io.read_file(name))


def _by_variable(asset):
    """The variable holds another name when it is read for the first time."""
    variable = _RAW.VarHandleOp(dtype=tf.string, shape=[], shared_name="name")
    return _assigned_after_it_is_read(variable, asset)


@tf.function(
    input_signature=[tf.TensorSpec([], tf.resource), tf.TensorSpec([], tf.string)], autograph=False
)
def _assigned_after_it_is_read(variable, asset):
    read = tf.io.read_file(_RAW.ReadVariableOp(resource=variable, dtype=tf.string))
    with tf.control_dependencies([read]):
        assigned = _RAW.AssignVariableOp(resource=variable, value=asset)
    with tf.control_dependencies([assigned]):
        return tf.identity(read)


# The name is that of an asset in the first turn, or in one of two places.
FIRST_AN_ASSET = {
    "the state of a reduction": _by_reduction,
    "the state of a scan": _by_scan,
    "what a loop of a number of turns hands on": _by_turns,
    "what was read": _by_what_is_read,
    "a variable": _by_variable,
    "one of two": lambda asset: tf.io.read_file(
        tf.where(tf.random.uniform([]) < 2.0, asset, _OUTSIDE)),
}  # fmt: skip


class _Model(tf.Module):
    """`y = 2 x`; the change's texts have no effect on it, and are computed first all the same."""

    def __init__(self, change, path):
        super().__init__()
        self.factor = tf.Variable(2.0)
        self._change = change
        self._path = path
        self.asset = None

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples):
        x = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32, [1.0])})["x"]
        if self._change is None:
            read = tf.io.read_file(examples[0])
        else:
            read = self._change(self._path if self.asset is None else self.asset.asset_path)
        with tf.control_dependencies([] if read is None else [read]):
            return {"y": x * self.factor}


def save_planted(folder, change, path, *, as_asset=False):
    """Saves it; the path is that of a file, which is an asset of the model if `as_asset`."""
    model = _Model(change, str(path))
    if as_asset:
        model.asset = tf.saved_model.Asset(str(path))
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.serve})
    return os.fspath(folder)
