"""`fareline help`, and `help` in a group: what `--help` of a command says."""

from typing import Annotated

import typer

from cli.answer import say
from fareline.errors import UserMistake
from fareline.near import near_names


def _commands(context: typer.Context, incomplete: str) -> list[str]:
    """The commands that a shell completes to, after the words before."""
    found = context.parent.command
    for word in context.params.get("words") or ():
        found = getattr(found, "commands", {}).get(word)
    return [name for name in getattr(found, "commands", {}) if name.startswith(incomplete)]


def help_(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND",
            help="Command, such as run or lineage show.",
            autocompletion=_commands,
        ),
    ] = None,
) -> None:
    """Show the help of a command; without one, all commands."""
    found = context.parent
    for word in words or ():
        commands = getattr(found.command, "commands", {})
        if word not in commands:
            near = near_names(word, commands, 3) or list(commands)[:3]
            raise UserMistake.explain(
                word,
                f"`{found.command_path}` has no such command",
                f"expected such as {', '.join(near)}" if near else "expected nothing after it",
                f"`{found.command_path} --help` lists them",
            )
        found = type(context)(commands[word], info_name=word, parent=found)
    say(found.get_help())
