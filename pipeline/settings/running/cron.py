"""Cron fields as both platforms take them: numbers in their ranges, names, lists, ranges, steps.

Called by pipeline.settings.runners. Source: the unix-cron format of Google Cloud
(https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules); the parser of Kubeflow's
recurring runs, github.com/robfig/cron.
"""

import re
import zoneinfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Name, lowest, highest, names of the numbers from the lowest on.
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
ZONE = "TZ="
_EXPECTED = "five cron fields, such as 0 6 * * 1, with TZ=ZONE before them or not"


def require_cron(text: str) -> str:
    """Returns a schedule as it is.

    Raises:
        ValueError: The text is not a cron expression; the message is the expectation.
    """
    words = text.split(" ")
    if words[0].startswith(ZONE):
        _require_zone(words.pop(0).removeprefix(ZONE))
    if len(words) != len(_FIELDS) or not all(words):
        raise ValueError(f"expected {_EXPECTED}")
    chosen = [_numbers(word, *field) for word, field in zip(words, _FIELDS, strict=True)]
    days, months = chosen[2], chosen[3]
    if words[4] in ("*", "?") and min(days) > max(_LONGEST[month - 1] for month in months):
        raise ValueError(f"expected a day that there is: no month of these has a day {min(days)}")
    return text


def names_sunday_7(text: str) -> bool:
    """Whether a schedule counts Sunday as the seventh day, which not every platform does."""
    return re.search(r"(^|[,-])7(/|,|$)", text.split(" ")[-1]) is not None


def _require_zone(zone: str) -> None:
    known = zoneinfo.available_timezones()
    if known and zone not in known:  # none are known where the system has no list
        raise ValueError(f"expected a time zone, such as {ZONE}Europe/Berlin")


def _numbers(word: str, name: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    """The numbers that a field means."""
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            start, end = low, high
        else:
            start = _number(first, name, low, high, names)
            end = _number(last, name, low, high, names) if dash else high if slash else start
        if start > end:
            raise ValueError(f"expected a range of the {name} that ascends, not {span}")
        if slash and (not _is_number(step) or not 0 < int(step) <= high - low + 1):
            raise ValueError(
                f"expected a step of the {name} from 1 to {high - low + 1}, not {step}"
            )
        found.update(range(start, end + 1, int(step) if slash else 1))
    return found


def _number(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return low + names.index(text.lower())
    if not _is_number(text) or not low <= int(text) <= high:
        also = f", or {names[0]} to {names[-1]}" if names else ""
        raise ValueError(f"expected {low} to {high}{also} for the {name}, not {text}")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 2
