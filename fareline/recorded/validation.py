"""What InfraValidator records as JSON: its parameter `budgets`. What it measured are numbers."""

import json
from collections.abc import Mapping
from typing import Any

from fareline.recorded import BUDGETS
from fareline.recorded.texts import Element, read_plain


def budgets_of(execution: Element) -> dict[str, Any] | None:
    """What the settings allowed a model; None if it was not recorded."""
    return read_plain(dict, execution, BUDGETS)


def parse_budgets(text: str) -> dict[str, Any]:
    """The same from the text of the parameter.

    Raises:
        ValueError: It is no JSON.
    """
    return json.loads(text)


def budgets_text(budgets: Mapping[str, Any]) -> str:
    """Writes the parameter, the same for the same budgets: it is part of the cache key."""
    return json.dumps(budgets, sort_keys=True)
