"""Spellings of a missing value in a column: texts that people write, and outlying numbers.

Found spellings are only proposed. Called by `data.profile.facts`.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

# Mean the same in any column.
_SURE = {
    "?", "-", "--", "---", ".", "..", "n/a", "n.a.", "#n/a", "nan", "null", "<na>", "<null>", "\\n",
    "#null!", "#value!", "#ref!", "#div/0!", "missing", "k.a.", "k. a.",
}  # fmt: skip
_ALSO = {"na", "none", "nil", "unknown", "not available", "not known", "tbd", "x", "*"}
# Beside numbers these mean it too; among texts they may be one of them.
_DATES = {
    "1900-01-01", "1899-12-30", "1899-12-31", "1901-01-01", "0000-00-00", "0001-01-01",
    "9999-12-31", "2999-12-31", "2099-12-31", "1970-01-01", "01.01.1900", "31.12.9999",
    "01/01/1900", "12/31/9999", "1/1/1900", "31/12/9999",
}  # fmt: skip
_WORDS = _SURE | _ALSO | _DATES
# As they are mostly written, to be found among many texts.
KNOWN = pa.array(
    sorted({"", " ", *_WORDS, *(w.upper() for w in _WORDS), *(w.title() for w in _WORDS), "NaN"})
)
_NUMBERS = (-9, -99, -999, -9999, -99999, -1, 99, 999, 9999, 99999, 999999, 8888, 888)
_MOST = 20  # spellings of one column


def spelled_texts(texts: Mapping[str, int], rest_is_numbers: bool) -> list[str]:
    """The texts of a column that mean a missing value.

    Args:
        texts: Each text as it is written, with the number of rows.
        rest_is_numbers: Whether all others are numbers or times.
    """
    found = []
    for text in texts:
        plain = text.strip().lower()
        known = plain == "" or plain in _SURE or (plain == "na" and not _are_codes(texts))
        if known or (rest_is_numbers and plain in _ALSO):
            found.append(text)
    return found[:_MOST]


def candidates(texts: Mapping[str, int]) -> list[str]:
    """All texts that might mean a missing value."""
    plain = ((text, text.strip().lower()) for text in texts)
    return [text for text, low in plain if low == "" or low in _SURE or low in _ALSO]


def _are_codes(texts: Mapping[str, int]) -> bool:
    """Whether most texts are two capitals, as the codes of countries: NA is Namibia then."""
    codes = [t for t in texts if len(t.strip()) == 2 and t.strip().isalpha() and t.isupper()]
    return len(codes) > 5 and len(codes) > 0.8 * len(texts)


def spelled_dates(texts: Mapping[str, int]) -> list[str]:
    """The days that mean a missing value: at the edge of the calendar, too frequent for chance."""
    total = sum(texts.values())
    return [
        text
        for text, count in texts.items()
        if text.strip()[:10] in _DATES and count >= max(2, 2 * total / max(len(texts), 1))
    ]


def spelled_numbers(values: np.ndarray, counts: np.ndarray) -> list[float]:
    """The numbers that mean a missing value: an extreme that is far from all others, and frequent.

    Args:
        values: The distinct values, ascending.
        counts: Rows of each.
    """
    found: list[float] = []
    rows = counts.sum()
    while len(values) > 2:
        low, high = (values[0], counts[0]), (values[-1], counts[-1])
        if _stands_apart(*low, values[1:], rows):
            found.append(float(values[0]))
            values, counts = values[1:], counts[1:]
        elif _stands_apart(*high, values[:-1], rows):
            found.append(float(values[-1]))
            values, counts = values[:-1], counts[:-1]
        else:
            break
    return found


def _stands_apart(value: float, count: int, others: np.ndarray, rows: int) -> bool:
    if value not in _NUMBERS or count < max(3, 0.002 * rows):
        return False
    low, high = float(others[0]), float(others[-1])
    if value in (-1, -9):
        return low >= 0 and len(others) > 20 and count > 5 * rows / len(others)
    gap = low - value if value < low else value - high
    spread = max(high - low, 1.0)
    if abs(value) >= 999 and gap > 10 * spread:
        return True  # too far to be one of them, however few values there are
    return len(others) >= 5 and gap > 0.5 * spread and count > 2 * rows / len(others)
