"""Selects the ExampleGen for the source of the settings, with its arguments.

Called by `pipeline.dag`. Imports TFX by its modules.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.proto import example_gen_pb2, range_config_pb2

from data.reading.csv_header import COMMAS
from data.sources.span_patterns import has_span
from pipeline.components.columnar_example_gen import ColumnarExampleGen, pack_options
from pipeline.components.example_gen import CsvExampleGen
from pipeline.components.wanted_span import LATEST, PARAMETER, read_wanted_span
from pipeline.nodes.bigquery import build_big_query_example_gen
from pipeline.rules.settings import column_kinds, single_valued_columns
from pipeline.settings.data import CSV_EXAMPLE_GEN
from pipeline.settings.settings import Settings
from pipeline.user_code import EXAMPLE_GEN_SOURCES, PII_KEY_FN, fingerprint_sources


def build_example_gen(
    settings: Settings,
    data_dir: Any,
    pattern: str | Mapping[str, str],
    span_range: tuple[int, int] | None = None,
    parameterize: Callable[[str, Any], Any] = lambda name, value: value,
    pii_key_id: str | None = None,
) -> BaseBeamComponent:
    """Builds the first component.

    Args:
        settings: Validated.
        data_dir: Folder or URI of the input files, or the runtime parameter that stands for it;
            None: BigQuery is asked.
        pattern: Glob of the input files below it, with `{SPAN}` and so on where there are spans; of
            a query over files one for each table, by its name.
        span_range: The first and the last span to read; None: the one in the settings, or the
            latest.
        parameterize: Makes a runtime parameter of the span, if the runner has any.
        pii_key_id: Id of the key of pseudonyms, if the key is available.
    """
    output_config = example_gen_pb2.Output(
        split_config=example_gen_pb2.SplitConfig(
            splits=[
                example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=share)
                for name, share in settings.data.ordered_shares()
            ]
        )
    )
    if data_dir is None:
        source, span = settings.data.source.bigquery, settings.data.span
        return build_big_query_example_gen(source, span, output_config)
    patterns = {"all": pattern} if isinstance(pattern, str) else pattern
    places = {
        "input_base": data_dir,
        "input_config": example_gen_pb2.Input(
            splits=[
                example_gen_pb2.Input.Split(name=name, pattern=glob)
                for name, glob in sorted(patterns.items())
            ]
        ),
        "output_config": output_config,
        "range_config": _range_config(span_range),
    }
    if span_range is None and any(map(has_span, patterns.values())):
        span = settings.data.span
        wanted = parameterize(PARAMETER, LATEST if span is None else str(span))
        places["range_config"] = read_wanted_span(wanted) if isinstance(wanted, str) else wanted
    if settings.data.reader == CSV_EXAMPLE_GEN:
        return CsvExampleGen(**places)
    options = reading_options(settings, pii_key_id)
    return ColumnarExampleGen(**places, custom_config=pack_options(options))


def _range_config(span_range: tuple[int, int] | None) -> range_config_pb2.RangeConfig | None:
    if span_range is None:
        return None
    first, last = span_range
    spans = range_config_pb2.StaticRange(start_span_number=first, end_span_number=last)
    return range_config_pb2.RangeConfig(static_range=spans)


def reading_options(settings: Settings, pii_key_id: str | None = None) -> dict[str, Any]:
    """Options of `ColumnarExampleGen` beside TFX's own configuration, as plain JSON types.

    Args:
        settings: Validated.
        pii_key_id: Id of the key of pseudonyms, if the key is available.
    """
    options: dict[str, Any] = {
        "kinds": column_kinds(settings),
        "max_bad_share": settings.data.max_bad_share,
        "source_fingerprint": fingerprint_sources(EXAMPLE_GEN_SOURCES),
    }
    if settings.data.sample is not None:
        options["sample"] = {"rows": settings.data.sample, "seed": settings.seed}
    if settings.data.personal_columns():
        options["privacy"] = {
            "dropped": settings.data.personal_columns(pseudonymize=False),
            "pseudonymized": settings.data.personal_columns(pseudonymize=True),
            "key_fn": PII_KEY_FN,
            "key_id": pii_key_id,  # another key makes other rows
        }
    source = settings.data.source
    if source.csv is None and source.dataset is None:  # in a CSV file no row holds several values
        options["single"] = single_valued_columns(settings)
    if (csv_format := source.dialect) != COMMAS:
        options["csv_format"] = dataclasses.asdict(csv_format)
        if not csv_format.missing:
            del options["csv_format"]["missing"]
    if source.local_query is not None:
        texts = [name for name, kind in options["kinds"].items() if kind == "string"]
        options["sql"] = {
            "query": source.local_query.query,
            "text_columns": sorted({*texts, *settings.data.personal_columns()}),
            "where": f"{source.query_setting}.query",
        }
    split_by = settings.data.split_by
    if split_by is not None and split_by.time is not None:
        options["time"] = split_by.time
        options["starts"] = sorted(split_by.starts.values())
    elif split_by is not None:
        options["split_by"] = split_by.hash
    return options
