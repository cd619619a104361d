"""The prediction log of a workspace: opened as the settings say, for `serve` and `predict`.

Imports what it needs inside the functions: the command line loads it at its start.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fareline.disk import with_room
from fareline.errors import UserMistake
from runners.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings
    from serving.model.batch import BatchPredictor
    from serving.server.request_log import RequestLog


def open_log(
    workspace: Path,
    share: float,
    settings: "Settings",
    base: Path,
    tell: Callable[[str], None],
    is_job: bool = False,
) -> "RequestLog | None":
    """Opens the log of what a model answers; imports TensorFlow.

    Args:
        workspace: Workspace of the log.
        share: Share of the rows.
        settings: Settings with the personal and the excluded columns.
        base: The folder above the model's versions.
        tell: Called with a line when rows were lost.
        is_job: Whether all rows are logged or none, as of a file that is predicted.

    Returns:
        None for a share of 0.

    Raises:
        UserMistake: The folder cannot be written.
        DataError: The key of pseudonyms is needed, and is not there.
    """
    if not share:
        return None
    from runners.publishing.entities import pseudonym_of_entities
    from serving.server.request_log import LogOptions, RequestLog

    folder = Workspace(workspace).prediction_log_dir
    options = LogOptions(
        folder=str(folder),
        share=share,
        base=str(base),
        exclude=settings.unlogged_columns,
        entity=settings.feedback.entity,
        pseudonym=pseudonym_of_entities(settings),
        tell=tell,
        is_job=is_job,
    )
    try:
        return RequestLog(options)
    except OSError as error:
        raise UserMistake.explain(
            str(folder),
            f"cannot be written ({error.strerror}){with_room(error, folder)}",
            "expected a folder for the request log",
            "name another --workspace, or leave --log-share out",
        ) from error


def noting(log: "RequestLog", predictor: "BatchPredictor") -> Callable[..., Any]:
    """Logs the answers of a batch predictor: a `batch_prediction.Note`."""
    from serving.server.request_log import Asked

    def note(examples, outputs, entities):
        asked = Asked(predictor.version, examples, outputs, "batch", entities)
        noted = log.note(predictor.servable, predictor.signature, asked)
        return [None] * len(examples) if noted is None else noted.ids()

    return note


@contextlib.contextmanager
def closing(log: "RequestLog | None") -> Iterator[None]:
    """Closes the log of a job at the end of the block; if that fails, nothing of it stays."""
    try:
        yield
    except BaseException:
        if log is not None:
            log.close(discard=True)
        raise
    if log is not None:
        log.close()
