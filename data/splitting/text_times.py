"""Days and times that are written as text, such as `2026-11-30` or `2026-11-30T18:00:00+01:00`.

ISO 8601 as far as every supported Python reads it alike. Standard library only.
"""

import datetime
import re

EXPECTED = "a day or a time such as 2026-11-30 or 2026-11-30T18:00:00"
_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](\d\d:\d\d)(?:(:\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)


def parse_time(text: str) -> int | None:
    """Reads a day or a time.

    Args:
        text: As it is written; a time without a zone is in UTC, a day is its midnight.

    Returns:
        Microseconds since 1970, rounded down; None if the text is neither.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return None
    day, clock, seconds, fraction, zone = found.groups()
    micros = (fraction or "")[:6].ljust(6, "0")
    try:
        at = datetime.datetime.fromisoformat(f"{day}T{clock or '00:00'}{seconds or ':00'}.{micros}")
        at -= _offset(zone or "")
    except (ValueError, OverflowError):  # no such day, or none in the years 1 to 9999
        return None
    return (at - _EPOCH) // _MICROSECOND


def time_text(micros: int) -> str:
    """Writes a time as short as it can be; the order of the texts is the order of the times.

    Args:
        micros: Microseconds since 1970, in the years 1 to 9999.
    """
    return (_EPOCH + micros * _MICROSECOND).isoformat().removesuffix("T00:00:00")


def _offset(zone: str) -> datetime.timedelta:
    if zone[:1] not in ("+", "-"):
        return datetime.timedelta(0)
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    size = datetime.timedelta(hours=hours, minutes=minutes)
    return -size if zone[0] == "-" else size
