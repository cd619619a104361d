"""Maps buckets to folders, so that a specification for the cloud runs unchanged."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from runners.replay.reading.document import SpecError

_REMOTE = re.compile(r"\b(?:gs|s3|minio|hdfs|abfs|abfss)://[^\s\"'\\,;)\]}]*")
_PREFIX = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'\\]+")
_UNSAFE = re.compile(
    r"[\"'\\*?\[\x00-\x1f]"
)  # these would end a JSON text, or be a pattern for TFX
_ON_VERTEX = ("VertexPusher", "target")
_END = r"(?=[/\s\"'\\,;)\]}]|$)"


@dataclasses.dataclass(frozen=True)
class UriMap:
    """Prefixes of URIs and the folders that stand for them.

    Attributes:
        folders: Such as `gs://bucket` to `/data/bucket`.
    """

    folders: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def apply(self, text: str) -> str:
        """Puts the folders in the place of the prefixes, wherever in a text they stand."""
        for prefix in sorted(self.folders, key=len, reverse=True):
            folder = self.folders[prefix]
            text = re.sub(re.escape(prefix) + _END, lambda _, folder=folder: folder, text)
        return text

    def require_place(self, task: str, name: str, text: str) -> str:
        """Handles a parameter of a task: it is local, or says where on Vertex AI a model goes.

        Vertex reads its bucket itself, so that no folder can stand for it.

        Args:
            task: Name of the task.
            name: Name of the parameter.
            text: Value of the parameter.

        Raises:
            SpecError: No folder was given for a bucket, or one for the bucket of Vertex AI.
        """
        if (task, name) != _ON_VERTEX:
            return self.require_local(f"{task}.{name}", text)
        if self.apply(text) != text:
            raise SpecError.explain(
                f"{task}.{name}",
                "--map names a folder for the bucket of push.vertex",
                "expected that Vertex AI can read it",
                "compile it with another push.vertex.bucket",
            )
        return text

    def require_local(self, where: str, text: str) -> str:
        """Applies the map and refuses what is remote still.

        Args:
            where: Place of the text, for the message.
            text: A URI, a parameter or an argument.

        Raises:
            SpecError: No folder was given for a bucket.
        """
        local = self.apply(text)
        if remote := _REMOTE.search(local):
            uri = remote.group()
            bucket = "/".join(uri.split("/")[:3])
            raise SpecError.explain(
                where,
                f"{uri} is remote",
                "expected a folder that stands for it",
                f"add --map {bucket}=DIR",
            )
        return local


def parse_uri_map(entries: Iterable[str]) -> UriMap:
    """Parses `gs://bucket=DIR`; a folder that is missing is made when something is written.

    Raises:
        SpecError: An entry is of another form, or its folder is not there nor in one that is.
    """
    folders = {}
    for entry in entries:
        prefix, equals, folder = entry.partition("=")
        prefix = prefix.rstrip("/")
        if not equals or not folder or not _PREFIX.fullmatch(prefix):
            raise SpecError.explain(
                f"--map {entry}",
                "is not a bucket and a folder",
                "expected such as gs://bucket=DIR",
                "write the prefix of the URIs, then =, then the folder",
            )
        path = str(Path(folder).expanduser().resolve())
        if _UNSAFE.search(path):
            raise SpecError.explain(
                f"--map {entry}",
                "the folder's path holds a quote, a backslash or one of * ? [",
                "expected a path that can stand in JSON and is no pattern",
                "name another folder",
            )
        _require_place(entry, Path(path))
        folders[prefix] = path
    return UriMap(folders)


def _require_place(entry: str, folder: Path) -> None:
    """A folder, or one to be made in a folder; a typing mistake is neither."""
    found = None
    if folder.exists() and not folder.is_dir():
        found = f"{folder} is not a folder"
    elif not folder.exists() and not folder.parent.is_dir():
        found = f"there is no folder {folder.parent}"
    if found:
        raise SpecError.explain(
            f"--map {entry}",
            found,
            "expected a folder, or a new one in a folder that is there",
            "make it, or correct the path",
        )
