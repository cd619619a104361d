"""Batch predictions of Vertex AI over REST, as the comments of BatchPredictionJob say.

A job answers at once, in another order than the rows came in, and says so after as many questions
as `polls`. Requests are parsed with Google's own types, which refuse what they do not know.
"""

import datetime
import json
import re
from typing import Any

from tests.loopback.http_server import Refused, Request
from tests.loopback.vertex_models import PARENT, VertexModelsApi, google_types

_MACHINES = re.compile(r"(n1|n2|e2|c2|c3)-(standard|highmem|highcpu)-\d+")
_ENDED = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")


class BatchPredictions:
    """The jobs of a project.

    Attributes:
        jobs: Name to its content.
        failing: Message that every job ends with; empty: it succeeds.
        bad_rows: Numbers of the rows that the model cannot answer.
        interrupt: Called at each look at a job.
    """

    def __init__(self, api: VertexModelsApi):
        self.api = api
        self.jobs: dict[str, dict[str, Any]] = {}
        self.failing = ""
        self.bad_rows: set[int] = set()
        self.interrupt = lambda: None
        self._left: dict[str, int] = {}
        verbs = ("create", "get", "list", "cancel")
        api.permissions |= {f"aiplatform.batchPredictionJobs.{verb}" for verb in verbs}
        job = "/batchPredictionJobs/(?P<job>[^/:]+)"
        for method, path, function in (
            ("POST", "/batchPredictionJobs", self.create),
            ("GET", "/batchPredictionJobs", self.list_jobs),
            ("GET", job, self.get),
            ("POST", f"{job}:cancel", self.cancel),
        ):
            api.route(method, PARENT + path, function)

    def create(self, request: Request) -> dict[str, Any]:
        self.api.require("batchPredictionJobs.create", request)
        job = google_types().BatchPredictionJob.from_json(request.body)
        model_id, _, version = job.model.rpartition("/")[2].partition("@")
        if int(version) not in self.api.models.get(model_id, {}):
            raise Refused(404, f"The Model does not exist: {job.model}.")
        if not job.display_name or job.input_config.instances_format != "jsonl":
            raise Refused(400, "display_name and a supported instances_format are required.")
        machine = job.dedicated_resources.machine_spec.machine_type
        if not _MACHINES.fullmatch(machine):
            raise Refused(400, f'Machine type "{machine}" is not supported.')
        if job.dedicated_resources.starting_replica_count > self.api.machines:
            raise Refused(429, "The following quotas are exceeded: CustomModelServingCPUs")
        number = self.api.number()
        name = f"{self.api.parent()}/batchPredictionJobs/{number}"
        now = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
        content = {**request.json(), "name": name, "createTime": now, "state": "JOB_STATE_PENDING"}
        self.jobs[name], self._left[name] = content, self.api.polls
        return content

    def list_jobs(self, request: Request) -> dict[str, Any]:
        self.api.require("batchPredictionJobs.list", request)
        wanted = re.fullmatch(r"labels\.(\w+)=([\w-]+)", request.query["filter"])
        if wanted is None:
            raise Refused(400, f"Invalid filter: {request.query['filter']}.")
        name, value = wanted.groups()
        found = [job for job in self.jobs.values() if job["labels"].get(name) == value]
        return {"batchPredictionJobs": found}

    def get(self, request: Request) -> dict[str, Any]:
        self.api.require("batchPredictionJobs.get", request)
        job = self._job(request)
        self.interrupt()
        if job["state"] not in _ENDED:
            if self._left[job["name"]] <= 0:
                self._end(job)
            else:
                self._left[job["name"]] -= 1
                if job["state"] == "JOB_STATE_PENDING":
                    job["state"] = "JOB_STATE_RUNNING"
        return job

    def cancel(self, request: Request) -> dict[str, Any]:
        self.api.require("batchPredictionJobs.cancel", request)
        self._job(request)["state"] = "JOB_STATE_CANCELLING"
        return {}

    def _job(self, request: Request) -> dict[str, Any]:
        name = f"{self.api.parent()}/batchPredictionJobs/{request.parts['job']}"
        if name not in self.jobs:
            raise Refused(404, f"The BatchPredictionJob does not exist: {name}.")
        return self.jobs[name]

    def _end(self, job: dict[str, Any]) -> None:
        if job["state"] == "JOB_STATE_CANCELLING":
            job.update(state="JOB_STATE_CANCELLED", error={"code": 1, "message": "CANCELLED"})
            return
        model_id, _, version = job["model"].rpartition("/")[2].partition("@")
        image = self.api.models[model_id][int(version)]["containerSpec"]["imageUri"]
        failing = self.failing
        if image in self.api.images:
            failing = f"The service agent does not have permission to pull the image {image}."
        [uri] = job["inputConfig"]["gcsSource"]["uris"]
        source = self.api.local(uri)
        if not source.is_file():
            failing = f"The file {uri} does not exist."
        if failing:
            job.update(state="JOB_STATE_FAILED", error={"code": 3, "message": failing})
            return
        prefix = job["outputConfig"]["gcsDestination"]["outputUriPrefix"].rstrip("/")
        folder = f"{prefix}/prediction-{job['displayName']}-{job['createTime']}"
        self._answer(job, source.read_text().splitlines(), folder)
        job.update(state="JOB_STATE_SUCCEEDED", outputInfo={"gcsOutputDirectory": folder})

    def _answer(self, job: dict[str, Any], lines: list[str], folder: str) -> None:
        """Two files, the rows backwards, and a third for what could not be answered."""
        key = job["instanceConfig"]["keyField"]
        rows = [json.loads(line) for line in lines]
        keys = [row.pop(key) for row in rows]
        answers = list(zip(keys, rows, self.api.predict(rows), strict=True))[::-1]
        written: dict[str, list[str]] = {"results-00000-of-00002": [], "results-00001-of-00002": []}
        for at, (number, row, answer) in enumerate(answers):
            if int(number) in self.bad_rows:
                error = {"code": 3, "message": "Could not parse example input."}
                line = json.dumps({"instance": row, "error": error})
                written.setdefault("errors_stats-00000-of-00001", []).append("{}")
                written.setdefault("errors-00000-of-00001", []).append(line)
            else:
                line = json.dumps({"key": number, "prediction": answer})
                written[f"results-0000{at % 2}-of-00002"].append(line)
        place = self.api.local(folder)
        place.mkdir(parents=True)
        for name, content in written.items():
            (place / f"prediction.{name}").write_text("".join(f"{line}\n" for line in content))
