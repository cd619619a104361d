"""`fareline step …`: a run whose steps are processes of their own, for an orchestrator."""

from cli.parser import App
from cli.step import begin, end, graph, run

app = App(help="Run single steps of the pipeline, as an orchestrator does.")
app.command()(begin.begin)
app.command()(end.end)
app.command()(graph.graph)
app.command()(run.run)
