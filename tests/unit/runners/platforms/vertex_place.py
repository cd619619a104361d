"""A Vertex AI and a bucket on loopback, models to push there, and processes that die."""

import base64
import contextlib
import dataclasses
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from fareline.digests import sha256_of_folder
from fareline.recorded.vertex import on_vertex_text, vertex_base
from runners.platforms.vertex.connection import connect
from runners.platforms.vertex.push import Pushed, push_model
from tests.loopback.storage import Storage, storage_server
from tests.loopback.vertex_batch import BatchPredictions
from tests.loopback.vertex_models import VertexModels, vertex_models_server
from tests.loopback.vertex_monitoring import Monitoring
from tests.loopback.vertex_shown import Shown
from tests.stores.writer import RUNNING, StoreWriter, artifact


class Killed(BaseException):
    """The process ends here; nothing catches it."""


@dataclasses.dataclass
class Place:
    """What a test works with.

    Attributes:
        root: A folder; artifacts are below it, as in a workspace.
        storage, vertex: Servers.
        batch, shown, monitoring: Batch predictions of the second, what it shows beside models, and
            the predictions that it counts.
        target: As the settings say it.
    """

    root: Path
    storage: Storage
    vertex: VertexModels
    batch: BatchPredictions
    shown: Shown
    monitoring: Monitoring
    target: dict[str, Any]

    @functools.cached_property
    def writer(self) -> StoreWriter:
        """Writes to the store of the workspace."""
        (self.root / "workspace").mkdir(exist_ok=True)
        return StoreWriter(self.root / "workspace" / "metadata.db")

    @property
    def endpoint(self) -> dict[str, Any]:
        return self.vertex.api.endpoints["taxi"]

    def traffic(self) -> dict[int, int]:
        """Percent of the requests by version that is deployed."""
        split = self.endpoint["trafficSplit"]
        return {
            int(each["modelVersionId"]): split.get(each["id"], 0)
            for each in self.endpoint["deployedModels"]
        }

    def states(self) -> dict[int, str]:
        versions = self.vertex.api.models.get("taxi", {})
        return {number: each["labels"]["fareline_push"] for number, each in versions.items()}

    def model_folder(self, content: str, workspace: str = "workspace") -> Path:
        return self.root / workspace / "artifacts" / "VertexPusher" / "pushed_model" / content

    def model(self, content: str, workspace: str = "workspace") -> str:
        folder = self.model_folder(content, workspace)
        if not folder.is_dir():
            (folder / "variables").mkdir(parents=True)
            (folder / "saved_model.pb").write_text(content)
            (folder / "variables" / "variables.index").write_text("weights")
        return str(folder)

    def record(self, content: str, **properties: Any) -> int:
        """Pushes, and leaves in the store what a run leaves; returns the version."""
        pushed = self.push(content)
        model = artifact(f"/m/{content}", sha256=content)
        run, writer = f"run-{content}", self.writer
        outputs = {"model": [model], "model_run": [artifact(f"/logs of/{content}")]}
        writer.add_execution("taxi", run, "Trainer", outputs=outputs)
        made = [("model", writer.artifact_ids[0])]
        version = pushed.record.version
        there = artifact(
            self.model(content),
            pushed=1,
            pushed_destination=f"{vertex_base(pushed.record.target)}/{version}",
            pushed_version=str(version),
            sha256=content,
            on_vertex=on_vertex_text(pushed.record),
            **properties,
        )
        node = "VertexPusher"
        writer.add_execution("taxi", run, node, outputs={"pushed_model": [there]}, inputs=made)
        return version

    def leave_unrecorded(self, content: str, **changed: Any) -> None:
        """Pushes for a run that is killed between the end of the push and its record."""
        target = json.dumps({**self.target, **changed})
        node, run = "VertexPusher", "run-20261130-1"  # as `push` says it
        self.writer.add_execution("taxi", run, node, RUNNING, target=target)
        self.push(content, **changed)

    def answer_from_files(self) -> None:
        """Requests are answered by the version with the largest share, from its files there."""
        import numpy as np

        from serving.model.batch import BatchPredictor

        loaded: dict[int, BatchPredictor] = {}

        def answer(instances: list[Any]) -> list[Any]:
            version = max(self.traffic().items(), key=lambda each: each[1])[0]
            if version not in loaded:
                uri = self.vertex.api.models["taxi"][version]["artifactUri"]
                loaded[version] = BatchPredictor(str(self.vertex.api.local(uri)), version)
            examples = [base64.b64decode(each["examples"]["b64"]) for each in instances]
            [predicted] = loaded[version].predict(np.array(examples, object)).values()
            return predicted.tolist()

        self.vertex.api.predict = answer

    def ask(self, examples: list[bytes]) -> tuple[int, list[list[float]]]:
        """Asks through Google's client: the version that answers, and its answers."""
        client = connect("PredictionServiceClient", self.vertex.address)
        answer = client.predict(
            endpoint="projects/fare-project/locations/europe-west4/endpoints/taxi",
            instances=[{"examples": {"b64": base64.b64encode(e).decode()}} for e in examples],
        )
        versions = {each["id"]: each["modelVersionId"] for each in self.endpoint["deployedModels"]}
        answers = [list(row) for row in answer.predictions]
        return int(versions[answer.deployed_model_id]), answers

    def push(self, content: str, workspace: str = "workspace", **changed: Any) -> Pushed:
        folder = self.model(content, workspace)
        facts = {"run": "run-20261130-1", "metric_auc": "0.9500"}
        target = {**self.target, **changed}
        sha256 = sha256_of_folder(folder)
        story = {
            "run": f"run-{content}",
            "data_uri": "gs://taxi-bucket/rows",
            "data_sha256": "d" * 64,
            "hyperparameters": {"width": 32, "learning_rate": 0.01},
            "metrics": {
                "overall": {"auc": 0.95, "calibration": 1.01, "pr_auc": None},
                "slices": {f"hour={hour}": {"auc": 0.9 + hour / 1000} for hour in range(60)},
            },
        }
        return push_model(target, folder, sha256, facts, "auc 0.9500", story)


