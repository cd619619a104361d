"""Commands that a message or an answer names, such that they can be pasted as they are.

`fareline runs` in a hint must use the same workspace as the command that gives the hint: the
options for the workspace are added if the named command has them. Called by the two that print:
`cli.answer` and `cli.app`.
"""

import re
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_PLACES = ("--workspace", "--store", "--config", "--set")
_COMMAND = re.compile(r"`fareline ([^`]+)`")


class _Call:
    """The command that is at work: the first group of all, and what was said about places."""

    root: Any = None
    said: Mapping[str, list[str]] = MappingProxyType({})


def remember(context: Any) -> None:
    """Stores the workspace options of this call.

    Args:
        context: Context of the command, after its line was parsed.
    """
    said = {}
    for param in context.command.params:
        value = context.params.get(param.name)
        option = next((name for name in _PLACES if name in param.opts), None)
        if option and value and value != param.default:
            values = value if isinstance(value, list | tuple) else [value]
            said[option] = [str(each) for each in values]
    _Call.root, _Call.said = context.find_root().command, said


def completed(text: str) -> str:
    """A text with the options of this call added to every command in backticks.

    Args:
        text: Text of a message or an answer.
    """
    return _COMMAND.sub(lambda found: f"`fareline {_with_places(found[1])}`", text)


def completed_hints(text: str) -> str:
    """The same for messages of one line each, where it is the hint alone that says what to type."""
    lines = [line.partition(" Hint: ") for line in text.split("\n")]
    return "\n".join(f"{before}{said}{completed(hint)}" for before, said, hint in lines)


def _with_places(line: str) -> str:
    command = _Call.root
    words = line.split()
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    if command is None or hasattr(command, "commands") or "--help" in words:
        return line
    taken = {name for param in command.params for name in param.opts}
    given = {word.partition("=")[0] for word in words}
    for option in _PLACES:
        if option in taken and option not in given:
            values = _Call.said.get(option, ())
            line += "".join(f" {option} {shlex.quote(value)}" for value in values)
    return line
