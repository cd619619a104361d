"""Finds out whether a request changes later answers, from the graph alone.

A variable that requests write to, a table or queue that they add to: the model that is served
after a thousand requests is no longer the one that was evaluated, and copies of it differ from each
other. How many requests it takes is the model's affair, so no number of questions finds it surely.

Called by `serving.validation.check`. Must not import TFX.

Source: tensorflow/core/ops, release 2.16 and 2.21.
"""

import re
from collections.abc import Iterator
from typing import Any

from serving.validation.graph_io import base_name, functions_of
from serving.validation.verdict import Reason, RefusedModelError

# Operations that write to what outlives a request. A TensorArray or a list does not.
WRITES = re.compile(
    r"(Resource)?(Sparse)?Apply[A-Z]\w*|Assign(Add|Sub)?(VariableOp)?|AssignVariableXlaConcatND"
    r"|DestroyResourceOp|(Resource)?CountUpTo"
    r"|(Resource)?Scatter(Nd)?(Add|Div|Max|Min|Mul|Sub|Update)"
    r"|(Resource)?StridedSliceAssign|(Resource)?(Sparse)?AccumulatorApplyGradient|BarrierInsertMany"
    r"|LookupTable(Import|Insert|Remove)|(Ordered)?(Map)?(Stage|Unstage)|MapClear|StageClear"
    r"|Queue(Enqueue|Dequeue)(Many|UpTo)?|Stack(Push|Pop)"
)


def check_state(graph: Any, signature: str) -> None:
    """Refuses a signature whose requests change the model.

    Args:
        graph: A MetaGraphDef.
        signature: Its name; one that is missing is the server's to miss.

    Raises:
        RefusedModelError: CHANGES_STATE.
    """
    for node in _run_by(graph, signature):
        if WRITES.fullmatch(base_name(node.op)):
            raise RefusedModelError.because(
                Reason.CHANGES_STATE,
                "the graph",
                f"a request changes what the model holds, by {node.op} {node.name!r}",
                "expected requests that change nothing, since later ones are answered by what was "
                "evaluated",
                "compute the answer from the request alone; count requests outside the model",
            )


def _run_by(graph: Any, signature: str) -> Iterator[Any]:
    """The operations that a request runs: those its outputs depend on, and called functions."""
    nodes = {node.name: node for node in graph.graph_def.node}
    bodies = {each.signature.name: each.node_def for each in graph.graph_def.library.function}
    todo = [info.name for info in graph.signature_def[signature].outputs.values()]
    seen: set[str] = set()
    called: list[str] = []
    while todo:
        name = todo.pop().lstrip("^").partition(":")[0]
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        yield nodes[name]
        todo += nodes[name].input
        called += functions_of(nodes[name])
    while called:
        name = called.pop()
        for node in bodies.pop(name, ()):
            yield node
            called += functions_of(node)
