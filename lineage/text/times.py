"""Times and sizes of a store as a reader wants them, and times that a user writes.

Milliseconds since 1970 in or out.
"""

import datetime
import time


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def read_time(text: str) -> int:
    """Milliseconds since 1970 of a time that a user writes.

    Args:
        text: ISO 8601, UTC if it names no zone; of all kinds, which Python reads only since 3.11.

    Raises:
        ValueError: The text is no time.
    """
    from dateutil.parser import isoparse  # not for every start of the command line

    try:
        when = isoparse(text.strip())
    except OverflowError as error:
        raise ValueError(f"{text} is beyond the year 9999") from error
    when = when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)
    return round(when.timestamp() * 1000)


def utc(milliseconds: int) -> datetime.datetime:
    """A time of a store."""
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)


def iso(milliseconds: int) -> str:
    """For JSON: `2026-01-01T12:00:00+00:00`."""
    return utc(milliseconds).isoformat()


def clock(milliseconds: int) -> str:
    """For a reader: `2026-01-01 12:00:00`, UTC."""
    return f"{utc(milliseconds):%Y-%m-%d %H:%M:%S}"


def clock_of(iso_text: str) -> str:
    """The clock of a time of `iso`, for a reader."""
    return f"{datetime.datetime.fromisoformat(iso_text):%Y-%m-%d %H:%M:%S} UTC"


def duration(seconds: float) -> str:
    """Such as `0.4 s`, `71 s`, `12 min`, `3.5 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(count: int) -> str:
    """Such as `512 bytes`, `1.9 MB`."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    kilo = count / 1000
    for unit in ("kB", "MB"):
        if kilo < 1000:
            return f"{kilo:.1f} {unit}"
        kilo /= 1000
    return f"{kilo:.1f} GB"
