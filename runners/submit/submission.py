"""From settings to a job in a cluster: what is compiled, what is uploaded, and what is sent.

Called by `cli.submit`. Imports the platforms' clients when one is asked for.
"""

import dataclasses
import datetime
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from google.api_core import exceptions, retry

from fareline.errors import Interrupted, SettingsError, UserMistake
from pipeline.rules.cluster import find_example_values
from pipeline.settings.runners import Cluster, RunnerName
from pipeline.settings.settings import TRAINING, Settings
from pipeline.source.check import check_request
from runners.pii_key import read_pii_key
from runners.platforms.jobs import (
    Platform,
    Request,
    Submitted,
    TakenIdError,
    UnreachableError,
)
from runners.platforms.vertex.bucket import Upload, upload
from runners.submit.compilation import require_section
from runners.submit.quietly import compile_quietly

_PAUSE_SECONDS = 5.0  # before it is asked again, at first
_JOB_ID = r"[a-z][a-z0-9-]{0,127}"  # of Vertex, which is the stricter one


@dataclasses.dataclass(frozen=True)
class Submission:
    """Everything that one `submit` will send.

    Attributes:
        request: The job.
        uploads: Input files that have to be in the bucket.
    """

    request: Request
    uploads: list[Upload]

    def send(self, platform: Platform) -> tuple[Submitted, list[Upload]]:
        """Uploads what the bucket lacks, then sends the job.

        Returns:
            The job, and the files that were sent.

        Raises:
            Interrupted: By a signal, before the platform has answered.
        """
        sent = upload(self.uploads)
        try:
            return platform.submit(self.request), sent
        except KeyboardInterrupt as error:
            raise Interrupted(
                f"{self.request.job_id}: interrupted before {platform.name} answered; the job may "
                "run all the same. Hint: look for it in the platform's console before you send it "
                "again."
            ) from error

    def send_once(
        self, platform: Platform, silence_seconds: float
    ) -> tuple[Submitted, list[Upload]]:
        """Sends the job unless the platform has one of its id, which is then the answer.

        So it may be called again after an answer that got lost, and does so itself.

        Args:
            platform: Where the job goes.
            silence_seconds: Longest time without an answer of the platform.

        Raises:
            UnreachableError: There was no answer for so long.
        """

        def send() -> tuple[Submitted, list[Upload]]:
            found = platform.find_named(self.request.job_id)
            if found is not None:
                return found, []
            try:
                return self.send(platform)
            except TakenIdError:  # a call that was cut off has sent it just now
                found = platform.find_named(self.request.job_id)
                if found is None:
                    raise
                return found, []

        patiently = retry.Retry(
            predicate=retry.if_exception_type(UnreachableError),
            initial=_PAUSE_SECONDS,
            maximum=_PAUSE_SECONDS * 6,
            timeout=silence_seconds,
        )
        try:
            return patiently(send)()
        except exceptions.RetryError as error:
            raise UnreachableError(str(error.cause)) from error

    def describe(self, platform: Platform) -> dict[str, Any]:
        """Returns what `send` would send, as JSON types."""
        return {
            "platform": platform.name,
            "uploads": [{"file": str(one.path), "to": one.uri} for one in self.uploads],
            "request": platform.describe(self.request),
        }


def compile_submission(
    settings: Settings,
    runner: RunnerName,
    job_id: str | None = None,
    scheduled: bool = False,
    look_at_examples: Callable[[Settings, RunnerName], object] | None = None,
    to_nodes: Sequence[str] = (),
) -> Submission:
    """Checks and compiles everything that `submit` would send; imports TFX.

    Args:
        settings: Settings of the pipeline.
        runner: Kind of the cluster.
        job_id: Job id given by the user, or None.
        scheduled: Whether the job is to run by the schedule of the section, and not now.
        to_nodes: Nodes that the graph ends with; empty: it has all nodes.
        look_at_examples: Check that refuses or reports settings with example values.

    Raises:
        UserMistake: The pipeline cannot be sent.
    """
    section = require_section(settings, runner)
    if job_id is not None:
        require_job_id(job_id)
    if scheduled:
        require_schedule(runner, section)
    if look_at_examples is not None:
        look_at_examples(settings, runner)
    compiled = compile_quietly(settings, runner, to_nodes)
    return prepare(settings, section, compiled, job_id, scheduled)


