"""Where the examples of an Examples artifact are: the files of each split.

Called by `cli.data.query` and `report.api`, which read them.
"""

from fareline.errors import UserMistake
from fareline.recorded.data import split_names
from lineage.facts.payload import local_path
from lineage.graph.elements import Artifact

_HERE = "expected Examples with files on this machine"


def files_of_splits(examples: Artifact, split: str | None, asked_as: str) -> dict[str, list[str]]:
    """Split to its files, in the order of their names.

    Args:
        examples: Artifact of type Examples.
        split: The one that is wanted; None: all.
        asked_as: The user's name for it, for the message.

    Raises:
        UserMistake: There is no such split, or the files cannot be read here.
    """
    payload = examples.properties.get("payload_format", "FORMAT_TF_EXAMPLE")
    if payload != "FORMAT_TF_EXAMPLE":
        raise UserMistake.explain(
            examples.key, f"holds {payload}", "expected tf.Examples", "ask other Examples"
        )
    splits = split_names(examples)
    if split is not None and split not in splits:
        raise UserMistake.explain(
            asked_as, f"{split} is none of {examples.key}",
            f"expected {', '.join(splits)}", "name one of them, or leave it out",
        )  # fmt: skip
    root = local_path(examples.uri)
    if root is None:
        raise UserMistake.explain(
            examples.key, f"is at {examples.uri}", _HERE, "copy it, and ask where it lies"
        )
    found = {}
    for name in splits if split is None else [split]:
        files = sorted(str(path) for path in (root / f"Split-{name}").glob("*") if path.is_file())
        if not files:
            raise UserMistake.explain(
                examples.key,
                f"has no file in {root / f'Split-{name}'}",
                _HERE,
                "`fareline lineage verify` says what else is gone; `fareline run` makes it anew",
            )
        found[name] = files
    return found
