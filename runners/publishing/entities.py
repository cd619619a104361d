"""Entities of predictions: their names in the log, in outcomes and in sealed spans."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from data.privacy import pseudonym
from runners.pii_key import read_pii_key

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings

_ENTITY = "feedback.entity: "


def pseudonym_of_entities(settings: "Settings") -> Callable[[bytes], bytes] | None:
    """Pseudonym of an entity in a log, outcomes and sealed spans, as in training.

    Returns:
        None where they hold it itself.

    Raises:
        SettingsError: The settings leave it out.
        DataError: The key is needed, and is not there.
    """
    from pipeline.rules.settings import find_uses_of_dropped_columns

    if lost := [m for m in find_uses_of_dropped_columns(settings) if m.startswith(_ENTITY)]:
        raise settings.wrong(lost)
    if settings.feedback.entity not in settings.data.personal_columns(pseudonymize=True):
        return None
    key = read_pii_key()
    return lambda value: pseudonym(value, key)
