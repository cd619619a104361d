"""`fareline version`."""

import typer

from fareline import __version__


def version() -> None:
    """Print the version."""
    typer.echo(__version__)
