"""Recognizes files that are not tables, before they are read as CSV.

A CSV file may have any name, so other files are recognized by their first bytes. Called by
`data.profile.table`. Standard library only.
"""

from pathlib import Path

from fareline.errors import DataError

_PACKED = "a packed file", "name it with .csv.gz, or unpack it"
_EXPORT = "export the table as CSV or Parquet"
_BEGINNINGS = {
    b"\x1f\x8b": _PACKED,
    b"BZh": _PACKED,
    b"\xfd7zXZ\0": _PACKED,
    b"\x28\xb5\x2f\xfd": _PACKED,
    b"PK\x03\x04": ("a spreadsheet or a zip file", "export the table as CSV, or unpack it"),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet", "export the table as CSV"),
    b"SQLite format 3\0": ("an SQLite database", _EXPORT),
    b"%PDF-": ("a PDF file", _EXPORT),
    b"PAR1": ("a Parquet file", "name it with .parquet"),
    b"ARROW1\0\0": ("an Arrow file", "name it with .arrow"),
}


def require_table(path: Path) -> None:
    """Refuses a file of another format that would be read as CSV.

    Raises:
        DataError: The file has another format, which the message names.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return  # the reader says so
    found = next((kind for head, kind in _BEGINNINGS.items() if start.startswith(head)), None)
    if found is None and path.name.endswith(".json"):
        found = "a JSON document", "write one object per line, in a file that ends in .jsonl"
    if found is not None:
        kind, hint = found
        raise DataError.explain(str(path), f"is {kind}", "expected a CSV file", hint)
