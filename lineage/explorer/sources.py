"""Where data came in: source files as nodes of their own.

Our pipelines record the files with their SHA-256 (`lineage.recorded.source_files`). Of a stock
store the execution's `input_base` and patterns are what is known; they are shown as such.
"""

import dataclasses

from lineage import recorded
from lineage.elements import Artifact, Execution
from lineage.graph import Graph

# Of more files, one node stands for all of them.
_MOST_FILES = 8


@dataclasses.dataclass(frozen=True)
class Source:
    """One file, pattern or table, or many files in one, with the executions that read it.

    Attributes:
        name: Path, pattern or count.
        files: Each with `path`, `bytes`, `sha256`; empty if the store does not say.
        executions: Ids.
    """

    name: str
    files: tuple[tuple[str, int, str], ...]
    executions: tuple[int, ...]


def find_sources(graph: Graph) -> list[Source]:
    """Lists the sources of all executions that read from outside, in the order of first use."""
    readers: dict[tuple, list[int]] = {}
    for execution in graph.all_executions():
        for name, files in _sources_of(graph, execution):
            readers.setdefault((name, files), []).append(execution.id)
    return [Source(name, files, tuple(ids)) for (name, files), ids in readers.items()]


def _sources_of(graph: Graph, execution: Execution) -> list[tuple[str, tuple]]:
    links = graph.links_of_executions([execution.id])
    if not all(link.is_output for link in links):
        return []
    for artifact in graph.artifacts(link.artifact_id for link in links):
        if found := _recorded(artifact):
            return found
    return [(name, ()) for name in _patterns(execution)]


def _recorded(examples: Artifact) -> list[tuple[str, tuple]]:
    files = tuple(
        (str(file.get("path", "")), int(file.get("bytes", 0)), str(file.get("sha256", "")))
        for file in recorded.source_files(examples)
        if isinstance(file, dict)
    )
    if len(files) > _MOST_FILES:
        return [(f"{len(files)} files from {files[0][0]}", files)]
    return [(file[0], (file,)) for file in files]


def _patterns(execution: Execution) -> list[str]:
    """`input_base` joined with the patterns of `input_config`; the base alone without patterns."""
    properties = execution.properties
    base = properties.get("input_base")
    if not isinstance(base, str) or not base:
        return []
    config = recorded.parse_json(properties.get("input_config"))
    splits = config.get("splits") if isinstance(config, dict) else None
    patterns = [s["pattern"] for s in splits or () if isinstance(s, dict) and s.get("pattern")]
    return [f"{base.rstrip('/')}/{pattern}" for pattern in patterns] or [base]
