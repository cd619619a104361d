"""Rows of the past as a live model would have met them: by time, with outcomes that come later.

A change of concept can be planted: from a time on, the label of the rows is the other one.

Called by `runners.looping.replaying`. Must not import TFX.
"""

import bisect
import csv
import dataclasses
import datetime
import hashlib
import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data.reading.csv_header import long_cells
from fareline.errors import DataError, UserMistake
from fareline.files import written_beside
from preprocessing.labels import Flag, Label, Share

_NEVER = 0.02  # of the outcomes; the others come after times that are distributed exponentially
_MEAN_OF_WAIT = 0.25  # their mean, as a share of the longest wait: 1.8 % are late
_TIME = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")
_FORM = "2015, 2015-07 or 2015-07-15"


@dataclasses.dataclass(frozen=True)
class Change:
    """A change of concept.

    Attributes:
        from_ms: When it begins, milliseconds since 1970.
        column: Column of the rows that it is about; None: it is about all rows.
        value: What they hold there, as the file has it.
    """

    from_ms: int
    column: str | None = None
    value: str = ""


def read_period(text: str) -> tuple[int, int]:
    """Reads `FROM..TO`, both inclusive; returns begin and end in milliseconds since 1970.

    Raises:
        UserMistake: It is no such period.
    """
    where = f"--replay {text}"
    first, dots, last = text.partition("..")
    if not dots:
        raise UserMistake.explain(
            where, "is not a period", "expected FROM..TO", "write 2013..2016 or 2013-01..2014-06"
        )
    begin, end = _bounds(where, first)[0], _bounds(where, last)[1]
    if begin >= end:
        raise UserMistake.explain(
            where, "ends before it begins", "expected FROM..TO", "write 2013..2016"
        )
    return begin, end


def read_change(text: str) -> Change:
    """Reads `FROM` or `FROM:COLUMN=VALUE`.

    Raises:
        UserMistake: It is no such change.
    """
    where = f"--change {text}"
    first, colon, rows = text.partition(":")
    column, equals, value = rows.partition("=")
    if colon and not (column and equals):
        raise UserMistake.explain(
            where,
            f"found {rows!r} after the colon",
            "expected COLUMN=VALUE",
            "write 2014-07 or '2014-07:payment_type=Credit Card'",
        )
    return Change(_bounds(where, first)[0], column or None, value)


