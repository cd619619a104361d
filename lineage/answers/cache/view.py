"""The answer of `explain-cache`: as JSON, and drawn for a reader."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lineage.answers.cache.explain import Explanation
from lineage.text.harmless import text

if TYPE_CHECKING:
    from rich.console import Console


def explanations_as_json(chain: Sequence[Explanation]) -> dict[str, Any]:
    """The asked execution, and `chain`: the root causes first, the asked execution last."""
    asked = chain[-1]
    return {
        "execution": asked.execution.key,
        "state": asked.execution.state,
        "reason": asked.reason,
        "root_causes": [e.execution.key for e in root_causes(chain)],
        "chain": [_explanation_as_json(explanation) for explanation in chain],
    }


def root_causes(chain: Sequence[Explanation]) -> list[Explanation]:
    """The explanations that are not only consequences of others in the chain."""
    return [
        explanation
        for explanation in chain
        if not explanation.differences or any(not d.upstream for d in explanation.differences)
    ]


def _explanation_as_json(explanation: Explanation) -> dict[str, Any]:
    earlier = explanation.compared_with
    return {
        "execution": explanation.execution.key,
        "state": explanation.execution.state,
        "reason": explanation.reason,
        "text": explanation.text,
        "compared_with": earlier.key if earlier else None,
        "differences": [
            {
                "kind": difference.kind,
                "name": difference.name,
                "was": difference.was,
                "now": difference.now,
                "text": difference.text,
                "upstream": difference.upstream.key if difference.upstream else None,
            }
            for difference in explanation.differences
        ],
    }


def draw_explanations(console: "Console", chain: Sequence[Explanation]) -> None:
    """Prints the causes in order, the root first."""
    for number, explanation in enumerate(chain, 1):
        execution = explanation.execution
        step = f"{number}. " if len(chain) > 1 else ""
        style = "bold" if explanation is chain[-1] else ""
        against = explanation.compared_with
        compared = f" (compared with {against.key})" if against and explanation.differences else ""
        console.print(text(f"{step}{execution.key} {execution.state}{compared}", style))
        if not explanation.differences:
            console.print(text(f"   {explanation.text}", limit=None))
        for words in dict.fromkeys(difference.text for difference in explanation.differences):
            console.print(text(f"   {words}", limit=None))
