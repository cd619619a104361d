"""The section `code` of a settings file: functions of the user's own in place of ours.

Every meaning stands in docs/own-code.md. Called by pipeline.settings.settings. Imports no TFX and
no TensorFlow.
"""

from typing import Annotated

import pydantic

from pipeline.settings.values import Section

FUNCTIONS = ("preprocessing_fn", "run_fn", "tuner_fn", "components")


def _require_dotted(value: str) -> str:
    parts = value.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError("expected PACKAGE.MODULE.FUNCTION, such as taxi_code.model.run_fn")
    return value


DottedPath = Annotated[str, pydantic.AfterValidator(_require_dotted)]


class Code(Section):
    """Dotted paths of the user's functions; what is null is ours.

    Attributes:
        folder: That holds the package; None: the folder of the settings file.
        preprocessing_fn: Called by Transform.
        run_fn: Called by Trainer.
        tuner_fn: Called by Tuner.
        components: Called when the graph is built, for nodes of one's own.
    """

    folder: str | None = None
    preprocessing_fn: DottedPath | None = None
    run_fn: DottedPath | None = None
    tuner_fn: DottedPath | None = None
    components: DottedPath | None = None

    def paths(self) -> dict[str, str]:
        """Name of the setting to dotted path, of the functions that are the user's."""
        return {name: path for name in FUNCTIONS if (path := getattr(self, name)) is not None}

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that the functions are in: what stands before the first dot, each once."""
        return tuple(dict.fromkeys(path.partition(".")[0] for path in self.paths().values()))
