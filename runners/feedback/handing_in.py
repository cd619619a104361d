"""Adds outcomes to a workspace. Called by `cli.feedback.add`. Imports no TensorFlow."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fareline.errors import DataError
from lineage.text.times import now
from monitoring.feedback import outcomes
from monitoring.feedback.folders import FeedbackFolder
from monitoring.feedback.outcomes import Added, Expected, add_outcomes
from runners.publishing.entities import pseudonym_of_entities
from runners.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings

# What is no UTF-8 stays visible, in what is set apart.
_TEXT: dict[str, Any] = {"encoding": "utf-8-sig", "errors": "backslashreplace", "newline": ""}


def folder_of(workspace: Path) -> FeedbackFolder:
    """Where the feedback of a workspace lies."""
    place = Workspace(workspace)
    return FeedbackFolder(place.feedback_dir, place.prediction_log_dir)


def hand_in(workspace: Path, settings: "Settings", file: Path | None, stdin: BinaryIO) -> Added:
    """Keeps outcomes from a file of JSON lines or CSV, or from stdin.

    Args:
        workspace: Workspace with the predictions.
        settings: Settings with the kind of the label's values.
        file: By its name a CSV or not; None: stdin.
        stdin: JSON lines, as bytes.

    Raises:
        DataError: The file cannot be read.
        SettingsError: The label has no kind of its own.
    """
    expected = Expected(label_kind(settings), now(), pseudonym_of_entities(settings))
    folder = folder_of(workspace)
    if file is None:
        with io.TextIOWrapper(stdin, **_TEXT) as lines:
            return add_outcomes(outcomes.read_json_lines(lines), expected, folder)
    is_csv = file.suffix.lower() == ".csv"
    read = outcomes.read_csv if is_csv else outcomes.read_json_lines
    try:
        with file.open(**_TEXT) as lines:
            records = list(read(lines))
    except OSError as error:
        raise DataError.explain(
            str(file),
            f"cannot be read ({error.strerror})",
            "expected a file of outcomes",
            "check the path and its permissions",
        ) from error
    return add_outcomes(records, expected, folder, only_once=True)


def label_kind(settings: "Settings") -> str:
    """Type of the label's column, from the schema or from the label rule."""
    label = settings.label
    kind = kinds_of(settings).get(label.column)
    if kind is not None:
        return kind
    values = [value for _, value in label.values()]
    if values:
        return outcomes.STRING if isinstance(values[0], str) else outcomes.INT
    plain = settings.task == "binary" and label.above is None
    return outcomes.INT if plain else outcomes.FLOAT


def kinds_of(settings: "Settings") -> dict[str, str]:
    """Column to its kind, where a curated schema knows it."""
    from schema.curated import column_kinds, load_schema, schema_path

    if settings.schema_ is None:
        return {}
    return column_kinds(load_schema(schema_path(settings.schema_, settings.path.parent)))