def require_no_examples(settings: Settings, runner: RunnerName) -> None:
    """Refuses settings of a runner that are examples still.

    Raises:
        SettingsError: There are example values; one line for each.
    """
    examples = find_example_values(settings, runner)
    if examples:
        raise settings.wrong(
            f"{key}: found {value}; expected yours, since this one is an "
            "example. Hint: change it in the settings, or with --set."
            for key, value in examples
        )


def prepare(
    settings: Settings, section: Cluster, compiled: Any, job_id: str | None, scheduled: bool
) -> Submission:
    """Puts together what `submit` sends.

    Args:
        settings: Settings of the pipeline.
        section: Section of the runner.
        compiled: The CompiledSpec of these settings.
        job_id: Job id given by the user, or None.
        scheduled: Whether the job is to run by the schedule of the section, and not now.

    Raises:
        UserMistake: If the id is illegal.
    """
    # A schedule keeps its name, so that it is found to be there already.
    request = Request(
        job_id or (settings.pipeline_name if scheduled else new_job_id(settings.pipeline_name)),
        settings.pipeline_name,
        read_spec(compiled.text),
        compiled.parameters,
        section.schedule if scheduled else None,
    )
    require_job_id(request.job_id)
    return Submission(request, needed_uploads(settings, section))


def new_job_id(pipeline_name: str, at_ms: int | None = None) -> str:
    """Names a job by its pipeline and a time in UTC.

    Args:
        pipeline_name: Name of the pipeline.
        at_ms: Milliseconds since 1970, all of which are in the name; None: now, to the second.
    """
    if at_ms is None:
        now = datetime.datetime.now(datetime.timezone.utc)
        return f"{pipeline_name}-{now:%Y%m%d-%H%M%S}"
    at = datetime.datetime.fromtimestamp(at_ms // 1000, datetime.timezone.utc)
    return f"{pipeline_name}-{at:%Y%m%d-%H%M%S}-{at_ms % 1000:03d}"


def require_job_id(job_id: str) -> None:
    """Refuses an id that the platforms would refuse.

    Raises:
        UserMistake: The id is not allowed; the message has the rule.
    """
    if not re.fullmatch(_JOB_ID, job_id):
        raise UserMistake.explain(
            "--job-id",
            f"found {job_id}",
            "expected at most 128 lower-case letters, digits and hyphens, first a letter",
            "leave it out for an id of the pipeline's name and the time",
        )


def require_schedule(runner: RunnerName, section: Cluster) -> None:
    """Refuses to schedule a pipeline without a schedule in the settings.

    Raises:
        SettingsError: The section has no schedule.
    """
    if section.schedule is None:
        raise SettingsError.explain(
            f"runners.{runner}.schedule",
            "is not set",
            "expected five cron fields, such as 0 6 * * 1",
            "set it in the settings, or leave --schedule out",
        )


def read_spec(text: str) -> Mapping[str, Any]:
    """Parses a compiled spec; those for Kubeflow are YAML, those for Vertex are JSON."""
    return json.loads(text) if text.startswith("{") else yaml.safe_load(text)


def needed_uploads(settings: Settings, section: Cluster) -> list[Upload]:
    """Returns which input files a cluster needs from this machine.

    Returns:
        None if the settings name a `data_path`: what lies there is its owner's affair.

    Raises:
        DataError: If they cannot be used, or lack a column.
    """
    if section.data_path is not None or settings.pipeline == TRAINING:
        return []
    if settings.data.source.bigquery is not None:
        return []
    folder = section.place_of("data_path", settings.name)
    source = check_request(settings, read_pii_key)
    return [
        Upload(file, f"{folder}/{file.relative_to(source.input_base).as_posix()}")
        for file in source.files
    ]
