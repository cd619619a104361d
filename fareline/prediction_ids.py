"""Ids of predictions: UUIDs of version 7, which sort by the time at which they were made.

The prediction log creates the ids; feedback and lineage read them. Standard library only.

Source: RFC 9562, section 5.7, with the fraction of the millisecond as section 6.2, method 3.
"""

import re
import secrets
import threading
import time
import uuid
from collections.abc import Callable

_ID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(-\d+)?")
_TICKS = 4096  # of a millisecond


class IdMaker:
    """Creates ascending ids, even if the clock is set back.

    Args:
        clock: Nanoseconds since 1970.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns):
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def make(self) -> str:
        """The next id, in the 36 characters of a UUID."""
        with self._lock:
            self._last = max(self._clock() * _TICKS // 1_000_000, self._last + 1)
            milliseconds, fraction = divmod(self._last, _TICKS)
        number = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62)
        return str(uuid.UUID(int=number))


def row_id(request_id: str, index: int, rows: int) -> str:
    """The id of one row of a request: the request's own if it has no other row."""
    return request_id if rows == 1 else f"{request_id}-{index}"


def is_prediction_id(text: str) -> bool:
    """Whether a text is such an id, of a request or of a row of one."""
    return _ID.fullmatch(text) is not None


def milliseconds_of(prediction_id: str) -> int | None:
    """Creation time of an id, in milliseconds since 1970; None if the text is not an id."""
    match = _ID.fullmatch(prediction_id)
    return int(match[1] + match[2], 16) if match else None
