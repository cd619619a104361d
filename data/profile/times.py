"""Recognizes texts and numbers that are points in time.

Called by `data.profile.facts` and `data.profile.kinds`. Standard library only.
"""

import re
from collections.abc import Sequence

_DAY = r"(0?[1-9]|[12]\d|3[01])"
_MONTH = r"(0?[1-9]|1[0-2])"
_YEAR = r"(0000|0001|1[789]\d\d|20\d\d|2999|9999)"
_NAMED = r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_TWO_DAY, _TWO_MONTH = r"(0[1-9]|[12]\d|3[01])", r"(0[1-9]|1[0-2])"
_CLOCK = r"([T ]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s?([AaPp][Mm])?\s?(Z|[+-]\d{2}:?\d{2}|UTC)?)?"
_TIMES = re.compile(
    rf"({_YEAR}[-/.](0?\d|1[0-2])[-/.](0?\d|[12]\d|3[01])|{_DAY}\.{_MONTH}\.{_YEAR}|"
    rf"{_DAY}[/-]{_MONTH}[/-]{_YEAR}|{_MONTH}[/-]{_DAY}[/-]{_YEAR}|"
    rf"{_DAY}[-. ]{_NAMED}[-, ]+{_YEAR}|{_NAMED} {_DAY},? {_YEAR}|{_YEAR}-{_TWO_MONTH}|"
    rf"{_TWO_DAY}[.-]{_TWO_MONTH}[.-]\d\d|{_DAY}/{_MONTH}/\d\d|{_MONTH}/{_DAY}/\d\d){_CLOCK}",
    re.IGNORECASE,
)


def share_of_times(texts: Sequence[str]) -> float:
    """The share of texts that are written as a day, with a time of day or without."""
    if not texts:
        return 0.0
    return sum(bool(_TIMES.fullmatch(text.strip())) for text in texts) / len(texts)


def unit_of_epoch(low: float, high: float) -> str | None:
    """`seconds`, `milliseconds`, … since 1970, if numbers between these may be such; 1990 to 2060.

    Args:
        low: The least number.
        high: The greatest.
    """
    first, last = 631_152_000, 2_840_140_800
    for unit, per in (("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6)):
        if first * per <= low and high <= last * per:
            return unit
    return None


def are_days(low: float, high: float, values: Sequence[float]) -> bool:
    """Whether whole numbers are days such as 20240131."""
    if not (low >= 19000101 and high <= 21001231):
        return False
    return all(1 <= v // 100 % 100 <= 12 and 1 <= v % 100 <= 31 for v in values)
