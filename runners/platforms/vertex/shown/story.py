"""What is known of a pushed model, as VertexPusher hands it over. Imports no client."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from fareline.recorded.evaluation import Metrics


@dataclasses.dataclass(frozen=True)
class Story:
    """The origin of a model.

    Attributes:
        run: Id of the run that trained it; empty if unknown.
        data_uri, data_sha256: Training examples, and the digest of their source.
        model_sha256: SHA-256 of the pushed files.
        hyperparameters: Name to value.
        metrics: Metrics of the evaluation.
    """

    run: str
    data_uri: str
    data_sha256: str
    model_sha256: str
    hyperparameters: Mapping[str, Any]
    metrics: Metrics

    @classmethod
    def read(cls, content: Mapping[str, Any], model_sha256: str) -> "Story":
        """From plain values, as VertexPusher has them."""
        return cls(
            content.get("run", ""),
            content.get("data_uri", ""),
            content.get("data_sha256", ""),
            model_sha256,
            content.get("hyperparameters", {}),
            Metrics(**content.get("metrics", {})),
        )

    @property
    def name(self) -> str:
        """The run; without one, the digest of the files."""
        return self.run or f"model-{self.model_sha256[:16]}"
