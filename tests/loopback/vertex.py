"""Vertex AI Pipelines over REST: jobs and schedules."""

import contextlib
import dataclasses
import itertools
import re
from collections.abc import Iterator
from typing import Any

from runners.progress import NodeState
from tests.loopback.execution import Execute, Job, Jobs
from tests.loopback.http_server import Api, Refused, Request, serving
from tests.loopback.specifications import parse_spec, require_parameters

_JOB_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
_TASK_STATES = {
    NodeState.WAITING: "PENDING",
    NodeState.RUNNING: "RUNNING",
    NodeState.EXECUTED: "SUCCEEDED",
    NodeState.CACHED: "SKIPPED",
    NodeState.FAILED: "FAILED",
    NodeState.SKIPPED: "CANCELLED",
}
_PARENT = r"/v1/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"


class VertexApi(Api):
    """One project in one region.

    Attributes:
        project, location: Which ones.
        permissions: Of the caller.
        quota: Jobs that may run at once.
    """

    def __init__(self, execute: Execute, project: str, location: str):
        super().__init__()
        self.project, self.location = project, location
        self.permissions = {
            f"aiplatform.{kind}.{verb}"
            for kind in ("pipelineJobs", "schedules")
            for verb in ("create", "get", "list", "cancel", "delete")
        }
        self.quota = 10
        self.jobs = Jobs(execute)
        self.schedules: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(4_000_000_000_000_000_001)
        for method, path, function in (
            ("POST", "/pipelineJobs", self.create_job),
            ("GET", "/pipelineJobs", self.list_jobs),
            ("GET", "/pipelineJobs/(?P<job>[^/:]+)", self.get_job),
            ("POST", "/pipelineJobs/(?P<job>[^/:]+):cancel", self.cancel_job),
            ("POST", "/schedules", self.create_schedule),
            ("GET", "/schedules", self.list_schedules),
            ("GET", "/schedules/(?P<schedule>[^/:]+)", self.get_schedule),
        ):
            self.route(method, _PARENT + path, function)

    def word(self, refused: Refused) -> dict[str, Any]:
        status = _STATUS.get(refused.status, "UNKNOWN")
        return {"error": {"code": refused.status, "message": str(refused), "status": status}}

    def create_job(self, request: Request) -> dict[str, Any]:
        self._require("pipelineJobs.create", request)
        content = request.json()
        job_id = request.query.get("pipelineJobId") or f"job-{next(self._numbers)}"
        if not _JOB_ID.fullmatch(job_id):
            raise Refused(400, f'The PipelineJob id "{job_id}" is invalid.')
        if job_id in self.jobs.jobs:
            raise Refused(409, f"The PipelineJob with id {job_id} already exists.")
        if self.jobs.running() >= self.quota:
            raise Refused(
                429,
                "The following quotas are exceeded: "
                "aiplatform.googleapis.com/pipeline_jobs_concurrent.",
            )
        self._check(content)
        job = Job(content, [_document(content)], {}, job_id)
        try:
            self.jobs.start(job)
        except ValueError as error:
            raise Refused(400, str(error)) from error
        return self._as_json(job)

    def get_job(self, request: Request) -> dict[str, Any]:
        self._require("pipelineJobs.get", request)
        return self._as_json(self._find(request))

    def list_jobs(self, request: Request) -> dict[str, Any]:
        self._require("pipelineJobs.list", request)
        return {"pipelineJobs": [self._as_json(job) for job in self.jobs.jobs.values()]}

    def cancel_job(self, request: Request) -> dict[str, Any]:
        self._require("pipelineJobs.cancel", request)
        self.jobs.cancel(self._find(request))
        return {}

    def create_schedule(self, request: Request) -> dict[str, Any]:
        self._require("schedules.create", request)
        content = request.json()
        fields = re.sub(r"^(CRON_)?TZ=\S+ ", "", content.get("cron", "")).split()
        if len(fields) != 5:
            raise Refused(400, f'Invalid cron expression "{content.get("cron", "")}".')
        if int(content.get("maxConcurrentRunCount", 0)) < 1:
            raise Refused(400, "max_concurrent_run_count must be positive.")
        self._check(content["createPipelineJobRequest"]["pipelineJob"])
        name = f"projects/{self.project}/locations/{self.location}/schedules/{next(self._numbers)}"
        self.schedules[name] = {**content, "name": name, "state": "ACTIVE"}
        return self.schedules[name]

    def list_schedules(self, request: Request) -> dict[str, Any]:
        self._require("schedules.list", request)
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', request.query.get("filter", "")))
        fields = {"display_name": "displayName", "state": "state"}
        found = [
            schedule
            for schedule in self.schedules.values()
            if all(schedule[fields[name]] == value for name, value in wanted.items())
        ]
        return {"schedules": found}

    def get_schedule(self, request: Request) -> dict[str, Any]:
        self._require("schedules.get", request)
        name = request.path.removeprefix("/v1/")
        if name not in self.schedules:
            raise Refused(404, f"The Schedule does not exist: {name}.")
        return self.schedules[name]

    def _require(self, permission: str, request: Request) -> None:
        where = f"projects/{request.parts['project']}/locations/{request.parts['location']}"
        known = (request.parts["project"], request.parts["location"])
        if f"aiplatform.{permission}" not in self.permissions or known != (
            self.project,
            self.location,
        ):
            raise Refused(
                403,
                f"Permission 'aiplatform.{permission}' denied on resource "
                f"'//aiplatform.googleapis.com/{where}' (or it may not exist).",
            )

    def _check(self, content: dict[str, Any]) -> None:
        """Refuses a PipelineJob that Vertex would not take."""
        try:
            spec = parse_spec(content.get("pipelineSpec", {}))
            if spec.schema_version not in ("2.0.0", "2.1.0"):
                raise ValueError(f"Unsupported pipeline schema version: {spec.schema_version}.")
            runtime = content.get("runtimeConfig", {})
            if not runtime.get("gcsOutputDirectory", "").startswith("gs://"):
                raise ValueError("runtime_config.gcs_output_directory must start with gs://.")
            require_parameters(spec, runtime.get("parameterValues", {}))
        except ValueError as error:
            raise Refused(400, str(error)) from error
        account = content.get("serviceAccount", "")
        if account and not account.endswith(".gserviceaccount.com"):
            raise Refused(400, f"Invalid service account: {account}.")

    def _find(self, request: Request) -> Job:
        job = self.jobs.jobs.get(request.parts["job"])
        if job is None:
            name = request.path.removeprefix("/v1/").partition(":")[0]
            raise Refused(404, f"The PipelineJob does not exist: {name}.")
        return job

    def _as_json(self, job: Job) -> dict[str, Any]:
        parent = f"projects/{self.project}/locations/{self.location}"
        details = [{"taskId": "1", "taskName": job.job_id, "state": "RUNNING"}]
        for number, (name, result) in enumerate(sorted(job.tasks.items()), 2):
            detail = {
                "taskId": str(number),
                "parentTaskId": "1",
                "taskName": name,
                "createTime": job.started[name],
                "startTime": job.started[name],
                "state": _TASK_STATES.get(result.state, "NOT_TRIGGERED"),
            }
            if name in job.ended:
                detail["endTime"] = job.ended[name]
            if result.error is not None:
                detail["error"] = {"code": 9, "message": str(result.error)}
            details.append(detail)
        answer = {
            **job.content,
            "name": f"{parent}/pipelineJobs/{job.job_id}",
            "createTime": job.created,
            "state": f"PIPELINE_STATE_{job.state}",
            "jobDetail": {"taskDetails": details},
        }
        if job.error:
            answer["error"] = {"code": 9, "message": job.error}
        return answer


def _document(content: dict[str, Any]) -> dict[str, Any]:
    """What of a PipelineJob is its user's, as a file of it would have it."""
    return {name: value for name, value in content.items() if name not in ("state", "name")}


@dataclasses.dataclass(frozen=True)
class Vertex:
    """A server that runs."""

    api: VertexApi
    address: str


@contextlib.contextmanager
def vertex_server(
    execute: Execute, project: str = "fare-project", location: str = "europe-west4"
) -> Iterator[Vertex]:
    """Serves until the block ends; then nothing of its jobs runs any more."""
    api = VertexApi(execute, project, location)
    with serving(api) as address:
        try:
            yield Vertex(api, address)
        finally:
            api.jobs.stop()
