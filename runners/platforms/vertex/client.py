"""Vertex AI Pipelines, through the client of google-cloud-aiplatform.

It is the generated client, over REST: `PipelineJob.submit` of the same package logs a failure to
create the bucket and goes on, and `wait` shows no tasks. It is made in
`runners.platforms.vertex.connection`, when a command needs it. Credentials are Application Default
Credentials; an endpoint on this machine gets none.
"""

import json
from typing import Any

from pipeline.settings.runners import Vertex
from runners.platforms.errors import Advice
from runners.platforms.jobs import (
    JobState,
    JobStatus,
    NotThereError,
    RefusedRequestError,
    Request,
    Submitted,
    Task,
    waiting_tasks,
)
from runners.platforms.vertex.connection import address_of, api, connect
from runners.platforms.vertex.errors import explained
from runners.progress import NodeState

CONSOLE = "https://console.cloud.google.com/vertex-ai/locations"
ADVICE = Advice(
    platform="vertex",
    account="Application Default Credentials of an account that may use the project",
    role="roles/aiplatform.user on the project, and roles/iam.serviceAccountUser on the service "
    "account of the job",
    sign_in="run `gcloud auth application-default login`",
    roles="docs/vertex.md lists the roles",
    place="runners.vertex.project and region in the settings say where to look",
    room="wait for other jobs to end, or ask for more on the quota page of the project",
    address="runners.vertex.region and api_endpoint in the settings",
)
_SECONDS = 60.0  # that one answer may take

_JOB_STATES = {
    "PIPELINE_STATE_RUNNING": JobState.RUNNING,
    "PIPELINE_STATE_SUCCEEDED": JobState.SUCCEEDED,
    "PIPELINE_STATE_FAILED": JobState.FAILED,
    "PIPELINE_STATE_CANCELLING": JobState.CANCELLING,
    "PIPELINE_STATE_CANCELLED": JobState.CANCELLED,
    "PIPELINE_STATE_PAUSED": JobState.PAUSED,
}
_TASK_STATES = {
    "RUNNING": NodeState.RUNNING,
    "SUCCEEDED": NodeState.EXECUTED,
    "CANCEL_PENDING": NodeState.RUNNING,
    "CANCELLING": NodeState.RUNNING,
    "CANCELLED": NodeState.SKIPPED,
    "FAILED": NodeState.FAILED,
    "SKIPPED": NodeState.CACHED,  # the API's word for a hit of the cache
    "NOT_TRIGGERED": NodeState.SKIPPED,
}


class VertexPlatform:
    """Jobs and schedules of one project in one region.

    Args:
        settings: The section `runners.vertex`.

    Raises:
        RefusedRequestError: If there are no credentials.
    """

    name = "vertex"

    def __init__(self, settings: Vertex):
        self._settings = settings
        self._parent = f"projects/{settings.project}/locations/{settings.region}"
        endpoint = address_of(settings.region, settings.api_endpoint)
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}

    def describe(self, request: Request) -> dict[str, Any]:
        """Returns the request, with the names of the API; a PipelineJob holds its parameters."""
        create = {"parent": self._parent, "pipelineJob": dict(request.spec)}
        if request.schedule is None:
            return {**create, "pipelineJobId": request.job_id}
        return {
            "parent": self._parent,
            "schedule": {
                "displayName": request.job_id,
                "cron": request.schedule,
                "maxConcurrentRunCount": "1",
                "createPipelineJobRequest": create,
            },
        }

    def submit(self, request: Request) -> Submitted:
        """Creates the job, or the schedule, and returns its id and its page in the console."""
        if request.schedule is not None:
            return self._create_schedule(request)
        with explained(ADVICE, self._endpoint, request.job_id):
            job = self._pipelines().create_pipeline_job(
                parent=self._parent,
                pipeline_job=_message("PipelineJob", dict(request.spec)),
                pipeline_job_id=request.job_id,
                timeout=_SECONDS,
            )
        return self._submitted(job.name.rpartition("/")[2])

    def find(self, job_id: str) -> Submitted:
        """Finds a job by its id."""
        self._get(job_id)
        return self._submitted(job_id)

    def find_named(self, job_id: str) -> Submitted | None:
        """Finds a job by the id of its request, which is its own; None: there is no such job."""
        try:
            return self.find(job_id)
        except NotThereError:
            return None

    def look(self, job_id: str) -> JobStatus:
        """Returns the progress of a job."""
        from google.protobuf import json_format

        job = self._get(job_id)
        details = job.job_detail.task_details
        tasks = waiting_tasks(json_format.MessageToDict(type(job).pb(job).pipeline_spec))
        for detail in details:
            # The pipeline as a whole is a task too, named as the job, and the parent of the others.
            if detail.parent_task_id or detail.task_name in tasks:
                tasks[detail.task_name] = _task(detail)
        state = _JOB_STATES.get(job.state.name, JobState.PENDING)
        return JobStatus(state, tasks, job.error.message)

    def cancel(self, job_id: str) -> None:
        """Asks Vertex to cancel a job."""
        with explained(ADVICE, self._endpoint, job_id):
            name = f"{self._parent}/pipelineJobs/{job_id}"
            self._pipelines().cancel_pipeline_job(name=name, timeout=_SECONDS)

    def _get(self, job_id: str) -> Any:
        with explained(ADVICE, self._endpoint, job_id):
            name = f"{self._parent}/pipelineJobs/{job_id}"
            return self._pipelines().get_pipeline_job(name=name, timeout=_SECONDS)

    def _create_schedule(self, request: Request) -> Submitted:
        with explained(ADVICE, self._endpoint, request.job_id):
            client = self._schedules()
            same = client.list_schedules(
                request={
                    "parent": self._parent,
                    "filter": f'display_name="{request.job_id}" AND state="ACTIVE"',
                },
                timeout=_SECONDS,
            )
            existing = next(iter(same), None)
            if existing is None:
                schedule = client.create_schedule(
                    parent=self._parent,
                    schedule=_message("Schedule", self.describe(request)["schedule"]),
                    timeout=_SECONDS,
                )
        if existing is not None:
            found = self._submitted(existing.name.rpartition("/")[2], "schedules")
            raise RefusedRequestError.explain(
                request.job_id,
                f"is scheduled already, `{existing.cron}`",
                "expected a schedule that does not exist yet",
                f"delete that one first, or name another --job-id: {found.link}",
            )
        return self._submitted(schedule.name.rpartition("/")[2], "schedules")

    def _submitted(self, last_part: str, kind: str = "runs") -> Submitted:
        region, project = self._settings.region, self._settings.project
        link = f"{CONSOLE}/{region}/pipelines/{kind}/{last_part}?project={project}"
        return Submitted(last_part, link)

    def _pipelines(self) -> Any:
        return self._client("PipelineServiceClient")

    def _schedules(self) -> Any:
        return self._client("ScheduleServiceClient")

    def _client(self, name: str) -> Any:
        if name not in self._clients:
            self._clients[name] = connect(name, self._endpoint)
        return self._clients[name]


def _message(name: str, content: dict[str, Any]) -> Any:
    """A message of the API from its JSON form."""
    return getattr(api(), name).from_json(json.dumps(content))


def _task(detail: Any) -> Task:
    seconds = 0.0
    if detail.end_time and detail.start_time:
        seconds = (detail.end_time - detail.start_time).total_seconds()
    state = _TASK_STATES.get(detail.state.name, NodeState.WAITING)
    return Task(detail.task_name, state, seconds, detail.error.message)
