"""The clusters that a pipeline can be sent to: a line for each, and its folder has the rest.

In `runners/platforms/NAME/`, `adapter.py` says how its specifications differ (`Adapter`), and
`client.py` has a class that speaks with it (`runners.platforms.jobs.Platform`). Both are imported
when they are asked for: an adapter may import TFX, a client what the platform publishes. What the
settings say about a platform is a section in `pipeline.settings.runners`.
"""

import dataclasses
import importlib
from typing import Any, Protocol

from pipeline.settings.runners import Cluster, RunnerName
from pipeline.settings.settings import Settings
from runners.platforms.jobs import Platform


class Adapter(Protocol):
    """The interface of a platform's adapter.py.

    Attributes:
        BASELINE: Component that finds the baseline (`pipeline.dag.Placement`).
    """

    BASELINE: str

    def beam_args(self, settings: Settings, section: Any) -> tuple[str, ...]:
        """Options of the Beam pipelines."""

    def jobs(self, settings: Settings, section: Any) -> dict[str, Any]:
        """Replacements of executors, by node."""

    def finish(self, job: dict[str, Any], settings: Settings, section: Any) -> None:
        """Writes what TFX's compiler leaves out into the PipelineJob."""

    def as_text(self, job: dict[str, Any]) -> str:
        """The text that the platform gets for a PipelineJob."""


@dataclasses.dataclass(frozen=True)
class Listed:
    """A platform as the registry knows it.

    Attributes:
        name: Name of its folder, and of its section in the settings.
        suffix: Suffix of a file with its specification; clients and TFX recognize the format by it.
        client: Name of the class in its client.py.
    """

    name: RunnerName
    suffix: str
    client: str

    @property
    def adapter(self) -> Adapter:
        """Its adapter.py."""
        return importlib.import_module(f"{__package__}.{self.name}.adapter")

    def connect(self, section: Cluster) -> Platform:
        """Returns what speaks with it; no request is sent yet."""
        client = importlib.import_module(f"{__package__}.{self.name}.client")
        return getattr(client, self.client)(section)


PLATFORMS: dict[RunnerName, Listed] = {
    listed.name: listed
    for listed in (
        Listed("kubeflow", ".yaml", "KubeflowPlatform"),
        Listed("vertex", ".json", "VertexPlatform"),
    )
}
