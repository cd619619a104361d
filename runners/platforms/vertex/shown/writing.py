"""Writes what Vertex shows beside a version. Called by `runners.platforms.vertex.push`."""

from runners.platforms.errors import one_line
from runners.platforms.vertex.lease import Lease
from runners.platforms.vertex.shown.evaluation import import_evaluation
from runners.platforms.vertex.shown.lineage import write_lineage
from runners.platforms.vertex.shown.story import Story
from runners.platforms.vertex.target import Target


def show(target: Target, version: int, story: Story, lease: Lease) -> str:
    """Writes evaluation and lineage of a version; a failure is told and loses no push.

    Returns:
        Empty, or the reason why Vertex does not show all of it.
    """
    reasons = []
    for write in (import_evaluation, write_lineage):
        try:
            write(target, version, story, lease)
        except Exception as error:  # noqa: BLE001 - the model is deployed, nothing may undo that
            reasons.append(one_line(str(error)))
    return "; ".join(reasons)
