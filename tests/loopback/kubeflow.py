"""Kubeflow Pipelines over REST, v2beta1: experiments, pipelines, runs and recurring runs.

What it tells of a run is what a backend up to 2.16 tells: of each task a driver and an executor
beside it, whose they are only by name, and no error.
"""

import contextlib
import dataclasses
import email.parser
import email.policy
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import yaml

from runners.progress import NodeState
from tests.loopback.execution import Execute, Job, Jobs, now
from tests.loopback.http_server import Api, Refused, Request, serving
from tests.loopback.specifications import parse_spec, require_parameters, resolvers_of

_GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 500: 13, 503: 14}
_STATES = {"CANCELLED": "CANCELED", "CANCELLING": "CANCELING"}
_TASK_STATES = {
    NodeState.WAITING: "PENDING",
    NodeState.RUNNING: "RUNNING",
    NodeState.EXECUTED: "SUCCEEDED",
    NodeState.CACHED: "SUCCEEDED",
    NodeState.FAILED: "FAILED",
    NodeState.SKIPPED: "CANCELED",
}
_NEVER = "1970-01-01T00:00:00Z"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


class KubeflowApi(Api):
    """One installation.

    Attributes:
        token: What callers must bear; None: whoever asks is let in.
        may_create: Whether the caller may create anything.
        quota: Runs that may run at once.
        tells_parents: Whether it says whose a driver and an executor are, as backends may one day.
    """

    def __init__(self, execute: Execute, token: str | None = None):
        super().__init__()
        self.token = token
        self.may_create = True
        self.quota = 10
        self.tells_parents = False
        self.jobs = Jobs(execute)
        self.experiments: dict[str, dict[str, Any]] = {}
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.recurring: dict[str, dict[str, Any]] = {}
        for method, path, function in (
            ("GET", "healthz", lambda request: {"multi_user": False}),
            ("GET", "experiments", lambda request: self._list(request, "experiments")),
            ("POST", "experiments", self.create_experiment),
            ("GET", "pipelines", lambda request: self._list(request, "pipelines")),
            ("POST", "pipelines/upload", self.upload_pipeline),
            ("POST", "pipelines/upload_version", self.upload_version),
            ("GET", "pipelines/(?P<id>[^/]+)/versions", self.list_versions),
            ("GET", "pipelines/(?P<id>[^/]+)/versions/(?P<version>[^/]+)", self.get_version),
            ("POST", "runs", self.create_run),
            ("GET", "runs", self.list_runs),
            ("GET", "runs/(?P<run>[^/:]+)", self.get_run),
            ("POST", "runs/(?P<run>[^/:]+):terminate", self.terminate_run),
            ("POST", "recurringruns", self.create_recurring_run),
            ("GET", "recurringruns", lambda request: self._list(request, "recurring")),
        ):
            self.route(method, f"/apis/v2beta1/{path}", function)

    def admit(self, request: Request) -> None:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.token is not None and bearer != self.token:
            raise Refused(401, "Unauthenticated access: the token is expired or not valid")

    def word(self, refused: Refused) -> dict[str, Any]:
        said, code = str(refused), _GRPC.get(refused.status, 2)
        return {"error": said, "code": code, "message": said, "details": []}

    def create_experiment(self, request: Request) -> dict[str, Any]:
        self._require("experiments", "create")
        content = request.json()
        experiment = {**content, "experiment_id": str(uuid.uuid4()), "created_at": now()}
        self.experiments[experiment["experiment_id"]] = experiment
        return experiment

    def upload_pipeline(self, request: Request) -> dict[str, Any]:
        self._require("pipelines", "create")
        name = request.query["name"]
        if not _NAME.fullmatch(name):
            raise Refused(400, f"Invalid input error: pipeline name {name} is invalid")
        if any(p["display_name"] == name for p in self.pipelines.values()):
            raise Refused(409, f"Already exist error: The name {name} already exist.")
        spec = _uploaded_spec(request)
        pipeline = {
            "pipeline_id": str(uuid.uuid4()),
            "display_name": name,
            "created_at": now(),
            "namespace": request.query.get("namespace", ""),
        }
        self.pipelines[pipeline["pipeline_id"]] = pipeline
        self._add_version(pipeline["pipeline_id"], name, spec)
        return pipeline

    def upload_version(self, request: Request) -> dict[str, Any]:
        self._require("pipelines", "create")
        pipeline_id = request.query["pipelineid"]
        if pipeline_id not in self.pipelines:
            raise Refused(404, f"Pipeline {pipeline_id} not found")
        return self._add_version(pipeline_id, request.query["name"], _uploaded_spec(request))

    def list_versions(self, request: Request) -> dict[str, Any]:
        ours = [v for v in self.versions.values() if v["pipeline_id"] == request.parts["id"]]
        return {"pipeline_versions": _filtered(ours, request)}

    def get_version(self, request: Request) -> dict[str, Any]:
        return self._version(request.parts["version"])

    def create_run(self, request: Request) -> dict[str, Any]:
        self._require("runs", "create")
        content = request.json()
        if self.jobs.running() >= self.quota:
            raise Refused(429, "Failed to create a new run: exceeded quota: count/workflows")
        spec, values = self._checked(content, "run")
        job = Job(content, [spec], values)
        try:
            self.jobs.start(job)
        except ValueError as error:
            raise Refused(400, f"Failed to create a new run: {error}") from error
        return self._as_json(job)

    def list_runs(self, request: Request) -> dict[str, Any]:
        runs = [self._as_json(job) for job in self.jobs.jobs.values()]
        wanted = request.query.get("experiment_id")
        ours = [run for run in runs if wanted in (None, run.get("experiment_id"))]
        return {"runs": _filtered(ours, request)}

    def get_run(self, request: Request) -> dict[str, Any]:
        return self._as_json(self._find(request))

    def terminate_run(self, request: Request) -> dict[str, Any]:
        self._require("runs", "terminate")
        self.jobs.cancel(self._find(request))
        return {}

    def create_recurring_run(self, request: Request) -> dict[str, Any]:
        self._require("recurringruns", "create")
        content = request.json()
        cron = content.get("trigger", {}).get("cron_schedule", {}).get("cron", "")
        if len(cron.split()) != 6:
            raise Refused(
                400,
                "Schedule cron is not a supported format"
                f"(https://godoc.org/github.com/robfig/cron). Error: found {cron}",
            )
        if not 1 <= int(content.get("max_concurrency", 0)) <= 10:
            raise Refused(
                400, "Max concurrency of a recurring run must be at leas 1 and at most 10"
            )
        self._checked(content, "recurring run")
        recurring = {**content, "recurring_run_id": str(uuid.uuid4()), "status": "ENABLED"}
        self.recurring[recurring["recurring_run_id"]] = recurring
        return recurring

    def _add_version(self, pipeline_id: str, name: str, spec: Any) -> dict[str, Any]:
        same = [v for v in self.versions.values() if v["pipeline_id"] == pipeline_id]
        if any(v["display_name"] == name for v in same):
            raise Refused(409, f"Already exist error: The pipeline version {name} already exist.")
        version = {
            "pipeline_id": pipeline_id,
            "pipeline_version_id": str(uuid.uuid4()),
            "display_name": name,
            "created_at": now(),
            "pipeline_spec": spec,
        }
        self.versions[version["pipeline_version_id"]] = version
        return version

    def _version(self, version_id: str) -> dict[str, Any]:
        if version_id not in self.versions:
            raise Refused(404, f"PipelineVersion {version_id} not found")
        return self.versions[version_id]

    def _checked(self, content: dict[str, Any], what: str) -> tuple[Any, dict[str, Any]]:
        """The spec that a run or recurring run names, and its values, both sound."""
        if not content.get("display_name"):
            raise Refused(400, f"Failed to create a new {what}: its name is empty")
        if content.get("experiment_id") not in self.experiments:
            raise Refused(404, f"Experiment {content.get('experiment_id')} not found")
        reference = content.get("pipeline_version_reference") or {}
        if reference:
            content_spec = self._version(reference["pipeline_version_id"])["pipeline_spec"]
        else:
            content_spec = content.get("pipeline_spec")
        spec = _require_spec(content_spec)
        values = (content.get("runtime_config") or {}).get("parameters", {})
        try:
            require_parameters(spec, values)
        except ValueError as error:
            raise Refused(
                400,
                f"Failed to create a new {what}: invalid pipeline job inputs: "
                f"Invalid input error: {error}",
            ) from error
        if resolvers_of(spec):
            raise Refused(
                500,
                f"Failed to create a new {what}: Failed to compile job: error processing "
                f"resolver {resolvers_of(spec)[0]}: resolver not implemented yet",
            )
        return content_spec, values

    def _require(self, kind: str, verb: str) -> None:
        if not self.may_create:
            raise Refused(
                403,
                f"User 'someone' is not authorized with reason: (request: verb:{verb} "
                f"resource:{kind})",
            )

    def _list(self, request: Request, kind: str) -> dict[str, Any]:
        key = "recurringRuns" if kind == "recurring" else kind
        return {key: _filtered(list(getattr(self, kind).values()), request)}

    def _find(self, request: Request) -> Job:
        job = self.jobs.jobs.get(request.parts["run"])
        if job is None:
            raise Refused(404, f"Run {request.parts['run']} not found")
        return job

    def _as_json(self, job: Job) -> dict[str, Any]:
        answer = {
            **job.content,
            "run_id": job.job_id,
            "created_at": job.created,
            "state": _STATES.get(job.state, job.state),
            "run_details": {"task_details": self._details(job)},
        }
        if job.error:
            answer["error"] = {"code": 2, "message": job.error}
        return answer

    def _details(self, job: Job) -> list[dict[str, Any]]:
        """What a workflow of Argo has for the tasks that have begun."""
        state = _STATES.get(job.state, job.state)
        details = [
            _detail(job, "workflow", f"pipeline-{job.job_id[:5]}", state),
            _detail(job, "root-driver", "root-driver", "SUCCEEDED"),
            _detail(job, "root", "root", state),
        ]
        for name, result in sorted(job.tasks.items()):
            task_state = _TASK_STATES.get(result.state, "OMITTED")
            cached = result.state is NodeState.CACHED
            own = _detail(job, f"{name}-task", name, task_state)
            own["start_time"] = job.started[name]
            own["end_time"] = job.ended.get(name, _NEVER)
            executor = _detail(
                job, f"{name}-executor", "executor", "SKIPPED" if cached else task_state
            )
            if self.tells_parents:
                executor["parent_task_id"] = own["task_id"]
            details += [
                _detail(job, f"{name}-driver", f"{name}-driver", "SUCCEEDED"),
                own,
                executor,
            ]
        return details


