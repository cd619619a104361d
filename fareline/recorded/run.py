"""Records of a run about itself, in the context that TFX writes for the run."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from fareline.recorded import ENDED, NODES, OVERRIDES, PACKAGES, SETTINGS
from fareline.recorded.texts import read_plain

_GRAPH = re.compile(r"^pipeline: (\w+)$", re.MULTILINE)  # a page of settings takes long to parse


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """The record of a run about itself; all fields are None or empty in a stock store.

    Attributes:
        properties: All custom properties of the run's context.
        key: Id of the run, for the line if a record cannot be read.
    """

    properties: Mapping[str, Any]
    key: str = "a run"

    def text(self, name: str) -> str | None:
        """A property as text, if it is there."""
        value = self.properties.get(name)
        return None if value is None else str(value)

    @property
    def graph(self) -> str:
        """`pipeline` of its settings: `whole`, `data` or `training`; empty if not recorded."""
        found = _GRAPH.search(self.text(SETTINGS) or "")
        return found[1] if found else ""

    @property
    def nodes(self) -> list[str]:
        """The nodes that the run was to execute."""
        return read_plain(list, self, NODES) or []

    @property
    def overrides(self) -> list[str] | None:
        """The values of `--set`; None if not recorded."""
        return read_plain(list, self, OVERRIDES)

    @property
    def packages(self) -> dict[str, str]:
        """Versions of the installed packages."""
        return read_plain(dict, self, PACKAGES) or {}

    @property
    def ended(self) -> int | None:
        """When the run ended, in milliseconds since 1970."""
        text = self.text(ENDED)
        return int(text) if text and text.isdecimal() else None
