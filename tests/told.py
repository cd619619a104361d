"""What an error about settings says, without whom it blames for it."""

import re

from pipeline.settings.settings import DEFAULT_PATH

_DOTTED = re.compile(r"[a-z_]+(\.\S+)*")


def without_origin(error) -> str:
    """The lines of an error, without the file or the `--set` that each begins with.

    `--set KEY: …` where KEY is at fault, else `--set KEY: PLACE: …`; the place is left in both.
    """
    return "\n".join(map(_bare, str(error).splitlines()))


def _bare(line: str) -> str:
    if not line.startswith("--set "):
        return line.removeprefix(f"{DEFAULT_PATH}: ")
    named = line.removeprefix("--set ")
    key, _, rest = named.partition(": ")
    place = rest.partition(": ")[0]
    is_place = _DOTTED.fullmatch(place) or f"{place}.".startswith(f"{key}.")
    return rest if is_place else named