def _bounds(where: str, text: str) -> tuple[int, int]:
    """When a year, a month or a day begins, and when the next one does."""
    match = _TIME.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        year, month, day = (int(each) if each else None for each in match.groups())
        begin = datetime.date(year, month or 1, day or 1)
        if day:
            end = begin + datetime.timedelta(days=1)
        elif month:
            end = datetime.date(year + month // 12, month % 12 + 1, 1)
        else:
            end = datetime.date(year + 1, 1, 1)
    except (ValueError, OverflowError) as error:
        raise UserMistake.explain(
            where, f"{text!r} is not a time", f"expected such as {_FORM}", "check the digits"
        ) from error
    return _milliseconds(begin), _milliseconds(end)


def _milliseconds(day: datetime.date) -> int:
    return (day - datetime.date(1970, 1, 1)).days * 86_400_000


class Past:
    """Rows of CSV files, in the order of time.

    Args:
        files: With one header.
        time_column: Seconds since 1970.
        label: Rule of the label; binary.
        change: Change of concept; None: there is none.
    """

    def __init__(
        self, files: Sequence[Path], time_column: str, label: Label, change: Change | None
    ):
        self._label, self._change = label, change
        self.header: list[str] = []
        found: list[tuple[int, list[str]]] = []
        for file in files:
            found += self._read(file, time_column)
        found.sort(key=lambda row: row[0])
        self.times_ms = [ms for ms, _ in found]
        self._cells = [cells for _, cells in found]
        for name in (*label.columns, *((change.column,) if change and change.column else ())):
            self._place(name)

    def _read(self, file: Path, time_column: str) -> Iterator[tuple[int, list[str]]]:
        with long_cells(), file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            try:
                self.header = next(rows, [])
                place = self._place(time_column)
                for cells in rows:
                    if len(cells) == len(
                        self.header
                    ):  # others are the affair of a run's quarantine
                        yield _seconds(f"{file}, line {rows.line_num}", cells[place]) * 1000, cells
            except (csv.Error, UnicodeDecodeError) as error:
                raise DataError.explain(
                    str(file),
                    f"cannot be read ({error})",
                    "expected a CSV file in UTF-8 with commas",
                    "write it anew in this form",
                ) from error

    def _place(self, name: str) -> int:
        if name not in self.header:
            raise DataError.explain(
                "loop --replay",
                f"the data has no column {name!r}",
                f"expected it among its {len(self.header)} columns",
                "the time of a row, in seconds since 1970, is in the column that "
                "`data.split_by: {time: COLUMN}` names, or in trip_start_timestamp",
            )
        return self.header.index(name)

    def rows(self, begin_ms: int, end_ms: int) -> range:
        """The rows from one time on and before another."""
        first, last = (bisect.bisect_left(self.times_ms, ms) for ms in (begin_ms, end_ms))
        return range(first, last)

    def keep(self, times_ms: Sequence[int], most: int) -> None:
        """Keeps at most so many rows from each time on and before the next; the others are gone.

        The same rows are kept each time: those with the lowest hash of their cells.

        Args:
            times_ms: Ascending, milliseconds since 1970; rows before the first are kept as one.
            most: Highest number of rows.
        """
        kept: list[int] = []
        bounds = [0, *(bisect.bisect_left(self.times_ms, ms) for ms in times_ms)]
        for first, last in itertools.pairwise([*bounds, len(self._cells)]):
            kept += sorted(sorted(range(first, last), key=self._rank)[:most])
        self.times_ms = [self.times_ms[row] for row in kept]
        self._cells = [self._cells[row] for row in kept]

    def _rank(self, row: int) -> bytes:
        return hashlib.sha256("\0".join(self._cells[row]).encode()).digest()

    def write(self, path: Path, rows: Sequence[int], number: str | None = None) -> None:
        """Writes rows with their true labels.

        Args:
            path: CSV file.
            rows: Numbers of the rows.
            number: Name of a further column with the number of each row; None: without it.
        """
        place = self._place(self._label.column)
        with written_beside(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([*self.header, *([number] if number else [])])
            for row in rows:
                cells = [*self._cells[row]]
                cells[place] = self.outcome(row)
                writer.writerow([*cells, *([row] if number else [])])

    def label(self, row: int) -> float | None:
        """The true label, 0 or 1; None without one."""
        cells = self._cells[row]
        text = cells[self._place(self._label.column)]
        if isinstance(self._label, Share):
            reference = cells[self._place(self._label.reference)]
            was = bool(self._label.exceeds(_number(text), _number(reference)))
        else:
            name = self._label.name_of(_value(text, self._label))
            if name is None:
                return None
            was = name == "1"
        return float(was != self._is_changed(row))

    def outcome(self, row: int) -> str:
        """What the label's column truly holds; a text, empty without a value."""
        cells = self._cells[row]
        text = cells[self._place(self._label.column)]
        if not self._is_changed(row):
            return text
        wanted = self.label(row)
        if isinstance(self._label, Share):
            reference = _number(cells[self._place(self._label.reference)])
            return str(round(2 * abs(self._label.times * reference) + 1, 2)) if wanted else "0"
        if wanted is None or not isinstance(self._label, Flag):
            return text
        return str(self._label.positive if wanted else self._label.negative)

    def _is_changed(self, row: int) -> bool:
        change = self._change
        if change is None or self.times_ms[row] < change.from_ms:
            return False
        return change.column is None or self._cells[row][self._place(change.column)] == change.value


def _seconds(where: str, text: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError) as error:
        raise DataError.explain(
            where,
            f"its time is {text!r:.40}",
            "expected seconds since 1970 in every row",
            "correct or remove the row",
        ) from error


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _value(text: str, label: Label) -> int | str | None:
    """A cell as the label rule has its values."""
    if not text:
        return None
    if isinstance(label.some_value, int):
        number = _number(text) if text.strip().lstrip("-")[:1].isdigit() else None
        return None if number is None else int(number)
    return text


def require_two_labels(label: Label, task: str) -> None:
    """Refuses a label that has no other one.

    Raises:
        UserMistake: It is not of a binary task, or its negative value is not named.
    """
    if isinstance(label, Share) or (isinstance(label, Flag) and label.negative is not None):
        return
    found = f"found task {task}" if not isinstance(label, Flag) else "label.negative is not set"
    raise UserMistake.explain(
        "loop --replay",
        found,
        "expected a binary task with two known labels",
        "name the settings of such a pipeline with --config, or set label.negative",
    )


def outcome_records(
    past: Past, ids: Mapping[int, str], wait_ms: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Outcomes of answered rows as `feedback add` takes them, with the time of their arrival.

    Args:
        past: The rows.
        ids: Number of a row to the id of its prediction.
        wait_ms: Longest wait for an outcome, which some exceed.
        seed: Seed of the delays.
    """
    for row, prediction_id in ids.items():
        chance = random.Random(f"{seed} {row}")
        text = past.outcome(row)
        if chance.random() < _NEVER or not text:
            continue
        delay = chance.expovariate(1 / (wait_ms * _MEAN_OF_WAIT))
        arrival = (past.times_ms[row] + round(delay)) / 1000
        yield {"prediction_id": prediction_id, "value": _json(text), "arrival_time": arrival}


def _json(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
