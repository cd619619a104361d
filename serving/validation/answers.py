"""Rules for a good answer: finite, one row per example, the outputs of the task, repeatable.

Called by `serving.validation.probe` and `serving.validation.interview`. Any answer that a model can
give ends in arrays or in a refusal. Must not import TFX.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.validation.verdict import Reason, RefusedModelError

Arrays = Mapping[str, np.ndarray]

# What a gRPC client takes unless it is told otherwise, and the most rows that one asks about.
MOST_BYTES = 4 << 20
MOST_ROWS_ASKED = 256
_FLOATS = {
    types_pb2.DT_HALF,
    types_pb2.DT_BFLOAT16,
    types_pb2.DT_FLOAT,
    types_pb2.DT_DOUBLE,
}
_PROBABILITIES = {"probability", "probabilities"}
# Softmax in float32 over many classes, and float16 outputs.
_ROUNDING = 1e-3
_SUM_ROUNDING = 1e-2  # bfloat16 has eight bits


@dataclass(frozen=True)
class Contract:
    """The outputs that the clients of a task rely on (see models.heads).

    Attributes:
        task: `binary`, `multiclass` or `regression`; empty where it is not known.
        classes: Number of classes, for `multiclass`; 0 if unknown.
    """

    task: str = ""
    classes: int = 0

    def outputs(self) -> dict[str, int | None]:
        """Name of each required output -> its values per row; None: any number."""
        return {
            "binary": {"probability": 1},
            "multiclass": {"probabilities": self.classes or None, "class": 1},
            "regression": {"prediction": 1},
        }.get(self.task, {})

    def check(self, answer: Arrays, where: str) -> None:
        """Refuses an answer that lacks an output of the task, or has another shape of it.

        Raises:
            RefusedModelError: WRONG_OUTPUTS, WRONG_SHAPE, WRONG_DTYPE or NOT_A_PROBABILITY.
        """
        wanted = self.outputs()
        if missing := sorted(set(wanted) - set(answer)):
            raise RefusedModelError.because(
                Reason.WRONG_OUTPUTS,
                where,
                f"the outputs are {sorted(answer)}",
                f"expected {' and '.join(map(repr, missing))} for the task {self.task}",
                "name the outputs of the signature so",
            )
        for name, width in wanted.items():
            self._check_output(name, answer[name], width, where)
        for name in _PROBABILITIES & set(answer):
            _check_probabilities(f"output {name!r} {where}", answer[name])
        if self.task == "multiclass":
            _check_sums(f"output 'probabilities' {where}", answer["probabilities"])

    def _check_output(self, name: str, values: np.ndarray, width: int | None, where: str) -> None:
        expected = f"[batch, {width or 'classes'}]"
        if values.ndim != 2 or (width is not None and values.shape[1] != width):
            raise RefusedModelError.because(
                Reason.WRONG_SHAPE,
                f"output {name!r} {where}",
                f"has shape {list(values.shape)}",
                f"expected {expected} for the task {self.task}",
                "reshape it in the signature",
            )
        if (values.dtype.kind == "S") != (name == "class"):
            raise RefusedModelError.because(
                Reason.WRONG_DTYPE,
                f"output {name!r} {where}",
                "holds texts" if values.dtype.kind == "S" else "holds numbers",
                "expected the names of classes" if name == "class" else "expected floats",
                "see the outputs of the task in docs/serving.md",
            )


def _check_probabilities(where: str, values: np.ndarray) -> None:
    if values.dtype.kind == "S":
        return
    outside = values[(values < -_ROUNDING) | (values > 1 + _ROUNDING)]
    if outside.size:
        raise RefusedModelError.because(
            Reason.NOT_A_PROBABILITY,
            where,
            f"holds {outside.flat[0]:.7g}",
            "expected values from 0 to 1",
            "answer the sigmoid or softmax, not the logit",
        )


def _check_sums(where: str, values: np.ndarray) -> None:
    sums = values.sum(axis=1)
    worst = int(np.argmax(np.abs(sums - 1.0)))
    if abs(sums[worst] - 1.0) > _SUM_ROUNDING:
        raise RefusedModelError.because(
            Reason.NOT_A_PROBABILITY,
            where,
            f"adds up to {sums[worst]:.7g} for example {worst}",
            "expected 1, the sum over all classes",
            "answer the softmax over the classes, not a sigmoid of each",
        )


def read_answer(outputs: Mapping[str, tensor_pb2.TensorProto], batch: int) -> dict[str, np.ndarray]:
    """Turns an answer into arrays.

    Args:
        outputs: Answers of the server, by name.
        batch: Number of examples in the request.

    Returns:
        Output name to array, float64 [batch, …]; of texts bytes [batch, …].

    Raises:
        RefusedModelError: An output is no finite float `[batch, …]`. Texts, such as the name of a
            class, may stand beside floats.
    """
    size = sum(output.ByteSize() for output in outputs.values())
    if size >= MOST_BYTES and batch <= MOST_ROWS_ASKED:
        raise RefusedModelError.because(
            Reason.ANSWER_TOO_LARGE,
            f"the answer to {_examples(batch)}",
            f"takes {size / (1 << 20):.3g} MB",
            "expected less than 4 MB, which is what a gRPC client takes by default",
            "answer fewer values per example",
        )
    has_floats = any(output.dtype in _FLOATS for output in outputs.values())
    return {
        name: judge_text(name, output, batch)
        if has_floats and output.dtype == types_pb2.DT_STRING
        else judge_output(name, output, batch)
        for name, output in outputs.items()
    }


def judge_output(name: str, output: tensor_pb2.TensorProto, batch: int) -> np.ndarray:
    """Returns an output as float64; refuses one that is no finite float tensor `[batch, …]`.

    Args:
        name: The output, for the message.
        output: Answer of the server.
        batch: Number of examples in the request.

    Raises:
        RefusedModelError: WRONG_DTYPE, WRONG_SHAPE, NOT_A_NUMBER or INFINITE.
    """
    where = f"output {name!r} for a batch of {batch}"
    if output.dtype not in _FLOATS:
        raise RefusedModelError.because(
            Reason.WRONG_DTYPE,
            where,
            f"is {dtype_name(output.dtype)}",
            "expected a float dtype",
            "cast it in the signature",
        )
    _check_shape(where, output, batch)
    values = tf.make_ndarray(output).astype(np.float64)
    wrong = values[~np.isfinite(values)]
    if wrong.size:
        raise RefusedModelError.because(
            Reason.NOT_A_NUMBER if np.isnan(wrong).any() else Reason.INFINITE,
            where,
            f"holds {wrong[0]} and {wrong.size} of {values.size} values are not finite",
            "expected finite numbers",
            "look for a division or logarithm of 0, or for weights that diverged",
        )
    return values


def judge_text(name: str, output: tensor_pb2.TensorProto, batch: int) -> np.ndarray:
    """Returns an output of texts as bytes; refuses one that is not `[batch, …]`.

    Raises:
        RefusedModelError: WRONG_SHAPE.
    """
    _check_shape(f"output {name!r} for a batch of {batch}", output, batch)
    return tf.make_ndarray(output).astype("S")


def dtype_name(number: int) -> str:
    """The name of a dtype, also of one that this TensorFlow does not know."""
    known = number in types_pb2.DataType.values()
    return types_pb2.DataType.Name(number) if known else f"dtype {number}"


def _check_shape(where: str, output: tensor_pb2.TensorProto, batch: int) -> None:
    shape = [each.size for each in output.tensor_shape.dim]
    if shape[:1] != [batch] or 0 in shape:
        raise RefusedModelError.because(
            Reason.WRONG_SHAPE,
            where,
            f"has shape {shape}",
            f"expected [{batch}, …], one row per example",
            "look for a reduction over the batch in the signature"
            if 0 not in shape
            else "answer at least one value per example",
        )


def join(answers: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Puts the answers to single examples below each other.

    Raises:
        RefusedModelError: WRONG_SHAPE: they do not have the same outputs of the same shape.
    """
    first = answers[0]
    for place, each in enumerate(answers):
        for name in {*first, *each}:
            shapes = [list(one[name].shape) if name in one else None for one in (first, each)]
            if shapes[0] != shapes[1]:
                raise RefusedModelError.because(
                    Reason.WRONG_SHAPE,
                    f"output {name!r}",
                    f"has shape {shapes[1]} for example {place}",
                    f"expected {shapes[0]}, as for example 0",
                    "answer the same number of values for every example",
                )
    return {name: np.concatenate([each[name] for each in answers]) for name in first}


