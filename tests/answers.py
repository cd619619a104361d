"""Whatever a command answers as JSON, in any test, is held against the type of its answer.

A plugin of tests/conftest.py. A command that runs in a process of its own is not seen; tests of
such commands call `cli.answers.answers.require_as_declared` themselves.
"""

import sys

import pytest

from cli import answer

_SHARED = ("cli.answer", "cli.app", "cli.parser", "cli.views.")


def command_at_work():
    """Words of the command that is printing; None: a test prints."""
    words, frame = None, sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("cli.") and not module.startswith(_SHARED):
            words = module.removeprefix("cli.").replace(".", " ").replace("_", "-")
        frame = frame.f_back
    return words


@pytest.fixture(autouse=True, scope="session")
def answers_are_as_declared():
    """Raises where an answer is not of its type, and so ends the command."""
    print_json = answer._json_text

    def checked(content, indent):
        text = print_json(content, indent)
        if (command := command_at_work()) is not None:
            from cli.answers.answers import require_as_declared

            require_as_declared(command, text)
        return text

    answer._json_text = checked
    yield
    answer._json_text = print_json
