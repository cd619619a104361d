"""Records of ExampleGen with Examples: files, spans, and the treatment of rows."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypedDict

from fareline.recorded import (
    QUARANTINE_FILE,
    QUARANTINED,
    ROWS_READ,
    SAMPLE,
    SOURCE_FILES,
    SPANS,
    SPLIT_ROWS,
    SPLIT_STARTS,
)
from fareline.recorded.texts import Element, parse_json, read, read_plain, text_of


@dataclasses.dataclass(frozen=True)
class RecordedFile:
    """A file that Examples were read from.

    Attributes:
        path: Path, as ExampleGen found it.
        bytes: Its size.
        sha256: SHA-256 of its content, in 64 hexadecimal digits.
        table: Names under which a query reads it; None without a query.
        rows: Number of rows; None if TFX's reader read it.
    """

    path: str = ""
    bytes: int | None = None
    sha256: str = ""
    table: str | None = None
    rows: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As it is recorded: without what is None."""
        fields = dataclasses.asdict(self)
        return {name: value for name, value in fields.items() if value is not None}


def source_files(examples: Element) -> list[RecordedFile]:
    """The files that Examples were read from, sorted by path; or none."""
    return read(list[RecordedFile], examples, SOURCE_FILES) or []


def source_files_text(files: Iterable[Mapping[str, Any]]) -> str:
    """Writes the files that were read, described as by `RecordedFile.to_json`."""
    return text_of([RecordedFile(**each).to_json() for each in files])


def sample_of(element: Element) -> int | None:
    """The size of the sample that Examples, a Model or a run are of; None: of all rows."""
    return _whole(element.properties.get(SAMPLE))


class _Stored(Element, Protocol):
    uri: str


class RowsRead(TypedDict):
    """Counts of the source rows of Examples.

    Attributes:
        rows: All, bad ones included.
        splits: Name to number of examples.
        starts: Name to the time at which a split begins; None if rows are not split by time.
        quarantined: Reason to number of rows.
        quarantine: The file of these; None if there are none.
        sample: Number of rows of the sample that was taken; None: all rows are examples.
    """

    rows: int
    splits: dict[str, int]
    starts: dict[str, str] | None
    quarantined: dict[str, int]
    quarantine: str | None
    sample: int | None


def rows_read(examples: _Stored) -> RowsRead | None:
    """Counts of the source rows of Examples; None if not recorded."""
    rows = examples.properties.get(ROWS_READ)
    if rows is None or QUARANTINED not in examples.properties:
        return None
    quarantined = read_plain(dict, examples, QUARANTINED) or {}
    return {
        "rows": int(rows),
        "splits": read_plain(dict, examples, SPLIT_ROWS) or {},
        "starts": read_plain(dict, examples, SPLIT_STARTS),
        "quarantined": quarantined,
        "quarantine": f"{examples.uri}/{QUARANTINE_FILE}" if quarantined else None,
        "sample": sample_of(examples),
    }


def spans_of(examples: Element) -> list[tuple[int, int | None]]:
    """Each span of Examples with its version, ascending; empty if not recorded."""
    listed = read_plain(list, examples, SPANS)
    return _spans([examples.properties] if listed is None else listed)


def parse_spans(text: str | None) -> list[tuple[int, int | None]]:
    """The spans from the text of the property, or None; empty if the text is invalid."""
    listed = parse_json(text)
    return _spans(listed) if isinstance(listed, list) else []


def _spans(listed: Iterable[Any]) -> list[tuple[int, int | None]]:
    return [
        (span, _whole(each.get("version")))
        for each in listed
        if isinstance(each, Mapping) and (span := _whole(each.get("span"))) is not None
    ]


def spans_text(spans: Iterable[tuple[int, int | None]]) -> str:
    """Writes spans with their versions, ascending."""
    return text_of([{"span": span, "version": version} for span, version in spans])


def spans_in_words(examples: Element) -> str:
    """The span, `5 to 8` of several, or nothing."""
    spans = [span for span, _ in spans_of(examples)]
    return f"{spans[0]} to {spans[-1]}" if len(spans) > 1 else "".join(map(str, spans))


def split_names(examples: Element) -> list[str]:
    """The splits of Examples, as TFX records them: as a list or as its text."""
    names = examples.properties.get("split_names", [])
    names = names if isinstance(names, list) else parse_json(names)
    return names if isinstance(names, list) else []


def _whole(value: Any) -> int | None:
    """A number that TFX has written as a number or as a text."""
    return int(value) if str(value).isdecimal() else None
