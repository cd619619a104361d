"""Finds spans and versions, by a pattern as TFX's ExampleGen understands it.

`{SPAN}` or `{YYYY}`, `{MM}` and `{DD}` name the span, which of a date is the number of days since
1970; `{VERSION}` names the version, of which the latest counts. `{SPAN:3}` and `{VERSION:3}` have
so many digits, with leading zeros. Called by `data.sources.csv` before a run, and by ExampleGen's
driver within one. Must not import TFX.

Source: tfx.components.example_gen.utils, whose answers the tests compare with.
"""

import dataclasses
import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from fareline.errors import DataError

_PLACEHOLDER = re.compile(r"\{(?P<name>SPAN|VERSION|YYYY|MM|DD)(?::(?P<width>[^}]*))?\}")
_DATE = ("YYYY", "MM", "DD")
_DIGITS = {"YYYY": 4, "MM": 2, "DD": 2}
_FIRST_DAY = datetime.date(1970, 1, 1)
_GLOB = re.compile(r"[*?\[]")


@dataclasses.dataclass(frozen=True, order=True)
class Span:
    """A span that is there, with its latest version.

    Attributes:
        number: Number, as TFX counts it.
        version: None where the pattern names none.
        pattern: Its files, relative to the folder, with span and version filled in.
    """

    number: int
    version: int | None
    pattern: str


def has_span(path: str) -> bool:
    """Whether a path is a pattern of spans."""
    return _PLACEHOLDER.search(path) is not None


def split_pattern(path: str) -> tuple[str, str]:
    """Splits a path into the folder that holds all spans, and the pattern below it.

    Raises:
        DataError: TFX would not take the pattern.
    """
    parts = path.split("/")
    first = next(i for i, part in enumerate(parts) if has_span(part) or _GLOB.search(part))
    base, pattern = "/".join(parts[:first]) or "/", "/".join(parts[first:])
    if found := _mistake(pattern):
        raise DataError.explain(
            path,
            found,
            "expected {SPAN} once, or each of {YYYY}, {MM} and {DD} once, and with it at most one "
            "{VERSION}",
            "write for example span-{SPAN}/version-{VERSION}/*.csv",
        )
    return base, pattern


def _mistake(pattern: str) -> str | None:
    found = [match["name"] for match in _PLACEHOLDER.finditer(pattern)]
    widths = [match for match in _PLACEHOLDER.finditer(pattern) if match["width"] is not None]
    for match in widths:
        if match["name"] in _DATE or not match["width"].isdecimal() or int(match["width"]) == 0:
            return f"{match[0]} has no such width"
    dates = [name for name in found if name in _DATE]
    if dates and "SPAN" in found:
        return "names the span twice, by number and by date"
    if dates and sorted(dates) != sorted(_DATE):
        return "has a date that is not whole, or is there twice"
    if found.count("SPAN") > 1 or found.count("VERSION") > 1:
        return "names something twice"
    if "VERSION" in found and not dates and "SPAN" not in found:
        return "has a version and no span"
    return None


def find_spans(base: str, pattern: str, glob: Callable[[str], Iterable[str]]) -> list[Span]:
    """Finds every span that has a file, with its latest version.

    Args:
        base: Folder or URI.
        pattern: From `split_pattern`.
        glob: Lists the paths that match.

    Returns:
        By number, ascending.

    Raises:
        DataError: A path matches and has no number where the pattern has one.
    """
    prefix = f"{base.rstrip('/')}/"
    match_path = re.compile(_regex(pattern))
    latest: dict[int, Span] = {}
    for path in sorted(glob(prefix + _PLACEHOLDER.sub("*", pattern))):
        below = path.removeprefix(prefix)
        match = match_path.fullmatch(below)
        number = _number(match.groupdict()) if match else None
        if match is None or number is None:
            raise DataError.explain(
                path,
                "matches the pattern, but its span or version is not a number or a date",
                f"expected paths like {pattern}",
                "move the file elsewhere, or correct the pattern",
            )
        texts = match.groupdict()
        _require_as_tfx_writes(path, pattern, texts)
        version = int(texts["VERSION"]) if texts.get("VERSION") else None
        known = latest.get(number)
        if known is None or (version is not None and version > (known.version or 0)):
            latest[number] = Span(number, version, fill(pattern, texts))
    return sorted(latest.values())


