"""Rows of examples as DataFrames, and what a model says of rows. Imports TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from data.example_query import ExampleQuery, read_table
from data.reading.columnar import convert_column
from data.reading.examples import read_records
from data.reading.rows import Wanted, require_columns, sort_out
from data.reading.values import Fault
from data.writing.encode import encode_examples
from fareline.errors import DataError
from preprocessing.labels import BINARY, REGRESSION, Label, Share
from serving.model.batch import BatchPredictor
from serving.model.outputs import name_outputs

_SPLIT = "split"
_ROWS = 4096  # that a model gets at once


def read_rows(files: Mapping[str, Sequence[str]], condition: str | None) -> pd.DataFrame:
    """Reads splits as one table.

    Args:
        files: Split to its files. Of several, a column says which a row is of.
        condition: SQL over the columns; None: all rows.
    """
    query = ExampleQuery(condition) if condition is not None else None
    parts = {split: read_table(paths, query).to_pandas() for split, paths in files.items()}
    if len(parts) == 1:
        [table] = parts.values()
        return table
    for split, table in parts.items():
        table[_SPLIT] = split
    return pd.concat(parts.values(), ignore_index=True)


def predict_files(
    path: Path, files: Mapping[str, Sequence[str]], label: Label | None
) -> pd.DataFrame:
    """The rows of examples, with the label and what a model says of each in further columns.

    Args:
        path: Path of the model.
        files: Files of the examples to ask it about, by split.
        label: The rule by which rows have a label; None: it is not known.
    """
    table = read_rows(files, None)
    labels = None if label is None else _labels(table, label)
    predictor = _predictor(str(path))
    answers = [
        _answers(predictor, np.array(records, object))
        for paths in files.values()
        for each in paths
        for records in read_records(each, _ROWS)
    ]
    found = pd.concat(answers, ignore_index=True)
    if labels is not None:
        found.insert(0, "label", labels)
    for name in found:
        table[name if name not in table else f"{name}_of_model"] = found[name]
    return table


def _labels(table: pd.DataFrame, rule: Label) -> pd.Series | None:
    """What each row is by the rule: 0 or 1, the name of a class, an amount; None if it has none."""
    if not set(rule.columns) <= set(table.columns):
        return None
    if isinstance(rule, Share):
        value, reference = (table[name].astype(np.float32).fillna(0) for name in rule.columns)
        return rule.exceeds(value, reference).astype(int)
    values = table[rule.column]
    if rule.task == REGRESSION:
        return values.where(np.isfinite(values))
    names = values.astype(object).where(values.notna(), None).map(rule.name_of)
    return names.map({"0": 0, "1": 1}) if rule.task == BINARY else names


def predict_rows(path: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The predictions of a model for rows.

    Raises:
        DataError: The model cannot read a value, or a value is missing.
    """
    predictor = _predictor(str(path))
    kinds = {name: column.kind for name, column in predictor.columns.items()}
    required = frozenset(name for name, column in predictor.columns.items() if column.required)
    wanted = Wanted(kinds, required)
    where = Path("rows")
    require_columns(where, [str(name) for name in rows.columns], wanted)
    columns = {name: pa.Array.from_pandas(rows[name]) for name in kinds if name in rows}
    faults: dict[int, Fault] = {}
    features = sort_out(columns, wanted, faults, convert_column)
    if faults:
        row = min(faults)
        raise DataError.explain(
            f"row {row}",
            faults[row].message,
            f"expected values that the model can read; {len(faults)} rows have others",
            "leave these rows out, or correct them",
        )
    parts = [
        _answers(
            predictor,
            encode_examples(
                {name: array.slice(start, _ROWS) for name, array in features.items()},
                min(_ROWS, len(rows) - start),
            ),
        )
        for start in range(0, len(rows), _ROWS)
    ]
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return found.set_index(rows.index) if parts else pd.DataFrame(index=rows.index)


@lru_cache(maxsize=2)
def _predictor(path: str) -> BatchPredictor:
    return BatchPredictor(path)


def _answers(predictor: BatchPredictor, examples: np.ndarray) -> pd.DataFrame:
    return pa.table(name_outputs(predictor.predict(examples))).to_pandas()
