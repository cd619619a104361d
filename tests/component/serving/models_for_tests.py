"""Tiny SavedModels, good and broken in one way each, for the tests of serving and its components.

Each takes serialized tf.Examples with one float feature `x` and answers `y = 2 x`, or fails to.
"""

import os
import shutil

import psutil
import tensorflow as tf

MIB = 1 << 20


class _AtLoading(tf.saved_model.experimental.TrackableResource):
    """Does something when the model is loaded, as a vocabulary that is read then does."""

    def __init__(self, change):
        super().__init__()
        self._change = change

    def _create_resource(self):
        # Any resource that needs no file.
        return tf.raw_ops.MutableHashTableV2(key_dtype=tf.int64, value_dtype=tf.int64)

    def _initialize(self):
        self._change()


class _Model(tf.Module):
    """`y = 2 x`, float32 [batch, 1]; the factor is a variable, so that there are variables."""

    def __init__(
        self, change, ballast_mib=0, at_loading=None, vocabulary=None, factor=2.0, optional=False
    ):
        super().__init__()
        self._optional = optional
        self.factor = tf.Variable(factor)
        self.ballast = tf.Variable(tf.zeros([ballast_mib, MIB // 4]))
        self._change = change
        self.table = None
        if at_loading:
            self.resource = _AtLoading(at_loading)
            assert self.resource.resource_handle is not None
        if vocabulary:
            initializer = tf.lookup.TextFileInitializer(
                vocabulary, tf.string, 0, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
            )
            self.table = tf.lookup.StaticHashTable(initializer, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, examples):
        spec = {
            "x": tf.io.FixedLenFeature([1], tf.float32, 0.0 if self._optional else None),
            "name": tf.io.VarLenFeature(tf.string),
            "count": tf.io.VarLenFeature(tf.int64),
        }
        x = tf.io.parse_example(examples, spec)["x"]
        if self.table is not None:
            x += tf.cast(self.table.lookup(tf.fill(tf.shape(x), "word")), tf.float32)
        return {"y": self._change(x * self.factor)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve_rows(self, rows):
        return self.serve(rows)


def _endless(value):
    return tf.while_loop(lambda _: tf.constant(True), lambda v: [v + 0.0], [value])[0]


def _slow(y, steps=20_000):
    # About 30 ms and more on any machine; not folded, since it depends on the input.
    return tf.while_loop(
        lambda i, _: i < steps, lambda i, v: [i + 1, v * 1.0], [tf.constant(0), y]
    )[1]


def _grow(y):
    """Keeps 8 MB more in each round, for ever."""
    kept = tf.TensorArray(tf.float32, 0, dynamic_size=True, clear_after_read=False)
    kept = tf.while_loop(
        lambda i, _: i >= 0,
        lambda i, array: (i + 1, array.write(i, tf.fill([2 * MIB], tf.cast(i, tf.float32)))),
        [tf.constant(0), kept],
    )[1]
    return y + kept.read(0)[0]


CHANGES = {
    "good": lambda y: y,
    "nan": lambda y: tf.where(y > 5.0, tf.constant(float("nan")), y),
    "infinite": lambda y: y + 1.0 / tf.zeros_like(y),
    "summed": lambda y: tf.reduce_sum(y, axis=0),
    "text": tf.strings.as_string,
    "random": lambda y: y + tf.random.uniform(tf.shape(y)),
    "python": lambda y: tf.ensure_shape(tf.py_function(lambda v: v, [y], tf.float32), [None, 1]),
    "spinning": _endless,
    "slow": _slow,
    "very slow": lambda y: _slow(y, 1_000_000),
    "growing": _grow,
}


def _exit():
    # Printing has an effect, and so is not left out of the graph; nor is what it waits for.
    with tf.control_dependencies([tf.raw_ops.Abort(exit_without_error=True)]):
        tf.print("never")


AT_LOADING = {
    "hanging": lambda: tf.print(_endless(tf.random.uniform([]))),
    "exiting": _exit,
}


def save_model(folder, change="good", signature="serving_default", ballast_mib=0, **more):
    """Saves the model named by `change`; returns `folder` as a string.

    `more`: `input_name` `rows`; `vocabulary`, a file whose first line is `word`; `factor`, other
    than 2; `optional`, for an `x` that is 0 where it is missing.
    """
    model = _Model(
        CHANGES.get(change, CHANGES["good"]),
        ballast_mib,
        AT_LOADING.get(change),
        more.get("vocabulary"),
        more.get("factor", 2.0),
        more.get("optional", False),
    )
    serve = model.serve_rows if more.get("input_name") == "rows" else model.serve
    tf.saved_model.save(model, str(folder), signatures={signature: serve})
    return str(folder)


def copy_broken(good, folder, damage):
    """Copies a good model and damages the copy: `truncated`, `empty`, or without a folder."""
    shutil.copytree(good, folder)
    graph = os.path.join(folder, "saved_model.pb")
    if damage == "truncated":
        os.truncate(graph, os.path.getsize(graph) // 2)
    elif damage == "empty":
        os.truncate(graph, 0)
    else:
        shutil.rmtree(os.path.join(folder, damage.removeprefix("no ")))
    return str(folder)


def make_example(x, **more):
    """Returns a serialized tf.Example with the feature `x`, and the float features `more`."""
    features = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        for name, value in {"x": x, **more}.items()
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def running_servers():
    """Lists the command lines of model servers and guards that run or are zombies of ours."""
    lines = []
    for process in psutil.Process().children(recursive=True):
        try:
            lines.append(" ".join(process.cmdline()) or f"zombie {process.pid}")
        except psutil.Error:
            continue
    return [line for line in lines if "serving" in line or line.startswith("zombie")]
