"""The run of a version in Vertex AI Experiments, and its lineage in Vertex ML Metadata.

The pipeline is an experiment, the run is one of its runs; an execution has the training data as its
input, model and metrics as its outputs. All have ids of our own, so that writing them again changes
nothing, and Metadata skips relations that exist.
"""

import contextlib
import re
from typing import Any

from fareline.recorded.evaluation import Values
from runners.platforms.vertex.connection import api, connect
from runners.platforms.vertex.errors import api_errors, explained
from runners.platforms.vertex.lease import Lease
from runners.platforms.vertex.operations import wait_for
from runners.platforms.vertex.shown.story import Story
from runners.platforms.vertex.target import ADVICE, Target

_SECONDS = 60.0
_SCHEMA_VERSION = "0.0.1"
_ID_LENGTH = 100  # 128 at most, with the endings of ours


def write_lineage(target: Target, version: int, story: Story, lease: Lease) -> None:
    """Writes experiment, run, execution and artifacts, unless they are there.

    Args:
        target: Place of the model.
        version: Version of the model.
        story: What is known of it.
        lease: Gets the operation that makes the metadata store of a project without one.

    Raises:
        PlatformError, UnreachableError, RefusedRequestError: One line.
    """
    with explained(ADVICE, target.address, f"{target.parent}/metadataStores/default"):
        _Writer(target).write(version, story, lease)


class _Writer:
    """Writes to the default metadata store of a region."""

    def __init__(self, target: Target):
        self._target = target
        self._client = connect("MetadataServiceClient", target.address)
        self._store = f"{target.parent}/metadataStores/default"

    def write(self, version: int, story: Story, lease: Lease) -> None:
        types = api()
        self._make_store(lease)
        of_model = str(self._target.settings.model)
        run_id = _id(f"{of_model}-{story.name}")
        # As Google's client writes an experiment and its runs: the console reads these keys.
        experiment = self._context(
            _id(of_model), "system.Experiment", of_model, {"experiment_deleted": False}
        )
        shown = {
            "_params": _plain(story.hyperparameters),
            "_metrics": _defined(story.metrics.overall),
            "_state": "COMPLETE",
            "vertex_experiment_tracking": True,
        }
        run = self._context(run_id, "system.ExperimentRun", story.name, shown)
        self._client.add_context_children(
            context=experiment, child_contexts=[run], timeout=_SECONDS
        )
        data = self._artifact(
            f"{run_id}-data",
            "system.Dataset",
            "training data",
            story.data_uri,
            {"sha256": story.data_sha256},
        )
        name = f"{self._target.model}@{version}"
        model = self._artifact(
            f"{run_id}-v{version}",
            "google.VertexModel",
            f"{of_model}, version {version}",
            f"{self._target.address}/v1/{name}",
            {"resourceName": name, "sha256": story.model_sha256},
        )
        metrics = self._artifact(
            f"{run_id}-metrics",
            "system.Metrics",
            "metrics",
            "",
            _defined(story.metrics.overall),
        )
        execution = self._execution(f"{run_id}-run", story.name)
        self._client.add_context_artifacts_and_executions(
            context=run,
            artifacts=[data, model, metrics],
            executions=[execution],
            timeout=_SECONDS,
        )
        kinds = types.Event.Type
        events = [
            types.Event(artifact=artifact, type_=kind)
            for artifact, kind in (
                (data, kinds.INPUT),
                (model, kinds.OUTPUT),
                (metrics, kinds.OUTPUT),
            )
        ]
        self._client.add_execution_events(execution=execution, events=events, timeout=_SECONDS)

    def _make_store(self, lease: Lease) -> None:
        """Every project gets a default one with the first that writes."""
        errors = api_errors()
        try:
            self._client.get_metadata_store(name=self._store, timeout=_SECONDS)
        except errors.NotFound:
            with contextlib.suppress(errors.Conflict):
                operation = self._client.create_metadata_store(
                    parent=self._target.parent,
                    metadata_store=api().MetadataStore(),
                    metadata_store_id="default",
                    timeout=_SECONDS,
                )
                wait_for(operation, lease)

    def _context(self, identity: str, schema: str, shown: str, metadata: dict[str, Any]) -> str:
        context = api().Context(
            display_name=shown,
            schema_title=schema,
            schema_version=_SCHEMA_VERSION,
            metadata=metadata,
        )
        with contextlib.suppress(api_errors().Conflict):
            self._client.create_context(
                parent=self._store, context=context, context_id=identity, timeout=_SECONDS
            )
        return f"{self._store}/contexts/{identity}"

    def _artifact(
        self, identity: str, schema: str, shown: str, uri: str, metadata: dict[str, Any]
    ) -> str:
        artifact = api().Artifact(
            display_name=shown,
            schema_title=schema,
            schema_version=_SCHEMA_VERSION,
            uri=uri,
            metadata=metadata,
            state=api().Artifact.State.LIVE,
        )
        with contextlib.suppress(api_errors().Conflict):
            self._client.create_artifact(
                parent=self._store, artifact=artifact, artifact_id=identity, timeout=_SECONDS
            )
        return f"{self._store}/artifacts/{identity}"

    def _execution(self, identity: str, shown: str) -> str:
        execution = api().Execution(
            display_name=shown,
            schema_title="system.Run",
            schema_version=_SCHEMA_VERSION,
            state=api().Execution.State.COMPLETE,
        )
        with contextlib.suppress(api_errors().Conflict):
            self._client.create_execution(
                parent=self._store, execution=execution, execution_id=identity, timeout=_SECONDS
            )
        return f"{self._store}/executions/{identity}"


def _id(text: str) -> str:
    """A text as Metadata takes it in an id: small letters, digits and hyphens, 4 at least."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_ID_LENGTH].ljust(4, "0")


def _defined(values: Values) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}


def _plain(values: Any) -> dict[str, Any]:
    """Numbers and texts, as a run's parameters are shown."""
    kinds = str | int | float
    return {n: v if isinstance(v, kinds) else str(v) for n, v in values.items()}
