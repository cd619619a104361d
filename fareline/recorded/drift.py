"""Records of DriftMonitor: the drift measures of each column."""

import dataclasses
import json
from collections.abc import Iterable

from fareline.recorded import DRIFTED
from fareline.recorded.texts import Element, parse, read


@dataclasses.dataclass(frozen=True)
class Drifted:
    """One measure of one column that has drifted.

    Attributes:
        against: Reference: `previous` for the previous data, `serving` for requests.
        column: Its name; `(label)` for the label.
        policy: Consequence: `record`, `warn`, `retune` or `stop`.
        said: The change, in words.
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
    """The records of a DataDrift; empty without a record."""
    return read(list[Drifted], drift, DRIFTED) or []


def drifted_in_report(text: str) -> list[Drifted]:
    """The records from the text of `drift.json`.

    Raises:
        ValueError: The text has another format.
    """
    return parse(_Report, text).drifted


def drifted_text(drifted: Iterable[Drifted]) -> str:
    """Writes the property."""
    return json.dumps([dataclasses.asdict(each) for each in drifted], ensure_ascii=False)
