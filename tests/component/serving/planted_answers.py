"""SavedModels whose answers are wrong in one way each, for the tests of what may be published.

`PLANTS` maps a sentence about models to its variants: name -> (the outputs that it answers, the
task that it is for, the reason that it is refused with). `GOOD` holds models that pass. In every
model x, count and name are optional features of an example.
"""

import functools
import os

import tensorflow as tf

_RAW = tf.raw_ops
_FEATURES = {
    "x": tf.io.FixedLenFeature([1], tf.float32, [0.5]),
    "count": tf.io.FixedLenFeature([1], tf.int64, [3]),
    "name": tf.io.FixedLenFeature([1], tf.string, ["a"]),
}
_LATE = 60  # requests: more than are asked before time is measured
_NAN, _INFINITE = float("nan"), float("inf")


def _probability(row):
    """The right answer of the binary task."""
    return tf.sigmoid(tf.clip_by_value(row["x"], -10.0, 10.0))


def _classes(row):
    ones = tf.ones_like(row["x"])
    return {"probabilities": tf.concat([0.2 * ones, 0.3 * ones, 0.5 * ones], 1),
            "class": tf.fill(tf.shape(row["x"]), "c")}  # fmt: skip


def _shares(probabilities):
    return lambda row, _: {**_classes(row), "probabilities": probabilities(row)}


def binary(change):
    """The outputs of a binary model; `change` gets the right probability, the row, the model."""
    return lambda row, model: {"probability": change(_probability(row), row, model)}


def _late(change):
    """Right for the first requests."""

    def answer(right, row, model):
        count = model.count.assign_add(1)
        return tf.cond(count > _LATE, lambda: change(right), lambda: right)

    return binary(answer)


def _at(size, change):
    def answer(right, _row, _model):
        return tf.cond(tf.shape(right)[0] == size, lambda: change(right), lambda: right)

    return binary(answer)


def _where(condition, value):
    return binary(lambda right, row, _: tf.where(condition(row), value, right))


def _wait(value):
    """The value, some milliseconds later."""
    return tf.while_loop(
        lambda i, _: i < 3000, lambda i, v: [i + 1, v * 1.0], [tf.constant(0), value]
    )[1]


def _through_variable(right, _row, model):
    """What another request has written meanwhile is read."""
    with tf.control_dependencies([model.kept.assign(right)]):
        waited = _wait(tf.zeros([]))
    with tf.control_dependencies([waited]):
        return tf.ensure_shape(model.kept.read_value(), [None, 1])


def _through_table(right, _row, _model):
    table = _RAW.MutableHashTableV2(
        key_dtype=tf.int64, value_dtype=tf.float32, shared_name="crossed"
    )
    keys = tf.range(tf.size(right, tf.int64), dtype=tf.int64)
    insert = _RAW.LookupTableInsertV2(table_handle=table, keys=keys, values=right[:, 0])
    with tf.control_dependencies([insert]):
        waited = _wait(tf.zeros([]))
    with tf.control_dependencies([waited]):
        found = _RAW.LookupTableFindV2(table_handle=table, keys=keys, default_value=0.0)
    return tf.reshape(found, [-1, 1])


def _through_sum(right, _row, model):
    """Each request takes back what it has added, and meanwhile the others see it."""
    with tf.control_dependencies([model.sum.assign_add(1.0)]):
        waited = _wait(tf.zeros([]))
    with tf.control_dependencies([waited]):
        seen = model.sum.read_value()
    with tf.control_dependencies([seen]):
        back = model.sum.assign_sub(1.0)
    with tf.control_dependencies([back]):
        return right / tf.maximum(seen, 1.0)


def _growing(keep):
    def answer(right, _row, _model):
        with tf.control_dependencies([keep(tf.random.uniform([1 << 19]))]):  # 2 MB
            return tf.identity(right)

    return binary(answer)


def _keep_in_queue(values):
    queue = _RAW.FIFOQueueV2(component_types=[tf.float32], shared_name="kept")
    return _RAW.QueueEnqueueV2(handle=queue, components=[values])


def _keep_in_table(values):
    table = _RAW.MutableHashTableOfTensorsV2(
        key_dtype=tf.int64, value_dtype=tf.float32, value_shape=[1 << 19], shared_name="kept"
    )
    key = tf.random.uniform([1], 0, 1 << 60, tf.int64)
    return _RAW.LookupTableInsertV2(table_handle=table, keys=key, values=values[None])


