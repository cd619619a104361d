"""All requests to a loaded model, and the requirements for its answers.

Called by `serving.validation.check`. In this order, ending at the first failure: the signature;
each example alone, and 32 together, against the predictions in process; other sizes of batches;
several clients at once; examples as no training data holds them; then the same over and over, which
measures time and memory and looks at every answer too. Must not import TFX.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import numpy as np

from serving.validation.answers import Arrays, Contract, compare, join, read_answer
from serving.validation.odd_requests import odd_requests
from serving.validation.probe import Outputs, Probe, percentile
from serving.validation.verdict import BATCHES, Budgets, CheckResult, Reason, RefusedModelError

BIG_BATCH = 32
# Beside 1 and 32, which are timed: odd ones, one more than those, and the most that a server puts
# together from requests of several clients (serving.server.batching.MOST_ROWS).
OTHER_BATCHES = (2, 7, BIG_BATCH + 1, 256)
# What `fareline predict` puts together; it asks no server, so that no client limits the answer.
PREDICTED_ROWS = 1024
_MOST_ODD = 128
_CLIENTS = 4
_REQUESTS_OF_A_CLIENT = 4
_ROWS_OF_A_CLIENT = 7
_ROUNDS = 2
_MIB = 1 << 20
# A round of timed requests may add so much: buffers and arenas of a server settle late.
_GROWTH_BYTES = 8 * _MIB
_GROWING_ROUNDS = 3
_PARTS = 20  # that the times of a round are shown in


class Interview:
    """The requests to one server, and the answers so far."""

    def __init__(
        self,
        probe: Probe,
        requests: Sequence[bytes],
        budgets: Budgets,
        contract: Contract,
        result: CheckResult,
    ):
        """Prepares; nothing is asked.

        Args:
            probe: The client.
            requests: Serialized tf.Examples.
            budgets: What the model may take.
            contract: The outputs that it must have.
            result: Gets what is measured.
        """
        self._probe = probe
        self._requests = requests
        self._budgets = budgets
        self._contract = contract
        self._result = result
        self._alone: Arrays = {}
        self._known: dict[tuple[int, ...], dict[str, bytes]] = {}

    def run(self, wait_for_reference: Callable[[], Arrays]) -> None:
        """Sends all requests.

        Args:
            wait_for_reference: Gives the predictions in process, a row per example.

        Raises:
            RefusedModelError: An answer is not as required; the first one ends the check.
        """
        self._probe.check_signature()
        self._compare_with_reference(wait_for_reference)
        for size in (*OTHER_BATCHES, PREDICTED_ROWS):
            self._ask_rows(self._rows(size))
        self._ask_at_once()
        self._ask_oddly()
        for name, batch in zip(BATCHES, (1, BIG_BATCH), strict=True):
            self._time(batch, self._budgets.latency_ms.get(name, {}))

    def _rows(self, size: int, start: int = 0) -> tuple[int, ...]:
        """The places of as many examples, over and over."""
        return tuple(islice(cycle(range(len(self._requests))), start, start + size))

    def _examples(self, rows: Sequence[int]) -> list[bytes]:
        return [self._requests[row] for row in rows]

    def _compare_with_reference(self, wait_for_reference: Callable[[], Arrays]) -> None:
        answers = [self._ask([example]) for example in self._requests]
        rows = self._rows(BIG_BATCH)
        together = self._ask(self._examples(rows))
        expected = wait_for_reference()
        self._alone = join(answers)
        self._compare(self._alone, expected, " in process")
        self._compare(together, _take(expected, rows), " in process")

    def _ask(self, examples: Sequence[bytes]) -> dict[str, np.ndarray]:
        answer = read_answer(self._probe.predict(examples), len(examples))
        self._contract.check(answer, f"for a batch of {len(examples)}")
        return answer

    def _compare(self, served: Arrays, expected: Arrays, other: str, where: str = "") -> None:
        found = compare(served, expected, self._budgets.tolerance, other, where)
        self._result.largest_difference = max(self._result.largest_difference or 0.0, found)

    def _ask_rows(self, rows: tuple[int, ...]) -> None:
        """Asks about rows together: each must be answered as it was alone."""
        self._look_at(rows, self._probe.predict(self._examples(rows)))

    def _look_at(self, rows: tuple[int, ...], outputs: Outputs) -> None:
        """Judges an answer, unless the same to the byte was judged for the same rows."""
        told = {name: output.SerializeToString() for name, output in outputs.items()}
        if self._known.get(rows) == told:
            return
        answer = read_answer(outputs, len(rows))
        self._contract.check(answer, f"for a batch of {len(rows)}")
        where = f" in a batch of {len(rows)}" if len(rows) > 1 else ""
        self._compare(answer, _take(self._alone, rows), " for the same example before", where)
        self._known[rows] = told

    def _ask_at_once(self) -> None:
        """Several clients: each gets the answers to its own rows."""
        asked = [
            self._rows(_ROWS_OF_A_CLIENT, start)
            for start in range(_CLIENTS * _REQUESTS_OF_A_CLIENT)
        ]
        with ThreadPoolExecutor(_CLIENTS) as pool:
            answered = pool.map(self._probe.predict, map(self._examples, asked))
            for rows, outputs in zip(asked, answered, strict=True):
                self._look_at(rows, outputs)

    def _ask_oddly(self) -> None:
        """Odd examples are answered well, or refused as the client's mistake."""
        odd = list(odd_requests(self._requests).items())
        todo = [odd[start : start + _MOST_ODD] for start in range(0, len(odd), _MOST_ODD)]
        while todo:
            asked = todo.pop(0)
            outputs = self._predict_oddly(asked)
            if outputs is not None:
                self._judge_oddly([what for what, _ in asked], outputs)
            elif len(asked) > 1:  # Some may be refused; the others have an answer all the same.
                half = len(asked) // 2
                todo[:0] = [asked[:half], asked[half:]]

    def _predict_oddly(self, odd: Sequence[tuple[str, bytes]]) -> Outputs | None:
        """Asks about odd examples together; an error is that of the one at fault, if one is."""
        about = f"an example {odd[0][0]}" if len(odd) == 1 else "odd examples"
        try:
            return self._probe.predict_or_refuse([example for _, example in odd], about)
        except RefusedModelError as error:
            if len(odd) > 1 and error.reason is Reason.RPC_FAILED:
                for each in odd:
                    self._predict_oddly([each])
            raise

    def _judge_oddly(self, odd: Sequence[str], outputs: Outputs) -> None:
        try:
            self._contract.check(read_answer(outputs, len(odd)), f"for a batch of {len(odd)}")
        except RefusedModelError as error:
            what = odd[0] if len(odd) == 1 else _first_bad(odd, outputs, self._contract)
            raise error.about(f"an example {what}") from error

    def _time(self, batch: int, limits: Mapping[str, float]) -> None:
        """Measures; a round over budget is measured once more, since a busy machine only adds."""
        measured = self._result.latency_ms[f"batch_{batch}"]
        before = self._probe.memory_bytes
        if not self._result.memory_mb:
            self._result.memory_mb.append(before / _MIB)
        for _ in range(_ROUNDS):
            for name, value in self._probe.time(self._endless(batch), self._look_at).items():
                measured[name] = value if measured[name] is None else min(value, measured[name])
            self._keep_round(f"batch_{batch}")
            over = [name for name, most in limits.items() if measured[name] > most]
            if not over:
                self._check_growth(batch, self._probe.memory_bytes - before)
                return
        raise RefusedModelError.because(
            Reason.TOO_SLOW,
            f"requests with {batch} example{'s' if batch > 1 else ''}",
            f"{over[0][1:]} % took up to {measured[over[0]]:.3g} ms",
            f"expected at most {limits[over[0]]:g} ms",
            f"make the model smaller, or raise the latency_ms.batch_{batch}.{over[0]} budget",
        )

    def _keep_round(self, batch: str) -> None:
        """Keeps how its times are distributed, and what the server holds after it."""
        shares = [100 * part / _PARTS for part in range(_PARTS + 1)]
        times = self._probe.times
        self._result.latency_quantiles_ms[batch] = [percentile(times, s or 1e-9) for s in shares]
        self._result.memory_mb.append(self._probe.memory_bytes / _MIB)

    def _endless(self, batch: int) -> Iterator[tuple[tuple[int, ...], list[bytes]]]:
        """Rows of requests, and the requests themselves, for ever."""
        places = cycle(range(len(self._requests)))
        while True:
            rows = tuple(islice(places, batch))
            yield rows, self._examples(rows)

    def _check_growth(self, batch: int, grown: int) -> None:
        """Refuses a server that grows in every round; one that has grown once may have settled."""
        rounds = [grown]
        while rounds[-1] > _GROWTH_BYTES and len(rounds) < _GROWING_ROUNDS:
            before = self._probe.memory_bytes
            self._probe.time(self._endless(batch), self._look_at)
            rounds.append(self._probe.memory_bytes - before)
        if rounds[-1] > _GROWTH_BYTES:
            raise RefusedModelError.because(
                Reason.MEMORY_GROWS,
                f"requests with {batch} example{'s' if batch > 1 else ''}",
                f"the server grew by {', '.join(f'{each / _MIB:.0f}' for each in rounds)} MB in "
                f"{len(rounds)} rounds of the same requests",
                f"expected less than {_GROWTH_BYTES / _MIB:g} MB in one of them",
                "look for tables, queues and variables that requests add to",
            )


def _take(answers: Arrays, rows: Sequence[int]) -> dict[str, np.ndarray]:
    return {name: values[list(rows)] for name, values in answers.items()}


def _first_bad(odd: Sequence[str], outputs: Outputs, contract: Contract) -> str:
    """Which of several odd examples has a bad answer: the first whose row is refused alone."""
    import tensorflow as tf

    for place, what in enumerate(odd):
        try:
            rows = {
                name: tf.make_tensor_proto(tf.make_ndarray(output)[place : place + 1])
                for name, output in outputs.items()
            }
            contract.check(read_answer(rows, 1), "")
        except (RefusedModelError, IndexError, TypeError, ValueError):
            return what
    return "as no training data holds it"
