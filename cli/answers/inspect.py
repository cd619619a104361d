"""Answers of `doctor`, `ui` and `lineage ui`."""

from cli.answers.base import Answer


class Looked(Answer):
    """One thing that `doctor` looked at."""

    what: str
    ok: bool
    found: str
    hint: str
    required: bool


class Doctor(Answer):
    """Whether this machine can run a pipeline, and what was looked at."""

    stack: str
    can_run: bool
    findings: list[Looked]


class Served(Answer):
    """Where the pages are."""

    url: str
