"""The result of monitoring: windows, their slices, and alarms, as data and in words.

Standard library alone.
"""

import dataclasses
from typing import Any

# The kinds of alarm, in the order in which they are told.
PERFORMANCE, ESTIMATE, INTEGRITY, DISTRIBUTION = KINDS = (
    "performance",
    "estimate",
    "integrity",
    "distribution",
)
OVERALL = "overall"
QUIET, ALARM, SMALL = "quiet", "alarm", "too small"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A value with its interval of 95 %.

    Attributes:
        value: The AUC.
        low: Lower end of the interval.
        high: Upper end of the interval.
        error: Standard error.
        rows: Number of rows of the figure.
    """

    value: float
    low: float
    high: float
    error: float
    rows: int


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that differs in one window of one slice; not an alarm yet.

    Attributes:
        kind: One of `KINDS`.
        subject: The column, or what else is meant, such as `rows`.
        said: The change, in words.
    """

    kind: str
    subject: str
    said: str


@dataclasses.dataclass(frozen=True)
class SliceWindow:
    """One slice in one window.

    Attributes:
        slice: Its name, or `overall`.
        rows: Number of answered rows.
        state: `quiet` or `too small`; `findings` has the differences.
        score: Mean score; None without rows.
        estimate: AUC that the scores let expect.
        truth: AUC by labels, once the window is mature.
        difference: Truth less estimate, on the rows that have labels.
        findings: Differences in this slice.
    """

    slice: str
    rows: int
    state: str
    score: float | None
    estimate: Figure | None
    truth: Figure | None
    difference: float | None
    findings: tuple[Finding, ...]


@dataclasses.dataclass(frozen=True)
class Window:
    """One window.

    Attributes:
        start_ms: When it begins, milliseconds since 1970.
        end_ms: When it ends.
        mature: Whether enough labels have arrived for an evaluation.
        labelled: Share of the rows whose label is known.
        slices: The whole first.
    """

    start_ms: int
    end_ms: int
    mature: bool
    labelled: float
    slices: tuple[SliceWindow, ...]


@dataclasses.dataclass(frozen=True)
class Alarm:
    """A finding in enough windows, the latest conclusive one included.

    Attributes:
        kind: One of `KINDS`.
        slice: Name of the slice.
        subject: The column, or what else is meant.
        said: In words, of the last window.
        start_ms: When that window begins.
        windows: In how many of the last windows it was found.
    """

    kind: str
    slice: str
    subject: str
    said: str
    start_ms: int
    windows: int

    def in_words(self) -> str:
        """One line."""
        where = "" if self.slice == OVERALL else f"{self.slice}: "
        return f"{self.kind}: {where}{self.subject}: {self.said}"


@dataclasses.dataclass(frozen=True)
class Watched:
    """All of it.

    Attributes:
        windows: The oldest first.
        alarms: By kind.
        reference: Slice to its AUC on the split that the model was evaluated on; None: no AUC.
        state: `alarm`, `quiet`, or `too small` where the last window says nothing.
    """

    windows: tuple[Window, ...]
    alarms: tuple[Alarm, ...]
    reference: dict[str, Figure | None]
    state: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return dataclasses.asdict(self)
