"""The files that TFX's ExampleGen has read, per its executions: a folder and patterns.

Called by lineage.answers.impact.origin, lineage.answers.impact.files and lineage.facts.sources for
stores where the files themselves are not recorded.
"""

import datetime
import fnmatch
import re
from collections.abc import Mapping
from typing import Any

from fareline.recorded.texts import parse_json

_PLACEHOLDER = re.compile(r"\{(?P<name>SPAN|VERSION|YYYY|MM|DD)(:\d+)?\}")
_OF_A_DAY = {"YYYY": "%Y", "MM": "%m", "DD": "%d"}
_FIRST_DAY = datetime.date(1970, 1, 1)  # of the span 0, where spans are days


def patterns_of(properties: Mapping[str, Any]) -> list[str]:
    """Full patterns of an ExampleGen execution, with a wildcard where it names none."""
    places = [(base, pattern or "*") for _, base, pattern in splits_read(properties)]
    return list(dict.fromkeys(f"{base}/{pattern}" for base, pattern in places))


def splits_read(properties: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, folder and pattern of each split that an ExampleGen read; empty if it names no folder.

    An ExampleGen whose splits are not recorded gives one, without name and pattern.
    """
    base = str(properties.get("input_base") or "").rstrip("/")
    if not base:
        return []
    config = parse_json(properties.get("input_config"))
    listed = config.get("splits") if isinstance(config, dict) else None
    splits = [s for s in listed if isinstance(s, dict)] if isinstance(listed, list) else []
    return [
        (str(split.get("name") or ""), base, str(split.get("pattern") or ""))
        for split in splits or [{}]
    ]


def splits_of(
    properties: Mapping[str, Any], path: str, span: int | None, version: int | None
) -> tuple[list[str], list[str]]:
    """The splits that a file was read into, for an ExampleGen with one pattern per split.

    Args:
        properties: Properties of the ExampleGen execution.
        path: Full path of the file.
        span: Span; see `pattern_matches`.
        version: Version; see `pattern_matches`.

    Returns:
        The splits of the file, and all; nothing where rows were shared out among splits.
    """
    config = parse_json(properties.get("output_config"))
    splits = splits_read(properties)
    if len(splits) < 2 or (isinstance(config, dict) and config.get("split_config")):
        return [], []
    into = [
        name
        for name, base, pattern in splits
        if pattern_matches(f"{base}/{pattern or '*'}", path, span, version)
    ]
    return into, [name for name, _, _ in splits]


def pattern_matches(pattern: str, path: str, span: int | None, version: int | None) -> bool:
    """Returns whether a file, or a whole folder, is among what a pattern reads.

    Args:
        pattern: With wildcards, and `{SPAN}`, `{VERSION}` or `{YYYY}`, `{MM}`, `{DD}`.
        path: Full path; or a file name, which only matches where the pattern names it in full.
        span: Span that was read, if known.
        version: Version that was read, if known.
    """
    filled = _PLACEHOLDER.sub(lambda match: _filled(match, span, version), pattern)
    wanted, given = filled.split("/"), path.rstrip("/").split("/")
    if len(given) == 1:
        return fnmatch.fnmatchcase(given[0], wanted[-1]) and wanted[-1].strip("*?.") == wanted[-1]
    if len(given) > len(wanted):
        return False
    return all(map(fnmatch.fnmatchcase, given, wanted))


def _filled(match: re.Match[str], span: int | None, version: int | None) -> str:
    """What stood for a placeholder; a wildcard if the store does not say."""
    name, width = match["name"], int((match[2] or ":0")[1:])
    number = version if name == "VERSION" else span
    if number is None:
        return "*"
    if name in ("SPAN", "VERSION"):
        return str(number).zfill(width)
    day = _FIRST_DAY + datetime.timedelta(days=number)
    return day.strftime(_OF_A_DAY[name])
