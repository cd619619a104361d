"""A person's decisions about the baseline: a pinned model, or none for one run.

An execution of type `fareline.baseline` in the pipeline's context, with the Model as input if one
was pinned; who, when and why stand with it. TFX resolves by outputs, so these executions do not
affect it. The newest decision of a pipeline is in force; after `unpin`, and where there is none,
the baseline is the latest blessed model.

Called by the pipeline's baseline strategy, `cli.baseline` and `lineage.answers.why.why`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from fareline.recorded import REASON, USER
from lineage.graph.elements import Artifact
from lineage.text.times import iso

BASELINE = "fareline.baseline"
PIN, RESET, UNPIN = "pin", "reset", "unpin"
_ACTION, _PIPELINE, _MODEL_ID = "action", "pipeline", "model_id"


@dataclasses.dataclass(frozen=True)
class Decision:
    """A person's decision.

    Attributes:
        action: `pin`; `reset`: models that were blessed before are no baselines any more; `unpin`.
        pipeline: Pipeline of the decision.
        model_id: Id of the pinned Model; None for the others.
        user: Login name.
        reason: In the words of who did it.
        created: When, milliseconds since 1970.
        execution_id: Id of the execution that records it.
    """

    action: str
    pipeline: str
    model_id: int | None
    user: str
    reason: str
    created: int = 0
    execution_id: int = 0

    def as_json(self) -> dict[str, Any]:
        """The fields, the model by its printable id, the time as ISO 8601 has it."""
        content = dataclasses.asdict(self) | {"created": iso(self.created)}
        content["model"] = f"Model:{self.model_id}" if self.model_id else None
        del content["model_id"]
        return content


def decisions(store: metadata_store.MetadataStore, pipeline: str) -> list[Decision]:
    """All decisions about a pipeline, the oldest first."""
    found = []
    for execution in store.get_executions_by_type(BASELINE):
        values = execution.custom_properties
        if values[_PIPELINE].string_value == pipeline:
            found.append(
                Decision(
                    values[_ACTION].string_value,
                    pipeline,
                    values[_MODEL_ID].int_value or None,
                    values[USER].string_value,
                    values[REASON].string_value,
                    execution.create_time_since_epoch,
                    execution.id,
                )
            )
    return sorted(found, key=lambda decision: decision.execution_id)


def decision_in_force(
    store: metadata_store.MetadataStore, pipeline: str, before: int | None = None
) -> Decision | None:
    """The decision that holds; None if the latest blessed model is the baseline.

    Args:
        store: To read from.
        pipeline: Name.
        before: Id of an execution: what held when it was registered; None: now.
    """
    made = [d for d in decisions(store, pipeline) if before is None or d.execution_id < before]
    return made[-1] if made and made[-1].action != UNPIN else None


def record_decision(
    store: metadata_store.MetadataStore, decision: Decision, model: Artifact | None
) -> int:
    """Records a decision; returns the id of its execution.

    Args:
        store: Opened to write.
        decision: Without time and id.
        model: The pinned Model.
    """
    type_id = store.put_execution_type(mlmd.ExecutionType(name=BASELINE))
    execution = mlmd.Execution(type_id=type_id, last_known_state=mlmd.Execution.COMPLETE)
    texts = {
        _ACTION: decision.action,
        _PIPELINE: decision.pipeline,
        USER: decision.user,
        REASON: decision.reason,
    }
    for name, text in texts.items():
        execution.custom_properties[name].string_value = text
    pairs = []
    if model is not None:
        execution.custom_properties[_MODEL_ID].int_value = model.id
        event = mlmd.Event(type=mlmd.Event.INPUT)
        event.path.steps.add().key = "baseline_model"  # as in Evaluator: no walk goes through it
        event.path.steps.add().index = 0
        pairs.append((model.proto, event))
    contexts = _contexts(store, decision.pipeline)
    return store.put_execution(execution, pairs, contexts, reuse_context_if_already_exist=True)[0]


def _contexts(store: metadata_store.MetadataStore, pipeline: str) -> Sequence[mlmd.Context]:
    """The pipeline and the node, as TFX has them; no run, since none took place."""
    contexts = []
    for kind, name in (("pipeline", pipeline), ("node", f"{pipeline}.baseline")):
        try:
            type_id = store.get_context_type(kind).id
        except errors.NotFoundError:
            type_id = store.put_context_type(mlmd.ContextType(name=kind))
        contexts.append(mlmd.Context(type_id=type_id, name=name))
    return contexts
