"""`fareline data …`: generated rows, spans, questions to examples."""

from cli.data import generate, query, spans
from cli.parser import App

app = App(
    help="Generate taxi-like data; cut data into spans; ask examples.",
)
app.command()(query.query)
app.command()(generate.generate)
app.command()(spans.spans)
