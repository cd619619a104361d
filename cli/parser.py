"""The parser of the command line: Typer's, with our help, order of commands and errors."""

import re
import sys
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from cli.again import remember
from cli.examples import EXAMPLES
from fareline.errors import UserMistake
from fareline.near import near_names

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

    def invoke(self, ctx: Any) -> Any:
        """As Typer's; the commands that it names are completed by what it was told."""
        remember(ctx)
        return super().invoke(ctx)


class Group(_Help, TyperGroup):
    """A group of commands, which its help lists by panel and alphabet."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's, where an option of a command may also stand before the command."""
        line = behind_the_command(self, list(args))
        if args and not line and not ctx.resilient_parsing:
            ctx.fail("Missing command.")
        return super().parse_args(ctx, line)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """As Typer's; in every group `help` is that of the command line."""
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name == "help":
            return ctx.find_root().command.commands.get(cmd_name)
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As Typer's, which also guesses in other letter case, and in other groups."""
        try:
            return super().resolve_command(ctx, args)
        except MistypedError as error:
            elsewhere = [
                f"`{ctx.find_root().command_path} {words}`"
                for words, _ in _commands(ctx.find_root().command)
                if words.split()[-1] == args[0]
            ]
            error.possibilities = elsewhere or near_names(args[0], self.commands, 3)
            raise

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


def _commands(group: Any, words: str = "") -> Iterator[tuple[str, Any]]:
    """Every command below a group, with its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{words}{name} ")
        else:
            yield f"{words}{name}", command


def _options(command: Any) -> dict[str, int]:
    """How many values each takes, of the options of a command, or of all commands of a group."""
    found = {
        name: 0 if param.is_flag else param.nargs
        for _, each in (_commands(command) if hasattr(command, "commands") else ())
        for param in each.params
        if param.param_type_name == "option"
        for name in param.opts
    }
    own = (param for param in command.params if param.param_type_name == "option")
    return found | {n: 0 if param.is_flag else param.nargs for param in own for n in param.opts}


def behind_the_command(group: Any, args: list[str]) -> list[str]:
    """A line without the options of the command to come, which follow the command's name.

    Without a command they are left out, since there is nothing that they could be of.
    """
    own = {name for param in group.params for name in param.opts} | set(_HELP)
    options = _options(group)
    before, moved = [], []
    while args and args[0].startswith("-") and args[0] not in ("-", "--"):
        word = args.pop(0)
        name = word.partition("=")[0] if word.startswith("--") else word[:2]
        if name in own or name not in options:
            before.append(word)
            continue
        moved.append(word)
        values = max(options[name] - (word != name), 0)  # the first may be in the word itself
        moved += args[:values]
        args = args[values:]
    return [*before, *args[:1], *(moved if args else ()), *args[1:]]


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
    near = getattr(error, "possibilities", None) or ()
    if said.startswith("No such option"):
        near = near_names(error.option_name, _options(error.ctx.command), 3)
    if " is not one of " in said:
        value, *choices = re.findall("'([^']*)'", said.rpartition(": ")[2])
        near = near_names(value, choices)
    near = " or ".join(near) or guess.strip("() ?").replace("'", "")
    hint = f"did you mean {near}? " if near else ""
    return UserMistake.explain(
        path.partition(" ")[2] or "the command line",
        said.strip().rstrip("."),
        "expected what its help lists",
        f"{hint}type `{path} --help`",
    )
