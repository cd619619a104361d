"""Adds request logs of TensorFlow Serving to the prediction log of a workspace.

Called by `cli.feedback.log`. Imports TensorFlow.
"""

import contextlib
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fareline.digests import sha256_of_folder
from runners.publishing.entities import pseudonym_of_entities
from runners.publishing.live_model import push_folder
from runners.workspace import Workspace
from serving.server.tensorflow_serving_log import Taken, Taking, take_up

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings


def take_up_files(
    workspace: Path, settings: "Settings", files: Iterable[Path]
) -> dict[Path, Taken]:
    """Adds files to the log, each whole or not at all; returns the result of each.

    Args:
        workspace: Workspace of the prediction log.
        settings: Settings with the model's columns, personal columns and excluded columns.
        files: Log files of TensorFlow Serving.

    Raises:
        DataError: A file cannot be read; those before it are taken up.
    """
    place = Workspace(workspace)
    base = push_folder(settings, place, settings.name)
    features = {column for _, column in settings.features.columns()}
    unlogged = settings.unlogged_columns

    @functools.cache
    def digest_of(version: int) -> str:
        with contextlib.suppress(OSError):
            folder = base / str(version)
            return sha256_of_folder(folder) if folder.is_dir() else ""
        return ""

    taking = Taking(
        str(place.prediction_log_dir),
        features - unlogged,
        digest_of,
        settings.feedback.entity,
        pseudonym_of_entities(settings),
    )
    return {file: take_up(str(file), taking) for file in files}