def compare(served: Arrays, expected: Arrays, tolerance: float, other: str, where: str = "") -> Any:
    """Refuses answers that are further from what is expected than the tolerance.

    Args:
        served: The answers.
        expected: Expected values.
        tolerance: Tolerance, as a share of max(1, |y|).
        other: Source of the expected values, ` in process`.
        where: Request, ` in a batch of 7`.

    Returns:
        The largest difference.

    Raises:
        RefusedModelError: DIFFERS.
    """
    largest = 0.0
    for name, answers in served.items():
        wanted = expected.get(name)
        if wanted is None or wanted.shape != answers.shape:
            found, difference = f"{list(answers.shape)} in the server{where}", np.inf
            told = "no such output" if wanted is None else f"{list(wanted.shape)}{other}"
        elif answers.dtype.kind == "S":
            differing = np.argwhere(answers != wanted)
            if not len(differing):
                continue
            place, difference = tuple(differing[0]), np.inf
            # Not the scalars of NumPy, which print themselves differently from version to version.
            found = f"{bytes(answers[place])!r} for example {place[0]}{where}"
            told = f"{bytes(wanted[place])!r}{other}"
        else:
            differences = np.abs(answers - wanted) / np.maximum(1.0, np.abs(wanted))
            # NaN in process, where the server's answer is finite, is as different as can be.
            differences = np.nan_to_num(differences, nan=np.inf)
            worst = np.unravel_index(np.argmax(differences), differences.shape)
            difference = float(differences[worst])
            found = f"{answers[worst]:.7g} for example {worst[0]}{where}"
            told = f"{wanted[worst]:.7g}{other}, within {tolerance:g}"
            largest = max(largest, difference)
        if difference > tolerance:
            raise RefusedModelError.because(
                Reason.DIFFERS,
                f"output {name!r}",
                found,
                f"expected {told}",
                "look for randomness, for dropout left on, for state that requests change, and for "
                "rows that see their neighbours",
            )
    return largest


def _examples(count: int) -> str:
    return f"{count} example{'s' if count > 1 else ''}"
