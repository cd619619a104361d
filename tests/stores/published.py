"""A workspace in which three runs have pushed a model each, as far as store and folders show."""

import dataclasses
import json
import shutil
from pathlib import Path

from fareline.digests import sha256_of_folder
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from serving.versions.publish import publish
from tests.stores.writer import StoreWriter, artifact

AUC = {1: 0.91, 2: 0.92, 3: 0.93}


@dataclasses.dataclass(frozen=True)
class PublishedWorkspace:
    """Where everything is.

    Attributes:
        root: Of the workspace.
        base: The serving folder.
        writer: Of the store.
    """

    root: Path
    base: Path
    writer: StoreWriter

    def graph(self):
        return Graph(open_store(self.root / "metadata.db"))

    def push(self, number, run, content=None, folder=None, blessed=1):
        """What a run leaves behind: a model, two blessings, a version, and the records."""
        stem = self.root / "artifacts" / run
        content = content or f"model {number}"
        for part in ("model/Format-Serving", "pushed"):
            (stem / part).mkdir(parents=True)
            (stem / part / "saved_model.pb").write_text(content)
        version = publish(str(stem / "pushed"), str(folder or self.base), version=number)
        metrics = json.dumps({"overall": {"auc": AUC.get(number, 0.5)}, "slices": {}})
        add = self.writer.add_execution
        add("taxi", run, "ExampleGen", outputs={"examples": [artifact(f"/x/{run}", span=number)]})
        examples = [("examples", self.writer.artifact_ids[0])]
        model = artifact(stem / "model", sha256=sha256_of_folder(stem / "model"))
        add("taxi", run, "Trainer", outputs={"model": [model]}, inputs=examples)
        made = [("model", self.writer.artifact_ids[0])]
        judged = {"evaluation": [artifact("/e", metrics=metrics)]}
        judged["blessing"] = [artifact("/b", blessed=blessed)]
        add("taxi", run, "Evaluator", outputs=judged, inputs=[*made, *examples])
        infra = {"infra_blessing": [artifact("/i", blessing_status="INFRA_BLESSED")]}
        add("taxi", run, "InfraValidator", outputs=infra, inputs=made)
        pushed = artifact(
            stem / "pushed",
            pushed=1,
            pushed_destination=version.path,
            pushed_version=str(version.number),
            sha256=sha256_of_folder(stem / "pushed"),
        )
        add("taxi", run, "Pusher", outputs={"pushed_model": [pushed]}, inputs=made)
        return version.number

    def forget(self, number):
        """Removes a version by hand."""
        shutil.rmtree(self.base / str(number))


def make_workspace(root):
    """Three runs of one pipeline, versions 1, 2 and 3."""
    root.mkdir()
    made = PublishedWorkspace(root, root / "serving" / "taxi", StoreWriter(root / "metadata.db"))
    for number in AUC:
        made.push(number, f"run-{number}")
    return made
