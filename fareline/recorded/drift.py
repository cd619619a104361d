"""What DriftMonitor records: which measures of which columns have drifted."""

import dataclasses
import json
from collections.abc import Iterable

from fareline.recorded import DRIFTED
from fareline.recorded.texts import Element, parse, read


@dataclasses.dataclass(frozen=True)
class Drifted:
    """One measure of one column that has drifted.

    Attributes:
        against: What it was compared with: `previous`, the data before, or `serving`, requests.
        column: Its name; `(label)` for the label.
        policy: What becomes of it: `record`, `warn`, `retune` or `stop`.
        said: What has changed, in words.
    """

    against: str
    column: str
    policy: str
    said: str


@dataclasses.dataclass(frozen=True)
class _Report:
    """Of the file that holds every measure, what the gate asks for."""

    drifted: list[Drifted]


def drifted_of(drift: Element) -> list[Drifted]:
    """What a DataDrift records; empty if it records nothing."""
    return read(list[Drifted], drift, DRIFTED) or []


def drifted_in_report(text: str) -> list[Drifted]:
    """The same from the text of `drift.json`.

    Raises:
        ValueError: It is no such file.
    """
    return parse(_Report, text).drifted


def drifted_text(drifted: Iterable[Drifted]) -> str:
    """Writes the property."""
    return json.dumps([dataclasses.asdict(each) for each in drifted], ensure_ascii=False)
