"""`fareline lineage …`: a module a question. Light: no TFX, no TensorFlow."""

from cli.lineage import (
    diff,
    downstream,
    explain_cache,
    export,
    impact,
    inputs,
    models,
    path,
    prune,
    reproduce,
    runs,
    show,
    ui,
    upstream,
    verify,
)
from cli.parser import App

app = App(help="Questions to the metadata store.")
app.command()(diff.diff)
app.command()(downstream.downstream)
app.command()(explain_cache.explain_cache)
app.command()(export.export)
app.command()(impact.impact)
app.command()(inputs.inputs)
app.command()(models.models)
app.command()(path.path)
app.command()(prune.prune)
app.command()(reproduce.reproduce)
app.command()(runs.runs)
app.command()(show.show)
app.command()(ui.ui)
app.command()(upstream.upstream)
app.command()(verify.verify)
