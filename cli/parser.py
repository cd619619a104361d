"""The parser of the command line: Typer's, with our help, order of commands and errors."""

import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from cli.examples import EXAMPLES
from fareline.errors import UserMistake

# What the parser raises for a line that it cannot take; Typer has no public name for it.
MistypedError = typer.BadParameter.__base__
_HELP = ("-h", "--help")
PANELS = ("Run", "Data", "Models", "Lineage", "Deploy", "Inspect")
_TYPES = {
    "<path>": "PATH", "<str>": "TEXT", "<list[str]>": "TEXT", "<int>": "N", "<int range>": "N",
    "<float>": "NUMBER", "<float range>": "NUMBER",
}  # fmt: skip


class _Help:
    """What commands and groups have in common."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As Typer's, where help names values in capitals and says nothing of a flag's type."""
        params = super().get_params(ctx)
        for param in params:
            if param.param_type_name == "argument":
                _name_argument(param)
            elif param.metavar is None:
                shown = "" if param.is_flag else param.display_type(ctx)
                param.metavar = _TYPES.get(shown, shown.strip("<>"))
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's, where an error says of which command it is."""
        try:
            return super().parse_args(ctx, args)
        except MistypedError as error:
            error.ctx = error.ctx or ctx
            raise

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As Typer's, with the example of the command below."""
        words = ctx.command_path.split()[1:]
        example = EXAMPLES.get(" ".join(words))
        if example is not None:
            self.epilog = f"Example: {example}".replace("[", r"\[")
        # The lines of a paragraph of a docstring are not lines of the help.
        paragraphs = (self.help or "").split("\n\n")
        self.help = "\n\n".join(" ".join(each.split()) for each in paragraphs)
        super().format_help(ctx, formatter)


def _name_argument(param: Any) -> None:
    """Names an argument in capitals; in the usage, what may be left out is in brackets."""
    param.metavar = param.metavar or param.name.upper()
    usage = param.metavar if param.required else f"[{param.metavar}]"
    usage += "..." * (param.nargs != 1)
    param.get_usage_pieces = lambda ctx: [usage]
    param.display_type_rich = lambda ctx: None  # its name is shown already


class Command(_Help, TyperCommand):
    """A command."""


class Group(_Help, TyperGroup):
    """A group of commands, which its help lists by panel and alphabet."""

    def list_commands(self, ctx: Any) -> list[str]:
        """By panel, in the order of `PANELS`; in a panel by name."""

        def place(name: str) -> tuple[int, str]:
            panel = self.commands[name].rich_help_panel
            return (PANELS.index(panel) if panel in PANELS else 0), name

        return sorted(self.commands, key=place)


class App(typer.Typer):
    """`typer.Typer` with our help, for the whole command line or a group of it.

    Args:
        **settings: As Typer takes them.
    """

    def __init__(self, **settings: Any):
        super().__init__(
            cls=Group,
            no_args_is_help=True,
            context_settings={"help_option_names": _HELP},
            pretty_exceptions_enable=False,
            **settings,
        )

    def command(self, *arguments: Any, **settings: Any) -> Any:
        """As Typer's."""
        return super().command(*arguments, cls=Command, **settings)


def _is_of_commands(context: Any, option: str) -> bool:
    """Whether an option that a group lacks is one of its commands'."""
    commands = getattr(getattr(context, "command", None), "commands", {}).values()
    return any(option in param.opts for each in commands for param in each.params)


def explain(error: Any) -> UserMistake | None:
    """The parser's error in our words; None if the parser only printed the help.

    Args:
        error: A `MistypedError`.
    """
    path = error.ctx.command_path if error.ctx is not None else "fareline"
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(error.format_message())
        return None
    said, _, guess = error.format_message().partition(" Did you mean ")
    said = said.partition(" (Possible options: ")[0]
    said = said.replace(": Value error, ", ": ").replace(": Input should be ", ": it should be ")
    said = said.partition(", unable to parse")[0]
    near = " or ".join(getattr(error, "possibilities", None) or ())
    near = near or guess.strip("() ?").replace("'", "")
    hint = f"did you mean {near}? " if near else ""
    if (option := getattr(error, "option_name", None)) and _is_of_commands(error.ctx, option):
        hint = f"write {option} after the command; "
    return UserMistake.explain(
        path.partition(" ")[2] or "the command line",
        said.strip().rstrip("."),
        "expected what its help lists",
        f"{hint}type `{path} --help`",
    )
