"""Cuts rows by time into spans, in folders that TFX's ExampleGen understands.

`fareline data spans` calls it. A span is a month, a quarter or a year; every row is in exactly one.
Rows are copied as they are, broken ones included: only the timestamp is looked at. Must not import
TFX.

Times are seconds since 1970 and are cut as UTC. The taxi data writes Chicago's wall clock as if it
were UTC, so that its spans begin at midnight in Chicago.
"""

import contextlib
import csv
import dataclasses
import datetime
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from data.reading.csv_header import long_cells
from data.writing.folders import folder_written_beside, folders_added
from fareline.digests import sha256_of_file
from fareline.errors import DataError

LISTING = "spans.json"
PERIODS = {"month": 1, "quarter": 3, "year": 12}  # months
# Names of folders, and the pattern that `data.source` takes for them.
LAYOUTS = {
    "span": ("span-{number}", "span-{SPAN}"),
    "date": ("{begin:%Y-%m-%d}", "{YYYY}-{MM}-{DD}"),
}
_FILE = "rows.csv"
_UTF8_MARK = "\ufeff".encode().decode("latin-1")
_FIRST_DAY = datetime.date(1970, 1, 1)


@dataclasses.dataclass(frozen=True)
class Cut:
    """Rules for cutting rows into spans.

    Attributes:
        by: One of PERIODS.
        column: Seconds since 1970.
        layout: One of LAYOUTS: spans numbered from 1, the first period of the data; or folders
            named by the first day of the period, whose span TFX counts in days since 1970.
        version: Version of every span that is written, 1 or more.
    """

    by: str
    column: str = "trip_start_timestamp"
    layout: str = "span"
    version: int = 1

    @property
    def pattern(self) -> str:
        """The value for `data.source`, relative to the folder."""
        return f"{LAYOUTS[self.layout][1]}/version-{{VERSION}}/*.csv"

    def index(self, seconds: int) -> int:
        """The number of the period of a time, counted from the year 0."""
        day = _FIRST_DAY + datetime.timedelta(days=seconds // 86400)
        return (day.year * 12 + day.month - 1) // PERIODS[self.by]

    def begin(self, index: int) -> datetime.date:
        """The first day of a period."""
        year, month = divmod(index * PERIODS[self.by], 12)
        return datetime.date(year, month + 1, 1)

    def name(self, index: int) -> str:
        """Such as 2013-01, 2013-Q1 or 2013."""
        begin = self.begin(index)
        quarter = f"{begin.year}-Q{(begin.month + 2) // 3}"
        return {"month": f"{begin:%Y-%m}", "quarter": quarter, "year": f"{begin.year}"}[self.by]


def cut_into_spans(files: Sequence[Path], cut: Cut, folder: Path) -> dict[str, Any]:
    """Writes every row of CSV files with one header into the folder of its span.

    Args:
        files: One or more.
        cut: Rules for the cut.
        folder: Output folder. If it holds spans that were cut the same way, another version is
            added; else it must not be there, or be empty.

    Returns:
        What `spans.json` in the folder holds: by, column, layout, pattern, rows, and spans, each
        with span, version, period, begin, end (the day after the last), rows, path and sha256.

    Raises:
        DataError: A row has no time; or the folder cannot be used.
    """
    earlier = _earlier_listing(folder, cut)
    with (folders_added if earlier else folder_written_beside)(folder) as part:
        counts = _write_periods(files, cut, part)
        first = min(counts)
        if earlier and (begins := earlier["spans"][0]["begin"]) != str(cut.begin(first)):
            raise DataError.explain(
                str(folder),
                f"its first span begins on {begins}, that of these rows on {cut.begin(first)}",
                "expected rows that begin in the same period, so that numbers mean the same",
                "name another folder",
            )
        spans = [_place(part, cut, index, first, counts[index]) for index in sorted(counts)]
        listing = {
            "by": cut.by,
            "column": cut.column,
            "layout": cut.layout,
            "pattern": cut.pattern,
            "rows": sum(counts.values()),
            "spans": sorted(
                (earlier["spans"] if earlier else []) + spans,
                key=lambda span: (span["begin"], span["version"]),
            ),
        }
        (part / LISTING).write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")
    return listing | {"spans": spans}


def _earlier_listing(folder: Path, cut: Cut) -> dict[str, Any] | None:
    try:
        listing = json.loads((folder / LISTING).read_text(encoding="utf-8"))
    except OSError:
        return None
    except ValueError as error:
        raise DataError.explain(
            str(folder / LISTING), "is not JSON", "expected a listing of spans", "restore it"
        ) from error
    for name in ("by", "column", "layout"):
        if listing[name] != getattr(cut, name):
            raise DataError.explain(
                str(folder),
                f"holds spans that were cut with {name} {listing[name]}",
                f"expected {getattr(cut, name)}",
                "name another folder, or cut the same way",
            )
    return listing


def _write_periods(files: Sequence[Path], cut: Cut, part: Path) -> Counter[int]:
    """Writes one file per period, and counts its rows."""
    counts: Counter[int] = Counter()
    with contextlib.ExitStack() as stack:
        writers: dict[int, Any] = {}
        for file in files:
            for header, row, index in _read_rows(file, cut):
                if index not in writers:
                    # Latin-1 in and out: every byte stays, whatever it means.
                    opened = stack.enter_context(
                        open(part / f"{index}.csv", "w", encoding="latin-1", newline="")
                    )
                    writers[index] = csv.writer(opened, lineterminator="\n")
                    writers[index].writerow(header)
                writers[index].writerow(row)
                counts[index] += 1
    return counts


def _read_rows(file: Path, cut: Cut) -> Iterator[tuple[list[str], list[str], int]]:
    with long_cells(), file.open(encoding="latin-1", newline="") as stream:
        rows = csv.reader(_without_mark(stream))
        header = next(rows)
        names = [name.encode("latin-1").decode() for name in header]
        if cut.column not in names:
            raise DataError.explain(
                str(file),
                f"has no column {cut.column!r}",
                f"expected it among its {len(names)} columns",
                "name another one with --column",
            )
        place = names.index(cut.column)
        try:
            for row in rows:
                if row:  # an empty line is no row
                    yield header, row, _index(file, rows.line_num, row, place, cut)
        except csv.Error as error:
            raise DataError.explain(
                f"{file}, line {rows.line_num}",
                f"not CSV ({error})",
                "expected rows of comma-separated cells",
                "correct or remove the row",
            ) from error


def _without_mark(stream: TextIO) -> Iterator[str]:
    for number, line in enumerate(stream):
        yield line.removeprefix(_UTF8_MARK) if number == 0 else line


def _index(file: Path, line: int, row: list[str], place: int, cut: Cut) -> int:
    text = row[place].strip() if place < len(row) else ""
    try:
        return cut.index(int(text))
    except (ValueError, OverflowError) as error:
        raise DataError.explain(
            f"{file}, line {line}",
            f"{cut.column} is {text!r:.40}",
            "expected seconds since 1970 in every row, since a row without a time is in no span",
            "correct or remove the row",
        ) from error


def _place(part: Path, cut: Cut, index: int, first: int, rows: int) -> dict[str, Any]:
    """Moves the file of a period to its folder; describes it."""
    begin, number = cut.begin(index), index - first + 1
    name = LAYOUTS[cut.layout][0].format(number=number, begin=begin)
    path = Path(name, f"version-{cut.version}", _FILE)
    (part / path).parent.mkdir(parents=True)
    (part / f"{index}.csv").rename(part / path)
    return {
        "span": number if cut.layout == "span" else (begin - _FIRST_DAY).days,
        "version": cut.version,
        "period": cut.name(index),
        "begin": str(begin),
        "end": str(cut.begin(index + 1)),
        "rows": rows,
        "path": str(path),
        "sha256": sha256_of_file(part / path),
    }
