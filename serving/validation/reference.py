"""Predictions of a model in process, for comparison with a server's answers.

`tf.saved_model.load`, as the Evaluator and any notebook do it, which is another way than a server's
(see `serving.model.servable`): where the two differ, what was evaluated is not what would be
served. In a process of its own, since a model may hang, crash or eat the memory. `Reference` is
called by `serving.validation.check`; the child is `python -m serving.model.start
serving.validation.reference`. Must not import TFX.
"""

import argparse
import importlib
import os
import time
from collections.abc import Sequence

import numpy as np

from fareline.files import written_beside
from serving.model.start import run_and_exit
from serving.validation.child import Child
from serving.validation.verdict import Reason, RefusedModelError
from serving.validation.warm import start_program

PROGRAM = "serving.validation.reference"
_NAMES, _ARRAY = "names", "output_{}"
_POLL_SECONDS = 0.02


class Reference:
    """Predicts all examples in one batch, in a child process, while the `with` block lasts."""

    def __init__(self, model_dir: str, signature: str, examples: Sequence[bytes], folder: str):
        """Prepares; nothing is started.

        Args:
            model_dir: Folder of the SavedModel.
            signature: The signature to call; it takes one vector of strings.
            examples: Serialized tf.Examples.
            folder: An existing folder for its files.
        """
        self._model_dir = os.path.abspath(model_dir)
        self._signature = signature
        self._examples = examples
        self._asked = os.path.join(folder, "reference-examples.npy")
        self._answered = os.path.join(folder, "reference-outputs.npz")
        self._log = os.path.join(folder, "reference.log")
        self._child: Child | None = None

    def start(self, memory_bytes: int) -> None:
        """Starts the child; it is killed as soon as it holds more than `memory_bytes`."""
        self.write()
        self._child = start_program(PROGRAM, self.arguments, self._log, memory_bytes)

    @property
    def arguments(self) -> list[str]:
        """Arguments of `main`."""
        return [self._model_dir, self._signature, self._asked, self._answered]

    def write(self) -> None:
        """Writes the examples to the file that `main` reads."""
        # Lengths and one run of bytes: an array of fixed-width text would lose trailing zeros.
        lengths = np.array([len(each) for each in self._examples], np.int64)
        with open(self._asked, "wb") as writer:
            np.save(writer, lengths)
            np.save(writer, np.frombuffer(b"".join(self._examples), np.uint8))

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        if self._child is not None:
            self._child.stop()

    def wait(self, seconds: float) -> dict[str, np.ndarray]:
        """Waits for the predictions.

        Returns:
            Output name to array, a row per example.

        Raises:
            RefusedModelError: NO_REFERENCE: it ended without, or has not answered in time.
        """
        end = time.monotonic() + seconds
        while not os.path.exists(self._answered):
            code = self._child.exit_code
            if code is not None and not os.path.exists(self._answered):
                how = "out of memory" if self._child.over_memory else self._child.exit_reason
                raise self._refusal(f"ended ({how}):\n{self._child.log_tail()}\n")
            if time.monotonic() > end:
                raise self._refusal(f"had no answer after {seconds:g} s")
            time.sleep(_POLL_SECONDS)
        with np.load(self._answered) as outputs:
            return {name: outputs[_ARRAY.format(i)] for i, name in enumerate(outputs[_NAMES])}

    def _refusal(self, found: str) -> RefusedModelError:
        return RefusedModelError.because(
            Reason.NO_REFERENCE,
            "the prediction in process",
            found,
            "expected what tf.saved_model.load makes of the same examples",
            f"call {self._signature} on them in Python",
        )


def load() -> None:
    """Imports what `main` needs and the caller does not."""
    importlib.import_module("tensorflow")


def main(argv: Sequence[str] | None = None) -> int:
    """Predicts, and writes the outputs so that a reader finds all or nothing."""
    parser = argparse.ArgumentParser(prog="serving.validation.reference")
    for name in ("model_dir", "signature", "asked", "answered"):
        parser.add_argument(name)
    arguments = parser.parse_args(argv)
    import tensorflow as tf  # the caller needs none of it

    with open(arguments.asked, "rb") as reader:
        lengths, joined = np.load(reader), np.load(reader).tobytes()
    ends = np.cumsum(lengths)
    examples = [joined[end - n : end] for n, end in zip(lengths, ends, strict=True)]
    model = tf.saved_model.load(arguments.model_dir)
    signature = model.signatures[arguments.signature]
    (name,) = signature.structured_input_signature[1]
    outputs = signature(**{name: tf.constant(examples)})
    arrays = {
        key: value.numpy().astype("S")  # texts as bytes of one width: no pickle
        if value.dtype == tf.string
        else tf.cast(value, tf.float64).numpy()
        for key, value in outputs.items()
    }
    with written_beside(arguments.answered) as part, open(part, "wb") as writer:
        # To an open file: it would add .npz to a name. Numbered, since an output may be called as
        # one of savez's arguments is.
        numbered = {_ARRAY.format(i): each for i, each in enumerate(arrays.values())}
        np.savez(writer, **{_NAMES: np.array(list(arrays), "U")}, **numbered)
    return 0


if __name__ == "__main__":
    run_and_exit(main)
