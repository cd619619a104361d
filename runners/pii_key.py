"""The key of pseudonyms, from the environment: never in settings, specs, logs or metadata.

The pipeline names `read_pii_key` by its dotted path, as it names user functions, so that the key is
asked for where rows are read: in this process here, in ExampleGen's container in a cluster.
"""

import os

from data.privacy import require_key
from fareline.errors import DataError

KEY_VARIABLE = "FARELINE_PII_KEY"


def read_pii_key() -> bytes:
    """Returns the key.

    Raises:
        DataError: The key is not set, or too short.
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
