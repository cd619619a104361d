"""Inputs of the schema commands: the contract, rows of a file, statistics of the last run.

Called by `cli.schema`. TensorFlow is loaded by what comes after.
"""

import contextlib
import dataclasses
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fareline import collector
from fareline.errors import DataError, UserMistake
from runners.stores import open_graph

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from data.sources.sample import Sample
    from lineage.graph.elements import Artifact
    from lineage.graph.graph import Graph
    from pipeline.settings.settings import Settings
    from schema.review.review import Review

_STATISTICS_FILE = "FeatureStats.pb"  # in the folder of each split, as StatisticsGen names it


@dataclasses.dataclass(frozen=True)
class Contract:
    """The curated schema, and the settings that name it.

    Attributes:
        settings: Settings of the pipeline.
        path: The file.
        text: Its content, with its line ends.
        schema: Meaning of the schema.
    """

    settings: "Settings"
    path: Path
    text: str
    schema: "schema_pb2.Schema"

    @property
    def sha256(self) -> str:
        """SHA-256 of the schema's text."""
        from schema.review.history import sha256_of_text

        return sha256_of_text(self.text)


def read_settings(config: Path | None) -> "Settings":
    """The settings that were named, or those of the taxi pipeline."""
    from pipeline.settings.load import load_settings

    return load_settings(config)


def read_contract(config: Path | None, schema: str | None) -> Contract:
    """The schema that was named, or the one of the settings.

    Raises:
        UserMistake: The settings name no schema.
    """
    from schema.curated import load_schema, schema_path

    settings = read_settings(config)
    if schema is not None:
        path = schema_path(schema, Path())
    elif settings.schema_ is None:
        raise UserMistake.explain(
            f"{settings.path}: schema",
            "null",
            "expected a curated schema to review",
            "write a first one with `fareline schema infer DATA`, and name it there",
        )
    else:
        path = schema_path(settings.schema_, settings.path.parent)
    found = load_schema(path)
    return Contract(settings, path.resolve(), path.read_bytes().decode(), found)


def read_rows(path: Path, contract: "schema_pb2.Schema | None", settings: "Settings") -> "Sample":
    """Reads rows by the types of the contract; columns that never reach a run are left out.

    Raises:
        DataError: There is nothing to read.
    """
    from data.sources.sample import MAX_ROWS, read_sample
    from runners.publishing.live_model import quieten_tensorflow
    from schema.curated import column_kinds

    quieten_tensorflow()  # which reads TFRecords

    kinds = {} if contract is None else column_kinds(contract)
    sample = read_sample(path, kinds, csv_format=settings.data.source.dialect)
    for note in sample.notes:
        tell(note)
    if not sample.is_whole:
        tell(f"{path} holds more rows; the first {sample.rows:,} were read (about {MAX_ROWS:,})")
    return sample.without(settings.data.personal_columns(pseudonymize=False))


def find_unreadable(sample: "Sample", max_share: float) -> tuple[str, str] | None:
    """The refusal if more rows cannot be read than a run would quarantine.

    Fewer are left out, as a run would, and that is said.
    """
    from data.writing.quarantine import is_too_many

    count = len(sample.bad)
    if not count:
        return None
    first, rows = sample.bad[0], count + sample.rows
    said = f"{count:,} of {rows:,} rows cannot be read, the first in line {first.line}"
    said += f" ({first.fault.message})"
    if not is_too_many(count, rows, max_share):
        tell(f"{said}; left out, as a run would")
        return None
    return said, f"at most {max_share * 100:.4g} % of the rows (data.max_bad_share)"


def require_readable(sample: "Sample", path: Path, settings: "Settings") -> None:
    """Refuses rows that are not sufficient for inference, because too many are missing.

    Raises:
        DataError: A run would stop for the same reason.
    """
    found = find_unreadable(sample, settings.data.max_bad_share)
    if found:
        said, expected = found
        hint = "mend the rows, or raise data.max_bad_share"
        if any(bad.fault.reason == "not_utf8" for bad in sample.bad):
            hint = "convert the file to UTF-8, or set data.source.csv_format.encoding"
        raise DataError.explain(str(path), said, f"expected {expected}", hint)


