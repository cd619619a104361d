"""Base classes of all answer types: objects with known keys and no others."""

from typing import Any

from pydantic import ConfigDict
from typing_extensions import TypedDict

Values = dict[str, Any]  # names and values that depend on data, settings or store
Number = float | None  # null where there is none, or where JSON has none: NaN, infinity
Metrics = dict[str, Number]


CLOSED = ConfigDict(extra="forbid")


class Answer(TypedDict):
    """An object whose keys are all known."""

    __pydantic_config__ = CLOSED  # type: ignore[misc]


class Later(Answer):
    """A verdict after the one under which a version was pushed."""

    by: str
    blessed: bool | None


class Failed(Answer):
    """An execution that failed; `place`: its last call in our code or the user's."""

    node: str
    execution: str
    error: str
    place: str | None


class Node(Answer):
    """A node of a run."""

    name: str
    state: str
    seconds: float
