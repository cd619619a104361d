"""serving.validation.graph_state: a model that requests change is told from its graph."""

import pytest
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session

from serving.validation import graph_state
from serving.validation.graph_io import base_name
from serving.validation.graph_state import check_state
from serving.validation.probe import SIGNATURE
from serving.validation.saved_files import read_graph
from serving.validation.verdict import Reason, RefusedModelError
from tests.component.serving import planted_answers
from tests.component.serving.planted_answers import binary

_RAW = tf.raw_ops


def _in_branch(right, row, model):
    return tf.cond(row["x"][0, 0] > 1e9, lambda: right + 0.0 * model.sum.assign(2.0), lambda: right)


def _in_loop(right, _row, model):
    return tf.while_loop(
        lambda turn, _: turn < 2,
        lambda turn, y: (turn + 1, y + 0.0 * model.sum.assign_add(1.0)),
        [tf.constant(0), right],
    )[1]


def _in_function(right, _row, model):
    return tf.function(lambda y: y + 0.0 * model.sum.assign_sub(1.0))(right)


def _beside(right, _row, model):
    """Nothing of the answer hangs on it."""
    model.count.assign_add(1)
    return right


def _in_place(right, _row, model):
    model.kept.assign(right)
    changed = _RAW.ResourceScatterUpdate(resource=model.kept.handle, indices=[0], updates=right[:1])
    with tf.control_dependencies([changed]):
        return tf.identity(right)


_CHANGED = {
    "in a branch": binary(_in_branch),
    "in a loop": binary(_in_loop),
    "in a function": binary(_in_function),
    "beside the answer": binary(_beside),
    "in place": binary(_in_place),
} | {
    name: answer
    for sentence in ("clients at once do not see each other", "memory does not grow")
    for name, (answer, _, _) in planted_answers.PLANTS[sentence].items()
}
_KEPT = planted_answers.GOOD | {
    "an array of a request": (
        binary(lambda y, _row, _model: tf.map_fn(lambda each: each * 1.0, y)), "binary"
    ),
    "a table that is read": (
        binary(lambda y, row, model: y + 0.0 * model.table.lookup(row["count"])), "binary"
    ),
}  # fmt: skip


def _save(folder, answer):
    model = planted_answers.PlantedModel(answer)
    model.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant([4], tf.int64), tf.constant([1.0])), 0.0
    )
    tf.saved_model.save(model, str(folder), signatures={SIGNATURE: model.serve})
    return read_graph(str(folder))


@pytest.mark.parametrize("name", list(_CHANGED))
def test_a_model_that_requests_change_is_refused(tmp_path, name):
    with pytest.raises(
        RefusedModelError, match="changes what the model holds, by .*Hint:"
    ) as error:
        check_state(_save(tmp_path / "model", _CHANGED[name]), SIGNATURE)
    assert error.value.reason is Reason.CHANGES_STATE


@pytest.mark.parametrize("name", list(_KEPT))
def test_a_model_that_stays_as_it_is_passes(tmp_path, name):
    check_state(_save(tmp_path / "model", _KEPT[name][0]), SIGNATURE)


def test_what_no_request_runs_may_change_it(tmp_path):
    graph = _save(tmp_path / "model", _CHANGED["beside the answer"])
    check_state(graph, "no_such_signature")
    # The saver assigns to all variables when the model is loaded.
    bodies = [graph.graph_def.node, *(each.node_def for each in graph.graph_def.library.function)]
    assert any(node.op == "AssignVariableOp" for nodes in bodies for node in nodes)


def test_every_operation_that_takes_a_variable_to_write_to_is_known():
    """As TensorFlow names them; what is only made, read, waited for or closed is not."""
    operations = op_def_pb2.OpList.FromString(
        pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    ).op
    writing = {
        operation.name
        for operation in operations
        if any(
            word in operation.name for word in ("Assign", "Scatter", "Enqueue", "Insert", "Push")
        )
        and any(each.type == tf.resource.as_datatype_enum for each in operation.input_arg)
    }
    assert len(writing) > 20
    unknown = {each for each in writing if not graph_state.WRITES.fullmatch(base_name(each))}
    # An array is a request's own; the other scatters parts of a tensor over machines.
    assert {each for each in unknown if not each.startswith(("TensorArray", "Collective"))} == set()
