"""Artifacts from Python: properties, lineage, rows, pictures and predictions."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fareline.errors import UserMistake
from fareline.recorded.evaluation import metrics_of
from fareline.recorded.tuning import hyperparameters_of
from lineage.facts.models import ModelFacts, facts_of_models
from lineage.facts.payload import local_path
from lineage.facts.sources import sources_of
from lineage.facts.splits import files_of_splits
from lineage.graph import elements
from lineage.graph.elements import Execution
from lineage.graph.graph import Graph
from lineage.graph.trace import trace_upstream
from report.api.show import framed

if TYPE_CHECKING:
    import pandas as pd

_SERVING = "Format-Serving"  # Source: tfx.utils.path_utils
_SAVED_MODEL = "saved_model.pb"


class Artifact:
    """One artifact.

    Args:
        graph: Lineage graph of the store.
        artifact: Artifact of the graph.
    """

    def __init__(self, graph: Graph, artifact: elements.Artifact):
        self._graph, self._artifact = graph, artifact

    @property
    def id(self) -> str:
        """Printable, such as `Model:12`."""
        return self._artifact.key

    @property
    def type(self) -> str:
        """Such as `Model`."""
        return self._artifact.type

    @property
    def uri(self) -> str:
        """Path or URI of its files."""
        return self._artifact.uri

    @property
    def properties(self) -> Mapping[str, Any]:
        """All recorded properties."""
        return self._artifact.properties

    @functools.cached_property
    def _maker(self) -> Execution | None:
        return next(iter(self._graph.producers(self._artifact)), None)

    @property
    def run(self) -> str | None:
        """Id of the run that created it; None if not recorded."""
        return (self._maker.place.run_id or None) if self._maker else None

    @property
    def node(self) -> str | None:
        """The node that created it; None if not recorded."""
        return self._maker.place.node if self._maker else None

    def upstream(self) -> pd.DataFrame:
        """Everything upstream, the nearest first: artifacts, executions and source files.

        Columns: `steps` from here, `kind`, `type`, `run`, `uri`; the index is the printable id.
        """
        import pandas as pd

        rows = []
        for node, steps in trace_upstream(self._graph, [self._artifact]).depths.items():
            if isinstance(node, Execution):
                place = node.place
                rows.append((node.key, steps, "execution", place.node, place.run_id, ""))
                outputs = [a for found in self._graph.outputs(node).values() for a in found]
                rows += [
                    (source.place, steps + 1, "source", "", "", source.place)
                    for source in sources_of(node, outputs)
                ]
            elif node != self._artifact:
                maker = next(iter(self._graph.producers(node)), None)
                run = maker.place.run_id if maker else ""
                rows.append((node.key, steps, "artifact", node.type, run, node.uri))
        rows.sort(key=lambda row: row[1])
        table = pd.DataFrame(rows, columns=["id", "steps", "kind", "type", "run", "uri"])
        return table.drop_duplicates().set_index("id")

    def __repr__(self) -> str:
        return f"<{self.id} of {self.run or 'no run'}>"

    def _repr_html_(self) -> str | None:
        """Its pictures, as the page of its run has them; None where it has none."""
        from report.run.pictures import pictures_page

        page = pictures_page(self._graph, self._artifact)
        return framed(page, self.id) if page else None


class Model(Artifact):
    """A model."""

    @functools.cached_property
    def _facts(self) -> ModelFacts:
        [facts] = facts_of_models(self._graph, [self._artifact])
        return facts

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Hyperparameters of the training; empty if they are not recorded."""
        return hyperparameters_of(self._artifact)

    @property
    def metrics(self) -> dict[str, float]:
        """Overall metrics of its latest evaluation; empty if they are not recorded."""
        found = self._facts.evaluations
        return metrics_of(found[-1]) if found else {}

    @property
    def blessed(self) -> bool | None:
        """Whether all validations approved it; None without a validation."""
        return self._facts.blessed

    @property
    def versions(self) -> list[str]:
        """Its pushed versions."""
        return list(dict.fromkeys(push.version for push in self._facts.pushes if push.version))

    @property
    def live(self) -> bool:
        """Whether the model is live."""
        return self._facts.live

    @property
    def path(self) -> Path:
        """Folder of the SavedModel.

        Raises:
            UserMistake: The files are not on this machine.
        """
        root = local_path(self.uri)
        path = root / _SERVING if root else None
        if path is None or not (path / _SAVED_MODEL).is_file():
            raise UserMistake.explain(
                self.id,
                f"has no {_SAVED_MODEL} at {self.uri}",
                "expected its files on this machine",
                "`fareline lineage verify` says what else is gone",
            )
        return path

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Predictions for rows. Imports TensorFlow.

        Args:
            rows: Rows with the columns that the model reads; other columns are ignored.

        Returns:
            `prediction`, or `prediction_NAME` for several outputs, with the index of `rows`.

        Raises:
            UserMistake: A required column is missing.
            DataError: The model cannot read a value.
        """
        from report.api.rows import predict_rows

        return predict_rows(self.path, rows)


class Examples(Artifact):
    """Rows of Examples.

    Args:
        graph: Lineage graph of the store.
        artifact: Artifact of type Examples.
        split: Name of the split; None: all.
    """

    def __init__(self, graph: Graph, artifact: elements.Artifact, split: str | None = None):
        super().__init__(graph, artifact)
        self.split = split
        self.files = files_of_splits(artifact, split, f"examples({split!r})")

    @property
    def splits(self) -> list[str]:
        """Names of the selected splits."""
        return list(self.files)

    def to_pandas(self, condition: str | None = None) -> pd.DataFrame:
        """The rows, with a column `split` if there are several. Imports TensorFlow.

        Args:
            condition: SQL over the columns, such as `payment_type = 'Cash' and trip_miles > 10`.

        Raises:
            UserMistake: The condition is invalid or uses other columns.
            DataError: A file is damaged.
        """
        from report.api.rows import read_rows

        return read_rows(self.files, condition)

    def __repr__(self) -> str:
        return f"<{self.id} of {self.run or 'no run'}: {', '.join(self.splits)}>"


def artifact_object(graph: Graph, artifact: elements.Artifact) -> Artifact:
    """The object of an artifact: a Model, or an Artifact of another type."""
    return (Model if artifact.type == "Model" else Artifact)(graph, artifact)
