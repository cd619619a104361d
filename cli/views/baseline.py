"""Decisions about the baseline: made, and in words."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.answer import answer
from fareline.errors import UserMistake
from runners.stores import open_graph, open_to_write

if TYPE_CHECKING:
    from lineage.facts.baselines import Decision
    from lineage.graph.elements import Artifact, Execution
    from lineage.graph.graph import Graph


def decide(
    action: str,
    pipeline: str,
    model: "Artifact | None",
    reason: str,
    options: tuple[Path, str | None, bool],
) -> None:
    """Records a decision, and prints what it is."""
    from lineage.facts.baselines import Decision, decisions, record_decision
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
        console.print(line(made), markup=False, soft_wrap=True)
        console.print(f"{pipeline}: {in_force(made)}", markup=False, soft_wrap=True)

    answer(as_json, made.as_json(), draw)


def the_model(graph: "Graph", text: str) -> "Artifact":
    """A model by its id, or by the number of a version that was pushed."""
    from lineage.facts.pushes import pushed_to
    from lineage.ids import find_model

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


def the_pipeline(graph: "Graph", name: str | None) -> str:
    """The pipeline with a name; without a name, the only pipeline."""
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


def in_force(decision: "Decision | None") -> str:
    """The baseline of new models, in words."""
    from lineage.facts.baselines import PIN, RESET

    if decision and decision.action == PIN:
        return f"new models are compared with Model:{decision.model_id}"
    if decision and decision.action == RESET:
        return "the next model only has to meet the thresholds; once blessed, it is the baseline"
    return "new models are compared with the latest blessed one"


def left_out(model: str, rollback: "Execution") -> str:
    """The model that a rollback has excluded as a baseline."""
    from fareline.recorded import REASON, USER
    from lineage.text.harmless import plain

    values = rollback.properties
    return plain(
        f"{model} is left out: {values.get(USER)} rolled back from it: {values.get(REASON)}"
    )


def line(decision: "Decision") -> str:
    """A decision in one line: when, who, what and why."""
    from lineage.text.harmless import plain
    from lineage.text.times import clock

    model = f" Model:{decision.model_id}" if decision.model_id else ""
    when = clock(decision.created)
    return plain(f"{when} UTC  {decision.user}  {decision.action}{model}: {decision.reason}")
