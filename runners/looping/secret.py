"""The secret of signatures, from the environment: never in settings, logs or metadata."""

import os
from typing import TYPE_CHECKING

from fareline.errors import UserMistake

if TYPE_CHECKING:
    from pipeline.settings.live.loop import Loop

VARIABLE = "FARELINE_LOOP_SECRET"
_LEAST = 16  # characters


def read_secret(loop: "Loop") -> bytes | None:
    """Returns the secret; None where nothing is signed.

    Raises:
        UserMistake: The secret is needed, but not set or too short.
    """
    if loop.port is None and all(hook.url is None for hook in loop.hooks):
        return None
    text = os.environ.get(VARIABLE, "")
    if len(text) < _LEAST:
        raise UserMistake.explain(
            VARIABLE,
            f"has {len(text)} characters" if text else "is not set",
            f"expected at least {_LEAST}, since loop.port or a url of loop.hooks is set",
            f"export {VARIABLE}=$(openssl rand -hex 32), and give it to the other side",
        )
    return text.encode()
