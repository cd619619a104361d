"""Answers a prediction request, whichever protocol it came by.

Called by `serving.server.grpc_api` and `serving.server.rest_api`. Must not import TFX.
"""

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import grpc
import numpy as np
import tensorflow as tf

from serving.model.servable import RefusedError, Servable, Signature, explain_op_error
from serving.server.batching import Batcher
from serving.server.live import LiveModel
from serving.server.metrics import Metrics
from serving.server.request_log import Asked, RequestLog
from serving.server.row_checks import ExampleCheck, require_finite

_THREADS = 8
# From this size on a request is read in a thread. One of 16 MB takes seconds, and all others would
# wait for it.
_LARGE_BYTES = 1 << 18
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Answer:
    """The answer to a request.

    Attributes:
        servable: The version that answered.
        signature: The signature that was called.
        outputs: Name -> array.
        prediction_id: Id of the request in the log; None if no row of it is logged.
    """

    servable: Servable
    signature: Signature
    outputs: dict[str, np.ndarray]
    prediction_id: str | None = None


class _Called(NamedTuple):
    """What is kept for a signature that has been called."""

    batcher: Batcher
    examples: ExampleCheck


class Predictor:
    """Finds the version and the signature, computes, and notes the request in the log.

    Attributes:
        live: The model.
        required: Columns that a row must have a value of, where the model reads them.
        metrics: Counts of what was asked.
        entity: Column that says whom or what a row is about, which is no error in a plain row.
    """

    def __init__(
        self,
        live: LiveModel,
        request_log: RequestLog | None = None,
        required: Collection[str] = (),
        alarms_path: str | None = None,
        entity: str | None = None,
    ):
        """Prepares.

        Args:
            live: The model.
            request_log: Log of the requests; None: no log.
            required: Columns that a row must have a value of, where the model reads them.
            alarms_path: See `Metrics`.
            entity: Column that says whom or what a row is about; None: none does.
        """
        self.live = live
        self.metrics = Metrics(live, alarms_path)
        self.required = frozenset(required)
        self.entity = entity
        self._request_log = request_log
        self._pool = ThreadPoolExecutor(_THREADS, "predict")
        self._called: WeakKeyDictionary[Servable, dict[str, _Called]] = WeakKeyDictionary()

    async def predict(
        self,
        spec: Any,
        read: Callable[[Signature], dict[str, np.ndarray]],
        protocol: str,
        size: int = 0,
    ) -> Answer:
        """Answers one request.

        Args:
            spec: A ModelSpec: model, version if it matters, signature.
            read: Turns the request into the arrays that the signature takes, or refuses it.
            protocol: `grpc` or `rest`, for the log.
            size: Size of the request, bytes.

        Raises:
            RefusedError: The request is refused; the status shows the reason.
        """
        with self.live.lease(spec) as servable:
            signature = servable.find_signature(spec.signature_name)
            called = self._find_called(servable, signature)
            arrays = await self.work(size, self._read, read, signature, called.examples)
            try:
                outputs = await called.batcher.run(arrays)
            except tf.errors.InvalidArgumentError as error:
                # What the parsing op inside the graph says to bytes that are no tf.Example.
                raise RefusedError.malformed(explain_op_error(error)) from error
            except tf.errors.OpError as error:
                raise RefusedError(grpc.StatusCode.INTERNAL, explain_op_error(error)) from error
            noted = None
            if self._request_log is not None and signature.examples_input is not None:
                rows = arrays[signature.examples_input]
                asked = Asked(servable.version, rows, outputs, protocol)
                noted = self._request_log.note(servable, signature, asked)
            return Answer(servable, signature, outputs, noted and noted.request_id)

    async def work(self, size: int, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Calls a function; in a thread if the request that it is about is a large one."""
        if size < _LARGE_BYTES:
            return function(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, function, *arguments)

    def _read(
        self,
        read: Callable[[Signature], dict[str, np.ndarray]],
        signature: Signature,
        examples: ExampleCheck,
    ) -> dict[str, np.ndarray]:
        try:
            arrays = read(signature)
        except RecursionError as error:
            raise RefusedError.malformed("the request is nested too deeply") from error
        if signature.examples_input is not None:
            examples.check(signature.examples_input, arrays[signature.examples_input])
        require_finite(arrays)
        return arrays

    def _find_called(self, servable: Servable, signature: Signature) -> _Called:
        called = self._called.setdefault(servable, {})
        if signature.name not in called:
            required = [
                name
                for name, column in signature.columns.items()
                if column.required or name in self.required
            ]
            called[signature.name] = _Called(
                Batcher(signature, self._pool), ExampleCheck(required, signature)
            )
        return called[signature.name]
