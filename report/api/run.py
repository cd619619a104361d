"""One run, from Python: its measurements, and the rows, figures and pictures behind them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fareline.errors import UserMistake
from lineage.facts.failures import failure_of
from lineage.graph.graph import Graph
from report.api.artifacts import Artifact, Examples, Model, artifact_object
from report.api.show import framed
from report.api.slices import OVERALL, in_slice
from report.overview import RunRow
from report.run.document import Document, Evaluation
from report.run.sources import Sources

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class Failure:
    """The failure of a node.

    Attributes:
        node: The node.
        error: The error in one line.
        place: File and line of the last call in Fareline's or the user's code; None if unknown.
        traceback: The recorded traceback.
    """

    node: str
    error: str
    place: str | None
    traceback: str = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return f"{self.node}: {self.error}"


class Run:
    """A run. Attributes are read from the store when they are used.

    Args:
        graph: Graph of the store.
        run_id: Id of an existing run.
    """

    def __init__(self, graph: Graph, run_id: str):
        self.id = run_id
        self._graph = graph

    @functools.cached_property
    def _sources(self) -> Sources:
        return Sources(self._graph, self.id)

    @functools.cached_property
    def _row(self) -> RunRow:
        return RunRow.of(self._sources.run)

    @functools.cached_property
    def document(self) -> Document:
        """The content of the run's page as typed values."""
        from report.run.gather import gather

        return gather(self._graph, self.id)

    @property
    def pipeline(self) -> str:
        """Name of the pipeline."""
        return self._row.run.pipeline

    @property
    def outcome(self) -> str:
        """Such as `pushed`, `refused`, `failed`, `running`."""
        return self._row.outcome

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of all evaluated examples; empty without an evaluation."""
        return dict(self._row.metrics)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Hyperparameters of its model; empty if they are not recorded."""
        return dict(self._row.hyperparameters)

    @property
    def slices(self) -> pd.DataFrame:
        """Every metric of every slice, one row each; the first, `overall`, is of all examples."""
        import pandas as pd

        found = self._evaluation()
        listed = [found.overall, *found.slices]
        table = pd.DataFrame([each.metrics for each in listed], [each.name for each in listed])
        table.index.name = "slice"
        return table

    @property
    def settings(self) -> Mapping[str, Any]:
        """The recorded settings with all overrides; empty in a stock store."""
        return self._sources.settings

    @property
    def nodes(self) -> pd.DataFrame:
        """State, start (seconds after that of the run) and duration in seconds of each node."""
        import pandas as pd

        fields = [field.name for field in dataclasses.fields(self.document.record.nodes[0])]
        listed = [dataclasses.astuple(node) for node in self.document.record.nodes]
        return pd.DataFrame(listed, columns=fields).set_index("name")

    @property
    def errors(self) -> list[Failure]:
        """Failures of nodes, in the order of execution."""
        return [
            Failure(execution.place.node, found.error, found.place, found.text)
            for execution in self._sources.executions
            if (found := failure_of(execution))
        ]

    @property
    def error(self) -> Failure | None:
        """The first failure; None without a recorded failure."""
        return next(iter(self.errors), None)

    @property
    def model(self) -> Model | None:
        """The model of the run; None if it has none."""
        found = self._sources.last("Model", "model")
        return Model(self._graph, found) if found else None

    @property
    def artifacts(self) -> list[Artifact]:
        """The outputs of its nodes, also of cached ones."""
        found = dict.fromkeys(artifact for _, _, artifact in self._sources.outputs)
        return [artifact_object(self._graph, artifact) for artifact in found]

    def examples(self, split: str | None = None) -> Examples:
        """The rows that the run read.

        Args:
            split: Such as `eval`; None: all.

        Raises:
            UserMistake: The run read no rows, or the rows have no such split.
        """
        found = next(iter(self._sources.run.examples), None)
        if found is None:
            raise self._lacks("Examples", "examples")
        return Examples(self._graph, found, split)

    def statistics(self) -> pd.DataFrame:
        """Statistics of every column in every split, one row each, as on the page."""
        import pandas as pd

        if self.document.data is None:
            raise self._lacks("statistics", "data")
        figures = ("missing", "count", "zeros", "mean", "deviation", "low", "median", "high")
        rows = [
            {"column": column.name, "split": split, "kind": column.kind}
            | {name: getattr(stats, name) for name in (*figures, "distinct")}
            for column in self.document.data.columns
            for split, stats in column.splits.items()
        ]
        names = ["column", "split", "kind", *figures, "distinct"]
        return pd.DataFrame(rows, columns=names).set_index(["column", "split"])

    def curves(self) -> pd.DataFrame:
        """Counts, precision, recall and false positive rate for each threshold of the score.

        One row for each model (`candidate` and `baseline`), class and threshold.

        Raises:
            UserMistake: The run has no such curves.
        """
        import pandas as pd

        evaluation = self._evaluation()
        rows = [
            {"of": of, "class": found.name, "threshold": at, "tp": tp, "fp": fp}
            | {"positives": found.positives, "negatives": found.negatives}
            for of in ("candidate", "baseline")
            if (picture := getattr(evaluation, of)) is not None
            for found in picture.operating
            for at, tp, fp in zip(
                found.thresholds, found.true_positives, found.false_positives, strict=True
            )
        ]
        if not rows:
            raise self._lacks("curves", "evaluation")
        table = pd.DataFrame(rows)
        table["precision"] = table.tp / (table.tp + table.fp)
        table["recall"] = table.tp / table.positives
        table["false_positive_rate"] = table.fp / table.negatives
        return table

    def learning(self) -> pd.DataFrame:
        """Each metric at each evaluation during training."""
        import pandas as pd

        training = self.document.training
        if training is None or not training.curves:
            raise self._lacks("learning curves", "training")
        table = pd.DataFrame({name: pd.Series(v) for name, v in training.curves.items()})
        table.index = pd.Index(
            (table.index + 1) * (training.steps_per_evaluation or 1), name="step"
        )
        return table

    def trials(self) -> pd.DataFrame:
        """Score and hyperparameters of each trial of the search; empty if there was none."""
        import pandas as pd

        training = self.document.training
        return pd.DataFrame(training.trials if training else [])

    def predictions(self, split: str = "eval", slice: str = OVERALL) -> pd.DataFrame:
        """Rows of a split, each with its `label` and a new prediction of the run's model.

        Imports TensorFlow.

        Args:
            split: Split of the examples that the run read.
            slice: Name of a slice in `slices`; only its rows are returned.

        Raises:
            UserMistake: The run has no model, its files are not on this machine, or there is no
                such slice.
        """
        if self.model is None:
            raise self._lacks("model", "card")
        from report.api.rows import predict_files

        files = self.examples(split).files
        table = predict_files(self.model.path, files, self._sources.label)
        return table[in_slice(table, slice)]

    def page(self) -> str:
        """The run's page: one self-contained HTML file."""
        from report.run.page import report_page

        return report_page(self.document)

    def _evaluation(self) -> Evaluation:
        if self.document.evaluation is None:
            raise self._lacks("evaluation", "evaluation")
        return self.document.evaluation

    def _lacks(self, what: str, section: str) -> UserMistake:
        why = self.document.absent.get(section, "it was not recorded").rstrip(".")
        return UserMistake.explain(
            self.id,
            f"has no {what} ({why})",
            "expected a run that got this far",
            "w.runs() has all",
        )

    def __repr__(self) -> str:
        return f"<run {self.id}: {self.outcome}>"

    def _repr_html_(self) -> str:
        return framed(self.page(), self.id)
