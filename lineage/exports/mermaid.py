"""The Mermaid format: a flowchart that Markdown viewers draw.

Everything in a label that is not a plain word is written as an entity code (`#58;`): what Mermaid's
grammar, its directives, its Markdown in labels and HTML would otherwise take for theirs.

Source: https://mermaid.js.org/syntax/flowchart.html (Entity codes to escape characters).
"""

import re

from lineage.exports.drawing import (
    COLOURS,
    artifact_lines,
    drawn_links,
    execution_lines,
    is_baseline,
)
from lineage.exports.scope import Scope

# Mermaid's own defaults (maxTextSize, maxEdges), which viewers keep: beyond, they draw nothing.
MOST_CHARACTERS = 50_000
MOST_LINKS = 500
_NOT_PLAIN = re.compile(
    r"""(?<=[^\W_])[._-](?=[^\W_])  # inside a word, as in run-7 or tfx_version: plain
    |(?P<sign>[^\w\ ]|_
    |(?<=direction)\ )  # its scanner takes a whole line that says `direction LR` anywhere
    """,
    re.VERBOSE,
)


def to_mermaid(scope: Scope) -> str:
    """Returns the scope as a flowchart; the same scope gives the same text."""
    lines = ["flowchart LR"]
    for execution in scope.executions:
        label = _label(execution_lines(execution, scope))
        lines.append(f'  e{execution.id}["{label}"]:::{execution.state}')
    for artifact in scope.artifacts:
        lines.append(f'  a{artifact.id}(["{_label(artifact_lines(artifact))}"]):::artifact')
    for link in drawn_links(scope):
        artifact_id, execution_id = f"a{link.artifact_id}", f"e{link.execution_id}"
        if link.is_output:
            lines.append(f"  {execution_id} --> {artifact_id}")
        elif is_baseline(link):
            lines.append(f"  {artifact_id} -. baseline .-> {execution_id}")
        else:
            lines.append(f"  {artifact_id} --> {execution_id}")
    for name, (fill, line, dashed) in COLOURS.items():
        dashes = ",stroke-dasharray:5 5" if dashed else ""
        lines.append(f"  classDef {name} fill:{fill},stroke:{line},color:#111111{dashes}")
    return "\n".join(lines) + "\n"


def too_large(text: str) -> str | None:
    """Returns why viewers will refuse a flowchart; None if they will not."""
    links = text.count("-->") + text.count(".->")  # labels hold none: entity codes
    if len(text) > MOST_CHARACTERS or links > MOST_LINKS:
        return (
            f"{len(text):,} characters and {links:,} links; Mermaid's default limits are "
            f"{MOST_CHARACTERS:,} and {MOST_LINKS:,}"
        )
    return None


def _label(lines: list[str]) -> str:
    return "<br/>".join(_NOT_PLAIN.sub(_code, line) for line in lines)


def _code(match: re.Match) -> str:
    sign = match["sign"]
    if sign is None:
        return match[0]
    # Mermaid breaks the line at a backslash and n even if they are codes: a word joiner, which
    # nobody sees, keeps them apart.
    return "#92;#8288;" if sign == "\\" else f"#{ord(sign)};"
