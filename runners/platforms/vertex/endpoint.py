"""One endpoint of Vertex AI, and what is deployed there, through Google's generated client."""

import contextlib
import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from runners.platforms.jobs import NotThereError, RefusedRequestError
from runners.platforms.vertex.connection import api, connect
from runners.platforms.vertex.errors import api_errors, explained
from runners.platforms.vertex.lease import Lease
from runners.platforms.vertex.operations import wait_for
from runners.platforms.vertex.target import ADVICE, Target

_SECONDS = 60.0
_NEW = "0"  # in a traffic split: the model that is just being deployed


@dataclasses.dataclass(frozen=True)
class Deployment:
    """One version on machines of its own, which cost money while it is there.

    Attributes:
        id: Id of the deployed model.
        version: Version of the model.
        percent: Percent of the requests.
        machine_type: Machine type of each machine.
        replicas: Machines, at least.
        since: When it was deployed.
    """

    id: str
    version: int
    percent: int
    machine_type: str
    replicas: int
    since: datetime.datetime

    @property
    def node_hours(self) -> float:
        """Node hours used so far, at least."""
        age = datetime.datetime.now(datetime.timezone.utc) - self.since
        return self.replicas * age.total_seconds() / 3600


class Endpoint:
    """An endpoint that holds versions of one model.

    Args:
        target: Model and endpoint.
        shared: Whether versions of other models may be there, which are left out: on an endpoint
            that was given up.
    """

    def __init__(self, target: Target, shared: bool = False):
        self._target = target
        self._shared = shared
        self._client = None

    def deployments(self) -> list[Deployment]:
        """Deployed versions; empty without an endpoint.

        Raises:
            RefusedRequestError: The endpoint holds another model too.
        """
        found = self._get()
        if found is None:
            return []
        with self._told():
            split = dict(found.traffic_split)
            models = [each for each in found.deployed_models if self._is_ours(each)]
            deployed = [self._deployment(each, split) for each in models]
            return sorted(deployed, key=lambda each: (each.version, each.id))

    def make(self, lease: Lease) -> None:
        """Creates the endpoint if it does not exist; the lease gets the operation."""
        if self._get() is not None:
            return
        settings = self._target.settings
        endpoint = api().Endpoint(display_name=settings.endpoint, labels={"made_by": "fareline"})
        with (
            self._told(),
            contextlib.suppress(api_errors().Conflict),
        ):  # another push made it just now
            operation = self._endpoints().create_endpoint(
                parent=self._target.parent,
                endpoint=endpoint,
                endpoint_id=settings.endpoint,
                timeout=_SECONDS,
            )
            wait_for(operation, lease)

    def deploy(self, version: int, traffic: Mapping[int, int], lease: Lease) -> None:
        """Puts a version on machines.

        Args:
            version: Version that is not deployed yet.
            traffic: Version to its percent afterwards.
            lease: Gets the operation.
        """
        settings = self._target.settings
        ids = {each.version: each.id for each in self.deployments()}
        deployed = api().DeployedModel(
            model=f"{self._target.model}@{version}",
            display_name=f"{settings.model}-{version}",
            dedicated_resources=api().DedicatedResources(
                machine_spec=api().MachineSpec(machine_type=settings.machine_type),
                min_replica_count=settings.replicas,
                max_replica_count=settings.replicas,
            ),
        )
        if settings.service_account is not None:
            deployed.service_account = settings.service_account
        with self._told():
            operation = self._endpoints().deploy_model(
                endpoint=self._target.endpoint,
                deployed_model=deployed,
                traffic_split=_split(traffic, {**ids, version: _NEW}),
                timeout=_SECONDS,
            )
            wait_for(operation, lease)

    def send(self, traffic: Mapping[int, int]) -> None:
        """Splits the requests among what is deployed, in one step."""
        found = self._get()
        if found is None:
            raise NotThereError.explain(
                self._target.endpoint,
                "was deleted meanwhile",
                "expected what is there",
                "run the same command again: it goes on from there",
            )
        ids = {each.version: each.id for each in self.deployments()}
        endpoint = api().Endpoint(
            name=self._target.endpoint,
            traffic_split=_split(traffic, ids),
            etag=found.etag,  # or the change of somebody else would be lost
        )
        with self._told():
            self._endpoints().update_endpoint(
                endpoint=endpoint, update_mask={"paths": ["traffic_split"]}, timeout=_SECONDS
            )

    def undeploy(self, deployed_id: str, lease: Lease) -> None:
        """Ends a deployment, which gets no requests any more, or is the only one."""
        with self._told():
            operation = self._endpoints().undeploy_model(
                endpoint=self._target.endpoint, deployed_model_id=deployed_id, timeout=_SECONDS
            )
            wait_for(operation, lease)

    def _get(self) -> Any:
        with self._told(), contextlib.suppress(api_errors().NotFound):
            found = self._endpoints().get_endpoint(name=self._target.endpoint, timeout=_SECONDS)
            if not found.name:
                raise ValueError("an endpoint without a name")
            return found
        return None

    def _is_ours(self, deployed: Any) -> bool:
        model = deployed.model.partition("@")[0]
        # The API names the project by its number.
        if model.rpartition("/")[2] == self._target.settings.model:
            return True
        if not self._shared:
            raise RefusedRequestError.explain(
                self._target.endpoint,
                f"another model is deployed there ({model})",
                f"expected versions of {self._target.settings.model} alone",
                "name another push.vertex.endpoint",
            )
        return False

    def _deployment(self, deployed: Any, split: Mapping[str, int]) -> Deployment:
        version = deployed.model.partition("@")[2]
        resources = deployed.dedicated_resources
        return Deployment(
            deployed.id,
            int(deployed.model_version_id or version or 0),
            split.get(deployed.id, 0),
            resources.machine_spec.machine_type,
            resources.min_replica_count,
            datetime.datetime.fromtimestamp(
                _bare(deployed).create_time.seconds, datetime.timezone.utc
            ),
        )

    def _endpoints(self) -> Any:
        if self._client is None:
            self._client = connect("EndpointServiceClient", self._target.address)
        return self._client

    def _told(self) -> Any:
        return explained(ADVICE, self._target.address, self._target.endpoint)


def _bare(message: Any) -> Any:
    """The message of protobuf; what is in a list is one already, with some builds of protobuf."""
    unwrap = getattr(type(message), "pb", None)
    return message if unwrap is None else unwrap(message)


def _split(traffic: Mapping[int, int], ids: Mapping[int, str]) -> dict[str, int]:
    return {ids[version]: percent for version, percent in traffic.items() if version in ids}
