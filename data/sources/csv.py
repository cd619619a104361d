"""Checks a CSV source before a run starts, so that mistakes are reported within a second.

Called by `pipeline.rules.settings` and `runners`. Reads the first lines of each file, never a whole
one; imports neither TFX nor TensorFlow.

TFX's CsvExampleGen reads every file that its pattern matches, takes the column names from the first
and splits that line at its commas, whatever it holds. `check_csv_source` reads the header as CSV
means it; `check_csv_example_gen_reads_alike` then says whether TFX will see the same names.
"""

import csv
import dataclasses
import glob
import gzip
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from data.reading.csv_header import (
    COMMAS,
    EXPECTED,
    CsvFormat,
    hint_of_separator,
    not_utf8,
    require_distinct_header,
    require_names,
    require_no_keys,
    require_separator,
    require_text,
)
from data.sources.hive import find_leaves, keys_of
from data.sources.spans import SpanSource
from data.sources.visible import visible, with_content
from fareline.errors import DataError
from fareline.near import near_names

_LONGEST_HEADER_BYTES = 1_000_000
_START_BYTES = 1 << 10


@dataclass(frozen=True)
class CsvSource:
    """A checked CSV source.

    Attributes:
        input_base: The folder that the files lie in.
        pattern: A glob relative to `input_base`, which matches `files` and nothing else; of a query
            one for each table, by its name.
        files: The files, sorted by name.
        header: The column names, the same in every file.
        span_range: The first and the last span that are read; None if the source has no spans.
        notes: Remarks that are not errors, one sentence each.
        sample: Sample of a query: some values of each column, as text.
    """

    input_base: Path
    pattern: str | Mapping[str, str]
    files: tuple[Path, ...]
    header: tuple[str, ...]
    span_range: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()
    sample: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)


def check_csv_source(
    path: Path,
    required_columns: Sequence[str],
    any_order: bool = False,
    spans: SpanSource | None = None,
    csv_format: CsvFormat = COMMAS,
) -> CsvSource:
    """Checks that a CSV file, or a folder of `*.csv`, can be read and has the columns needed.

    Args:
        path: A file of any name, or a folder.
        required_columns: The columns that the settings name: label and features.
        any_order: Whether files may have their columns in different orders.
        spans: Where the source has spans: those to read, found before.
        csv_format: Format of the files.

    Returns:
        What an ExampleGen needs to know of the source.

    Raises:
        DataError: The path is missing or unreadable; a folder has no CSV file; a file is empty, has
            a header only, repeats a column, or is not UTF-8; headers differ; a required column is
            absent.
    """
    files, pattern = _find_files(path) if spans is None else (spans.files, spans.pattern)
    headers = [_read_header(file, csv_format) for file in files]
    keys = keys_of(str(files[0]), pattern)
    require_no_keys(str(files[0]), headers[0], keys)
    for file, header in zip(files, headers, strict=True):
        require_distinct_header(str(file), header)
        if not (any_order and set(header) == set(headers[0])):
            _check_same_header(file, header, files[0], headers[0])
    header = (*headers[0], *keys)
    require_columns_of_source(path, header, required_columns)
    found = CsvSource(base_of(path, files), pattern, files, header)
    return found if spans is None else with_spans(found, spans)


def base_of(path: Path, files: Sequence[Path]) -> Path:
    """The folder that the pattern of a source is relative to."""
    return path if path.is_dir() else files[0].parent


def with_spans(source: CsvSource, spans: SpanSource) -> CsvSource:
    """The source with the files of all spans."""
    return dataclasses.replace(
        source,
        input_base=Path(spans.base),
        pattern=spans.pattern,
        span_range=spans.span_range,
        notes=(*source.notes, *spans.notes),
    )


