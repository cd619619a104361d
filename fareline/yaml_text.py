"""YAML without repeated keys: YAML readers silently keep the last of two equal keys.

Called by `pipeline.settings.load` and where recorded settings are read. Standard library and
PyYAML, whose parser in C takes a tenth of the time of that in Python. Texts that the C parser reads
differently are parsed in Python, and all errors come from the Python parser.
"""

import contextlib
import re
from collections.abc import Hashable
from typing import Any

import yaml

# Tags, spaces and line ends of other kinds, a block of text with a comment behind it, and question
# marks but in lines that are comments.
_READ_OTHERWISE = re.compile(
    r"[!\t\r\x85\u2028\u2029\ufeff]|[|>][-+0-9]*#|^(?! *#).*\?", re.MULTILINE
)
# Of lists in lists C makes calls in calls, and ends the process where they are too many.
_MOST_FLOWS, _MOST_COLUMNS = 1000, 1000


class RepeatedKey(yaml.MarkedYAMLError):
    """A mapping that has a key twice; `problem_mark` is at the second."""


class _DistinctKeys(yaml.constructor.SafeConstructor):
    """PyYAML's safe values, but for such a mapping, which is refused."""

    _looked_at: set[int]

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


class _Loader(_DistinctKeys, yaml.SafeLoader):
    """In Python."""


class _FastLoader(_DistinctKeys, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """In C, where PyYAML was built with it."""


def load_yaml(text: str) -> Any:
    """The value that a text of YAML holds.

    Raises:
        RepeatedKey: A key stands twice in one mapping.
        yaml.YAMLError: The text is not YAML; PyYAML's constructors raise other errors too.
    """
    if _reads_alike(text):
        with contextlib.suppress(Exception):  # Python says it
            return _load(_FastLoader, text)
    return _load(_Loader, text)


def _reads_alike(text: str) -> bool:
    """Whether both parsers take a text for the same, or for an error."""
    return (
        not _READ_OTHERWISE.search(text)
        and text.count("[") + text.count("{") <= _MOST_FLOWS
        and max(map(len, text.splitlines()), default=0) <= _MOST_COLUMNS
    )


def _load(kind: type[_Loader] | type[_FastLoader], text: str) -> Any:
    loader = kind(text)
    loader._looked_at = set()
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
