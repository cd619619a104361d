"""Finds the model that a run starts with (`training.warm_start`), before TFX is imported.

Called by runners.local.run and runners.steps.begin.
"""

from typing import TYPE_CHECKING

from fareline.errors import UserMistake
from fareline.recorded.data import sample_of
from fareline.recorded.texts import parse_json
from pipeline.settings.model.kinds import WIDE_DEEP
from pipeline.settings.settings import Settings
from pipeline.user_code import choose_function
from runners.passwords import store_passwords
from runners.workspace import Workspace

if TYPE_CHECKING:
    from lineage.graph.elements import Artifact, Execution
    from lineage.graph.graph import Graph

LIVE = "live"
_SETTING = "training.warm_start"


def choose_warm_start(settings: Settings, workspace: Workspace, push_destination: str) -> int:
    """Chooses the model.

    Args:
        settings: Validated.
        workspace: Workspace with the store.
        push_destination: Where `live` is; the place that the run pushes to.

    Returns:
        Its id; 0 if none is wanted, or there is no live model yet.

    Raises:
        UserMistake: There is no such model, its files are gone, or its weights are of no use here.
    """
    wanted = settings.training.warm_start
    if wanted is None:
        return 0
    from lineage.graph.graph import Graph
    from lineage.store.open import open_store_in_place

    graph = None
    if settings.metadata.store is not None or workspace.metadata_path.is_file():
        graph = Graph(open_store_in_place(workspace.store_location, store_passwords()))
    if wanted != LIVE:
        model = _named_model(graph, wanted)
    elif graph is None or (model := _live_model(graph, push_destination)) is None:
        return 0
    _require_usable(graph, model, settings)
    return model.id


def _live_model(graph: "Graph", push_destination: str) -> "Artifact | None":
    """The model whose version a server takes from there."""
    from lineage.facts.models import live_models

    base = push_destination.rstrip("/")
    found = [
        model
        for model, places in live_models(graph).items()
        if any(place.rpartition("/")[0] == base for place in places)
    ]
    return graph.artifacts([min(found)])[0] if found else None


def _named_model(graph: "Graph | None", text: str) -> "Artifact":
    from lineage.ids import find_model

    if graph is None:
        raise UserMistake.explain(
            f"{_SETTING}: {text}",
            "nothing was run in this workspace yet",
            "expected live, or the id of a model in it, such as Model:12",
            "set it to null for the first run",
        )
    try:
        return find_model(graph, text)
    except UserMistake as mistake:
        raise UserMistake(f"{_SETTING}: {mistake}") from mistake


def _require_usable(graph: "Graph", model: "Artifact", settings: Settings) -> None:
    """Refuses a model without files, or whose weights mean something else.

    Raises:
        UserMistake: It is one, or it is of a sample.
    """
    from lineage.facts.payload import look_at

    where = f"{_SETTING}: {model.key}"
    if model.state != LIVE or look_at(model.uri).status == "missing":
        raise UserMistake.explain(
            where,
            "its files are gone",
            "expected a model with its files",
            "`fareline lineage models` lists the models",
        )
    if (rows := sample_of(model)) is not None:
        raise UserMistake.explain(
            where,
            f"it is of a sample of {rows:,} rows",
            "expected a model of all rows",
            "`fareline lineage models` lists the models",
        )
    maker = next((e for e in graph.producers(model) if e.place.node == "Trainer"), None)
    found = _made_by(maker)
    for name, wanted in _wanted(settings).items():
        if found[name] != wanted:
            raise UserMistake.explain(
                where,
                f"it was made with {name} {found[name] or 'not recorded'}",
                f"expected {wanted}, as these settings have it, since weights of others mean "
                "something else",
                "name a model that was made with it, or set training.warm_start to null",
            )


def _wanted(settings: Settings) -> dict[str, str]:
    """What must be the same of the model that was and of the one to be."""
    return {
        "name": settings.name,
        "code.run_fn": choose_function("run_fn", settings.code.run_fn)[0],
        "model.kind": settings.model.kind,
        "task": settings.task,
    }


def _made_by(trainer: "Execution | None") -> dict[str, str | None]:
    """The same of the execution that made a model, as far as it is recorded."""
    if trainer is None:
        return dict.fromkeys(("name", "code.run_fn", "model.kind", "task"))
    config = parse_json(trainer.properties.get("custom_config"))
    config = config if isinstance(config, dict) else {}
    model = config.get("model")
    return {
        "name": trainer.place.pipeline,
        "code.run_fn": trainer.properties.get("run_fn"),
        "model.kind": model.get("kind") if isinstance(model, dict) else WIDE_DEEP,
        "task": config.get("task"),
    }
