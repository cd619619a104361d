"""Checks a source of any format that the columnar reader knows, before a run starts.

Called by `runners`. Reads the names of the columns, never a whole file; imports neither TFX nor
TensorFlow.
"""

import glob
from collections.abc import Sequence
from pathlib import Path

from data.reading import columnar as columnar_files
from data.reading.csv_blocks import read_header, unpacked
from data.reading.pieces import CSV, EXAMPLES, FORMATS, format_of, reading
from data.sources.csv import CsvSource, require_columns_of_source, with_spans
from data.sources.spans import SpanSource
from fareline.errors import DataError

_EXPECTED = f"expected a file that ends in {', '.join(FORMATS)}, or a folder of files of one kind"


def check_source_files(
    path: Path, required_columns: Sequence[str], spans: SpanSource | None = None
) -> CsvSource:
    """Checks that a file, or the files of a folder, can be read and have the columns needed.

    Args:
        path: A file, or a folder whose files all have the same ending.
        required_columns: The columns that the settings name; of examples only reading tells them.
        spans: Where the source has spans: those to read, found before.

    Raises:
        DataError: Nothing is there to read, or a column is missing.
    """
    files, pattern = find_files(path) if spans is None else (spans.files, spans.pattern)
    names = _names(str(files[0]))
    if names is not None:
        require_columns_of_source(path, names, required_columns)
    found = CsvSource(files[0].parent, pattern, files, names or ())
    return found if spans is None else with_spans(found, spans)


def find_files(path: Path) -> tuple[tuple[Path, ...], str]:
    """The files that a path means, sorted, and the glob that matches them in their folder.

    Raises:
        DataError: There are none, or of several formats.
    """
    if path.is_file():
        if not ending_of(path):
            raise DataError.explain(
                str(path), "its name ends in nothing that is known", _EXPECTED, "rename the file"
            )
        return (path,), glob.escape(path.name)
    found = sorted(each for each in path.glob("*") if ending_of(each)) if path.is_dir() else []
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
    return tuple(found), f"*{endings[0]}"


def ending_of(path: Path) -> str:
    """The ending that tells the format; empty if none does."""
    fitting = [ending for ending in FORMATS if path.name.endswith(ending)]
    return max(fitting, key=len, default="")


def _names(path: str) -> tuple[str, ...] | None:
    file_format = format_of(path)
    with reading(path), open(path, "rb") as stream:
        if file_format == CSV:
            return read_header(unpacked(stream, path), path).names
        if file_format == EXAMPLES:
            return None
        return columnar_files.plan(path, file_format, lambda name: open(name, "rb"))[0][0]
