"""A workspace, or any store, opened from Python: `fareline.open("workspace")`.

Read-only. Opening and listing import neither TensorFlow nor TFX. Functions that read examples or
predict import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fareline import collector
from fareline.errors import UserMistake
from fareline.stand_in import put_off

# ML Metadata speaks gRPC with a server of its own kind alone, which no store here is.
with collector.paused(), put_off("grpc"):
    from lineage.graph.current import CurrentGraph
    from lineage.graph.graph import Graph
    from lineage.store.address import SQLITE_FILE, URI_FILE, store_of_workspace
    from lineage.store.open import open_store

if TYPE_CHECKING:
    import pandas as pd

    from report.api.artifacts import Artifact, Model
    from report.api.run import Run
    from report.overview import RunRow

_SHOWN = 20
_COLUMNS = (
    *("run", "pipeline", "started", "seconds", "outcome", "span", "model"),
    *("blessed", "version", "live"),
)


def open_workspace(
    place: str | Path = "workspace", passwords: Mapping[str, str] | None = None
) -> Workspace:
    """Opens a workspace or a store for reading. `fareline.open` is this function.

    Args:
        place: Folder of a workspace; or a store: an SQLite file, or a URI such as
            `mysql://USER@HOST/DATABASE`.
        passwords: Passwords of database servers: `{"mysql": …}` or `{"postgresql": …}`.

    Raises:
        UserMistake: The place does not exist or cannot be read.
    """
    location = _location(place)
    is_workspace = Path(place).is_dir()
    found_by = (
        ("--workspace", str(Path(place).resolve())) if is_workspace else ("--store", location)
    )
    opened = Workspace(
        str(place),
        CurrentGraph(location, lambda: Graph(open_store(location, passwords), found_by)),
    )
    opened.graph()  # a mistake is said here, not at the first question
    return opened


def _location(place: str | Path) -> str:
    path = Path(place)
    if "://" in str(place) or path.is_file() or str(place).startswith("sqlite:"):
        return str(place)
    found = None
    if not path.is_dir():
        found = "no such folder"
    elif not ((path / SQLITE_FILE).is_file() or (path / URI_FILE).is_file()):
        found = f"holds no {SQLITE_FILE}"
    if found:
        hint = "`fareline run` makes one; name another folder, or the URI of a store"
        raise UserMistake.explain(str(place), found, "expected the folder of a workspace", hint)
    return store_of_workspace(path.resolve())


class Workspace:
    """Runs and models of a workspace. Each call sees new records of a running pipeline.

    Args:
        name: The path or URI that was opened.
        current: The store.
    """

    def __init__(self, name: str, current: CurrentGraph):
        self.name = name
        self._current = current

    def graph(self) -> Graph:
        """The lineage graph, for questions that this class does not answer."""
        return self._current.graph()

    def runs(self, limit: int | None = None) -> pd.DataFrame:
        """All runs, the latest first: one row each, indexed by id.

        Columns: `pipeline`, `started` (UTC), `seconds`, `outcome`, `span`, `model`, `blessed`,
        `version` (pushed), `live`; then each metric and each hyperparameter, with the prefix
        `metric_` or `hp_` if another column has the same name.

        Args:
            limit: Largest number of runs; None: all.
        """
        from report.overview import read_rows

        pd = _pandas()
        rows = read_rows(self.graph(), limit)
        table = pd.DataFrame([*map(_values_of, rows)], columns=_COLUMNS)
        table["started"] = pd.to_datetime(table["started"], unit="ms", utc=True)
        return _with_figures(table, rows).set_index("run")

    def run(self, run_id: str = "latest") -> Run:
        """One run.

        Args:
            run_id: Id of the run, a unique prefix of the id, or `latest`.

        Raises:
            UserMistake: No run matches.
        """
        from lineage.ids import find_run
        from report.api.run import Run

        graph = self.graph()
        return Run(graph, find_run(graph, run_id))

    def models(self) -> pd.DataFrame:
        """All models, the newest first: one row each, indexed by id.

        Columns: `run`, `pipeline`, `created` (UTC), `spans`, `blessed`, `version`, `live`; then
        each metric and each hyperparameter, as in `runs`.
        """
        from lineage.answers.models.models import list_models

        pd = _pandas()
        rows = list_models(self.graph())
        table = pd.DataFrame(
            {
                "model": [row.model.key for row in rows],
                "run": [row.facts.run_id for row in rows],
                "pipeline": [row.facts.pipeline for row in rows],
                "created": pd.to_datetime([r.model.created for r in rows], unit="ms", utc=True),
                "spans": [", ".join(map(str, row.spans)) for row in rows],
                "blessed": [row.facts.blessed for row in rows],
                "version": [
                    row.facts.pushes[-1].version if row.facts.pushes else "" for row in rows
                ],
                "live": [row.facts.live for row in rows],
            }
        )
        return _with_figures(table, rows).set_index("model")

    def model(self, model_id: str) -> Model:
        """One model.

        Args:
            model_id: Such as `Model:12`, or the id of its run or PushedModel.

        Raises:
            UserMistake: No model or artifact matches.
        """
        from lineage.ids import find_model
        from report.api.artifacts import Model

        graph = self.graph()
        return Model(graph, find_model(graph, model_id))

    def artifact(self, artifact_id: str) -> Artifact:
        """One artifact.

        Args:
            artifact_id: Such as `Examples:4`.

        Raises:
            UserMistake: No model or artifact matches.
        """
        from lineage.ids import find_artifact
        from report.api.artifacts import artifact_object

        graph = self.graph()
        return artifact_object(graph, find_artifact(graph, artifact_id))

    @property
    def live(self) -> Model | None:
        """The live model; None without one.

        Raises:
            UserMistake: Several destinations serve a model.
        """
        from lineage.facts.models import live_models
        from report.api.artifacts import Model

        graph = self.graph()
        found = live_models(graph)
        if len(found) > 1:
            listed = ", ".join(f"Model:{i} at {places[0]}" for i, places in sorted(found.items()))
            hint = "name one of them: w.model('Model:…')"
            raise UserMistake.explain(
                self.name, f"serves {len(found)} models", f"expected one; they are {listed}", hint
            )
        return next((Model(graph, artifact) for artifact in graph.artifacts(found)), None)

    def __repr__(self) -> str:
        return f"<workspace {self.name}: {len(self.graph().places.run_contexts())} runs>"

    def _repr_html_(self) -> str:
        from markupsafe import Markup

        count = len(self.graph().places.run_contexts())
        shown = "" if count <= _SHOWN else f", the latest {_SHOWN}"
        table = self.runs(_SHOWN).to_html(notebook=True)  # pandas escapes what is in it
        return Markup("<p><b>{}</b>: {} runs{}</p>").format(self.name, count, shown) + table


def _values_of(row: RunRow) -> tuple:
    run = row.run
    return (
        *(run.run_id, run.pipeline, run.started, run.seconds, row.outcome, row.span, row.model),
        *(run.blessed, row.version, row.is_live),
    )


def _with_figures(table: pd.DataFrame, rows: Sequence[Any]) -> pd.DataFrame:
    """Adds a column for each metric and each hyperparameter that some row has."""
    for prefix, figures in (
        ("metric_", [row.metrics for row in rows]),
        ("hp_", [row.hyperparameters for row in rows]),
    ):
        for name in dict.fromkeys(name for each in figures for name in each):
            column = f"{prefix}{name}" if name in table else name
            table[column] = [each.get(name) for each in figures]
    return table


def _pandas():
    with collector.paused():
        import pandas
    return pandas
