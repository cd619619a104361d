"""Answers of the commands that speak of clusters and orchestrators."""

from cli.answers.base import Answer, Values


class Compiled(Answer):
    """A specification that was written; `example_values`: settings that are examples still."""

    runner: str
    path: str
    pipeline_root: str
    parameters: Values
    example_values: Values


class Exported(Answer):
    """A file for an orchestrator."""

    orchestrator: str
    path: str
    nodes: list[str]


class Upload(Answer):
    """A file that is sent before the job."""

    file: str
    to: str


class DryRun(Answer):
    """The request that would be sent; `request` is in the platform's own format."""

    platform: str
    uploads: list[Upload]
    request: Values


class Submitted(Answer):
    """A job that was sent."""

    platform: str
    job_id: str
    link: str


class Task(Answer):
    """A node of a job."""

    name: str
    state: str
    seconds: float
    error: str | None


class Followed(Answer):
    """A job that has ended."""

    platform: str
    job_id: str
    link: str
    state: str
    error: str | None
    nodes: list[Task]


class Cancelling(Answer):
    """A job that was asked to end."""

    platform: str
    job_id: str
    state: str
