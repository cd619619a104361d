"""Notes on pushes that have begun, one file for each model on Vertex AI, beside the artifacts.

A version says itself on which endpoint its push was begun. Only the workspace knows the models that
its settings named before, in this project and region or in others.
"""

import contextlib
import json
from pathlib import Path

from fareline.files import write_json
from runners.platforms.vertex.target import Target

_FOLDER = ".vertex-pushes"


class Begun:
    """The notes of one workspace; a job in a cluster, whose artifacts are in a bucket, has none.

    Args:
        model_dir: Folder of the pushed artifact, ARTIFACTS/NODE/KEY/ID.
    """

    def __init__(self, model_dir: str):
        is_remote = "://" in model_dir
        self._folder = None if is_remote else Path(model_dir).absolute().parents[2] / _FOLDER

    def note(self, place: Target) -> None:
        """Notes that a push begins."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_json(self.file_of(place), place.as_json())

    def forget(self, place: Target) -> None:
        """The push has ended, or is undone."""
        if self._folder is not None:
            self.file_of(place).unlink(missing_ok=True)

    def others(self, place: Target) -> list[Target]:
        """Other models, or buckets with a lease of their own, where a push has begun."""
        if self._folder is None:
            return []
        found = []
        for file in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(ValueError):  # not of ours
                found.append(Target.read(json.loads(file.read_text(encoding="utf-8"))))
        return [each for each in found if self.file_of(each) != self.file_of(place)]

    def file_of(self, place: Target) -> Path:
        """The file with the note."""
        return (self._folder or Path()) / f"{place.key}.json"