def check_csv_example_gen_reads_alike(source: CsvSource) -> None:
    """Checks that TFX's CsvExampleGen takes the same column names from the files as CSV readers do.

    It does not when a file starts with a byte order mark, which TFX makes part of the first name,
    or when the header is quoted, since TFX keeps the quotes and splits at the commas inside them.

    Raises:
        DataError: The names would differ, and the message shows the first that does; or the first
            row has a cell that is longer than TFX reads.

    Source:
        `tfx.utils.io_utils.load_csv_column_names`.
    """
    if glob.escape(str(source.input_base)) != str(source.input_base):
        raise DataError.explain(
            str(source.input_base),
            "its path holds one of * ? [",
            "expected a path that TFX does not read as a pattern",
            "rename the folder",
        )
    if keys := keys_of(str(source.files[0]), source.pattern):
        raise DataError.explain(
            str(source.input_base),
            f"has folders that say the column {next(iter(keys))}",
            "expected files that hold all columns",
            "set data.reader=columnar, which reads them",
        )
    for file in source.files:
        if file.name.endswith(".gz"):
            raise DataError.explain(
                str(file),
                "TFX's CsvExampleGen reads no gzip",
                "expected plain CSV files",
                "set data.reader=columnar, which reads them",
            )
        _require_short_cells(file)
        with file.open("rb") as stream:
            # Bounded, since a file without line feeds is one line.
            line = stream.readline(_LONGEST_HEADER_BYTES).decode("utf-8", errors="replace")
        seen = line.strip().split(",")
        # Not strict: where the lengths differ, a name before the end differs too.
        for name, tfx_name in zip(source.header, seen, strict=False):
            if name != tfx_name:
                raise DataError.explain(
                    str(file),
                    f"TFX's CsvExampleGen would read the column {name!r} as {tfx_name!r}",
                    "expected a header without quotes and without a byte order mark",
                    "save the file as plain UTF-8, with unquoted column names in the first line",
                )


