"""Removes payloads within allowed folders, in an order that is safe if the process crashes.

Called by `lineage.answers.prune.prune` and `cli.lineage.inputs`. The only module of this package
that writes: first the store, where all artifacts are marked as deleted in one transaction, then the
folders. A crash in between leaves marked artifacts whose payload still exists. `verify` names them,
and the next prune removes them.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from lineage.facts.payload import _beside, local_path


class Boundary:
    """The folders in which payloads may be removed.

    Args:
        roots: Such as the workspace's `artifacts`; each is taken as given and resolved.
    """

    def __init__(self, roots: Iterable[Path]):
        given = [Path(os.path.abspath(root)) for root in roots]
        self.roots = tuple(dict.fromkeys([*given, *(root.resolve() for root in given)]))

    def refuses(self, uri: str) -> str | None:
        """Returns why the payload at a URI may not be removed; None if it may."""
        path = local_path(uri)
        if path is None:
            return "it is remote, and only local payloads are removed"
        if not path.is_absolute():
            return "its URI is relative, so that it is not known where it is"
        path = Path(os.path.normpath(path))
        root = next((root for root in self.roots if root in path.parents), None)
        if root is None:
            return "it is outside of the folders to prune"
        # Each folder on the way, and the payload itself: through a link, something else goes.
        real = root.resolve() / path.parent.relative_to(root)
        if path.is_symlink() or path.parent.resolve() != real:
            return "a symbolic link leads there"
        return None


def mark_deleted(store: metadata_store.MetadataStore, ids: Sequence[int]) -> None:
    """Marks artifacts as DELETED, all or none; nothing else of them changes.

    TFX then neither takes them from its cache nor resolves them as inputs, so that the next run
    executes what it needs. Source: tfx.orchestration.portable.cache_utils, channel_resolver.
    """
    artifacts = store.get_artifacts_by_id(ids) if ids else []
    for artifact in artifacts:
        artifact.state = metadata_store_pb2.Artifact.DELETED
    if artifacts:
        store.put_artifacts(artifacts)


def remove_payloads(
    uris: Iterable[str], boundary: Boundary, on_removed: Callable[[str], None] = lambda uri: None
) -> list[tuple[str, str]]:
    """Removes the allowed payloads; a failure does not stop the removal of the others.

    Args:
        uris: URIs of artifacts that are marked as deleted.
        boundary: Asked once more for each.
        on_removed: Called after each.

    Returns:
        URI and reason of each that is still there.
    """
    failed = []
    for uri in uris:
        refusal = boundary.refuses(uri)
        try:
            if refusal is None:
                _remove(uri)
                on_removed(uri)
        except OSError as error:
            refusal = error.strerror or type(error).__name__
        if refusal is not None:
            failed.append((uri, refusal))
    return failed


def _remove(uri: str) -> None:
    """Renames first, so that at no time half a payload has the place of a whole one."""
    path = Path(os.path.normpath(local_path(uri) or ""))
    beside = _beside(path)
    _delete(beside)
    if os.path.lexists(path):
        os.rename(path, beside)
        _delete(beside)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