def _require_as_tfx_writes(path: str, pattern: str, texts: Mapping[str, str]) -> None:
    """TFX fills the number in again, and would look for span-1 in place of span-01."""
    for name, text in texts.items():
        if f"{{{name}}}" in pattern and name not in _DATE and text != str(int(text)):
            raise DataError.explain(
                path,
                f"{text} has leading zeros",
                f"expected {{{name}:{len(text)}}} in the pattern then, since TFX drops them",
                "correct the pattern",
            )


def _regex(pattern: str) -> str:
    """A regular expression of the paths that a pattern means, with a group for each name."""
    result, position = "", 0
    for match in _PLACEHOLDER.finditer(pattern):
        result += _regex_of_glob(pattern[position : match.start()])
        digits = _DIGITS.get(match["name"]) or match["width"]
        number = f"[0-9]{{{digits}}}" if digits else "[0-9]+"
        result += f"(?P<{match['name']}>{number})"
        position = match.end()
    return result + _regex_of_glob(pattern[position:])


def _regex_of_glob(text: str) -> str:
    wild = {"*": "[^/]*", "?": "[^/]"}
    return "".join(wild.get(character) or re.escape(character) for character in text)


def _number(texts: dict[str, str]) -> int | None:
    if "SPAN" in texts:
        return int(texts["SPAN"])
    try:
        day = datetime.date(*(int(texts[name]) for name in _DATE))
    except ValueError:
        return None
    return (day - _FIRST_DAY).days


def fill(pattern: str, texts: dict[str, str]) -> str:
    """Puts texts in the place of the names."""
    return _PLACEHOLDER.sub(lambda match: texts[match["name"]], pattern)


def choose(
    spans: Sequence[Span], pattern: str, number: int | None, window: int, where: str
) -> list[Span]:
    """Chooses the spans that a run reads.

    Args:
        spans: Existing spans, ascending.
        pattern: Pattern of the paths, for messages.
        number: The newest to read; None for the latest.
        window: Largest number of spans to read: that one and those before it.
        where: The source, for messages.

    Returns:
        One or more, ascending; fewer than `window` where there are no more.

    Raises:
        DataError: There is no span, or not the one.
    """
    if not spans:
        raise DataError.explain(
            where,
            "matches no file",
            "expected at least one span",
            "check the folder and the pattern; fareline data spans cuts the taxi data into some",
        )
    numbers = [span.number for span in spans]
    if number is None:
        number = numbers[-1]
    if number not in numbers:
        raise DataError.explain(
            f"{where}, span {number}",
            "is not there",
            f"expected one of {describe(numbers, pattern)}",
            "name one of these with data.span, or leave it out for the latest",
        )
    end = numbers.index(number) + 1
    return list(spans[max(end - window, 0) : end])


def gaps(spans: Sequence[Span], pattern: str) -> list[int]:
    """Numbers that are missing between spans; none where spans are dates, of any distance."""
    if "{YYYY}" in pattern or not spans:
        return []
    present = {span.number for span in spans}
    return [n for n in range(spans[0].number, spans[-1].number) if n not in present]


def describe(numbers: Sequence[int], pattern: str = "") -> str:
    """Numbers in words: `1 to 4, 6`; of a date pattern with the date of each end."""

    def name(number: int) -> str:
        if "{YYYY}" not in pattern:
            return str(number)
        return f"{number} ({_FIRST_DAY + datetime.timedelta(days=number)})"

    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [name(a) if a == b else f"{name(a)} to {name(b)}" for a, b in runs]
    if len(shown) > 12:
        shown = [*shown[:6], "…", *shown[-5:]]
    return ", ".join(shown)
