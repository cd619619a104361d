"""ColumnarExampleGen: reads by columns, reports every lost row, and records its sources.

A `FileBasedExampleGen` with TFX's driver: spans, versions, patterns, fingerprints, cache and the
check before it are TFX's. The reading is `data`'s, divided among workers by Beam
(`pipeline.ingest.beam_files`). What TFX's configuration has no words for (types, columns
to split by, the share of bad rows) travels as JSON in `custom_config`, and so is part of the cache
key.

Used by `pipeline.dag`. No `from __future__ import annotations`: TFX reads raw annotations.
"""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging
from google.protobuf import struct_pb2
from tfx import types
from tfx.components.example_gen import component as tfx_component
from tfx.components.example_gen import utils, write_split
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import (
    CUSTOM_CONFIG_KEY,
    EXAMPLES_KEY,
    INPUT_BASE_KEY,
    INPUT_CONFIG_KEY,
    OUTPUT_CONFIG_KEY,
    OUTPUT_DATA_FORMAT_KEY,
    OUTPUT_FILE_FORMAT_KEY,
)
from tfx.utils import proto_utils

from data.reading.csv_header import CsvFormat
from data.sources.hive import Keys, keys_of
from data.sources.local_query import LocalQuery
from data.sources.visible import visible, with_content
from data.splitting.hash import Splitting
from data.splitting.sample import Sampling
from data.writing.quarantine import is_too_many, require_few_bad
from fareline import recorded
from fareline.errors import DataError
from fareline.recorded.data import source_files_text
from fareline.recorded.texts import text_of
from pipeline.components.example_gen import sha256_of_data
from pipeline.components.lookup import mark_examples
from pipeline.ingest.beam_files import PARTS, Reading, open_source, read_files
from pipeline.ingest.beam_query import read_answer
from pipeline.ingest.protection import Protection
from pipeline.ingest.span_driver import SpanDriver


def pack_options(options: Mapping[str, Any]) -> example_gen_pb2.CustomConfig:
    """Options in `custom_config`: see `pipeline.nodes.example_gen.reading_options`."""
    config = example_gen_pb2.CustomConfig()
    packed = struct_pb2.Struct()
    # As text: a Struct would make a fraction of every whole number.
    packed.update({"options": json.dumps(options, sort_keys=True)})
    config.custom_config.Pack(packed)
    return config


def unpack_options(text: str | None) -> dict[str, Any]:
    """The packed record, from the execution's property."""
    if not text:
        return {}
    config, packed = example_gen_pb2.CustomConfig(), struct_pb2.Struct()
    proto_utils.json_to_proto(text, config)
    config.custom_config.Unpack(packed)
    return json.loads(packed["options"])


class Executor(base_beam_executor.BaseBeamExecutor):
    """Reads the source files into splits of tf.Examples."""

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads, splits, encodes and writes; records rows that were read and bad rows.

        Args:
            input_dict: Empty.
            output_dict: `examples`; gets TFX's properties and those of `fareline.recorded`; bad
                rows are in `quarantine.jsonl` in its folder. Where there were too many, the
                artifact goes, and they are in `quarantine/` beside the folder of all artifacts.
            exec_properties: `input_base`, and `input_config` with the patterns that TFX's driver
                has filled in; `output_config`; `custom_config`, see `pack_options`.

        Raises:
            DataError: The files cannot be read, or too many of their rows cannot.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(output_dict[EXAMPLES_KEY])
        options = unpack_options(exec_properties.get(CUSTOM_CONFIG_KEY))
        base = exec_properties[INPUT_BASE_KEY]
        tables, keys = _find_files(base, exec_properties[INPUT_CONFIG_KEY])
        paths = sorted({path for found in tables.values() for path in found})
        sql = options.get("sql")
        splitting = _splitting(exec_properties, options)
        examples.split_names = artifact_utils.encode_split_names(splitting.names)
        tmp_dir = os.path.join(self._get_tmp_dir(), "example_gen")
        dirs = [artifact_utils.get_split_uri([examples], name) for name in splitting.names]
        for folder in (tmp_dir, *dirs):
            fileio.makedirs(folder)
        csv_format = CsvFormat.from_options(options.get("csv_format", {}))
        reading = Reading(
            options.get("kinds", {}),
            splitting,
            dirs,
            tmp_dir,
            options.get("format"),
            Protection.from_options(options.get("privacy")),
            options.get("single", ()),
            csv_format,
            keys,
            Sampling(**options["sample"]) if "sample" in options else None,
        )
        with self._make_beam_pipeline() as pipeline:
            if sql is None:
                read_files(pipeline, paths, reading)
            else:
                query = LocalQuery(
                    sql["query"], tables, sql["text_columns"], sql["where"], csv_format, keys
                )
                read_answer(pipeline, query, reading)
        with fileio.open(os.path.join(tmp_dir, "report.json"), "r") as file:
            report = json.loads(file.read())
        _keep_quarantine(report, examples.uri, tmp_dir, options.get("max_bad_share", 0.0))
        _record(examples, report, base)
        if sql is not None:
            examples.set_string_custom_property(recorded.SOURCE_QUERY, sql["query"])
        if "sample" in options:
            examples.set_string_custom_property(recorded.SAMPLE, str(options["sample"]["rows"]))
        mark_examples(examples, exec_properties)
        file_format = exec_properties.get(OUTPUT_FILE_FORMAT_KEY)
        examples_utils.set_payload_format(examples, exec_properties[OUTPUT_DATA_FORMAT_KEY])
        if file_format:
            examples_utils.set_file_format(examples, write_split.to_file_format_str(file_format))
        fileio.rmtree(tmp_dir)
        logging.info("Examples generated: %s", report["splits"])


