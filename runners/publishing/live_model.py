"""Finds the model of a command: in the pipeline's serving folder, or in a folder of the user.

Called by `cli.serve` and `cli.predict`, before TensorFlow is loaded.
"""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from fareline.errors import UserMistake
from runners.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings


def push_folder(settings: "Settings", workspace: Workspace, name: str) -> Path:
    """The folder that a pipeline pushes to.

    Raises:
        UserMistake: The files are not on this machine.
    """
    destination = settings.push.destination if name == settings.name else None
    if destination is None:
        return workspace.serving_dir(name)
    if "://" in destination:
        raise UserMistake.explain(
            "push.destination",
            destination,
            "expected a folder of this machine to serve from",
            "copy the versions here, and name their folder with --model-dir",
        )
    return settings.resolve(destination)


def require_model(base: Path, *options: str) -> None:
    """Finds out at once, without loading TensorFlow, that there is no model.

    Args:
        base: Folder above the versions.
        options: Options of the command, that say where to look.

    Raises:
        UserMistake: No model is published there.
    """
    from serving.versions.publish import SAVED_MODEL_FILE, list_versions

    if not list_versions(str(base)):
        raise UserMistake.explain(
            str(base),
            "holds no model version" if base.is_dir() else "no such folder",
            f"expected <number>/{SAVED_MODEL_FILE}",
            "`fareline run` pushes a model there once one is blessed; "
            f"{', '.join(options[:-1])} and {options[-1]} say where to look",
        )


def quieten_tensorflow() -> None:
    """Hides TensorFlow's messages about the machine's devices."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
