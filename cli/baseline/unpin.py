"""`fareline baseline unpin`: compare with the latest blessed model again."""

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


def unpin(
    reason: ReasonOption = "",
    pipeline: PipelineOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove the pin: compare with the latest approved model again."""
    from lineage.facts.baselines import UNPIN

    name = the_pipeline(open_graph(workspace, store), pipeline)
    decide(UNPIN, name, None, reason, (workspace, store, as_json))
