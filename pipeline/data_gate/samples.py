"""Samples for DriftMonitor: of Examples and of requests, with the label of each row.

Called by `pipeline.components.drift_monitor`. Imports no TensorFlow until rows are read.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.io import fileio

from data.reading.rows import Rows, Wanted
from data.reading.rows_file import open_rows
from fareline.errors import DataError
from fareline.scratch import scratch_folder
from monitoring.drift.compare import RECORD, RETUNE, WARN, Rule, Rules
from monitoring.drift.report import LABEL, Comparison
from monitoring.drift.samples import Sample, Sampler, take_sample
from pipeline.data_gate.coverage import labels_of_rows
from pipeline.data_gate.example_rows import rows_of_splits
from pipeline.data_gate.passed_data import DataSet
from preprocessing.labels import Amount, Label, parse_label
from schema.curated import column_kinds

MOST_ROWS = 10_000  # of each side


@dataclasses.dataclass(frozen=True)
class Task:
    """The compared columns and the rules.

    Attributes:
        drift: The settings `drift`, as plain JSON types.
        features: Columns that the model reads.
        names: Features that name things, though they may be numbers.
        label: The rule.
        private: Columns of which no value is to be written down.
        unlogged: Columns that are not compared with requests: no log of them has these, or not as
            they are in the Examples.
    """

    drift: Mapping[str, Any]
    features: Sequence[str]
    names: Sequence[str]
    label: Label
    private: Sequence[str]
    unlogged: Sequence[str]

    @classmethod
    def from_settings(cls, content: Mapping[str, Any]) -> "Task":
        """Reads plain JSON types, by the names of the attributes, and `task`."""
        label = parse_label(content["label"], content["task"])
        given = {name: content[name] for name in ("drift", "features", "names")}
        return cls(**given, label=label, private=content["private"], unlogged=content["unlogged"])

    @property
    def serving_sample(self) -> str | None:
        """Where the sample of requests is."""
        return self.drift["serving_sample"]

    def rules(self) -> Rules:
        """Rules for drift: features and label by the default, other columns are only recorded."""
        default = Rule(self.drift["default"])
        # A number that is predicted is compared as a column.
        label = self.label.column if isinstance(self.label, Amount) else LABEL
        columns = dict.fromkeys((*self.features, label), default)
        columns |= {
            name: Rule(rule["policy"], rule["distance"])
            for name, rule in self.drift["columns"].items()
        }
        given = ("false_alarms", "least_change", "least_new")
        bounds = {name: self.drift[name] for name in given if self.drift[name] is not None}
        return Rules(Rule(RECORD), columns, **bounds)

    def serving_rules(self) -> Rules:
        """Rules for requests; they start no search, since a search cannot change the requests."""
        rules = self.rules()
        columns = {
            name: dataclasses.replace(rule, policy=WARN) if rule.policy == RETUNE else rule
            for name, rule in rules.columns.items()
        }
        return dataclasses.replace(rules, columns=columns)

    def unnamed(self, comparison: Comparison) -> list[str]:
        """Columns whose values are never written: personal columns, and columns of no feature."""
        known = {*self.features, LABEL, *self.drift["columns"]}
        others = [column.name for column in comparison.columns if column.name not in known]
        return [*others, *self.private]

    def categories(self, contract: schema_pb2.Schema) -> list[str]:
        """Columns whose numbers name things, by the schema or by the features."""
        by_schema = [f.name for f in contract.feature if f.int_domain.is_categorical]
        return [*by_schema, *self.names]

    def features_of(self, sample: Sample) -> Sample:
        """The columns of a sample that a request has."""
        wanted = [name for name in self.features if name not in self.unlogged]
        columns = {name: sample.columns[name] for name in wanted if name in sample.columns}
        return dataclasses.replace(sample, columns=columns)


def sample_examples(data: DataSet, task: Task) -> Sample:
    """Rows of all splits, each with its label as a further column, but where that is a number."""
    sampler = Sampler(MOST_ROWS)
    for batch in rows_of_splits(data.uri, data.splits, sampler.choose):
        sampler.keep(_labelled(batch, task.label))
    return sampler.sample()


def _labelled(batch: Mapping[str, pa.Array], label: Label) -> Mapping[str, pa.Array]:
    if isinstance(label, Amount) or not batch:
        return batch
    rows = len(next(iter(batch.values())))
    named = pa.array(labels_of_rows(batch, rows, label), pa.large_string())
    return {**batch, LABEL: named.cast(pa.large_binary())}


def sample_requests(task: Task, contract: schema_pb2.Schema) -> Sample:
    """Rows that a prediction was asked for, of the columns that the model reads.

    Raises:
        DataError: The file is not there, or has no row that can be read.
    """
    assert task.serving_sample is not None
    kinds = column_kinds(contract)
    wanted = Wanted({c: kinds[c] for c in task.features if c in kinds and c not in task.unlogged})
    with scratch_folder("fareline-requests-") as folder:
        # Where it lies may be a bucket, and readers want a file.
        local = Path(folder, os.path.basename(task.serving_sample))
        if not fileio.exists(task.serving_sample):
            raise DataError.explain(
                f"drift.serving_sample: {task.serving_sample}",
                "no such file",
                "expected rows of prediction requests",
                "check the path, or leave it null",
            )
        fileio.copy(task.serving_sample, str(local))
        if local.suffix == ".jsonl":
            local = _unwrapped(local)
        sample = take_sample(map(_as_examples, open_rows(local, wanted)), MOST_ROWS)
    if all(array.null_count == len(array) for array in sample.columns.values()):
        found = "has no value of a feature" if sample.rows else "has no row that can be read"
        raise DataError.explain(
            f"drift.serving_sample: {task.serving_sample}",
            found,
            f"expected rows with {', '.join(wanted.kinds)}",
            "look at the file, or leave it null",
        )
    return sample


def _as_examples(rows: Rows) -> Mapping[str, pa.Array]:
    """Numbers as Examples hold them: a decimal is another one in 64 bits."""
    return {
        name: array.cast(pa.float32()) if pa.types.is_float64(array.type) else array
        for name, array in rows.features.items()
    }


def _unwrapped(path: Path) -> Path:
    """The same rows without what a log of requests has around each of them."""
    bare = path.with_name("rows.jsonl")
    as_it_is = {"encoding": "utf-8", "errors": "surrogateescape"}
    with path.open(**as_it_is) as lines, bare.open("w", **as_it_is) as file:
        for line in lines:
            try:
                row = json.loads(line).get("features")
            except (ValueError, AttributeError):
                row = None
            file.write(f"{json.dumps(row)}\n" if isinstance(row, dict) else line)
    return bare
