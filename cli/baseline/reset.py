"""`fareline baseline reset`: evaluate the next model without a baseline."""

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
    """Remove the baseline: the next model only has to meet the minimum thresholds."""
    from lineage.facts.baselines import RESET

    name = the_pipeline(open_graph(workspace, store), pipeline)
    decide(RESET, name, None, reason, (workspace, store, as_json))