def _keep_on_stage(values):
    return _RAW.Stage(values=[values], shared_name="kept")


def _sizes(right, width):
    return tf.tile(right, [1, width])


def _one_hot_place(row):
    """Places of names in a vocabulary; that of a name which is not in it is -1."""
    known = tf.constant(["a", "b", "c"])
    equal = tf.cast(tf.equal(row["name"], known), tf.int32)
    return tf.reduce_sum(equal * tf.constant([1, 2, 3]), 1) - 1


def _named(name, values=None):
    return lambda row, _: {name: _probability(row) if values is None else values(row)}


def _several(**outputs):
    return lambda row, _: {name: values(row) for name, values in outputs.items()}


PLANTS = {
    "every answer is looked at": {
        "nan after a while": (_late(lambda y: y * _NAN), "binary", "not_a_number"),
        "infinite after a while": (_late(lambda y: y + _INFINITE), "binary", "infinite"),
        "another after a while": (_late(lambda y: y * 0.99), "binary", "differs"),
        "above 1 after a while": (_late(lambda y: y + 1.0), "binary", "not_a_probability"),
    },
    "any batch is answered alike": {
        "wrong at 2": (_at(2, lambda y: y[::-1]), "binary", "differs"),
        "wrong at 7": (_at(7, lambda y: y * 0.9), "binary", "differs"),
        "wrong at 33": (_at(33, lambda y: y * 0.9), "binary", "differs"),
        "nan at 256": (_at(256, lambda y: y * _NAN), "binary", "not_a_number"),
        "fails at 256": (
            _at(256, lambda y: tf.ensure_shape(tf.reshape(y, [16, -1])[:, :1] + y[:16], [None, 1])),
            "binary", "wrong_shape",
        ),
        "wrong at 1024, as predict asks": (_at(1024, lambda y: y * 0.9), "binary", "differs"),
        "less the mean of the batch": (
            binary(lambda y, _row, _model: y - tf.reduce_mean(y) * 0.1), "binary", "differs",
        ),
    },
    "clients at once do not see each other": {
        "through a variable": (binary(_through_variable), "binary", "differs"),
        "through a table": (binary(_through_table), "binary", "differs"),
        "through a sum": (binary(_through_sum), "binary", "differs"),
    },
    "a feature may be missing": {
        "nan without x": (_where(lambda row: row["x"] == 0.5, _NAN), "binary", "not_a_number"),
        "infinite without count": (
            _where(lambda row: row["count"] == 3, _INFINITE), "binary", "infinite",
        ),
        "nan without a name": (_where(lambda row: row["name"] == "a", _NAN), "binary",
                               "not_a_number"),
        "above 1 without anything": (
            _where(lambda row: (row["x"] == 0.5) & (row["name"] == "a"), 2.0), "binary",
            "not_a_probability",
        ),
    },
    "a category may be new": {
        "a place that is not there": (
            binary(lambda y, row, _: y * tf.gather([1.0, 0.9, 0.8], _one_hot_place(row))[:, None]),
            "binary", "rpc_failed",
        ),
        "a row that is left out": (
            binary(lambda y, row, _: tf.reshape(
                tf.boolean_mask(y, _one_hot_place(row) >= 0), tf.shape(y))),
            "binary", "rpc_failed",
        ),
        "logarithm of no count": (
            binary(lambda y, row, _: tf.math.log(
                tf.cast(_one_hot_place(row) + 1, tf.float32))[:, None] * 0.1 + y),
            "binary", "infinite",
        ),
        "divided by the length": (
            binary(lambda y, row, _: y / tf.cast(tf.strings.length(row["name"]), tf.float32)),
            "binary", "infinite",
        ),
    },
    "a number may be far outside": {
        "exponential": (_named("prediction", lambda row: tf.exp(row["x"])), "regression",
                        "infinite"),
        "difference of powers": (
            _named("prediction", lambda row: row["x"] ** 4 - row["x"] ** 5), "regression",
            "not_a_number",
        ),
        "root of an integer": (
            _named("prediction", lambda row: tf.sqrt(tf.cast(row["count"], tf.float32))),
            "regression", "not_a_number",
        ),
        "logarithm of nothing": (
            _named("prediction", lambda row: tf.math.log(tf.abs(row["x"]))), "regression",
            "infinite",
        ),
        "divided by an integer": (
            _named("prediction", lambda row: row["x"] / tf.cast(row["count"], tf.float32)),
            "regression", "infinite",
        ),
        "a mark of what is missing": (
            _where(lambda row: row["count"] == -1, _NAN), "binary", "not_a_number",
        ),
        "linear probability": (_named("probability", lambda row: row["x"] * 0.01 + 0.1), "binary",
                               "not_a_probability"),
    },
    "memory does not grow": {
        "a queue": (_growing(_keep_in_queue), "binary", "memory_grows"),
        "a table": (_growing(_keep_in_table), "binary", "memory_grows"),
        "a stage": (_growing(_keep_on_stage), "binary", "memory_grows"),
    },
    "an answer fits a client": {
        "many numbers": (
            _several(probability=_probability, all=lambda row: _sizes(row["x"], 100_000)),
            "binary", "answer_too_large",
        ),
        "many outputs": (
            _several(probability=_probability, **{
                f"copy_{i}": functools.partial(lambda row: _sizes(_probability(row), 1000))
                for i in range(8)}),
            "binary", "answer_too_large",
        ),
        "long texts": (
            _several(probability=_probability,
                     text=lambda row: tf.fill(tf.shape(row["x"]), "x" * 100_000)),
            "binary", "answer_too_large",
        ),
    },
    "outputs are those of the task": {
        "another name": (_named("score"), "binary", "wrong_outputs"),
        "of another task": (_named("prediction"), "binary", "wrong_outputs"),
        "a vector": (_named("probability", lambda row: _probability(row)[:, 0]), "binary",
                     "wrong_shape"),
        "both classes": (_named("probability", lambda row: _sizes(_probability(row), 2)), "binary",
                         "wrong_shape"),
        "a probability for an amount": (_named("probability"), "regression", "wrong_outputs"),
        "two amounts": (_named("prediction", lambda row: _sizes(row["x"] * 0.0, 2)), "regression",
                        "wrong_shape"),
        "no class": (_named("probabilities", lambda row: _classes(row)["probabilities"]),
                     "multiclass", "wrong_outputs"),
        "a class too few": (
            lambda row, _: {**_classes(row), "probabilities": _sizes(_probability(row), 2)},
            "multiclass", "wrong_shape",
        ),
        "a class as a number": (
            lambda row, _: {**_classes(row), "class": row["x"] * 0.0}, "multiclass", "wrong_dtype",
        ),
        "probabilities as text": (
            lambda row, _: {**_classes(row), "other": row["x"] * 0.0,
                            "probabilities": tf.fill([tf.shape(row["x"])[0], 3], "0.3")},
            "multiclass", "wrong_dtype",
        ),
    },
    "a probability is from 0 to 1": {
        "a logit": (_named("probability", lambda row: -1.0 - tf.abs(row["x"])), "binary",
                    "not_a_probability"),
        "percent": (_named("probability", lambda row: 100.0 * _probability(row)), "binary",
                    "not_a_probability"),
        "logits of classes": (
            lambda row, _: {**_classes(row), "probabilities": _classes(row)["probabilities"] * 9.0},
            "multiclass", "not_a_probability",
        ),
        "of a task that is not known": (
            _named("probability", lambda row: 2.0 * _probability(row) + 1.0), "",
            "not_a_probability",
        ),
    },
    "the probabilities of classes add up to 1": {
        "to 1 for some rows only": (
            _shares(lambda row: tf.where(row["x"] > 0.15, [[0.2, 0.3, 0.4]], [[0.2, 0.3, 0.5]])),
            "multiclass", "not_a_probability",
        ),
        "to a half": (_shares(lambda row: 0.5 * _classes(row)["probabilities"]), "multiclass",
                      "not_a_probability"),
        "to 1.2": (_shares(lambda row: 1.2 * _classes(row)["probabilities"]), "multiclass",
                   "not_a_probability"),
        "a sigmoid of each": (
            _shares(lambda row: tf.sigmoid(row["x"] * [[-1.0, 1.0, 2.0]])), "multiclass",
            "not_a_probability",
        ),
        "not where a name is new": (
            _shares(lambda row: tf.where(tf.reduce_any(row["name"] == [["a", "b", "c"]], 1,
                                                       keepdims=True),
                                         [[0.2, 0.3, 0.5]], [[0.0, 0.0, 0.0]])),
            "multiclass", "not_a_probability",
        ),
    },
    "any answer ends in a verdict": {
        "no values": (_named("y", lambda row: row["x"][:, :0]), "", "wrong_shape"),
        "no values at all": (_named("y", lambda row: row["x"][:0]), "", "wrong_shape"),
        "a scalar": (_named("y", lambda row: tf.reduce_sum(row["x"])), "", "wrong_shape"),
        "other widths": (
            _named("y", lambda row: tf.repeat(
                row["x"] * 0.0, tf.cast(1.0 + row["x"][0, 0], tf.int32), axis=1)),
            "", "wrong_shape",
        ),
        "a width by the batch": (
            _named("y", lambda row: tf.zeros([tf.shape(row["x"])[0]] * 2)), "", "differs",
        ),
        "integers": (_named("y", lambda row: row["count"]), "", "wrong_dtype"),
        "booleans": (_named("y", lambda row: row["x"] > 0.0), "", "wrong_dtype"),
        "complex numbers": (_named("y", lambda row: tf.complex(row["x"], row["x"])), "",
                            "wrong_dtype"),
        "texts only": (_named("y", lambda row: row["name"]), "", "wrong_dtype"),
        "quantized": (_named("y", lambda row: tf.quantization.quantize(
            row["x"], 0.0, 1.0, tf.quint8)[0]), "", "wrong_dtype"),
    },
}  # fmt: skip


