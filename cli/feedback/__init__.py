"""`fareline feedback …`: outcomes of logged predictions, and the spans that are made of both."""

from cli.feedback import add, build, erase, log
from cli.parser import App

app = App(
    help="Join logged predictions with their outcomes, and seal spans to train on.",
)
app.command()(add.add)
app.command()(build.build)
app.command()(erase.erase)
app.command()(log.log)