def _find_files(base: str, input_config: str) -> tuple[dict[str, list[str]], dict[str, Keys]]:
    """The files of each input split: one or several spans of a source, or tables of a query.

    Returns:
        Split to its files; and file to the columns that its folders say.
    """
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(input_config, config)
    globs = {split.name: os.path.join(base, split.pattern) for split in config.splits}
    paths = {
        name: with_content(visible(sorted(fileio.glob(pattern)), pattern), _size_of)
        for name, pattern in globs.items()
    }
    missing = [globs[name] for name, found in paths.items() if not found]
    if missing:
        raise DataError.explain(
            ", ".join(missing), "no file", "expected files to read", "check the source's path"
        )
    keys = {path: keys_of(path, globs[name]) for name, found in paths.items() for path in found}
    return paths, keys


def _size_of(path: str) -> int:
    """Of the start of a file: 0 if it is empty."""
    with open_source(path) as stream:
        return len(stream.read(1))


def _splitting(exec_properties: Mapping[str, Any], options: Mapping[str, Any]) -> Splitting:
    config, inputs = example_gen_pb2.Output(), example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[OUTPUT_CONFIG_KEY], config)
    proto_utils.json_to_proto(exec_properties[INPUT_CONFIG_KEY], inputs)
    shares = [(split.name, split.hash_buckets) for split in config.split_config.splits]
    if not shares:
        shares = [(name, 1) for name in utils.generate_output_split_names(inputs, config)]
    return Splitting(
        shares, options.get("split_by", ()), options.get("time"), options.get("starts", ())
    )


def _keep_quarantine(report: Mapping[str, Any], uri: str, tmp_dir: str, most: float) -> None:
    """Puts the bad rows of all pieces into one file, and stops if there are too many."""
    bad = sum(report["reasons"].values())
    place = os.path.join(uri, recorded.QUARANTINE_FILE)
    if is_too_many(bad, report["rows"], most):  # TFX removes the artifact of a failed execution
        key_dir, number = os.path.split(uri.rstrip("/"))
        place = os.path.join(os.path.dirname(key_dir), recorded.QUARANTINE_DIR, f"{number}.jsonl")
        fileio.makedirs(os.path.dirname(place))
    if bad:
        with fileio.open(place, "w") as target:
            for name in sorted(fileio.listdir(os.path.join(tmp_dir, PARTS))):
                with fileio.open(os.path.join(tmp_dir, PARTS, name), "r") as part:
                    while block := part.read(1 << 20):
                        target.write(block)
    message = ("ExampleGen", "", f"see {place}; data.max_bad_share sets the limit")
    require_few_bad(report["rows"], report["reasons"], report["first"], most, message)


def _record(examples: types.Artifact, report: Mapping[str, Any], base: str) -> None:
    files: Sequence[dict[str, Any]] = report["files"]
    examples.set_string_custom_property(recorded.SOURCE_FILES, source_files_text(files))
    examples.set_string_custom_property(recorded.DATA_SHA256, sha256_of_data(base, files))
    examples.set_string_custom_property(recorded.SPLIT_ROWS, text_of(report["splits"]))
    examples.set_string_custom_property(recorded.ROWS_READ, str(report["rows"]))
    if report["starts"]:
        examples.set_string_custom_property(recorded.SPLIT_STARTS, text_of(report["starts"]))
    examples.set_string_custom_property(recorded.QUARANTINED, text_of(report["reasons"]))


class ColumnarExampleGen(tfx_component.FileBasedExampleGen):
    """Reads CSV, JSON lines, Parquet, Arrow and TFRecord files into splits of tf.Examples."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    DRIVER_CLASS = SpanDriver
