"""Checks a source of any format that the columnar reader knows, before a run starts.

Called by `runners`. Reads the names of the columns, never a whole file; imports neither TFX nor
TensorFlow.
"""

import glob
from collections.abc import Collection, Sequence
from pathlib import Path

from data.reading import columnar as columnar_files
from data.reading.column_types import (
    is_list,
    require_holdable,
    require_single_values,
    say_formless,
    say_passed_over,
)
from data.reading.csv_blocks import read_header, unpacked
from data.reading.csv_header import (
    COMMAS,
    CsvFormat,
    require_no_keys,
    require_possible_names,
)
from data.reading.pieces import ARROW, CSV, EXAMPLES, FORMATS, JSON, PARQUET, format_of, reading
from data.reading.rows_json import find_formless, read_names, require_forms
from data.sources.csv import (
    CsvSource,
    base_of,
    data_files,
    require_columns_of_source,
    with_spans,
)
from data.sources.hive import keys_of
from data.sources.spans import SpanSource
from fareline.errors import DataError

_SAMPLED = 1_000  # rows
_EXPECTED = f"expected a file that ends in {', '.join(FORMATS)}, or a folder of files of one kind"


def check_source_files(
    path: Path,
    required_columns: Sequence[str],
    spans: SpanSource | None = None,
    used: Collection[str] = (),
    single: Sequence[str] = (),
    csv_format: CsvFormat = COMMAS,
) -> CsvSource:
    """Checks that a file, or the files of a folder, can be read and have the columns needed.

    Args:
        path: A file, or a folder whose files all have the same ending.
        required_columns: Columns in the settings; in files of examples they are found only by
            reading.
        spans: Where the source has spans: those to read, found before.
        used: Other columns that something reads, such as those of the schema.
        single: The columns that are used as one value a row.
        csv_format: Format of CSV files.

    Raises:
        DataError: There is no data to read; or a column is missing, or holds what no example can.
    """
    files, pattern = find_files(path) if spans is None else (spans.files, spans.pattern)
    keys = keys_of(str(files[0]), pattern)
    names = _names(files, csv_format, [n for n in required_columns if n not in keys])
    if names is not None:
        require_no_keys(str(files[0]), names, keys)
        names = (*names, *keys)
        require_columns_of_source(path, names, required_columns)
    notes = _check_types(str(files[0]), [*required_columns, *used], single)
    found = CsvSource(base_of(path, files), pattern, files, names or (), notes=tuple(notes))
    return found if spans is None else with_spans(found, spans)


def _check_types(path: str, used: Sequence[str], single: Sequence[str]) -> list[str]:
    """Refuses what a typed file holds for a column that is used; says what is passed over."""
    file_format = format_of(path)
    if file_format == JSON:
        with reading(path), open(path, "rb") as stream:
            formless = find_formless(unpacked(stream, path))
        require_forms(path, formless, used)
        return say_formless(path, formless)
    if file_format not in (PARQUET, ARROW):
        return []
    with reading(path):
        types = columnar_files.types_of(path, file_format, _open)
        require_holdable(path, types, used)
        if any(is_list(types[name]) for name in single if name in types):
            first = columnar_files.first_rows(path, file_format, _SAMPLED)
            require_single_values(path, first, single)
    return say_passed_over(path, types)


def _open(path: str):
    return open(path, "rb")


def find_files(path: Path) -> tuple[tuple[Path, ...], str]:
    """The files that a path means, sorted, and the glob that matches them in their folder.

    Raises:
        DataError: There are none, or of several formats.
    """
    if path.is_file():
        if not ending_of(path):
            raise DataError.explain(
                str(path), "its name has no known ending", _EXPECTED, "rename the file"
            )
        return (path,), glob.escape(path.name)
    try:
        every, pattern = data_files(path, "*") if path.is_dir() else ((), "*")
    except OSError as error:
        raise DataError.explain(
            error.filename or str(path),
            f"cannot be read ({error.strerror or error})",
            _EXPECTED,
            "check the permissions of the folder",
        ) from error
    found = [each for each in every if ending_of(each)]
    if not found:
        what = "the folder holds no such file" if path.is_dir() else "there is no such file"
        raise DataError.explain(str(path), what, _EXPECTED, "check the source's path")
    endings = sorted({ending_of(each) for each in found})
    if len(endings) > 1:
        raise DataError.explain(
            str(path),
            f"the folder holds files that end in {' and in '.join(endings)}",
            _EXPECTED,
            "move one kind into a folder of its own",
        )
    return tuple(found), f"{pattern}{endings[0]}"


def ending_of(path: Path) -> str:
    """The suffix that determines the format; empty if there is none."""
    fitting = [ending for ending in FORMATS if path.name.endswith(ending)]
    return max(fitting, key=len, default="")


def _names(
    files: Sequence[Path], csv_format: CsvFormat, wanted: Sequence[str]
) -> tuple[str, ...] | None:
    path = str(files[0])
    file_format = format_of(path)
    if file_format == JSON:
        return _names_of_objects(files, wanted)
    with reading(path), open(path, "rb") as stream:
        if file_format == CSV:
            return read_header(unpacked(stream, path, csv_format), path, csv_format).names
        if file_format == EXAMPLES:
            return None
        return columnar_files.plan(path, file_format, _open)[0][0]


def _names_of_objects(files: Sequence[Path], wanted: Sequence[str]) -> tuple[str, ...]:
    """Columns of files of JSON lines, of which one may lack what is missing in all its rows."""
    names: dict[str, None] = {}
    for path in map(str, files):
        with reading(path), open(path, "rb") as stream:
            names |= dict.fromkeys(read_names(path, unpacked(stream, path), wanted))
        if set(wanted) <= set(names):
            break
    require_possible_names(str(files[0]), names)
    return tuple(names)
