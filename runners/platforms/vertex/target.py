"""Resolves the model and the endpoint on Vertex AI, and explains refusals.

Imports no client.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

from fareline.recorded.vertex import vertex_base
from pipeline.settings.settings import VertexPush
from runners.platforms.errors import Advice
from runners.platforms.vertex.connection import address_of

ADVICE = Advice(
    platform="vertex",
    account="Application Default Credentials of an account that may use the project",
    role="roles/aiplatform.user on the project, and roles/iam.serviceAccountUser on the service "
    "account of the endpoint",
    sign_in="run `gcloud auth application-default login`",
    roles="docs/vertex-publish.md lists the roles",
    place="push.vertex.project and region in the settings say where to look",
    room="`fareline undeploy` frees machines; or ask for more on the quota page of the project",
    address="push.vertex.region and api_endpoint in the settings",
    request="a request",
    has_jobs=False,
    look="act on what it says; docs/vertex-publish.md lists what it refuses",
)


@dataclasses.dataclass(frozen=True)
class Target:
    """A model of the registry and its endpoint.

    Attributes:
        settings: The section `push.vertex`, with the ids of both.
    """

    settings: VertexPush

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "Target":
        """From plain values, as they are recorded."""
        return cls(VertexPush.model_validate(content))

    def on(self, endpoint: str) -> "Target":
        """The same model on the endpoint with this id."""
        return Target(self.settings.model_copy(update={"endpoint": endpoint}))

    @property
    def project(self) -> str:
        """Id of the project."""
        return self.settings.project

    @property
    def parent(self) -> str:
        """Name of the region in the API."""
        return f"projects/{self.project}/locations/{self.settings.region}"

    @property
    def model(self) -> str:
        """Name of the model in the API."""
        return f"{self.parent}/models/{self.settings.model}"

    @property
    def endpoint(self) -> str:
        """Name of the endpoint in the API."""
        return f"{self.parent}/endpoints/{self.settings.endpoint}"

    @property
    def base(self) -> str:
        """The recorded form of the place above the versions."""
        return vertex_base(self.as_json())

    @property
    def address(self) -> str:
        """Address of the API."""
        return address_of(self.settings.region, self.settings.api_endpoint)

    @property
    def folder(self) -> str:
        """Prefix of all files of the model in the bucket."""
        return f"{self.settings.bucket}/vertex-models/{self.settings.model}"

    @property
    def key(self) -> str:
        """Names model and bucket, which is what one push at a time works on, as a file name."""
        return hashlib.sha256(f"{self.base} {self.settings.bucket}".encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """The settings as plain values."""
        return self.settings.model_dump(mode="json")
