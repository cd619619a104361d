"""Vertex AI's Model Registry and endpoints over REST.

Refuses what the service is documented to refuse: by the comments of the messages in
google.cloud.aiplatform_v1.types, and by the status codes that Google's APIs share.
"""

import contextlib
import dataclasses
import datetime
import itertools
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.loopback.http_server import Api, Refused, Request, serving

_STATUS = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 412: 9, 429: 8, 500: 13, 503: 14}
_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
# Google's client asks for operations below /ui, by the first of the bindings that it knows.
PARENT = r"/(v1|ui)/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_ENDPOINT_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?|[1-9][0-9]{0,8}")
_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_MACHINES = re.compile(r"(n1|n2|e2|c2|c3)-(standard|highmem|highcpu)-\d+")
_VERBS = ("create", "get", "list", "update", "delete", "upload", "deploy", "undeploy", "predict")
Predict = Callable[[list[Any]], list[Any]]


def google_types() -> Any:
    """Google's messages, which refuse fields that they do not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the age of the Python that TFX needs
        from google.cloud import aiplatform_v1
    return aiplatform_v1


class VertexModelsApi(Api):
    """One project in one region.

    Attributes:
        project, location: Which ones.
        buckets: Folder of the buckets' folders.
        permissions: Of the caller.
        machines: That the quota allows.
        images: That the service agent may not pull.
        polls: How often an operation is asked for before it has ended.
        breaking: Kind of an operation to the status and message of its end.
        predict: Answers instances.
        models: Id to version to its content.
        endpoints: Id to its content.
    """

    def __init__(self, buckets: Path, project: str, location: str):
        super().__init__()
        self.project, self.location, self.buckets = project, location, buckets
        kinds = ("models", "endpoints")
        self.permissions = {f"aiplatform.{kind}.{verb}" for kind in kinds for verb in _VERBS}
        self.machines = 10
        self.images: set[str] = set()
        self.polls = 0
        self.breaking: dict[str, tuple[int, str]] = {}
        self.predict: Predict = lambda instances: [0.5 for _ in instances]
        self.models: dict[str, dict[int, dict[str, Any]]] = {}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, tuple[int, dict[str, Any]]] = {}
        self._numbers = itertools.count(1001)
        for method, path, function in (
            ("POST", "/models:upload", self.upload_model),
            ("GET", "/models/(?P<model>[^/:@]+):listVersions", self.list_versions),
            ("PATCH", "/models/(?P<model>[^/:@]+)@(?P<version>[^/:]+)", self.update_model),
            (
                "POST",
                "/models/(?P<model>[^/:@]+)@(?P<version>[^/:]+):mergeVersionAliases",
                self.merge_aliases,
            ),
            (
                "DELETE",
                "/models/(?P<model>[^/:@]+)@(?P<version>[^/:]+):deleteVersion",
                self.delete_version,
            ),
            ("DELETE", "/models/(?P<model>[^/:@]+)", self.delete_model),
            ("POST", "/endpoints", self.create_endpoint),
            ("GET", "/endpoints/(?P<endpoint>[^/:]+)", self.get_endpoint),
            ("PATCH", "/endpoints/(?P<endpoint>[^/:]+)", self.update_endpoint),
            ("POST", "/endpoints/(?P<endpoint>[^/:]+):deployModel", self.deploy_model),
            ("POST", "/endpoints/(?P<endpoint>[^/:]+):undeployModel", self.undeploy_model),
            ("POST", "/endpoints/(?P<endpoint>[^/:]+):predict", self.predict_online),
            ("GET", "/.*operations/(?P<operation>[^/:]+)", self.get_operation),
        ):
            self.route(method, PARENT + path, function)

    def word(self, refused: Refused) -> dict[str, Any]:
        status = _WORDS.get(refused.status, "UNKNOWN")
        return {"error": {"code": refused.status, "message": str(refused), "status": status}}

    # Models

    def upload_model(self, request: Request) -> dict[str, Any]:
        self.require("models.upload", request)
        content = request.json()
        model, parent = content["model"], content.get("parentModel", "")
        model_id = parent.rpartition("/")[2] or content.get("modelId", "")
        if not _MODEL_ID.fullmatch(model_id):
            raise Refused(400, f'The model ID "{model_id}" is invalid.')
        if parent and model_id not in self.models:
            raise Refused(404, f"The Model does not exist: {parent}.")
        if not parent and model_id in self.models:
            raise Refused(409, f"The Model with id {model_id} already exists.")
        if not model.get("displayName"):
            raise Refused(400, "model.display_name is required.")
        self._check_labels(model)
        image = model.get("containerSpec", {}).get("imageUri", "")
        broken = None
        if not self._files(model.get("artifactUri", "")):
            broken = (400, f'There are no files under "{model.get("artifactUri")}".')
        if image in self.images:
            broken = (
                403,
                "Google Cloud Vertex AI Service Agent service-1@gcp-sa-aiplatform.iam."
                f"gserviceaccount.com does not have permission to pull the image {image}.",
            )
        versions = self.models.get(model_id, {})
        number = max(versions, default=0) + 1

        def add() -> dict[str, Any]:
            aliases = list(model.get("versionAliases", ()))
            name = f"{self.parent()}/models/{model_id}"
            kept = {**model, "name": name, "versionId": str(number), "etag": "e"}
            kept["versionAliases"] = aliases if versions else [*aliases, "default"]
            self.models.setdefault(model_id, {})[number] = kept
            return {"model": name, "modelVersionId": str(number)}

        return self.operate(f"models/{model_id}", "UploadModelResponse", add, "upload", broken)

    def list_versions(self, request: Request) -> dict[str, Any]:
        self.require("models.list", request)
        return {"models": list(self._versions(request).values())}

    def update_model(self, request: Request) -> dict[str, Any]:
        self.require("models.update", request)
        version = self._version(request)
        self._check_labels(request.json())
        version["labels"] = request.json().get("labels", {})
        return version

    def merge_aliases(self, request: Request) -> dict[str, Any]:
        self.require("models.update", request)
        version = self._version(request)
        for alias in request.json()["versionAliases"]:
            name = alias.removeprefix("-")
            if not _ALIAS.fullmatch(name):
                raise Refused(400, f'The version alias "{name}" is invalid.')
            held = any(name in each["versionAliases"] for each in self._versions(request).values())
            if alias.startswith("-"):
                version["versionAliases"].remove(name)
            elif name == "default":
                for each in self._versions(request).values():
                    each["versionAliases"] = [a for a in each["versionAliases"] if a != name]
                version["versionAliases"].append(name)
            elif held:
                raise Refused(400, f'The version alias "{name}" is used by another version.')
            else:
                version["versionAliases"].append(name)
        return version

    def delete_version(self, request: Request) -> dict[str, Any]:
        self.require("models.delete", request)
        version = self._version(request)
        versions = self._versions(request)
        if len(versions) == 1:
            raise Refused(400, "The last version of a model cannot be deleted; delete the Model.")
        number = int(version["versionId"])
        self._refuse_deployed(request.parts["model"], {number})
        if "default" in version["versionAliases"]:
            raise Refused(400, "The default version cannot be deleted; set another default first.")
        return self.operate(
            f"models/{request.parts['model']}", None, lambda: versions.pop(number) and {}, "delete"
        )

    def delete_model(self, request: Request) -> dict[str, Any]:
        self.require("models.delete", request)
        model_id = request.parts["model"]
        self._refuse_deployed(model_id, set(self._versions(request)))
        return self.operate(
            f"models/{model_id}", None, lambda: self.models.pop(model_id) and {}, "delete"
        )

    # Endpoints

    def create_endpoint(self, request: Request) -> dict[str, Any]:
        self.require("endpoints.create", request)
        endpoint_id = request.query.get("endpointId") or str(self.number())
        if not _ENDPOINT_ID.fullmatch(endpoint_id):
            raise Refused(400, f'The endpoint ID "{endpoint_id}" is invalid.')
        if endpoint_id in self.endpoints:
            raise Refused(409, f"The Endpoint with id {endpoint_id} already exists.")
        name = f"{self.parent()}/endpoints/{endpoint_id}"
        content = {**request.json(), "name": name, "etag": "1", "deployedModels": []}

        def add() -> dict[str, Any]:
            self.endpoints[endpoint_id] = {**content, "trafficSplit": {}}
            return self.endpoints[endpoint_id]

        return self.operate(f"endpoints/{endpoint_id}", "Endpoint", add, "create")

    def get_endpoint(self, request: Request) -> dict[str, Any]:
        self.require("endpoints.get", request)
        return self._endpoint(request)

    def update_endpoint(self, request: Request) -> dict[str, Any]:
        self.require("endpoints.update", request)
        endpoint, content = self._endpoint(request), request.json()
        if content.get("etag", endpoint["etag"]) != endpoint["etag"]:
            raise Refused(409, "The etag does not match: the endpoint was changed meanwhile.")
        split = content.get("trafficSplit", {})
        if split:  # an empty one: the endpoint takes no requests for now
            self._check_split(split, {each["id"] for each in endpoint["deployedModels"]})
        self._change(endpoint, trafficSplit=split)
        return endpoint

    def deploy_model(self, request: Request) -> dict[str, Any]:
        self.require("endpoints.deploy", request)
        endpoint, content = self._endpoint(request), request.json()
        deployed, split = content["deployedModel"], content.get("trafficSplit", {})
        model_id, _, version = deployed["model"].rpartition("/")[2].partition("@")
        if int(version or 1) not in self.models.get(model_id, {}):
            raise Refused(404, f"The Model does not exist: {deployed['model']}.")
        self._check_split(split, {"0", *(each["id"] for each in endpoint["deployedModels"])})
        resources = deployed["dedicatedResources"]
        machine = resources["machineSpec"]["machineType"]
        if not _MACHINES.fullmatch(machine):
            raise Refused(400, f'Machine type "{machine}" is not supported.')
        used = [d for e in self.endpoints.values() for d in e["deployedModels"]]
        counted = sum(d["dedicatedResources"]["minReplicaCount"] for d in used)
        broken = None
        if counted + resources["minReplicaCount"] > self.machines:
            broken = (
                429,
                "The following quotas are exceeded: CustomModelServingCPUsPerProjectPerRegion",
            )
        identity = str(self.number())

        def add() -> dict[str, Any]:
            now = datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
            kept = {**deployed, "id": identity, "createTime": now, "modelVersionId": version or "1"}
            split_now = {(identity if i == "0" else i): share for i, share in split.items()}
            self._change(
                endpoint,
                deployedModels=[*endpoint["deployedModels"], kept],
                trafficSplit=split_now or endpoint["trafficSplit"],
            )
            return {"deployedModel": kept}

        where = f"endpoints/{request.parts['endpoint']}"
        return self.operate(where, "DeployModelResponse", add, "deploy", broken)

    def undeploy_model(self, request: Request) -> dict[str, Any]:
        self.require("endpoints.undeploy", request)
        endpoint, content = self._endpoint(request), request.json()
        identity = content["deployedModelId"]
        left = [each for each in endpoint["deployedModels"] if each["id"] != identity]
        if len(left) == len(endpoint["deployedModels"]):
            raise Refused(404, f"The DeployedModel does not exist: {identity}.")
        split = content.get("trafficSplit") or endpoint["trafficSplit"]
        if left and split.get(identity):
            raise Refused(400, f"DeployedModel {identity} still has traffic assigned to it.")

        def remove() -> dict[str, Any]:
            rest = {i: share for i, share in split.items() if i != identity} if left else {}
            self._change(endpoint, deployedModels=left, trafficSplit=rest)
            return {}

        where = f"endpoints/{request.parts['endpoint']}"
        return self.operate(where, "UndeployModelResponse", remove, "undeploy")

    def predict_online(self, request: Request) -> dict[str, Any]:
        self.require("endpoints.predict", request)
        endpoint = self._endpoint(request)
        if not endpoint["deployedModels"]:
            raise Refused(400, "The endpoint has no deployed model.")
        answers = self.predict(request.json()["instances"])
        best = max(endpoint["trafficSplit"].items(), key=lambda each: each[1])
        return {"predictions": answers, "deployedModelId": best[0]}

    # What all share

    def get_operation(self, request: Request) -> dict[str, Any]:
        name = re.sub("^/(v1|ui)/", "", request.path)
        if name not in self.operations:
            raise Refused(404, f"Operation {name} not found.")
        left, ended = self.operations[name]
        if left > 0:
            self.operations[name] = (left - 1, ended)
            return {"name": name}
        return ended

    def operate(
        self,
        where: str,
        kind: str | None,
        act: Callable[[], dict[str, Any]],
        verb: str,
        broken: tuple[int, str] | None = None,
    ) -> dict[str, Any]:
        """Does it at once, and says so after as many questions as `polls`."""
        name = f"{self.parent()}/{where}/operations/{self.number()}"
        broken = broken or self.breaking.get(verb)
        ended: dict[str, Any] = {"name": name, "done": True}
        if broken is not None:
            ended["error"] = {"code": _STATUS[broken[0]], "message": broken[1]}
        else:
            api_type = f"google.cloud.aiplatform.v1.{kind}" if kind else "google.protobuf.Empty"
            ended["response"] = {"@type": f"type.googleapis.com/{api_type}", **act()}
        self.operations[name] = (self.polls, ended)
        return ended if self.polls == 0 else {"name": name}

    def _check_split(self, split: dict[str, int], known: set[str]) -> None:
        if sum(split.values()) != 100:
            raise Refused(400, "The traffic split percentages must add up to 100.")
        if unknown := sorted(set(split) - known):
            raise Refused(400, f"The traffic split names unknown DeployedModels: {unknown}.")

    def _check_labels(self, content: dict[str, Any]) -> None:
        labels = content.get("labels", {})
        if len(labels) > 64:
            raise Refused(400, "No more than 64 user labels can be associated with one resource.")
        for key, value in labels.items():
            if not _LABEL.fullmatch(value) or not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key):
                raise Refused(400, f"Invalid label {key}: {value}.")

    def _refuse_deployed(self, model_id: str, versions: set[int]) -> None:
        for endpoint in self.endpoints.values():
            for deployed in endpoint["deployedModels"]:
                name, _, _ = deployed["model"].rpartition("/")[2].partition("@")
                if name == model_id and int(deployed["modelVersionId"]) in versions:
                    raise Refused(400, f"The Model is still deployed to {endpoint['name']}.")

    def require(self, permission: str, request: Request) -> None:
        where = f"projects/{request.parts['project']}/locations/{request.parts['location']}"
        known = (request.parts["project"], request.parts["location"])
        if f"aiplatform.{permission}" not in self.permissions or known != (
            self.project,
            self.location,
        ):
            raise Refused(
                403,
                f"Permission 'aiplatform.{permission}' denied on resource "
                f"'//aiplatform.googleapis.com/{where}' (or it may not exist).",
            )

    def _versions(self, request: Request) -> dict[int, dict[str, Any]]:
        if request.parts["model"] not in self.models:
            raise Refused(404, f"The Model does not exist: {request.path.removeprefix('/v1/')}.")
        return self.models[request.parts["model"]]

    def _version(self, request: Request) -> dict[str, Any]:
        found = self._versions(request).get(int(request.parts["version"]))
        if found is None:
            raise Refused(404, f"The Model does not exist: {request.path.removeprefix('/v1/')}.")
        return found

    def _endpoint(self, request: Request) -> dict[str, Any]:
        if request.parts["endpoint"] not in self.endpoints:
            raise Refused(404, f"The Endpoint does not exist: {request.parts['endpoint']}.")
        return self.endpoints[request.parts["endpoint"]]

    def _change(self, endpoint: dict[str, Any], **fields: Any) -> None:
        endpoint.update(fields, etag=str(int(endpoint["etag"]) + 1))

    def number(self) -> int:
        return next(self._numbers)

    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"

    def local(self, uri: str) -> Path:
        return self.buckets / uri.removeprefix("gs://")

    def _files(self, uri: str) -> bool:
        return uri.startswith("gs://") and any(self.local(uri).rglob("saved_model.pb"))


@dataclasses.dataclass(frozen=True)
class VertexModels:
    """A server that runs."""

    api: VertexModelsApi
    address: str


@contextlib.contextmanager
def vertex_models_server(
    buckets: Path, project: str = "fare-project", location: str = "europe-west4"
) -> Iterator[VertexModels]:
    """Serves until the block ends."""
    api = VertexModelsApi(buckets, project, location)
    with serving(api) as address:
        yield VertexModels(api, address)
