"""`fareline schema …`: the review of the schema, the contract for the data."""

from cli.parser import App
from cli.schema import accept, check, diff, infer, log, propose

app = App(
    help="Review the schema: the contract for the data.",
)
app.command()(infer.infer)
app.command()(diff.diff)
app.command()(propose.propose)
app.command()(accept.accept)
app.command()(log.log)
app.command()(check.check)
