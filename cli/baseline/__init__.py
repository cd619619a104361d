"""`fareline baseline …`: which model new ones are compared with."""

import typer

from cli.baseline import pin, reset, show, unpin

app = typer.Typer(
    help="Which model new ones are compared with: the latest blessed one, unless it is decided.",
    no_args_is_help=True,
)
app.command()(pin.pin)
app.command()(reset.reset)
app.command()(unpin.unpin)
app.command()(show.show)