def _require_short_cells(file: Path) -> None:
    """TFX leaves the csv module its limit of 131,072 characters."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        try:
            any(itertools.islice(csv.reader(stream), 1, None))
        except csv.Error as err:
            raise DataError.explain(
                str(file),
                f"TFX's CsvExampleGen cannot read the first row ({err})",
                "expected shorter cells",
                "set data.reader=columnar, which reads them",
            ) from err


def _find_files(path: Path) -> tuple[tuple[Path, ...], str]:
    """Returns the files of a source, sorted, and the glob that matches them in their folder."""
    expected = "expected a CSV file or a folder of *.csv"
    try:
        if path.is_dir():
            files, pattern = (), "*.csv"
            for ending in ("*.csv.gz", "*.csv"):
                found = data_files(path, ending)
                files, pattern = found if found[0] else (files, pattern)
            # A folder that may not be listed looks empty to glob; only listing it tells.
            next(path.iterdir(), None)
        elif path.exists():
            # A file's name is not a pattern, even if it holds a `*` or a `[`.
            return (path,), glob.escape(path.name)
        else:
            raise DataError.explain(
                str(path), "there is no such file or folder", expected, "check the source's path"
            )
    except OSError as err:
        raise _unreadable(path, err, expected) from err
    if not files:
        raise DataError.explain(
            str(path),
            "the folder holds no file named *.csv",
            expected,
            "put the files directly into the folder, with names that end in .csv",
        )
    return files, pattern


def data_files(folder: Path, pattern: str) -> tuple[tuple[Path, ...], str]:
    """The files of a folder, or of a table in parts, that match a pattern and are data.

    Returns:
        The files, sorted, and the glob that matches them below the folder.
    """
    leaves, above = find_leaves(folder)
    found = [str(file) for leaf in leaves for file in leaf.glob(pattern)]
    there = with_content(visible(sorted(found), pattern), os.path.getsize)
    return tuple(map(Path, there)), above + pattern


def open_text(file: Path, csv_format: CsvFormat) -> TextIO:
    """Opens a CSV file, packed or not, for the csv module.

    Raises:
        DataError: The file begins like one of another encoding.
    """
    opener = gzip.open if file.name.endswith(".gz") else Path.open
    with opener(file, "rb") as stream:
        require_text(str(file), stream.read(_START_BYTES), csv_format.encoding)
    encoding = "utf-8-sig" if csv_format.is_utf8 else csv_format.encoding
    # newline="" leaves line breaks to the csv module, which knows which ones are quoted.
    return opener(file, "rt", encoding=encoding, newline="")


def _read_header(file: Path, csv_format: CsvFormat) -> tuple[str, ...]:
    """Reads the column names and makes sure that a row follows them. Stops after that row."""
    expected = EXPECTED
    try:
        with open_text(file, csv_format) as stream:
            if stream.read(1) != "\ufeff":  # of an encoding whose codec leaves the mark in
                stream.seek(0)
            line = stream.readline()
            require_names(str(file), line)
            rows = csv.reader(itertools.chain([line], stream), delimiter=csv_format.separator)
            header = next(rows, [])
            row = _first_row(rows, file, csv_format)
        has_row = row is not None
        separator = csv_format.separator
        require_separator(str(file), header, line, separator.join(row or ()), separator)
    except UnicodeDecodeError as err:
        raise not_utf8(str(file), err.object, err) from err
    except csv.Error as err:
        raise DataError.explain(
            str(file), f"not CSV ({err})", expected, "look for an unclosed quote in the first lines"
        ) from err
    except (OSError, EOFError) as err:
        if isinstance(err, DataError):
            raise
        raise _unreadable(file, err, expected) from err
    if not header:
        found = "the first line is blank" if has_row else "the file is empty"
        raise DataError.explain(
            str(file), found, expected, "export the file again, with its header"
        )
    if not has_row:
        raise DataError.explain(
            str(file),
            "the file has a header and no row",
            "expected at least one row",
            "export the file again, or take it out of the source",
        )
    return tuple(header)


def _first_row(rows: Iterator[list[str]], file: Path, csv_format: CsvFormat) -> list[str] | None:
    """The row that follows; of one that is too long for the csv module no cell."""
    try:
        return next((row for row in rows if row), None)
    except csv.Error:
        from data.reading.csv_blocks import (
            iter_blocks,
            unpacked,
        )  # not at the top: it imports numpy

        with file.open("rb") as raw:
            stream = unpacked(raw, str(file), csv_format)
            blocks = iter_blocks(stream, str(file), separator=csv_format.separator)
            # The header may be a block of its own.
            if any(block.unclosed for block in itertools.islice(blocks, 2)):
                raise
        return []


def _check_same_header(
    file: Path, header: tuple[str, ...], first: Path, first_header: tuple[str, ...]
) -> None:
    if header == first_header:
        return
    missing = [name for name in first_header if name not in header]
    extra = [name for name in header if name not in first_header]
    parts = [f"lacks {_quoted(missing)}"] * bool(missing) + [f"adds {_quoted(extra)}"] * bool(extra)
    raise DataError.explain(
        str(file),
        f"the header {' and '.join(parts) or 'has the same columns in another order'}",
        f"expected the header of {first.name}",
        "give all files of a source the same columns in the same order",
    )


def require_columns_of_source(
    path: Path, header: tuple[str, ...], required_columns: Sequence[str]
) -> None:
    """Refuses a source without a column that the settings name.

    Raises:
        DataError: A column is missing; the message has the nearest existing column.
    """
    absent = [name for name in dict.fromkeys(required_columns) if name not in header]
    if absent:
        column, it = ("column", "it") if len(absent) == 1 else ("columns", "them")
        raise DataError.explain(
            str(path),
            f"lacks the required {column} {_quoted(absent)}",
            f"expected {it} among the columns found ({len(header)})",
            hint_of_separator(header, absent)
            or "; ".join(_nearest_column(name, header) for name in absent),
        )


def _nearest_column(name: str, header: tuple[str, ...]) -> str:
    # cutoff 0: the nearest there is, however far, since the user must rename one or the other.
    nearest = near_names(name, header, cutoff=0.0)[0]
    return f"nearest to {name!r} is {nearest!r}"


def _unreadable(path: Path, err: Exception, expected: str) -> DataError:
    return DataError.explain(
        str(path),
        f"cannot be read ({getattr(err, 'strerror', None) or err})",
        expected,
        "check the path and its permissions",
    )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
