"""Warnings about a source that are not errors, for `fareline run` and `check`.

Looks at what lies on this machine, the first rows of each file. Imports no TFX.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from data.reading.pieces import FORMATS
from data.sources.csv import data_files
from data.sources.personal_columns import find_personal_columns, sample_columns
from data.sources.span_patterns import has_span
from data.sources.spans import find_gaps
from pipeline.settings.settings import Settings


def personal_warnings(settings: Settings, files: Sequence[Path]) -> list[str]:
    """Columns that look personal and of which the settings say nothing.

    Args:
        settings: Valid.
        files: Files of the source; what cannot be read is passed over.
    """
    csv_format = settings.data.source.dialect
    return warnings_of_looks(settings, find_personal_columns(sample_columns(files, csv_format)))


def warnings_of_looks(settings: Settings, looks: Mapping[str, str]) -> list[str]:
    """A line for each column that looks like something and of which the settings say nothing."""
    return [
        f"warning: column {name} looks like {kind}; data.columns.{name} says what becomes of it"
        for name, kind in looks.items()
        if name not in settings.data.columns
    ]


def source_warnings(settings: Settings) -> list[str]:
    """The warnings about a source that a cluster is to read, as far as it lies here as well.

    Raises:
        DataError: The pattern of its spans is invalid, or a file does not match it.
    """
    if settings.data.source.path is None:
        return []
    path = settings.resolve(settings.data.source.path)
    if has_span(str(path)):
        files, gaps = find_gaps(str(path))
        return [*personal_warnings(settings, files), *(f"warning: {gap}" for gap in gaps)]
    files = [path]
    if path.is_dir():
        files = [file for file in data_files(path, "*")[0] if file.name.endswith(tuple(FORMATS))]
    return personal_warnings(settings, files)
