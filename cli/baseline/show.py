"""`fareline baseline show`: what the next model is compared with."""

from cli.answer import answer
from cli.options import DEFAULT_WORKSPACE, JsonOption, PipelineOption, StoreOption, WorkspaceOption
from cli.views.baseline import in_force, left_out, line, the_pipeline
from runners.stores import open_graph


def show(
    pipeline: PipelineOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the baseline of the next model, and earlier decisions about it."""
    from lineage.facts.baselines import PIN, decision_in_force, decisions
    from lineage.facts.withdrawn import withdrawn_models

    graph = open_graph(workspace, store)
    name = the_pipeline(graph, pipeline)
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
        console.print(f"{name}: {in_force(force)}", markup=False, soft_wrap=True)
        for model, rollback in withdrawn.items():
            console.print(f"  {left_out(model, rollback)}", markup=False, soft_wrap=True)
        for decision in reversed(made):
            console.print(f"  {line(decision)}", markup=False, soft_wrap=True)

    answer(as_json, content, draw)
