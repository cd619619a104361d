"""`fareline baseline …`: which model new ones are compared with."""

from cli.baseline import pin, reset, show, unpin
from cli.parser import App

app = App(
    help="Choose the model that new models are compared with. Default: the latest approved one.",
)
app.command()(pin.pin)
app.command()(reset.reset)
app.command()(unpin.unpin)
app.command()(show.show)
