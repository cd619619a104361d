"""Everything that can be wrong with a source and its settings, found before anything is run."""

import dataclasses
from collections.abc import Callable

from data.sources.csv import CsvSource, check_csv_example_gen_reads_alike, check_csv_source
from data.sources.files import check_source_files
from data.sources.span_patterns import has_span
from data.sources.spans import resolve_spans
from data.taxi import taxi_csv_path
from pipeline.rules.settings import (
    check_settings,
    column_kinds,
    required_columns,
    single_valued_columns,
)
from pipeline.settings.data import COLUMNAR
from pipeline.settings.settings import TRAINING, Settings
from pipeline.source.query import check_local_query
from pipeline.source.warnings import personal_warnings


def check_request(settings: Settings, read_key: Callable[[], bytes]) -> CsvSource:
    """Finds every mistake that can be found without running anything.

    Args:
        settings: Valid in themselves.
        read_key: Gives the key of pseudonyms; called where the settings need one.

    Returns:
        The input files; none with `pipeline: training`, which reads none.

    Raises:
        SettingsError, DataError: One clear message.
    """
    check_settings(settings)
    if settings.pipeline == TRAINING:  # the data pipeline has read and checked it
        return CsvSource(settings.path.parent, "", (), ())
    if settings.data.personal_columns(pseudonymize=True):
        read_key()
    source, required = settings.data.source, required_columns(settings)
    csv_format, spans = source.dialect, None
    if has_span(source.path or ""):
        path = str(settings.resolve(source.path))
        spans = resolve_spans(path, settings.data.span, settings.data.window)
    if source.sql or source.bigquery:
        return check_local_query(settings)
    if source.files:
        path = settings.resolve(source.files)
        kinds = column_kinds(settings)
        found = check_source_files(
            path, required, spans, kinds, single_valued_columns(settings), csv_format
        )
        return _with_warnings(settings, found)
    path = settings.resolve(source.csv) if source.csv else taxi_csv_path()
    columnar = settings.data.reader == COLUMNAR
    found = check_csv_source(path, required, columnar, spans, csv_format)
    if not columnar:
        check_csv_example_gen_reads_alike(found)
    return _with_warnings(settings, found)


def _with_warnings(settings: Settings, found: CsvSource) -> CsvSource:
    warnings = personal_warnings(settings, found.files)
    return dataclasses.replace(found, notes=(*found.notes, *warnings))