def tell(note: str) -> None:
    """Prints a remark beside the answer."""
    sys.stderr.write(f"fareline: {note}\n")


def load_tfdv() -> None:
    """Loads TFDV quietly."""
    from runners.publishing.live_model import quieten_tensorflow

    quieten_tensorflow()
    # On stderr it says that IPython is not there.
    with contextlib.redirect_stderr(io.StringIO()), collector.paused():
        import tensorflow_data_validation  # noqa: F401


def statistics_of(sample: "Sample") -> Any:
    """A `DatasetFeatureStatisticsList` of the rows."""
    load_tfdv()
    from schema.review.statistics import make_statistics

    return make_statistics(sample.columns())


@dataclasses.dataclass(frozen=True)
class LastRun:
    """The inferred schema and the statistics of the latest data.

    Attributes:
        schema: Its output.
        run_id: Id of the latest run with this output.
        files: One file of statistics for each split.
    """

    schema: "Artifact"
    run_id: str
    files: Sequence[Path]

    def read(self) -> list[Any]:
        """One `DatasetFeatureStatisticsList` for each split, an empty cell counted as missing."""
        from tensorflow_metadata.proto.v0 import statistics_pb2

        from schema.review.statistics import count_empty_as_missing

        splits = []
        for file in self.files:
            splits.append(statistics_pb2.DatasetFeatureStatisticsList())
            splits[-1].ParseFromString(file.read_bytes())
            count_empty_as_missing(splits[-1])
        return splits


def find_last_run(workspace: Path, store: str | None, pipelines: Sequence[str]) -> LastRun:
    """Finds the latest output of SchemaGen of some pipelines.

    Raises:
        UserMistake: No run has statistics, or they are not on this machine.
    """
    graph = open_graph(workspace, store)
    found = _latest_schema(graph, pipelines)
    hint = "run the pipeline, or name the data: `fareline schema diff DATA`"
    if found is None:
        raise UserMistake.explain(
            str(store or workspace),
            f"holds no output of SchemaGen of the pipeline {pipelines[0]!r}",
            "expected a run of it",
            hint,
        )
    schema, run_id = found
    files = [file for artifact in _statistics_seen(graph, schema) for file in _files_of(artifact)]
    if not files:
        raise UserMistake.explain(
            f"{schema.key} of run {run_id}",
            "the statistics that it was inferred from are not on this machine",
            f"expected Split-*/{_STATISTICS_FILE}",
            hint,
        )
    return LastRun(schema, run_id, files)


def _latest_schema(graph: "Graph", pipelines: Sequence[str]) -> "tuple[Artifact, str] | None":
    """By the last execution that has it as output: a cached one brings an older artifact back."""
    found = []
    for artifact in graph.artifacts_of_type("Schema"):
        for execution in graph.producers(artifact):
            is_ours = execution.place.pipeline in pipelines
            if is_ours and execution.type.rpartition(".")[2] == "SchemaGen":
                found.append((execution.id, artifact, execution.place.run_id))
    return max(found, key=lambda each: each[0])[1:] if found else None


def _statistics_seen(graph: "Graph", schema: "Artifact") -> "list[Artifact]":
    for execution in graph.producers(schema):  # cached ones have no inputs
        if artifacts := graph.inputs(execution).get("statistics"):
            return artifacts
    return []


def _files_of(artifact: "Artifact") -> list[Path]:
    from lineage.facts.payload import local_path

    folder = local_path(artifact.uri)
    return sorted(folder.glob(f"Split-*/{_STATISTICS_FILE}")) if folder else []


def review_data_of(
    contract: Contract, data: Path | None, workspace: Path, store: str | None
) -> "tuple[Review, str, int]":
    """The review of the latest run's data or of a named source, with its description and rows."""
    if data is None:
        settings = contract.settings
        last = find_last_run(workspace, store, (settings.name, settings.data_pipeline_name))
        what = f"{last.schema.key} of run {last.run_id}"
        load_tfdv()
        splits = last.read()
    else:
        what = str(data)
        sample = read_rows(data, contract.schema, contract.settings)
        require_readable(sample, data, contract.settings)
        splits = [statistics_of(sample)]
    from schema.review.review import review_data
    from schema.review.statistics import count_rows

    return review_data(contract.schema, splits), what, count_rows(splits)
