"""Whether what is published is what a run has blessed.

TFX's cache looks at a node's inputs, not at the serving folder: a Pusher whose outputs are cached
would leave a folder empty that was deleted, or a model live that another run put there since.
"""

from pathlib import Path

from ml_metadata.metadata_store import metadata_store

from lineage.graph import Graph
from lineage.runs import outputs_of_run
from serving.versions import is_newest

MODEL_FOLDER = "Format-Serving"  # of a Model artifact. Source: tfx.utils.path_utils
BLESSED_BY = ("Evaluator", "InfraValidator")


def needs_push(store: metadata_store.MetadataStore, run_id: str, push_dir: str) -> bool:
    """Whether a run's model is blessed, and the newest version in a local folder is another one.

    Args:
        store: Of the workspace.
        run_id: A run in which all nodes before Pusher have ended.
        push_dir: The serving folder; of a remote one nothing is said, so False.
    """
    if "://" in push_dir:
        return False
    outputs = outputs_of_run(Graph(store), run_id)
    blessings = [a for node in BLESSED_BY for a in outputs.get(node, {}).get("blessing", [])]
    if not all(a.properties.get("blessed") for a in blessings):
        return False
    models = outputs.get("Trainer", {}).get("model", [])
    return any(not is_newest(str(Path(a.uri) / MODEL_FOLDER), push_dir) for a in models)