@contextlib.contextmanager
def vertex_place(root: Path, monkeypatch) -> Iterator[Place]:
    """Serves until the block ends."""
    (root / "buckets" / "taxi-bucket").mkdir(parents=True)
    for module, name in (
        ("operations", "_POLL_SECONDS"),
        ("lease", "_LOOK_SECONDS"),
        ("batch.job", "_POLL_SECONDS"),
    ):
        monkeypatch.setattr(f"runners.platforms.vertex.{module}.{name}", 0.01)
    with (
        storage_server(root / "buckets") as storage,
        vertex_models_server(root / "buckets") as vertex,
    ):
        for name, value in storage.environment().items():
            monkeypatch.setenv(name, value)
        target = {
            "project": "fare-project",
            "region": "europe-west4",
            "bucket": "gs://taxi-bucket",
            "model": "taxi",
            "endpoint": "taxi",
            "traffic": 10,
            "api_endpoint": vertex.address,
        }
        batch, shown = BatchPredictions(vertex.api), Shown(vertex.api)
        monitoring = Monitoring(vertex.api)
        yield Place(root, storage, vertex, batch, shown, monitoring, target)


@contextlib.contextmanager
def killed_at(request: int, arrives: bool, monkeypatch) -> Iterator[list[str]]:
    """Ends a process at its request of this number, before it is sent or when it has arrived.

    Yields:
        Whether it came to that: one entry if it did.
    """
    send, count, ended = requests.Session.send, 0, []

    def send_or_die(self, *args, **kwargs):
        nonlocal count
        count += 1
        if count > request or (count == request and not arrives):
            ended.append("killed")
            raise Killed
        answer = send(self, *args, **kwargs)
        if count == request:
            ended.append("killed")
            raise Killed
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(requests.Session, "send", send_or_die)
        with contextlib.suppress(Killed):
            yield ended
