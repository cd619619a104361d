"""`fareline schema …`: the review of the schema, the contract for the data."""

import typer

from cli.schema import accept, check, diff, infer, log, propose

app = typer.Typer(
    help="Review the schema: the contract for the data.",
    no_args_is_help=True,
)
app.command()(infer.infer)
app.command()(diff.diff)
app.command()(propose.propose)
app.command()(accept.accept)
app.command()(log.log)
app.command()(check.check)
