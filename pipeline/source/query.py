"""Asks a query over files of this machine for its columns, before a run or a compilation.

Called by `runners.local.run` and `runners.submit.compilation`. Imports no TFX.
"""

import dataclasses
import os
from pathlib import Path

from data.sources.csv import CsvSource
from data.sources.hive import keys_of
from data.sources.local_query import LocalQuery
from data.sources.personal_columns import find_personal_columns
from data.sources.query import check_query, find_tables
from fareline.errors import DataError
from pipeline.rules.bigquery import names_span
from pipeline.rules.settings import column_kinds, required_columns, single_valued_columns
from pipeline.settings.settings import Settings
from pipeline.source.warnings import warnings_of_looks


def check_local_query(settings: Settings) -> CsvSource:
    """Asks a query over files for its columns, with the settings' tables.

    Raises:
        DataError: The query cannot be answered, or only BigQuery can answer it.
    """
    source = settings.data.source
    query, where = source.local_query, source.query_setting
    if query is None:
        raise DataError.explain(
            where,
            "a run on this machine does not ask BigQuery",
            f"expected files that stand for its tables, in {where}.files",
            "name some there, or send the pipeline to a cluster with `fareline submit`",
        )
    if names_span(query.query):
        raise DataError.explain(
            f"{where}.query",
            "names a span (@span_…), which is written in for BigQuery alone",
            "expected a query over files without it",
            "choose the rows by values, or put them into files with spans (docs/data-sources.md)",
        )
    paths = {
        name: Path(os.path.abspath(settings.resolve(path))) for name, path in query.files.items()
    }
    tables = find_tables(paths, f"{where}.files")
    personal = settings.data.personal_columns()
    kinds = {name: kind for name, kind in column_kinds(settings).items() if name not in personal}
    texts = [*personal, *(name for name, kind in kinds.items() if kind == "string")]
    files = {name: tuple(map(str, found)) for name, found in tables.files.items()}
    keys = {
        path: keys_of(path, tables.patterns[name])
        for name, found in files.items()
        for path in found
    }
    asked = LocalQuery(query.query, files, texts, f"{where}.query", source.dialect, keys)
    found = check_query(
        asked, tables, required_columns(settings), kinds, single_valued_columns(settings)
    )
    warnings = warnings_of_looks(settings, find_personal_columns(found.sample))
    return dataclasses.replace(found, notes=(*found.notes, *warnings))
