"""`fareline data …`: the taxi data, generated rows, spans, questions to examples."""

from cli.data import generate, query, sample, spans
from cli.parser import App

app = App(
    help="Write sample or generated taxi data; cut data into spans; query examples.",
)
app.command()(query.query)
app.command()(generate.generate)
app.command()(sample.sample)
app.command()(spans.spans)
