"""A model server in a container of Vertex AI: how the registry starts it, and what it is told.

The registry is told what `container_spec` says. Vertex then starts the container with variables of
its own, which `fareline serve --vertex` reads.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fareline.errors import UserMistake
from pipeline.settings.settings import VertexPush
from runners.platforms.vertex.bucket import download, files_below
from runners.platforms.vertex.connection import api

NAME = "model"  # of the served model, in the routes
_PORT = 8080
_STORAGE, _HTTP_PORT = "AIP_STORAGE_URI", "AIP_HTTP_PORT"


def container_spec(settings: VertexPush) -> Any:
    """The container of a version: Google's image knows all by itself, ours is told."""
    types = api()
    if settings.server == "google":
        return types.ModelContainerSpec(image_uri=settings.image)
    return types.ModelContainerSpec(
        image_uri=settings.image,
        command=["fareline", "serve", "--vertex"],
        ports=[types.Port(container_port=_PORT)],
        predict_route=f"/v1/models/{NAME}:predict",
        health_route=f"/v1/models/{NAME}",
    )


@dataclasses.dataclass(frozen=True)
class Container:
    """What Vertex tells a container.

    Attributes:
        model: Folder of a bucket with the SavedModel.
        port: Port that Vertex sends requests to.
    """

    model: str
    port: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Container":
        """From the variables that Vertex sets.

        Raises:
            UserMistake: They are missing, as outside such a container, or are of no use.
        """
        model, port = environment.get(_STORAGE, ""), environment.get(_HTTP_PORT, str(_PORT))
        if not model.startswith("gs://"):
            raise UserMistake.explain(
                _STORAGE,
                f"found {model!r}",
                "expected gs://…, as Vertex AI sets it for a container of a model",
                "leave --vertex out on a machine of your own",
            )
        if not port.isdecimal() or not 0 < int(port) <= 65535:
            expected = "expected a port, as Vertex AI sets it"
            raise UserMistake.explain(_HTTP_PORT, f"found {port!r}", expected, "unset it")
        return cls(model.rstrip("/"), int(port))

    def fetch(self, folder: Path) -> Path:
        """Fetches the model as version 1; returns the folder above the version.

        Raises:
            PlatformError, UnreachableError, RefusedRequestError: One line.
        """
        base = folder / NAME
        for uri in files_below(self.model):
            path = base / "1" / uri.removeprefix(f"{self.model}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            download(uri, path)
        return base
