"""Seals spans of a workspace, and records them in ML Metadata.

Called by `cli.feedback.build`. Imports no TensorFlow.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from fareline.recorded import FEEDBACK
from monitoring.feedback.erasing import require_no_erasure
from monitoring.feedback.folders import PATTERN, FeedbackFolder
from monitoring.feedback.outcomes import RefusedOutcome, value_text
from monitoring.feedback.sealing import Built, Rules, build
from runners.feedback.handing_in import folder_of, kinds_of, label_kind
from runners.feedback.recording import join_of, record_sealed
from runners.workspace import Workspace
from serving.server.log_files import close_left_files, closed_files

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings


@dataclasses.dataclass(frozen=True)
class Sealing:
    """The result of a build.

    Attributes:
        built: The states, and what was sealed.
        folder: Folder of the feedback.
        pattern: Value for `data.source.files` to read the spans.
        notes: Why they are not recorded in ML Metadata, if they are not.
    """

    built: Built
    folder: FeedbackFolder
    pattern: str
    notes: tuple[str, ...]


def rules_of(settings: "Settings") -> Rules:
    """Settings of feedback.

    Raises:
        SettingsError: `feedback.expired` is no value of the label.
    """
    told, kind = settings.feedback, label_kind(settings)
    expired = None
    if told.expired is not None:
        try:
            expired = value_text(told.expired, kind)
        except RefusedOutcome as error:
            said = str(error).removeprefix("value: ")
            raise settings.wrong(
                [f"feedback.expired: {said}, as {settings.label.column} has it."]
            ) from error
    kinds = {**kinds_of(settings), settings.label.column: kind}
    return Rules(settings.label.column, kinds, told.wait_hours, expired, settings.weighting.column)


def seal(workspace: Path, settings: "Settings", as_of_ms: int) -> Sealing:
    """Joins, seals what is complete, and records it.

    Args:
        workspace: Workspace with the predictions.
        settings: Settings of feedback.
        as_of_ms: Later arrivals are ignored; milliseconds since 1970.

    Raises:
        UserMistake: Something was sealed as of a later time.
        WorkspaceError: Somebody else is sealing.
        DataError: An earlier sealed span cannot be read.
    """
    rules = rules_of(settings)
    folder = folder_of(workspace)
    with folder.locked():
        require_no_erasure(folder)
        close_left_files(folder.logs)
        built = build(folder, rules, as_of_ms, closed_files(folder.logs))
        join = join_of(folder, settings, FEEDBACK)
        notes = record_sealed(Workspace(workspace), folder, join) if folder.sealed() else []
    return Sealing(built, folder, f"{folder.spans}/{PATTERN}", tuple(notes))
