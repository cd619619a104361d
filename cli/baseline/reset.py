"""`fareline baseline reset`: judge the next model without a baseline."""

from cli.options import (
    DEFAULT_WORKSPACE,
    JsonOption,
    PipelineOption,
    ReasonOption,
    StoreOption,
    WorkspaceOption,
)
from cli.views.baseline import decide, the_pipeline
from runners.stores import open_graph


def reset(
    reason: ReasonOption = "",
    pipeline: PipelineOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge the next model on floors alone; once blessed, it is the baseline."""
    from lineage.facts.baselines import RESET

    name = the_pipeline(open_graph(workspace, store), pipeline)
    decide(RESET, name, None, reason, (workspace, store, as_json))
