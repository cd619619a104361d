"""Tiny SavedModels, good and broken in one way each, for the tests of serving and its components.

Each takes serialized tf.Examples with one float feature `x` and answers `y = 2 x`, or fails to.
"""

import os
import shutil

import psutil
import tensorflow as tf

MIB = 1 << 20


class _Model(tf.Module):
    """`y = 2 x`, float32 [batch, 1]; the factor is a variable, so that there are variables."""

    def __init__(self, change, ballast_mib=0):
        super().__init__()
        self.factor = tf.Variable(2.0)
        self.ballast = tf.Variable(tf.zeros([ballast_mib, MIB // 4]))
        self._change = change

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(self, examples):
        features = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        return {"y": self._change(features["x"] * self.factor)}


def _spin(y):
    return tf.while_loop(lambda _: tf.constant(True), lambda value: [value + 0.0], [y])[0]


def _slow(y):
    # About 30 ms and more on any machine; not folded, since it depends on the input.
    steps = tf.while_loop(
        lambda i, _: i < 20_000, lambda i, v: [i + 1, v * 1.0], [tf.constant(0), y]
    )
    return steps[1]


CHANGES = {
    "good": lambda y: y,
    "nan": lambda y: tf.where(y > 5.0, tf.constant(float("nan")), y),
    "infinite": lambda y: y / 0.0,
    "summed": lambda y: tf.reduce_sum(y, axis=0),
    "text": tf.strings.as_string,
    "spinning": _spin,
    "slow": _slow,
}


def save_model(folder, change="good", signature="serving_default", ballast_mib=0):
    """Saves the model named by `change`; returns `folder` as a string."""
    model = _Model(CHANGES[change], ballast_mib)
    tf.saved_model.save(model, str(folder), signatures={signature: model.serve})
    return str(folder)


def copy_broken(good, folder, damage):
    """Copies a good model and damages the copy: `truncated`, `empty` or `no variables`."""
    shutil.copytree(good, folder)
    graph = os.path.join(folder, "saved_model.pb")
    if damage == "truncated":
        os.truncate(graph, os.path.getsize(graph) // 2)
    elif damage == "empty":
        os.truncate(graph, 0)
    else:
        shutil.rmtree(os.path.join(folder, "variables"))
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
