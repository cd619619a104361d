"""YAML of which each key stands once: of two, YAML readers keep the last and say nothing.

Called by `pipeline.settings.load`. Standard library and PyYAML.
"""

from collections.abc import Hashable
from typing import Any

import yaml


class RepeatedKey(yaml.MarkedYAMLError):
    """A mapping that has a key twice; `problem_mark` is at the second."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which refuses such a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self._require_distinct(node)
        return super().construct_mapping(node, deep)

    def _require_distinct(self, node: yaml.Node) -> None:
        if not isinstance(node, yaml.MappingNode) or id(node) in self._looked_at:
            return  # a mapping with `<<` has the keys of the other after it was looked at
        self._looked_at.add(id(node))
        seen: set[Hashable] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            said = (key.tag, key.value)
            if said in seen:
                raise RepeatedKey(None, None, f"{key.value!r} again", key.start_mark)
            seen.add(said)

    def __init__(self, text: str):
        super().__init__(text)
        self._looked_at: set[int] = set()


def load_yaml(text: str) -> Any:
    """The value that a text of YAML holds.

    Raises:
        RepeatedKey: A key stands twice in one mapping.
        yaml.YAMLError: It is no YAML; PyYAML's constructors let other errors through as well.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
