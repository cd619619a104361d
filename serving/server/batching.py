"""Requests that arrive while the model is busy are answered together, in one call.

A call of a small model costs its dispatch, not its rows: eight together take hardly longer than
one. Requests do not wait for others: an idle model is called at once. Called by
`serving.server.predictor`.
"""

import asyncio
import dataclasses
from collections import deque
from concurrent.futures import Executor
from typing import Any

import numpy as np

from serving.model.servable import Signature

MOST_ROWS = 256
# One computes while the other's answer is taken apart; and one long request stops nobody.
_CALLS_AT_ONCE = 2

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass
class _Waiting:
    """A request that has not been computed yet."""

    arrays: Arrays
    rows: int
    answer: asyncio.Future


class Batcher:
    """Calls one signature of one servable; lives and dies with it. For one event loop only."""

    def __init__(self, signature: Signature, pool: Executor):
        """Prepares.

        Args:
            signature: What to call.
            pool: Threads to call it in.
        """
        self._signature = signature
        self._pool = pool
        self._waiting: deque[_Waiting] = deque()
        self._calls = 0

    async def run(self, arrays: Arrays) -> Arrays:
        """Computes the outputs for one request, maybe together with others.

        Raises:
            tf.errors.OpError: The error of the model for this request; other requests are not
            affected.
        """
        loop = asyncio.get_running_loop()
        name = self._signature.examples_input
        if name is None:
            return await loop.run_in_executor(self._pool, self._signature.run, arrays)
        request = _Waiting(arrays, len(arrays[name]), loop.create_future())
        self._waiting.append(request)
        self._start_calls(loop)
        return await request.answer

    def _start_calls(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting and self._calls < _CALLS_AT_ONCE:
            batch = self._take()
            if batch:
                self._calls += 1
                call = loop.run_in_executor(self._pool, self._answer, batch)
                call.add_done_callback(lambda done, batch=batch: self._deliver(done, batch, loop))

    def _take(self) -> list[_Waiting]:
        """Takes the oldest requests that fit into one call, without abandoned ones."""
        batch: list[_Waiting] = []
        rows = 0
        while self._waiting and (not batch or rows + self._waiting[0].rows <= MOST_ROWS):
            request = self._waiting.popleft()
            if not request.answer.done():
                batch.append(request)
                rows += request.rows
        return batch

    def _deliver(self, done: asyncio.Future, batch: list[_Waiting], loop: Any) -> None:
        self._calls -= 1
        self._start_calls(loop)
        failure = done.exception()
        for number, request in enumerate(batch):
            if request.answer.done():  # its client has gone
                continue
            answer = failure or done.result()[number]
            if isinstance(answer, BaseException):
                request.answer.set_exception(answer)
            else:
                request.answer.set_result(answer)

    def _answer(self, batch: list[_Waiting]) -> list[Arrays | Exception]:
        """Computes a batch in one call; if that cannot be, each request alone."""
        if len(batch) > 1:
            together = self._answer_together(batch)
            if together is not None:
                return together
        return [self._answer_alone(request) for request in batch]

    def _answer_alone(self, request: _Waiting) -> Arrays | Exception:
        try:
            return self._signature.run(request.arrays)
        except Exception as error:  # noqa: BLE001 - raised again where the request is awaited
            return error

    def _answer_together(self, batch: list[_Waiting]) -> list[Arrays] | None:
        """Computes in one call and divides; None if it fails or an output is not row by row."""
        name = self._signature.examples_input
        joined = {name: np.concatenate([request.arrays[name] for request in batch])}
        try:
            outputs = self._signature.run(joined)
        except Exception:  # noqa: BLE001 - asked again one by one, which tells whose fault it is
            return None
        rows = len(joined[name])
        if any(output.ndim == 0 or len(output) != rows for output in outputs.values()):
            return None
        ends = np.cumsum([request.rows for request in batch])
        return [
            {key: output[end - request.rows : end] for key, output in outputs.items()}
            for request, end in zip(batch, ends, strict=True)
        ]
