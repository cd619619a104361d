"""Record of InfraValidator as JSON: its parameter `budgets`. Its measurements are numbers."""

import json
from collections.abc import Mapping
from typing import Any

from fareline.recorded import BUDGETS
from fareline.recorded.texts import Element, read_plain


def budgets_of(execution: Element) -> dict[str, Any] | None:
    """The budgets of a model; None if not recorded."""
    return read_plain(dict, execution, BUDGETS)


def parse_budgets(text: str) -> dict[str, Any]:
    """The budgets from the text of the parameter.

    Raises:
        ValueError: The text is not JSON.
    """
    return json.loads(text)


def budgets_text(budgets: Mapping[str, Any]) -> str:
    """Writes the parameter, the same for the same budgets: it is part of the cache key."""
    return json.dumps(budgets, sort_keys=True)
