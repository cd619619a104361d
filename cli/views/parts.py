"""Shared by `compile` and `submit`: the part of the graph that a cluster can run."""

from collections.abc import Sequence

from fareline.errors import SettingsError


def require_no_beginning(from_nodes: Sequence[str] | None) -> None:
    """Refuses a part of the graph that begins later: a specification cannot reuse earlier outputs.

    Raises:
        SettingsError: There are nodes to begin with.
    """
    if from_nodes:
        raise SettingsError.explain(
            f"--from {from_nodes[0]}",
            "a specification cannot reuse the outputs of an earlier run: TFX has partial runs only "
            "for runners with a store",
            "expected --to, a part that begins with the data",
            "to begin with Transform, set pipeline: training and data.prepared",
        )
