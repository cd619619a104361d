"""Finds nodes that must run again although TFX's cache would skip them.

The cache looks at a node's inputs. Not at the serving folder: a Pusher whose outputs are cached
would leave a folder empty that was deleted, or a model live that another run put there since; and
after a rollback or a promotion it would say of a version that it was pushed, or was not, though
another one is live. Nor
at the machine: a model that was refused because no model server could run would stay refused.
"""

from collections.abc import Callable
from pathlib import Path

from ml_metadata.metadata_store import metadata_store

from fareline.recorded import COPY_OF_VERSION, WITHHELD_VERSION
from fareline.recorded.data import sample_of
from lineage.facts.pushes import pushed_to
from lineage.facts.runs import outputs_of_run
from lineage.graph.graph import Graph
from serving.validation.verdict import MACHINE_REASONS
from serving.versions.publish import is_newest, latest_version

# Source: tfx.utils.path_utils
MODEL_FOLDER = "Format-Serving"  # of a Model artifact
WARM_MODEL_FOLDER = "stamped_model"  # of an InfraBlessing with the property has_model
BLESSED_BY = ("Evaluator", "InfraValidator")


def must_execute(
    node: str,
    open_now: Callable[[], metadata_store.MetadataStore],
    run_id: str,
    push_dir: str,
    serving_sample: str | None,
) -> bool:
    """Whether a node must run again although its inputs are unchanged.

    Args:
        node: About to be launched, after all nodes before it have ended.
        open_now: Opens the store as it is.
        run_id: Id of the run.
        push_dir: Destination of the push.
        serving_sample: The requests that drift is looked for in, if any.
    """
    if node == "InfraValidator":
        return needs_new_verdict(open_now())
    if node == "DriftMonitor":  # the path does not say what lies there now
        return "://" in (serving_sample or "")
    return node == "Pusher" and needs_push(open_now(), run_id, push_dir)


def needs_push(store: metadata_store.MetadataStore, run_id: str, push_dir: str) -> bool:
    """Whether a run's model is blessed, and the newest version in a local folder is another one.

    Also if it is the same model, under another number than the last push to the folder records.

    Args:
        store: Store of the workspace.
        run_id: A run in which all nodes before Pusher have ended.
        push_dir: The serving folder; of a remote one nothing is said, so False.
    """
    if "://" in push_dir:
        return False
    graph = Graph(store)
    outputs = outputs_of_run(graph, run_id)
    blessings = [a for node in BLESSED_BY for a in outputs.get(node, {}).get("blessing", [])]
    if not all(a.properties.get("blessed") for a in blessings):
        return False
    warm = [Path(a.uri) / WARM_MODEL_FOLDER for a in blessings if a.properties.get("has_model")]
    trained = outputs.get("Trainer", {}).get("model", [])
    if any(sample_of(model) is not None for model in trained):
        return False
    models = [Path(model.uri) / MODEL_FOLDER for model in trained]
    if any(not is_newest(str(folder), push_dir) for folder in warm or models):
        return True
    last = _last_push(graph, push_dir)
    return last is not None and last != (push_dir, latest_version(push_dir))


def _last_push(graph: Graph, push_dir: str) -> tuple[str, int] | None:
    """What the last push by a run recorded: folder and version; ("", 0) if a model was withheld."""
    for pushed in reversed(graph.artifacts_of_type("PushedModel")):
        place = pushed_to(pushed)
        if WITHHELD_VERSION in pushed.properties:
            return "", 0
        if place and place[0] == push_dir and COPY_OF_VERSION not in pushed.properties:
            return place
    return None


def needs_new_verdict(store: metadata_store.MetadataStore) -> bool:
    """Whether the last infra validation was ended by the machine: it said nothing of the model."""
    blessings = Graph(store).artifacts_of_type("InfraBlessing")
    newest = max(blessings, key=lambda each: each.id, default=None)
    reasons = {reason.value for reason in MACHINE_REASONS}
    return newest is not None and newest.properties.get("reason") in reasons
