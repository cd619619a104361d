"""All runs side by side: outcome, data, model, metrics and hyperparameters of each.

Called by `report.ui`, whose home shows them, and by `report.api`, which makes a table of them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from fareline.recorded.data import spans_in_words
from fareline.recorded.evaluation import metrics_of
from fareline.recorded.tuning import hyperparameters_of
from lineage.facts.runs import COMPLETE, Run, list_runs
from lineage.graph.graph import Graph


@dataclasses.dataclass(frozen=True)
class RunRow:
    """One run.

    Attributes:
        run: Run, as `lineage runs` has it.
        metrics: Metrics of all evaluated examples; empty if nothing was evaluated, or in a stock
            store.
        hyperparameters: Hyperparameters of its model; empty if they are not recorded.
    """

    run: Run
    metrics: Mapping[str, float]
    hyperparameters: Mapping[str, Any]

    @classmethod
    def of(cls, run: Run) -> "RunRow":
        """The row of a run that was read."""
        return cls(
            run,
            next(filter(None, map(metrics_of, reversed(run.evaluations))), {}),
            hyperparameters_of(run.models[-1]) if run.models else {},
        )

    @property
    def outcome(self) -> str:
        """As the run recorded it; else its status, and of a complete one whether it pushed."""
        if self.run.outcome or self.run.status != COMPLETE:
            return self.run.outcome or self.run.status
        if self.run.pushed:
            return "pushed"
        return "refused" if self.run.refused_by else COMPLETE

    @property
    def span(self) -> str:
        """Spans of its data, in words; empty where data has none."""
        return ", ".join(dict.fromkeys(filter(None, map(spans_in_words, self.run.examples))))

    @property
    def model(self) -> str:
        """Printable id of its last model; empty if it has none."""
        return self.run.models[-1].key if self.run.models else ""

    @property
    def version(self) -> str:
        """Pushed versions; empty without a push."""
        return ", ".join(dict.fromkeys(push.version for push in self.run.pushed))

    @property
    def is_live(self) -> bool:
        """Whether a destination serves what it pushed, under its own version or a later one."""
        return any(push.live or push.live_as for push in self.run.pushed)


def read_rows(graph: Graph, limit: int | None = None) -> list[RunRow]:
    """Reads the runs of all pipelines, the latest first.

    Args:
        graph: Lineage graph of the store.
        limit: Largest number of runs; None: all.
    """
    return [RunRow.of(run) for run in list_runs(graph, limit)]
