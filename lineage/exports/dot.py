"""The Graphviz format, left to right: executions are boxes, artifacts ellipses.

fareline lineage export --format dot | dot -Tsvg > run.svg
"""

import graphviz

from lineage.exports.drawing import (
    COLOURS,
    artifact_lines,
    drawn_links,
    execution_lines,
    is_baseline,
)
from lineage.exports.scope import Scope
from lineage.text.harmless import plain


def to_dot(scope: Scope) -> str:
    """Returns the scope as DOT source; the same scope gives the same text."""
    drawing = graphviz.Digraph(comment=plain(scope.title))
    drawing.attr("graph", rankdir="LR")
    drawing.attr("node", fontname="Helvetica,Arial,sans-serif", fontcolor="#111111")
    drawing.attr("edge", color="#777777", fontname="Helvetica,Arial,sans-serif")
    for execution in scope.executions:
        drawing.node(
            f"e{execution.id}",
            _label(execution_lines(execution, scope)),
            tooltip=_label([plain(execution.key)]),
            shape="box",
            **_look(execution.state),
        )
    for artifact in scope.artifacts:
        drawing.node(
            f"a{artifact.id}",
            _label(artifact_lines(artifact)),
            tooltip=_label([plain(artifact.uri or artifact.key)]),
            shape="ellipse",
            **_look("artifact"),
        )
    for link in drawn_links(scope):
        ends = (f"a{link.artifact_id}", f"e{link.execution_id}")
        look = {"style": "dashed", "label": "baseline"} if is_baseline(link) else {}
        drawing.edge(*(reversed(ends) if link.is_output else ends), **look)
    return drawing.source


def _label(lines: list[str]) -> str:
    """Lines as Graphviz shows them: its backslashes, `<…>` and `&…;` mean nothing in them."""
    shown = [str(graphviz.escape(line.replace("&", "&amp;"))) for line in lines]
    return graphviz.nohtml(r"\n".join(shown))


def _look(state: str) -> dict[str, str]:
    fill, line, dashed = COLOURS[state]
    return {"style": "filled,dashed" if dashed else "filled", "fillcolor": fill, "color": line}
