"""The key of pseudonyms, from the environment: never in settings, specs, logs or metadata.

The pipeline names `read_pii_key` by its dotted path, as it names user functions, so that the key is
asked for where rows are read: in this process here, in ExampleGen's container in a cluster.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from data.privacy import pseudonym, require_key
from fareline.errors import DataError

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings

KEY_VARIABLE = "FARELINE_PII_KEY"
_ENTITY = "feedback.entity: "


def read_pii_key() -> bytes:
    """Returns the key.

    Raises:
        DataError: It is not set, or too short.
    """
    text = os.environ.get(KEY_VARIABLE)
    if not text:
        raise DataError.explain(
            KEY_VARIABLE,
            "is not set",
            "expected the key of the pseudonyms that data.columns asks for",
            f"export {KEY_VARIABLE}=$(openssl rand -hex 32) once, and keep the value: another key "
            "gives other pseudonyms",
        )
    return require_key(text.encode(), KEY_VARIABLE)


def pseudonym_of_entities(settings: "Settings") -> Callable[[bytes], bytes] | None:
    """What a log, outcomes and sealed spans hold in place of an entity, as training does.

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
