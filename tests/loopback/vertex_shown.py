"""Evaluations and ML Metadata of Vertex AI over REST, as the comments of their messages say.

Requests are parsed with Google's own types, which refuse what they do not know. What exists is
refused by its id, and relations that exist are skipped.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from tests.loopback.http_server import Refused, Request
from tests.loopback.vertex_models import PARENT, VertexModelsApi, google_types

_ID = re.compile(r"[a-z0-9-]{4,128}")
_SLICES_AT_ONCE = 50
_KINDS = {"contexts": "Context", "artifacts": "Artifact", "executions": "Execution"}


class Shown:
    """What Vertex shows beside models.

    Attributes:
        evaluations: Name of a model's version to its evaluations.
        slices: Name of an evaluation to its slices.
        has_store: Whether somebody has made the default metadata store.
        things: Name to its content.
        children: Name of a context to the names of its child contexts.
        members: Name of a context to the names of its artifacts and executions.
        events: Name of an execution to artifact and type of its events.
    """

    def __init__(self, api: VertexModelsApi):
        self.api = api
        self.evaluations: dict[str, list[dict[str, Any]]] = {}
        self.slices: dict[str, list[dict[str, Any]]] = {}
        self.has_store = False
        self.things: dict[str, dict[str, Any]] = {}
        self.children: dict[str, set[str]] = {}
        self.members: dict[str, set[str]] = {}
        self.events: dict[str, set[tuple[str, str]]] = {}
        kinds = ("modelEvaluations", "modelEvaluationSlices", "metadataStores", *_KINDS)
        verbs = ("create", "get", "list", "import", "update")
        api.permissions |= {f"aiplatform.{kind}.{verb}" for kind in kinds for verb in verbs}
        model = "/models/(?P<model>[^/:]+)"
        evaluation = f"{model}/evaluations/(?P<evaluation>[^/:]+)"
        store = "/metadataStores/(?P<store>[^/:]+)"
        routes: list[tuple[str, str, Callable[[Request], Any]]] = [
            ("GET", f"{model}/evaluations", self.list_evaluations),
            ("POST", f"{model}/evaluations:import", self.import_evaluation),
            ("GET", f"{evaluation}/slices", self.list_slices),
            ("POST", f"{evaluation}/slices:batchImport", self.import_slices),
            ("GET", store, self.get_store),
            ("POST", "/metadataStores", self.create_store),
            ("POST", f"{store}/(?P<kind>contexts|artifacts|executions)", self.create),
            ("POST", f"{store}/contexts/(?P<id>[^/:]+):addContextChildren", self.add_children),
            (
                "POST",
                f"{store}/contexts/(?P<id>[^/:]+):addContextArtifactsAndExecutions",
                self.add_members,
            ),
            ("POST", f"{store}/executions/(?P<id>[^/:]+):addExecutionEvents", self.add_events),
        ]
        for method, path, function in routes:
            api.route(method, PARENT + path, function)

    def list_evaluations(self, request: Request) -> dict[str, Any]:
        self.api.require("modelEvaluations.list", request)
        return {"modelEvaluations": self.evaluations.get(self._model(request), [])}

    def import_evaluation(self, request: Request) -> dict[str, Any]:
        self.api.require("modelEvaluations.import", request)
        model = self._model(request)
        given = google_types().ImportModelEvaluationRequest.from_json(request.body)
        evaluation = given.model_evaluation
        if not evaluation.metrics_schema_uri.startswith("gs://"):
            raise Refused(400, "metrics_schema_uri is required.")
        name = f"{model}/evaluations/{self.api.number()}"
        content = {**request.json()["modelEvaluation"], "name": name}
        self.evaluations.setdefault(model, []).append(content)
        return content

    def list_slices(self, request: Request) -> dict[str, Any]:
        self.api.require("modelEvaluationSlices.list", request)
        return {"modelEvaluationSlices": self.slices.get(self._evaluation(request), [])}

    def import_slices(self, request: Request) -> dict[str, Any]:
        self.api.require("modelEvaluationSlices.import", request)
        name = self._evaluation(request)
        google_types().BatchImportModelEvaluationSlicesRequest.from_json(request.body)
        slices = request.json()["modelEvaluationSlices"]
        if len(slices) > _SLICES_AT_ONCE:
            raise Refused(400, f"At most {_SLICES_AT_ONCE} slices can be imported at once.")
        self.slices.setdefault(name, []).extend(slices)
        return {"importedModelEvaluationSlices": []}

    def get_store(self, request: Request) -> dict[str, Any]:
        self.api.require("metadataStores.get", request)
        if not self.has_store:
            raise Refused(404, "The MetadataStore does not exist.")
        return {"name": self._store()}

    def create_store(self, request: Request) -> dict[str, Any]:
        self.api.require("metadataStores.create", request)
        self.has_store = True
        return self.api.operate(
            "metadataStores/default", "MetadataStore", lambda: {"name": self._store()}, "create"
        )

    def create(self, request: Request) -> dict[str, Any]:
        kind = request.parts["kind"]
        self.api.require(f"{kind}.create", request)
        if not self.has_store:
            raise Refused(404, "The MetadataStore does not exist.")
        getattr(google_types(), _KINDS[kind]).from_json(request.body)
        identity = request.query[f"{kind[:-1]}Id"]
        name = f"{self._store()}/{kind}/{identity}"
        if not _ID.fullmatch(identity):
            raise Refused(400, f'The ID "{identity}" is invalid.')
        if name in self.things:
            raise Refused(409, f"{name} already exists.")
        self.things[name] = {**request.json(), "name": name}
        return self.things[name]

    def add_children(self, request: Request) -> dict[str, Any]:
        self.api.require("contexts.update", request)
        self._add(self.children, f"contexts/{request.parts['id']}", request.json()["childContexts"])
        return {}

    def add_members(self, request: Request) -> dict[str, Any]:
        self.api.require("contexts.update", request)
        content = request.json()
        names = [*content.get("artifacts", ()), *content.get("executions", ())]
        self._add(self.members, f"contexts/{request.parts['id']}", names)
        return {}

    def add_events(self, request: Request) -> dict[str, Any]:
        self.api.require("executions.update", request)
        name = self._there(f"{self._store()}/executions/{request.parts['id']}")
        given = google_types().AddExecutionEventsRequest.from_json(request.body)
        for event in given.events:
            self._there(event.artifact)
            self.events.setdefault(name, set()).add((event.artifact, event.type_.name))
        return {}

    def _add(self, relation: dict[str, set[str]], context: str, names: list[str]) -> None:
        name = self._there(f"{self._store()}/{context}")
        relation.setdefault(name, set()).update(map(self._there, names))

    def _there(self, name: str) -> str:
        if name not in self.things:
            raise Refused(404, f"{name} does not exist.")
        return name

    def _store(self) -> str:
        return f"{self.api.parent()}/metadataStores/default"

    def _model(self, request: Request) -> str:
        model_id, _, version = request.parts["model"].partition("@")
        if int(version) not in self.api.models.get(model_id, {}):
            raise Refused(404, f"The Model does not exist: {request.parts['model']}.")
        return f"{self.api.parent()}/models/{model_id}@{version}"

    def _evaluation(self, request: Request) -> str:
        name = f"{self._model(request)}/evaluations/{request.parts['evaluation']}"
        known = [each["name"] for each in self.evaluations.get(self._model(request), [])]
        if name not in known:
            raise Refused(404, f"The ModelEvaluation does not exist: {json.dumps(known)}.")
        return name
