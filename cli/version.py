"""`fareline version`."""

from cli.answer import say
from fareline import __version__


def version() -> None:
    """Print the version."""
    say(__version__)
