"""`fareline baseline`: which model new ones are compared with. Registered in `runners.cli`."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fareline.errors import UserMistake
from runners.lineage_commands.app import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    answer,
    open_graph,
    open_to_write,
)

if TYPE_CHECKING:
    from lineage.baselines import Decision
    from lineage.elements import Artifact, Execution
    from lineage.graph import Graph

app = typer.Typer(
    help="Which model new ones are compared with: the latest blessed one, unless it is decided.",
    no_args_is_help=True,
)
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded.")]
PipelineOption = Annotated[
    str | None, typer.Option("--pipeline", help="Of which pipeline, if there are several.")
]


@app.command()
def pin(
    model: Annotated[
        str, typer.Argument(metavar="VERSION|MODEL", help="A pushed version, or such as Model:12.")
    ],
    reason: ReasonOption = "",
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare new models with this one, until the next pin, reset or unpin."""
    from lineage.baselines import PIN

    graph = open_graph(workspace, store)
    found = _model(graph, model)
    pipelines = {e.place.pipeline for e in graph.producers(found) if e.place.pipeline}
    if len(pipelines) != 1 or found.state != "live":
        raise UserMistake.explain(
            found.key,
            "its files are gone" if pipelines else "no pipeline made it",
            "expected a model of a pipeline, with its files",
            "`fareline lineage models` lists the models",
        )
    _decide(PIN, *pipelines, found, reason, (workspace, store, as_json))


@app.command()
def reset(
    reason: ReasonOption = "",
    pipeline: PipelineOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge the next model on floors alone; once blessed, it is the baseline."""
    from lineage.baselines import RESET

    name = _pipeline(open_graph(workspace, store), pipeline)
    _decide(RESET, name, None, reason, (workspace, store, as_json))


@app.command()
def unpin(
    reason: ReasonOption = "",
    pipeline: PipelineOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare with the latest blessed model again."""
    from lineage.baselines import UNPIN

    name = _pipeline(open_graph(workspace, store), pipeline)
    _decide(UNPIN, name, None, reason, (workspace, store, as_json))


@app.command()
def show(
    pipeline: PipelineOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what the next model is compared with, and what was decided before."""
    from lineage.baselines import PIN, decision_in_force, decisions
    from lineage.withdrawn import withdrawn_models

    graph = open_graph(workspace, store)
    name = _pipeline(graph, pipeline)
    made = decisions(graph.store, name)
    force = decision_in_force(graph.store, name)
    withdrawn = {
        f"Model:{model_id}": rollback
        for model_id, rollback in sorted(withdrawn_models(graph).items())
        if rollback.place.pipeline == name and (force is None or force.action != PIN)
    }
    content = {
        "pipeline": name,
        "in_force": force.as_json() if force else None,
        "left_out": [*withdrawn],
        "decisions": [decision.as_json() for decision in made],
    }

    def draw(console) -> None:
        console.print(f"{name}: {_in_force(force)}", markup=False, soft_wrap=True)
        for model, rollback in withdrawn.items():
            console.print(f"  {_left_out(model, rollback)}", markup=False, soft_wrap=True)
        for decision in reversed(made):
            console.print(f"  {_line(decision)}", markup=False, soft_wrap=True)

    answer(as_json, content, draw)


def _decide(
    action: str,
    pipeline: str,
    model: "Artifact | None",
    reason: str,
    options: tuple[Path, str | None, bool],
) -> None:
    from lineage.baselines import Decision, decisions, record_decision
    from runners.workspace import Workspace

    said = " ".join(reason.split())
    if not said:
        raise UserMistake.explain(
            f"baseline {action}",
            "no reason was given",
            "expected --reason TEXT, since it is recorded",
            "say in a few words why",
        )
    workspace, store, as_json = options
    decision = Decision(action, pipeline, model.id if model else None, getpass.getuser(), said)
    if store is None:
        with Workspace(workspace.resolve()).locked():
            record_decision(open_to_write(workspace, store), decision, model)
    else:
        record_decision(open_to_write(workspace, store), decision, model)
    made = decisions(open_graph(workspace, store).store, pipeline)[-1]

    def draw(console) -> None:
        console.print(_line(made), markup=False, soft_wrap=True)
        console.print(f"{pipeline}: {_in_force(made)}", markup=False, soft_wrap=True)

    answer(as_json, made.as_json(), draw)


def _model(graph: "Graph", text: str) -> "Artifact":
    """A model by its id, or by the number of a version that was pushed."""
    from lineage.ids import find_model
    from lineage.pushes import pushed_to

    if not text.isdecimal():
        return find_model(graph, text)
    pushed = {p: a for a in graph.artifacts_of_type("PushedModel") if (p := pushed_to(a))}
    found = [artifact for (_, version), artifact in pushed.items() if version == int(text)]
    if len(found) != 1:
        raise UserMistake.explain(
            text,
            f"{len(found)} versions of that number were pushed",
            "expected one",
            "name the model, as `fareline lineage models` does",
        )
    return find_model(graph, found[0].key)


def _pipeline(graph: "Graph", name: str | None) -> str:
    from lineage.ids import find_pipeline

    if name is not None:
        return find_pipeline(graph, name)
    names = graph.places.pipelines()
    if len(names) != 1:
        raise UserMistake.explain(
            "baseline",
            f"the store has {len(names)} pipelines",
            "expected one",
            f"add --pipeline, such as {names[0]}" if names else "run one first",
        )
    return names[0]


def _in_force(decision: "Decision | None") -> str:
    from lineage.baselines import PIN, RESET

    if decision and decision.action == PIN:
        return f"new models are compared with Model:{decision.model_id}"
    if decision and decision.action == RESET:
        return "the next model is judged on floors alone; once blessed, it is the baseline"
    return "new models are compared with the latest blessed one"


def _left_out(model: str, rollback: "Execution") -> str:
    from lineage.recorded import REASON, USER
    from lineage.text import plain

    values = rollback.properties
    return plain(
        f"{model} is left out: {values.get(USER)} rolled back from it: {values.get(REASON)}"
    )


def _line(decision: "Decision") -> str:
    from lineage.text import plain
    from lineage.times import clock

    model = f" Model:{decision.model_id}" if decision.model_id else ""
    when = clock(decision.created)
    return plain(f"{when} UTC  {decision.user}  {decision.action}{model}: {decision.reason}")
