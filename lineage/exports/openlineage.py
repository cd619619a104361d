"""The OpenLineage format: the events of every execution, one JSON object a line, oldest first.

Job: namespace `tfx`, name `PIPELINE.NODE`. Run: a UUID of its own, always the same for the same
execution; its parent is the pipeline's run. Dataset: an artifact by its URI, as OpenLineage names
files and buckets; and the source files that an ExampleGen read.

A running execution has a START and no more; so has one that a crash left running.
Source: https://openlineage.io/docs/spec/naming, https://openlineage.io/docs/spec/facets.
"""

import datetime
import uuid
from collections.abc import Iterator, Sequence

from ml_metadata.proto import metadata_store_pb2
from openlineage.client import event_v2, facet_v2
from openlineage.client.serde import Serde

from fareline import __version__
from fareline.recorded import GIT_COMMIT
from fareline.recorded.texts import parse_json
from lineage.exports.datasets import artifact_dataset, source_datasets
from lineage.exports.scope import Scope
from lineage.facts.failures import RESULT
from lineage.graph.elements import Artifact, Execution

NAMESPACE = "tfx"
PRODUCER = f"urn:fareline:{__version__}"
# Of the ids: fixed for ever, so that the same execution has the same id in every export.
_IDS = uuid.UUID("6f0a5f0e-3c55-5a5e-9d0b-8b1c1f1e7a44")
_ENDS = {
    metadata_store_pb2.Execution.COMPLETE: event_v2.RunState.COMPLETE,
    metadata_store_pb2.Execution.CACHED: event_v2.RunState.COMPLETE,
    metadata_store_pb2.Execution.FAILED: event_v2.RunState.FAIL,
    metadata_store_pb2.Execution.CANCELED: event_v2.RunState.ABORT,
}


def to_openlineage(scope: Scope) -> str:
    """Returns START and COMPLETE, FAIL or ABORT of every execution, as JSON lines.

    The same scope gives the same text.
    """
    facet_v2.set_producer(PRODUCER)
    artifacts = {artifact.id: artifact for artifact in scope.artifacts}
    linked: dict[tuple[int, bool], list[Artifact]] = {}
    for link in scope.links:
        if link.artifact_id in artifacts:
            key = (link.execution_id, link.is_output)
            linked.setdefault(key, []).append(artifacts[link.artifact_id])
    events: list[event_v2.RunEvent] = []
    for execution in scope.executions:
        read, written = (linked.get((execution.id, is_output), []) for is_output in (False, True))
        run = scope.runs.get(execution.place.run_id)
        events += _events(execution, run, read, written)
    events.sort(key=lambda event: event.eventTime)  # stable: a start stays before its end
    return "".join(Serde.to_json(event) + "\n" for event in events)


def run_uuid(execution: Execution) -> str:
    """The id of an execution, the same in every copy of the store."""
    place = execution.place
    return _uuid(place.pipeline, place.run_id, place.node, execution.id, execution.created)


def _events(
    execution: Execution,
    run: metadata_store_pb2.Context | None,
    read: Sequence[Artifact],
    written: Sequence[Artifact],
) -> Iterator[event_v2.RunEvent]:
    inputs = [event_v2.InputDataset(**artifact_dataset(artifact)) for artifact in read]
    inputs += [event_v2.InputDataset(**d) for d in source_datasets(execution, written)]
    job = event_v2.Job(NAMESPACE, _job_name(execution), _job_facets(run))
    facets = _run_facets(execution, run, [*written, *read])
    yield event_v2.RunEvent(
        eventType=event_v2.RunState.START,
        eventTime=_time(execution.created),
        run=event_v2.Run(run_uuid(execution), facets),
        job=job,
        inputs=inputs,
        producer=PRODUCER,
    )
    end = _ENDS.get(execution.proto.last_known_state)
    if end is None:
        return
    if end is event_v2.RunState.FAIL:
        facets = facets | _error_facet(execution)
    yield event_v2.RunEvent(
        eventType=end,
        eventTime=_time(execution.updated),
        run=event_v2.Run(run_uuid(execution), facets),
        job=job,
        inputs=inputs,
        outputs=[event_v2.OutputDataset(**artifact_dataset(artifact)) for artifact in written],
        producer=PRODUCER,
    )


def _job_name(execution: Execution) -> str:
    return ".".join(filter(None, (execution.place.pipeline, execution.place.node)))


def _job_facets(run: metadata_store_pb2.Context | None) -> dict[str, facet_v2.JobFacet]:
    facets: dict[str, facet_v2.JobFacet] = {
        "jobType": facet_v2.job_type_job.JobTypeJobFacet("BATCH", "TFX", "TASK")
    }
    commit = run.custom_properties[GIT_COMMIT].string_value if _has(run, GIT_COMMIT) else ""
    if commit:
        # A store does not know from where the code was cloned. This form names the commit itself.
        facets["sourceCodeLocation"] = facet_v2.source_code_location_job.SourceCodeLocationJobFacet(
            type="git", url=f"swh:1:rev:{commit}", version=commit
        )
    return facets


def _run_facets(
    execution: Execution, run: metadata_store_pb2.Context | None, artifacts: Sequence[Artifact]
) -> dict[str, facet_v2.RunFacet]:
    tag = facet_v2.tags_run.TagsRunFacetFields("state", execution.state, "MLMD")
    facets: dict[str, facet_v2.RunFacet] = {"tags": facet_v2.tags_run.TagsRunFacet([tag])}
    if run is not None:
        parent = facet_v2.parent_run
        facets["parent"] = parent.ParentRunFacet(
            parent.Run(_uuid(execution.place.pipeline, run.name, run.create_time_since_epoch)),
            parent.Job(NAMESPACE, execution.place.pipeline),
        )
        start = _time(run.create_time_since_epoch)
        facets["nominalTime"] = facet_v2.nominal_time_run.NominalTimeRunFacet(start)
    versions = [
        str(a.properties["tfx_version"]) for a in artifacts if "tfx_version" in a.properties
    ]
    if versions:
        facets["processing_engine"] = facet_v2.processing_engine_run.ProcessingEngineRunFacet(
            versions[0], "TFX", __version__
        )
    return facets


def _error_facet(execution: Execution) -> dict[str, facet_v2.RunFacet]:
    result = parse_json(execution.properties.get(RESULT))
    message = result.get("resultMessage") if isinstance(result, dict) else None
    if not message:
        return {}
    return {"errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet(message, "Python")}


def _has(run: metadata_store_pb2.Context | None, name: str) -> bool:
    return run is not None and name in run.custom_properties


def _uuid(*parts: object) -> str:
    return str(uuid.uuid5(_IDS, "\0".join(map(str, parts))))


def _time(milliseconds: int) -> str:
    time = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