def _detail(job: Job, key: str, name: str, state: str) -> dict[str, Any]:
    return {
        "run_id": job.job_id,
        "task_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{job.job_id}/{key}")),
        "display_name": name,
        "create_time": job.created,
        "start_time": job.created,
        "end_time": _NEVER,
        "state": state,
    }


def _uploaded_spec(request: Request) -> Any:
    """The specification in a form with a file."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    [part] = [p for p in form.iter_parts() if p.get_param("name", header="content-disposition")]
    text = part.get_payload(decode=True).decode()
    spec = next(iter(yaml.safe_load_all(text)))
    _require_spec(spec)
    return spec


def _require_spec(content: Any) -> Any:
    """Refuses a specification that the backend would not take."""
    try:
        spec = parse_spec(content)
        if spec.schema_version != "2.1.0":
            raise ValueError(
                "KFP only supports schema version 2.1.0, but the pipeline spec has version "
                f"{spec.schema_version}"
            )
        if not _NAME.fullmatch(spec.pipeline_info.name):
            raise ValueError(
                "invalid v2 pipeline spec: name should consist of lower case alphanumeric "
                "characters, '-' or '.', and must start and end with an alphanumeric character"
            )
        if not spec.root.dag.tasks:
            raise ValueError("invalid v2 pipeline spec: root component is empty")
    except ValueError as error:
        raise Refused(400, f"Invalid input error: invalid pipeline spec: {error}") from error
    return spec


def _filtered(things: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    for predicate in json.loads(request.query.get("filter") or "{}").get("predicates", []):
        if predicate["operation"] not in ("EQUALS", 1):  # kfp writes its number
            raise Refused(400, f"Invalid input error: operation {predicate['operation']}")
        # Clients write the value in either spelling of the protocol buffer's field.
        wanted = predicate.get("stringValue", predicate.get("string_value"))
        things = [thing for thing in things if thing[predicate["key"]] == wanted]
    return things


@dataclasses.dataclass(frozen=True)
class Kubeflow:
    """A server that runs."""

    api: KubeflowApi
    address: str


@contextlib.contextmanager
def kubeflow_server(execute: Execute, token: str | None = None) -> Iterator[Kubeflow]:
    """Serves until the block ends; then nothing of its runs runs any more."""
    api = KubeflowApi(execute, token)
    with serving(api) as address:
        try:
            yield Kubeflow(api, address)
        finally:
            api.jobs.stop()
