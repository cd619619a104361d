"""CsvExampleGen: TFX's own, which also records which files it read, with the SHA-256 of each.

TFX records sizes and times of the files alone (`input_fingerprint`), which do not show later
whether a file is still the one that a model learned from. Driver, splits and type names are TFX's.

Used by `pipeline.dag`. No `from __future__ import annotations`: TFX reads raw annotations.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.example_gen.csv_example_gen import component as tfx_component
from tfx.components.example_gen.csv_example_gen import executor as tfx_executor
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import EXAMPLES_KEY, INPUT_BASE_KEY, INPUT_CONFIG_KEY
from tfx.utils import io_utils, proto_utils

from data.reading.csv_header import require_distinct_header
from data.sources.visible import visible, with_content
from fareline.digests import sha256_of_stream
from fareline.errors import DataError
from fareline.recorded import DATA_SHA256, SOURCE_FILES
from fareline.recorded.data import source_files_text
from fareline.scratch import scratch_folder
from pipeline.components.lookup import mark_examples
from pipeline.ingest.span_driver import SpanDriver


class Executor(tfx_executor.Executor):
    """TFX's executor; afterwards the source files are hashed."""

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads the rows, then hashes the files that they came from.

        Each file is hashed once, right after Beam has read it to the end: a file that somebody
        replaces while it is being read is recorded as it was after that.

        Args:
            input_dict: Empty.
            output_dict: `examples`; gets TFX's properties, and `source_files` and `data_sha256` as
                `fareline.recorded` has them.
            exec_properties: `input_base` and `input_config`, in whose patterns TFX's driver has
                filled in span and version; and the rest of TFX's.

        Raises:
            DataError: The files are gone, or one repeats a column, which TFX would read once.
        """
        base = exec_properties[INPUT_BASE_KEY]
        config = example_gen_pb2.Input()
        proto_utils.json_to_proto(exec_properties[INPUT_CONFIG_KEY], config)
        for path in _find_files(base, [split.pattern for split in config.splits]):
            require_distinct_header(path, io_utils.load_csv_column_names(path))
        with _as_one_split(base, config) as properties:
            super().Do(input_dict, output_dict, exec_properties | properties)
        files = describe_files(base, [split.pattern for split in config.splits])
        examples = artifact_utils.get_single_instance(output_dict[EXAMPLES_KEY])
        examples.set_string_custom_property(SOURCE_FILES, source_files_text(files))
        examples.set_string_custom_property(DATA_SHA256, sha256_of_data(base, files))
        mark_examples(examples, exec_properties)


@contextlib.contextmanager
def _as_one_split(base: str, config: example_gen_pb2.Input) -> Iterator[dict[str, str]]:
    """Gives TFX's executor one input split for several: it divides no more than one.

    Of several spans, that is a folder of links to their files, so that the types of the columns are
    those of all rows. Where there are several spans, they are on this machine. So it is where a
    folder of this machine holds more than data.
    """
    paths = [p for s in config.splits for p in _data_files(base, s.pattern)]
    if len(config.splits) == 1 and (
        "://" in base or len(paths) == len(list(Path(base).glob(config.splits[0].pattern)))
    ):
        yield {}
        return
    with scratch_folder("fareline-files-") as folder:
        for number, path in enumerate(paths):
            os.symlink(os.path.abspath(path), f"{folder}/{number:09}.csv")
        split = example_gen_pb2.Input.Split(name="all", pattern="*.csv")
        one = proto_utils.proto_to_json(example_gen_pb2.Input(splits=[split]))
        yield {INPUT_BASE_KEY: folder, INPUT_CONFIG_KEY: one}


def describe_files(base: str, patterns: Sequence[str]) -> list[dict[str, Any]]:
    """Hashes the files that TFX reads for these patterns.

    Args:
        base: Folder or URI.
        patterns: Globs below it, one per input split, span and version filled in.

    Returns:
        `path`, `bytes` and `sha256` of each file, sorted by path.

    Raises:
        DataError: The source has no rows.
    """
    paths = _find_files(base, patterns)
    if not paths:
        raise DataError.explain(
            ", ".join(os.path.join(base, pattern) for pattern in patterns),
            "no file any more after reading",
            "expected the files that were read",
            "leave the source alone while a run reads it",
        )
    return [_describe_file(path) for path in paths]


def _find_files(base: str, patterns: Sequence[str]) -> list[str]:
    """As TFX's executor matches them, without what is no data."""
    return sorted({path for pattern in patterns for path in _data_files(base, pattern)})


def _data_files(base: str, pattern: str) -> list[str]:
    paths = visible(sorted(fileio.glob(os.path.join(base, pattern))), pattern)
    return paths if "://" in base else with_content(paths, os.path.getsize)


def _describe_file(path: str) -> dict[str, Any]:
    with fileio.open(path, "rb") as reader:
        digest = sha256_of_stream(reader)
        return {"path": path, "bytes": reader.tell(), "sha256": digest}


def sha256_of_data(base: str, files: Sequence[dict[str, Any]]) -> str:
    """One SHA-256 over the names below `base` and the contents of all files.

    The same data in another folder has the same digest.
    """
    digest = hashlib.sha256()
    for file in files:
        name = os.path.relpath(file["path"], base)
        digest.update(f"{name}\0{file['sha256']}\n".encode())
    return digest.hexdigest()


class CsvExampleGen(tfx_component.CsvExampleGen):
    """Reads CSV files into splits of tf.Examples."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    DRIVER_CLASS = SpanDriver
