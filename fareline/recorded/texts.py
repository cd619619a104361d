"""Reads JSON texts as typed records, with one rule for missing and for broken texts.

A missing text is read as None. A broken text is read as None too, after a line on stderr that names
the record, so that an answer continues with the other records. `parse` raises an error instead.

pydantic checks the types. They are dataclasses and no models of its own, so that a program that
reads no record does not import it: pydantic takes 0.18 s to import and some milliseconds to prepare
a type, which happens where the first text of the type is read. Plain lists and objects are checked
by hand.
"""

import functools
import json
import logging
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from fareline.printable import printable

Kind = TypeVar("Kind")
_LOG = logging.getLogger("fareline.recorded")
_MOST_SAID = 300


class Element(Protocol):
    """An element with properties: an artifact, an execution, the context of a run.

    Attributes:
        properties: Name to value, of which some are records.
        key: Its printable id, such as `Model:7`.
    """

    properties: Mapping[str, Any]
    key: str


def text_of(content: Any) -> str:
    """The JSON text of plain values, in the form of most records."""
    return json.dumps(content)


def parse(kind: type[Kind], text: Any) -> Kind:
    """Reads JSON text as a dataclass or a list of them; unknown keys are ignored.

    Raises:
        ValueError: The text is not JSON of this type.
    """
    return _adapter(kind).validate_json(text)


def read(kind: type[Kind], element: Element, name: str) -> Kind | None:
    """Reads the record `name` as a dataclass or a list of them.

    Args:
        kind: Kind of the record.
        element: Element with the record.
        name: Name of the property.

    Returns:
        None if it is not there or cannot be read.
    """
    if name not in element.properties:
        return None
    try:
        return parse(kind, element.properties[name])
    except ValueError as error:
        _say_unreadable(element.key, name, _reason(error))
        return None


def read_plain(kind: type[Kind], element: Element, name: str) -> Kind | None:
    """Like `read`, for a plain `list` or `dict`, without importing pydantic."""
    if name not in element.properties:
        return None
    content = parse_json(element.properties[name])
    if isinstance(content, kind):
        return content
    expected = "object" if kind is dict else "list"
    _say_unreadable(element.key, name, "no JSON" if content is None else f"no JSON {expected}")
    return None


def parse_json(text: Any) -> Any:
    """Parses a text that may be JSON; None if the value is not a text or not JSON."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None


@functools.cache
def _adapter(kind: Any) -> Any:
    import pydantic

    return pydantic.TypeAdapter(kind)


def _reason(error: ValueError) -> str:
    """Where and why, of the first mistake that pydantic found."""
    [first, *_] = error.errors(include_url=False, include_input=False)  # type: ignore[attr-defined]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else first["msg"]


@functools.lru_cache(maxsize=1024)  # once, however often an answer looks at it
def _say_unreadable(of: str, name: str, reason: str) -> None:
    said = f"the record {name!r} of {of} cannot be read ({reason}); it is left out"
    harmless = printable(said, "\N{REPLACEMENT CHARACTER}")
    _LOG.warning("%s", harmless[:_MOST_SAID])
