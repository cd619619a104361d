"""Finds the files of a query's tables, and asks the query for its columns, before a run starts.

Called by `runners`. Imports neither TFX nor TensorFlow.
"""

import dataclasses
import glob
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from data.reading.column_types import (
    require_holdable,
    require_single_values,
    say_passed_over,
)
from data.reading.columnar import require_fitting
from data.reading.pieces import CSV, FORMATS, PARQUET
from data.sources.csv import CsvSource, require_columns_of_source
from data.sources.files import ending_of, find_files
from data.sources.local_query import LocalQuery, kinds_of_answer, open_query
from data.sources.visible import visible, with_content
from fareline.errors import DataError

_SAMPLED = 1_000  # rows that are looked at for what looks personal
_EXPECTED = "expected Parquet or CSV files, all of one kind"


@dataclasses.dataclass(frozen=True)
class Tables:
    """The files that a query may read.

    Attributes:
        base: The deepest folder that all of them are below.
        patterns: Table to the glob of its files, relative to `base`.
        files: Table to its files, sorted.
    """

    base: Path
    patterns: Mapping[str, str]
    files: Mapping[str, tuple[Path, ...]]


def find_tables(paths: Mapping[str, Path], where: str) -> Tables:
    """Finds the files of tables.

    Args:
        paths: Table to an absolute path: a file, a folder of files of one kind, or a glob.
        where: The setting that names them.

    Raises:
        DataError: There are none, or they are neither Parquet nor CSV.
    """
    globs, files = {}, {}
    for name, path in paths.items():
        files[name], globs[name] = _find(path, f"{where}.{name}")
    base = os.path.commonpath([os.path.dirname(pattern) for pattern in globs.values()])
    while glob.has_magic(base):
        base = os.path.dirname(base)
    patterns = {name: os.path.relpath(pattern, base) for name, pattern in globs.items()}
    return Tables(Path(base), patterns, files)


def _find(path: Path, where: str) -> tuple[tuple[Path, ...], str]:
    """The files that a path means, and the absolute glob that matches them."""
    text = str(path)
    if "**" in text:
        raise DataError.explain(
            where, f"found {text}", "expected no **", "name each level of folders with *"
        )
    if path.exists() or not glob.has_magic(text):
        files, pattern = find_files(path)
        parent = path if path.is_dir() else path.parent
        text = os.path.join(glob.escape(str(parent)), pattern)
    else:
        found = with_content(visible(sorted(glob.glob(text)), text), os.path.getsize)
        files = tuple(map(Path, found))
    if not files:
        raise DataError.explain(where, f"no file is {text}", _EXPECTED, "check the path")
    endings = sorted({ending_of(file) for file in files})
    if len(endings) > 1 or FORMATS.get(endings[0]) not in (CSV, PARQUET):
        found = " and in ".join(ending or "nothing known" for ending in endings)
        raise DataError.explain(
            where, f"{text} has files that end in {found}", _EXPECTED, "name a table for each kind"
        )
    return files, text


def check_query(
    query: LocalQuery,
    tables: Tables,
    required: Sequence[str],
    kinds: Mapping[str, str],
    single: Sequence[str] = (),
) -> CsvSource:
    """Checks that a query can be answered, with the columns needed and with a row.

    DuckDB works until the first rows are there: for a query that sorts or groups, all of it.

    Args:
        query: Over the files of `tables`.
        tables: From `find_tables`.
        required: The columns that the settings name.
        kinds: Kinds of the columns that the schema describes.
        single: The columns that are used as one value a row.

    Raises:
        DataError: The query cannot be answered; with line and column in the query.
    """
    with open_query(query) as reader:
        found = kinds_of_answer(reader.schema)
        names = tuple(reader.schema.names)
        require_columns_of_source(Path(query.where), names, required)
        types = {field.name: field.type for field in reader.schema}
        require_holdable(query.where, types, required)
        sample = next((batch for batch in reader if batch.num_rows), None)
        for index, field in enumerate(reader.schema):
            # DuckDB takes an empty column of a CSV file for text; a value further on is looked at
            # when it is read.
            if field.name not in found and field.name not in kinds:
                continue
            if sample is None or sample.column(index).null_count < sample.num_rows:
                kind = kinds.get(field.name, found.get(field.name))
                require_fitting(query.where, field.name, field.type, kind)
    if sample is None:
        raise DataError.explain(
            query.where,
            "the query returns no row",
            "expected rows to learn from",
            f"look into its conditions, and into {', '.join(query.tables)}",
        )
    columns = dict(zip(names, sample.columns, strict=True))
    require_single_values(query.where, columns, single)
    files = tuple(sorted({file for found in tables.files.values() for file in found}))
    notes = tuple(say_passed_over(query.where, types))
    return CsvSource(
        tables.base, tables.patterns, files, names, notes=notes, sample=_texts(sample, found)
    )


def _texts(batch, names: Collection[str]) -> dict[str, list[str]]:
    """Some values of each column as text, for the check for personal data."""
    rows = batch.slice(0, _SAMPLED)
    return {
        name: [str(value) for value in array.to_pylist() if value is not None]
        for name, array in zip(rows.schema.names, rows.columns, strict=True)
        if name in names
    }