def _ends(row, y):
    """The process ends at an empty name, which no example has."""

    def end():
        with tf.control_dependencies([_RAW.Abort(error_msg="planted")]):
            return tf.identity(y)

    return tf.cond(tf.reduce_any(row["name"] == ""), end, lambda: y)


def _hangs(row, y):
    def wait():
        return tf.while_loop(lambda _: tf.constant(True), lambda v: [v + 0.0], [y])[0]

    return tf.cond(tf.reduce_any(row["count"] < 0), wait, lambda: y)


# These need a server of their own to end, to hang or to grow.
IN_SERVER = {
    "ends at a new category": (binary(lambda y, row, _: _ends(row, y)), "died_serving"),
    "hangs far outside": (binary(lambda y, row, _: _hangs(row, y)), "rpc_timeout"),
    "grows by a queue": (PLANTS["memory does not grow"]["a queue"][0], "memory_grows"),
    "clients see each other": (binary(_through_variable), "differs"),
    "refuses a new category": (PLANTS["a category may be new"]["a place that is not there"][0],
                               "rpc_failed"),
}  # fmt: skip
GOOD = {
    "binary": (binary(lambda y, _row, _model: y), "binary"),
    "multiclass": (lambda row, _: _classes(row), "multiclass"),
    "multiclass in bfloat16": (
        _shares(lambda row: tf.cast(_classes(row)["probabilities"] * 1.0, tf.bfloat16)),
        "multiclass",
    ),
    "regression": (_named("prediction", lambda row: row["x"] * 2.0), "regression"),
    "of no known task": (_named("y", lambda row: row["x"] * 2.0), ""),
    "more outputs than the task has": (
        _several(probability=_probability, vector=lambda row: row["x"][:, 0] * 0.0), "binary",
    ),
    "an output of three dimensions": (_named("y", lambda row: row["x"][:, :, None]), ""),
    "float64": (_named("probability", lambda row: tf.cast(_probability(row), tf.float64)),
                "binary"),
    "outputs with names of arguments": (
        _several(file=_probability, args=_probability, kwds=_probability, names=_probability), "",
    ),
}  # fmt: skip


class PlantedModel(tf.Module):
    """Answers what `answer` makes of a row, with variables that it may use."""

    def __init__(self, answer):
        super().__init__()
        self.count = tf.Variable(0)
        self.sum = tf.Variable(0.0)
        self.kept = tf.Variable(tf.zeros([0, 1]), shape=[None, 1])
        self._answer = answer

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False
    )
    def serve(self, examples):
        return self._answer(tf.io.parse_example(examples, _FEATURES), self)


def save_planted(folder, answer):
    """Saves it; returns the folder as a string."""
    model = PlantedModel(answer)
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.serve})
    return os.fspath(folder)


def make_example(x, count, name):
    """Returns a serialized tf.Example with all features."""
    features = {
        "x": tf.train.Feature(float_list=tf.train.FloatList(value=[x])),
        "count": tf.train.Feature(int64_list=tf.train.Int64List(value=[count])),
        "name": tf.train.Feature(bytes_list=tf.train.BytesList(value=[name.encode()])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)
