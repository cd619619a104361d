"""The live model of a workspace, and the split that it was evaluated on, with its scores.

Scores are what the model itself answers to that split. They are kept in the workspace, since they
never change. Called by `runners.watching.watching`. Imports TensorFlow where they are not kept yet.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fareline.errors import UserMistake
from fareline.files import written_beside
from lineage.graph.graph import Graph
from monitoring.drift.samples import first_values, joined
from monitoring.live.rows import SCORE, Rows
from pipeline.data_gate.coverage import labels_of_rows
from preprocessing.labels import Label
from runners.publishing.live_model import push_folder, quieten_tensorflow
from runners.publishing.published import Published, read_destinations, workspace_folders
from runners.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings

_LABEL = "(label)"
_SPLIT = "eval"
_MOST_ROWS = 50_000


@dataclasses.dataclass(frozen=True)
class Live:
    """The live model.

    Attributes:
        base: Folder above the versions.
        version: Version, with its records in the store.
        examples: URI of the Examples that it was made of.
    """

    base: Path
    version: Published
    examples: str

    @property
    def sha256(self) -> str:
        """SHA-256 of its files."""
        return self.version.recorded.sha256 or ""

    @property
    def made_ms(self) -> int:
        """When the model was trained, milliseconds since 1970; a copy is as old as its origin."""
        return self.version.recorded.model.model.created


def find_live(workspace: Workspace, settings: "Settings", graph: Graph) -> Live:
    """Finds what is served, and what it was evaluated on.

    Raises:
        UserMistake: No model is live, or the store has no record of its data.
    """
    base = push_folder(settings, workspace, settings.name)
    places = read_destinations(graph, workspace_folders(workspace.root / "serving"))
    place = next((each for each in places if Path(each.base) == base), None)
    version = place.live if place is not None else None
    if version is None:
        raise UserMistake.explain(
            str(base),
            "holds no model version",
            "expected the live model",
            "`fareline run` pushes a model there once one is blessed",
        )
    model = version.recorded.model if version.recorded else None
    examples = [Path(each.uri) for each in model.examples] if model else []
    if not examples or not (examples[-1] / f"Split-{_SPLIT}").is_dir():
        raise UserMistake.explain(
            f"version {version.number}",
            "has no recorded reference"
            if not examples
            else f"its reference is gone from {examples[-1]}",
            f"expected the split {_SPLIT} that it was evaluated on",
            "`fareline run` trains and evaluates a model whose data is recorded",
        )
    return Live(base, version, str(examples[-1]))


def read_reference(workspace: Workspace, settings: "Settings", live: Live, label: Label) -> Rows:
    """Reads the split with the model's scores; asks the model where they are not kept yet."""
    left_out = sorted(settings.unlogged_columns.union(settings.unserved_columns))
    told = json.dumps([live.sha256, live.version.number, live.examples, left_out, repr(label)])
    name = f"reference-{hashlib.sha256(told.encode()).hexdigest()[:16]}.parquet"
    path = workspace.monitoring_dir / name
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        table = _score(live, left_out, label)
        with written_beside(path) as part:
            pq.write_table(table, part)
    table = pq.read_table(path)
    columns = {
        name: first_values(table.column(name))
        for name in table.column_names
        if name not in (SCORE, _LABEL)
    }
    scores, labels = (table.column(n).to_numpy().astype(np.float64) for n in (SCORE, _LABEL))
    return Rows(columns, np.zeros(table.num_rows, np.int64), scores, labels)


def _score(live: Live, left_out: Iterable[str], label: Label) -> pa.Table:
    quieten_tensorflow()
    from data.reading.examples import read_columns, read_records
    from serving.model.batch import BatchPredictor
    from serving.model.start import leave_out_optional_packages

    leave_out_optional_packages()
    folder = Path(live.examples, f"Split-{_SPLIT}")
    files = [str(p) for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    predictor = BatchPredictor(str(live.base / str(live.version.number)), live.version.number)
    wanted = sorted(predictor.columns.keys() - set(left_out))
    parts: dict[str, list[pa.Array]] = {name: [] for name in [*wanted, SCORE, _LABEL]}
    rows = 0
    for file in files:
        for records, batch in zip(read_records(file), read_columns([file]), strict=True):
            outputs = predictor.predict(np.array(records, object))
            for name in wanted:
                parts[name].append(first_values(batch.get(name, pa.nulls(len(records)))))
            parts[SCORE].append(pa.array(scores_of(outputs), pa.float64()))
            parts[_LABEL].append(pa.array(label_numbers(batch, len(records), label)))
            rows += len(records)
            if rows >= _MOST_ROWS:
                break
    predictor.close()
    return pa.table({name: joined(arrays) for name, arrays in parts.items()})


def scores_of(outputs: Mapping[str, Any]) -> np.ndarray:
    """One number of each row's answer, as the log has it: of several the last."""
    array = np.asarray(outputs[sorted(outputs)[0]], np.float64)
    return array.reshape(len(array), -1)[:, -1]


def label_numbers(columns: Mapping[str, pa.Array], rows: int, label: Label) -> np.ndarray:
    """Labels of a binary task as numbers, NaN if missing; for other tasks all NaN."""
    if label.names != ("0", "1"):
        return np.full(rows, np.nan)
    names = labels_of_rows(columns, rows, label)
    return np.array([np.nan if name is None else float(name) for name in names])
