"""Answers a prediction request, whichever protocol it came by.

Called by `serving.server.grpc_api` and `serving.server.rest_api`. Must not import TFX.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import grpc
import numpy as np
import tensorflow as tf

from serving.model.servable import RefusedError, Servable, Signature, explain_op_error
from serving.server.batching import Batcher
from serving.server.live import LiveModel
from serving.server.request_log import RequestLog

_THREADS = 8


@dataclass(frozen=True)
class Answer:
    """What a request gets.

    Attributes:
        servable: The version that answered.
        signature: The signature that was called.
        outputs: Name -> array.
    """

    servable: Servable
    signature: Signature
    outputs: dict[str, np.ndarray]


class Predictor:
    """Finds the version and the signature, computes, and notes the request in the log.

    Attributes:
        live: The model.
    """

    def __init__(self, live: LiveModel, request_log: RequestLog | None = None):
        """Prepares.

        Args:
            live: The model.
            request_log: Where requests are noted, if anywhere.
        """
        self.live = live
        self._request_log = request_log
        self._pool = ThreadPoolExecutor(_THREADS, "predict")
        self._batchers: WeakKeyDictionary[Servable, dict[str, Batcher]] = WeakKeyDictionary()

    async def predict(
        self, spec: Any, read: Callable[[Signature], dict[str, np.ndarray]], protocol: str
    ) -> Answer:
        """Answers one request.

        Args:
            spec: A ModelSpec: model, version if it matters, signature.
            read: Turns the request into the arrays that the signature takes, or refuses it.
            protocol: `grpc` or `rest`, for the log.

        Raises:
            RefusedError: With the status that says whose fault it is.
        """
        with self.live.lease(spec) as servable:
            signature = servable.find_signature(spec.signature_name)
            arrays = read(signature)
            batchers = self._batchers.setdefault(servable, {})
            if signature.name not in batchers:
                batchers[signature.name] = Batcher(signature, self._pool)
            try:
                outputs = await batchers[signature.name].run(arrays)
            except tf.errors.InvalidArgumentError as error:
                # What the parsing op inside the graph says to bytes that are no tf.Example.
                raise RefusedError.malformed(explain_op_error(error)) from error
            except tf.errors.OpError as error:
                raise RefusedError(grpc.StatusCode.INTERNAL, explain_op_error(error)) from error
            if self._request_log is not None:
                self._request_log.note(servable, signature, arrays, protocol)
            return Answer(servable, signature, outputs)
