"""`fareline data …`: generated rows, spans, questions to examples."""

import typer

from cli.data import generate, query, spans

app = typer.Typer(
    help="Generate taxi-like data; cut data into spans; ask examples.",
    no_args_is_help=True,
)
app.command()(query.query)
app.command()(generate.generate)
app.command()(spans.spans)
