"""One BatchPredictionJob of Vertex AI: found again, started, waited for, cancelled.

A label names the rows and the version, so that a command that is repeated after a kill waits for
the job that runs, and does not pay for a second one.
"""

import dataclasses
import time
import warnings
from collections.abc import Callable
from typing import Any

from runners.platforms.errors import one_line
from runners.platforms.jobs import UnreachableError
from runners.platforms.vertex.batch.rows import KEY, FailedJob
from runners.platforms.vertex.bucket import files_below
from runners.platforms.vertex.connection import api, connect
from runners.platforms.vertex.errors import api_errors, explained
from runners.platforms.vertex.target import ADVICE, Target

ROWS = "fareline_rows"
_DIGEST_DIGITS = 40  # a label has 63 characters at most
_SECONDS = 60.0
_POLL_SECONDS = 10.0
_SILENCE_SECONDS = 300.0
_LIMIT_SECONDS = 6 * 3600.0
_ADVICE = dataclasses.replace(
    ADVICE,
    role="roles/aiplatform.user on the project",
    request="a batch prediction",
    look="docs/vertex-publish.md lists what it refuses",
)


@dataclasses.dataclass(frozen=True)
class BatchRequest:
    """A request for predictions.

    Attributes:
        version: Version of the model.
        sha256: Digest of version and rows.
        folder: `gs://` address of the folder for rows and answers.
        batch_size: Rows that the model gets at once.
    """

    version: int
    sha256: str
    folder: str
    batch_size: int

    @property
    def instances(self) -> str:
        """File of the rows, JSON lines."""
        return f"{self.folder}/instances.jsonl"

    @property
    def label(self) -> str:
        """The digest, as a label."""
        return self.sha256[:_DIGEST_DIGITS]


class BatchJobs:
    """The batch predictions of a model.

    Args:
        target: Model that predicts.
    """

    def __init__(self, target: Target):
        self._target = target
        self._client = None

    def find(self, request: BatchRequest) -> str | None:
        """The newest job for these rows that runs, or whose answers are there; its name."""
        with self._told(request.label):
            found = self._jobs().list_batch_prediction_jobs(
                request=api().ListBatchPredictionJobsRequest(
                    parent=self._target.parent, filter=f"labels.{ROWS}={request.label}"
                ),
                timeout=_SECONDS,
            )
            jobs = sorted(found, key=lambda job: str(job.create_time), reverse=True)
        for job in jobs:
            if job.state in _running() - {api().JobState.JOB_STATE_CANCELLING}:
                return job.name
            # Whoever removes the files begins with the rows.
            if job.state in _answered() and request.instances in files_below(request.folder):
                return job.name
        return None

    def start(self, request: BatchRequest) -> str:
        """Starts a job; returns its name."""
        types, settings = api(), self._target.settings
        job = types.BatchPredictionJob(
            display_name=f"{settings.model}-{request.version}",
            model=f"{self._target.model}@{request.version}",
            input_config=types.BatchPredictionJob.InputConfig(
                instances_format="jsonl", gcs_source=types.GcsSource(uris=[request.instances])
            ),
            instance_config=types.BatchPredictionJob.InstanceConfig(
                instance_type="object", key_field=KEY
            ),
            output_config=types.BatchPredictionJob.OutputConfig(
                predictions_format="jsonl",
                gcs_destination=types.GcsDestination(output_uri_prefix=f"{request.folder}/answers"),
            ),
            dedicated_resources=types.BatchDedicatedResources(
                machine_spec=types.MachineSpec(machine_type=settings.machine_type),
                starting_replica_count=settings.replicas,
                max_replica_count=settings.replicas,
            ),
            manual_batch_tuning_parameters=types.ManualBatchTuningParameters(
                batch_size=request.batch_size
            ),
            labels={"made_by": "fareline", ROWS: request.label},
        )
        if settings.service_account is not None:
            job.service_account = settings.service_account
        with self._told(job.model):
            started = self._jobs().create_batch_prediction_job(
                parent=self._target.parent, batch_prediction_job=job, timeout=_SECONDS
            )
            return _require_name(started).name

    def wait(self, name: str, tell: Callable[[str], None]) -> str:
        """Waits until a job has succeeded.

        Args:
            name: Name of the job.
            tell: Called with the state whenever it changes.

        Returns:
            Folder of the bucket with the answers.

        Raises:
            FailedJob: The job ended in an error, or was cancelled.
            PlatformError, RefusedRequestError: Vertex refuses to tell.
            UnreachableError: It has not ended within six hours, or Vertex gives no answer.
        """
        retry = _retry()
        patiently = retry.Retry(
            predicate=retry.if_exception_type(UnreachableError),
            initial=_POLL_SECONDS,
            maximum=6 * _POLL_SECONDS,
            timeout=_SILENCE_SECONDS,
        )
        began, said = time.monotonic(), ""
        while True:
            job = self._look(patiently, name)
            if job.state not in _running():
                return self._answers_of(job)
            word = api().JobState(job.state).name.removeprefix("JOB_STATE_").lower()
            if word != said:
                tell(word)
                said = word
            if time.monotonic() - began > _LIMIT_SECONDS:
                raise UnreachableError.explain(
                    name,
                    "has not ended within six hours",
                    "expected it to end",
                    "run the same command again: it waits for this job",
                )
            time.sleep(_POLL_SECONDS)

    def cancel(self, name: str) -> None:
        """Asks Vertex to stop a job."""
        with self._told(name):
            self._jobs().cancel_batch_prediction_job(name=name, timeout=_SECONDS)

    def _look(self, patiently: Any, name: str) -> Any:
        def get() -> Any:
            with self._told(name):
                job = self._jobs().get_batch_prediction_job(name=name, timeout=_SECONDS)
                return _require_name(job)

        try:
            return patiently(get)()
        except api_errors().RetryError as error:
            raise UnreachableError.explain(
                name,
                f"no answer from {self._target.address} for {_SILENCE_SECONDS:.0f} s",
                "expected the state of the job",
                "the job goes on; run the same command again: it waits for this job",
            ) from error

    def _answers_of(self, job: Any) -> str:
        if job.state in _answered():
            return job.output_info.gcs_output_directory
        ended = api().JobState(job.state).name.removeprefix("JOB_STATE_").lower().replace("_", " ")
        said = one_line(job.error.message or "Vertex gives no reason")
        raise FailedJob.explain(
            job.name,
            f"ended as {ended} ({said})",
            "expected it to succeed",
            "act on what it says, and run the same command again: that starts a new job",
        )

    def _jobs(self) -> Any:
        if self._client is None:
            self._client = connect("JobServiceClient", self._target.address)
        return self._client

    def _told(self, what: str) -> Any:
        return explained(_ADVICE, self._target.address, what)


def _retry() -> Any:
    """Google's module of repeated calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the age of the Python that TFX needs
        from google.api_core import retry
    return retry


def _require_name(job: Any) -> Any:
    if not job.name:
        raise ValueError("a job without a name")
    return job


def _running() -> set[int]:
    states = api().JobState
    return {
        states.JOB_STATE_QUEUED,
        states.JOB_STATE_PENDING,
        states.JOB_STATE_RUNNING,
        states.JOB_STATE_PAUSED,
        states.JOB_STATE_UPDATING,
        states.JOB_STATE_CANCELLING,
    }


def _answered() -> set[int]:
    states = api().JobState
    return {states.JOB_STATE_SUCCEEDED, states.JOB_STATE_PARTIALLY_SUCCEEDED}
