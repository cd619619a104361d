"""Source files as nodes of the page, each with the executions that read it.

What a single execution read is found by `lineage.facts.sources`; here the same file of many runs
becomes one node. Called by report.explorer.data.
"""

import dataclasses

from lineage.facts import sources
from lineage.graph.graph import Graph

# Of more files than this, one node stands for all of them.
_MOST_FILES = 8


@dataclasses.dataclass(frozen=True)
class File:
    """A file, or a pattern of files, as far as the store knows it.

    Attributes:
        path: Path, URI, or folder and pattern.
        sha256: SHA-256 of its content; empty if it was not recorded.
        files: Number of files that it stands for; None if not recorded.
        bytes: Size of all of them; None if not recorded.
    """

    path: str
    sha256: str
    files: int | None
    bytes: int | None


@dataclasses.dataclass(frozen=True)
class SourceNode:
    """One node of the page.

    Attributes:
        name: Path of the file, or how many they are.
        files: The one file, or all of them.
        executions: Ids of those that read it.
    """

    name: str
    files: tuple[File, ...]
    executions: tuple[int, ...]


def find_sources(graph: Graph) -> list[SourceNode]:
    """Lists the sources of all executions, in the order of first use. The graph has been read."""
    readers: dict[tuple[str, tuple[File, ...]], list[int]] = {}
    for execution in graph.all_executions():
        links = graph.links_of_executions([execution.id])
        outputs = graph.artifacts(link.artifact_id for link in links if link.is_output)
        found = sources.sources_of(execution, outputs)
        files = [File(s.place, s.sha256, s.files, s.bytes) for s in found]
        for node in _nodes(list(dict.fromkeys(files))):
            readers.setdefault(node, []).append(execution.id)
    return [SourceNode(name, files, tuple(ids)) for (name, files), ids in readers.items()]


def _nodes(files: list[File]) -> list[tuple[str, tuple[File, ...]]]:
    if len(files) > _MOST_FILES:
        return [(f"{len(files)} files, the first {files[0].path}", tuple(files))]
    return [(file.path, (file,)) for file in files]
