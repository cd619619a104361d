"""Batch prediction: one version of a model, loaded once, that answers batch after batch.

The graph is run as `fareline serve` runs it, through the same `Servable`, so that the answers are
those of the server. Called by `runners.publishing.batch_prediction`. Must not import TFX.
"""

import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from fareline.errors import FarelineError, UserMistake
from serving.model.columns import Column
from serving.model.servable import RefusedError, Servable, explain_op_error
from serving.versions.publish import SAVED_MODEL_FILE, latest_version


class PredictionError(FarelineError, RuntimeError):
    """The model cannot be loaded, or does not answer."""


def live_predictor(base: str) -> "BatchPredictor":
    """Loads the live version under a folder: the highest number, as servers choose.

    Args:
        base: The folder above the versions.

    Raises:
        UserMistake: There is no version, or its signature takes no tf.Examples.
        PredictionError: The model cannot be loaded.
    """
    version = latest_version(base)
    if version is None:
        raise UserMistake.explain(
            base,
            "holds no model version",
            f"expected <number>/{SAVED_MODEL_FILE}",
            "push a model first, and pass the folder above the version",
        )
    return BatchPredictor(os.path.join(base, str(version)), version)


class BatchPredictor:
    """One model.

    Attributes:
        version: Its number; 0 of one that was never published.
        path: Its folder.
        servable: Loaded model.
        signature: The way in which it is called.
    """

    def __init__(self, path: str, version: int = 0):
        """Loads it.

        Args:
            path: The folder of the SavedModel.
            version: Its number.

        Raises:
            UserMistake: Its signature takes no tf.Examples.
            PredictionError: The model cannot be loaded.
        """
        tf.get_logger().setLevel("ERROR")  # or it tells that sessions are of another time
        self.version = version
        self.path = path
        try:
            folder = os.path.dirname(os.path.abspath(self.path))  # its name is the model's
            self.servable = Servable(os.path.basename(folder), version, self.path)
            self.signature = self.servable.find_signature("")
        except Exception as error:
            telling = isinstance(error, tf.errors.OpError)
            found = explain_op_error(error) if telling else str(error).partition("\n")[0]
            raise PredictionError.explain(
                self.path,
                f"cannot be loaded ({found})",
                "expected a SavedModel that infra validation has passed",
                "`fareline rollback` makes the version before it live again",
            ) from error
        if self.signature.examples_input is None or not self.signature.columns:
            raise UserMistake.explain(
                self.path,
                f"its signature takes {sorted(self.signature.inputs)}, not rows of known columns",
                "expected one input of serialized tf.Examples",
                "send it requests through `fareline serve` instead",
            )

    @property
    def columns(self) -> Mapping[str, Column]:
        """The columns that the model reads."""
        return self.signature.columns

    @property
    def output_types(self) -> dict[str, np.dtype]:
        """Output of the signature to the type of its values; object for bytes."""
        saved = self.servable.signature_defs[self.signature.name].outputs
        return {
            name: np.dtype(tf.as_dtype(saved[name].dtype).as_numpy_dtype)
            for name in self.signature.outputs
        }

    def predict(self, examples: np.ndarray) -> dict[str, np.ndarray]:
        """Answers a batch.

        Args:
            examples: Serialized tf.Examples, bytes [rows].

        Returns:
            Output name to array [rows, …].

        Raises:
            PredictionError: The model fails, or gives another number of answers.
        """
        try:
            outputs = self.signature.run({self.signature.examples_input: examples})
        except (tf.errors.OpError, RefusedError) as error:
            telling = isinstance(error, tf.errors.OpError)
            raise PredictionError.explain(
                self.path,
                f"cannot answer ({explain_op_error(error) if telling else error})",
                f"expected answers to {len(examples)} rows",
                "see whether the rows are what the model was trained for",
            ) from error
        for name, array in outputs.items():
            if array.shape[:1] != (len(examples),):
                raise PredictionError.explain(
                    self.path,
                    f"output {name!r} is of shape {list(array.shape)}",
                    f"expected one answer for each of {len(examples)} rows",
                    "push a model that infra validation has passed",
                )
        return outputs

    def close(self) -> None:
        """Frees what it holds."""
        self.servable.close()
