"""The versions of one model in Vertex AI's Model Registry, through Google's generated client.

A version says in its labels how far its push is, so that the next push can tell what a killed one
has left: `pending` from the upload on, `done` when it is deployed, `withheld` after a rollback. It
also names the endpoint until it is deployed: the settings of the next push may name another.
"""

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

from runners.platforms.vertex.connection import api, connect
from runners.platforms.vertex.container import container_spec
from runners.platforms.vertex.errors import api_errors, explained
from runners.platforms.vertex.lease import Lease
from runners.platforms.vertex.operations import wait_for
from runners.platforms.vertex.target import ADVICE, Target

STATE, DIGEST, ENDPOINT = "fareline_push", "fareline_sha256", "fareline_endpoint"
PENDING, DONE, WITHHELD = "pending", "done", "withheld"
LIVE, CANDIDATE = "live", "candidate"
_DEFAULT = "default"
_SECONDS = 60.0
_DIGEST_DIGITS = 40  # a label has 63 characters at most
_MADE_BY = "fareline"


@dataclasses.dataclass(frozen=True)
class ModelVersion:
    """One version.

    Attributes:
        number: Its id.
        labels: Labels, as they are there.
        aliases: Other names of it.
        artifact_uri: Folder of the files.
    """

    number: int
    labels: Mapping[str, str]
    aliases: tuple[str, ...]
    artifact_uri: str

    @property
    def state(self) -> str:
        """State of the push; empty if another program uploaded the version."""
        return self.labels.get(STATE, "")

    @property
    def begun_on(self) -> str:
        """Id of the endpoint on which it is being deployed; empty when that is done."""
        return self.labels.get(ENDPOINT, "")

    def holds(self, sha256: str) -> bool:
        """Whether the version was uploaded from files with this digest."""
        return self.labels.get(DIGEST) == sha256[:_DIGEST_DIGITS]


class Registry:
    """The versions of a model.

    Args:
        target: Model and endpoint.
    """

    def __init__(self, target: Target):
        self._target = target
        self._client = None

    def versions(self) -> list[ModelVersion]:
        """All of them, the oldest first; none if there is no such model."""
        with self._told(), contextlib.suppress(api_errors().NotFound):
            found = self._models().list_model_versions(name=self._target.model, timeout=_SECONDS)
            versions = sorted(map(_version, found), key=lambda version: version.number)
            if not versions:
                raise ValueError("a model without versions")
            return versions
        return []

    def upload(
        self, artifact_uri: str, sha256: str, facts: Mapping[str, str], says: str, lease: Lease
    ) -> ModelVersion:
        """Adds a version, and returns it.

        Args:
            artifact_uri: Folder of the bucket with the SavedModel.
            sha256: SHA-256 of its files.
            facts: More labels.
            says: A line on what it is.
            lease: Gets the operation.
        """
        existing = self.versions()
        target, settings = self._target, self._target.settings
        model = api().Model(
            display_name=settings.model,
            version_description=says,
            artifact_uri=artifact_uri,
            container_spec=container_spec(settings),
            labels={
                **facts,
                "made_by": _MADE_BY,
                DIGEST: sha256[:_DIGEST_DIGITS],
                STATE: PENDING,
                ENDPOINT: settings.endpoint,
            },
        )
        request = api().UploadModelRequest(parent=target.parent, model=model)
        if existing:
            request.parent_model = target.model
        else:
            request.model_id = settings.model
        with self._told():
            operation = self._models().upload_model(request=request, timeout=_SECONDS)
            number = int(wait_for(operation, lease).model_version_id)
        return ModelVersion(number, dict(model.labels), (), artifact_uri)

    def mark(self, version: ModelVersion, state: str, begun_on: str = "") -> ModelVersion:
        """Writes how far the push of a version is.

        Args:
            version: The version.
            state: Its new state.
            begun_on: Id of the endpoint on which it is going to be deployed.

        Returns:
            The version with these labels.
        """
        labels = {name: label for name, label in version.labels.items() if name != ENDPOINT}
        labels |= {STATE: state, **({ENDPOINT: begun_on} if begun_on else {})}
        model = api().Model(name=f"{self._target.model}@{version.number}", labels=labels)
        with self._told():
            self._models().update_model(
                model=model, update_mask={"paths": ["labels"]}, timeout=_SECONDS
            )
        return dataclasses.replace(version, labels=labels)

    def name(self, number: int, alias: str) -> None:
        """Gives an alias to a version, and takes it from the one that has it."""
        versions = self.versions()
        for version in versions:
            # The API moves `default` itself: there is always one.
            if alias in version.aliases and version.number != number and alias != _DEFAULT:
                self._merge(version.number, f"-{alias}")
        for version in versions:
            if version.number == number and alias not in version.aliases:
                self._merge(number, alias)

    def unname(self, alias: str) -> None:
        """Takes an alias from the version that has it, if any."""
        for version in self.versions():
            if alias in version.aliases:
                self._merge(version.number, f"-{alias}")

    def delete(self, number: int, lease: Lease) -> None:
        """Deletes a version, which is deployed nowhere; the last one with its model."""
        others = [each for each in self.versions() if each.number != number]
        with self._told():
            if not any(_DEFAULT in each.aliases for each in others) and others:
                self.name(others[-1].number, _DEFAULT)  # the default one cannot be deleted
            if not others:
                operation = self._models().delete_model(name=self._target.model, timeout=_SECONDS)
            else:
                operation = self._models().delete_model_version(
                    name=f"{self._target.model}@{number}", timeout=_SECONDS
                )
            wait_for(operation, lease)

    def _merge(self, number: int, alias: str) -> None:
        with self._told():
            self._models().merge_version_aliases(
                name=f"{self._target.model}@{number}", version_aliases=[alias], timeout=_SECONDS
            )

    def _models(self) -> Any:
        if self._client is None:
            self._client = connect("ModelServiceClient", self._target.address)
        return self._client

    def _told(self) -> Any:
        return explained(ADVICE, self._target.address, self._target.model)


def _version(model: Any) -> ModelVersion:
    return ModelVersion(
        int(model.version_id),
        dict(model.labels),
        tuple(model.version_aliases),
        model.artifact_uri,
    )
