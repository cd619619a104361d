"""The section `code` of a settings file: functions of the user's own in place of ours, or beside.

Every meaning stands in docs/own-code.md. Called by pipeline.settings.settings. Imports no TFX and
no TensorFlow.
"""

import re
from typing import Annotated

import pydantic
from pydantic import Field

from pipeline.settings.metrics import BY_NAME
from pipeline.settings.values import Section

FUNCTIONS = ("preprocessing_fn", "run_fn", "tuner_fn", "components")
METRICS, SLICES = "metrics", "slices"


def _require_dotted(value: str) -> str:
    parts = value.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError("expected PACKAGE.MODULE.FUNCTION, such as taxi_code.model.run_fn")
    return value


DottedPath = Annotated[str, pydantic.AfterValidator(_require_dotted)]


def _require_name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", value):
        raise ValueError("expected a name of lower-case letters, digits and _, first a letter")
    return value


def _require_new(value: dict[str, str]) -> dict[str, str]:
    taken = [name for name in value if name in BY_NAME]
    if taken:
        raise ValueError(f"expected a name other than {taken[0]}, which is Fareline's own metric")
    return value


OwnName = Annotated[str, pydantic.AfterValidator(_require_name)]
OwnMetrics = Annotated[dict[OwnName, DottedPath], pydantic.AfterValidator(_require_new)]


class Code(Section):
    """Dotted paths of the user's functions; what is null is ours.

    Attributes:
        folder: Folder with the package; None: the folder of the settings file.
        preprocessing_fn: Called by Transform.
        run_fn: Called by Trainer.
        tuner_fn: Called by Tuner.
        components: Called when the graph is built, for nodes of one's own.
        metrics: Name to function, called by Evaluator for each slice.
        slices: Name to function, called by Evaluator for each row: the slice that it is in.
    """

    folder: str | None = None
    preprocessing_fn: DottedPath | None = None
    run_fn: DottedPath | None = None
    tuner_fn: DottedPath | None = None
    components: DottedPath | None = None
    metrics: OwnMetrics = Field(default_factory=dict)
    slices: dict[OwnName, DottedPath] = Field(default_factory=dict)

    def paths(self) -> dict[str, str]:
        """Name of the setting to dotted path, of the functions that are the user's."""
        found = {name: path for name in FUNCTIONS if (path := getattr(self, name)) is not None}
        for section in (METRICS, SLICES):
            found |= {f"{section}.{name}": path for name, path in getattr(self, section).items()}
        return found

    @property
    def modules_of_evaluator(self) -> tuple[str, ...]:
        """The modules whose functions Evaluator calls."""
        paths = (*self.metrics.values(), *self.slices.values())
        return tuple(dict.fromkeys(path.rpartition(".")[0] for path in paths))

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that the functions are in: what stands before the first dot, each once."""
        return tuple(dict.fromkeys(path.partition(".")[0] for path in self.paths().values()))
