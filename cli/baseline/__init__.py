"""`fareline baseline …`: which model new ones are compared with."""

from cli.baseline import pin, reset, show, unpin
from cli.parser import App

app = App(
    help="Which model new ones are compared with: the latest blessed one, unless it is decided.",
)
app.command()(pin.pin)
app.command()(reset.reset)
app.command()(unpin.unpin)
app.command()(show.show)
