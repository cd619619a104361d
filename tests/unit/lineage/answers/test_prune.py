"""What goes when old runs are pruned, what never does, and that a crash can be completed."""

import os
import time

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from lineage.answers.prune.payloads import Boundary, mark_deleted, remove_payloads
from lineage.answers.prune.prune import plan_prune
from lineage.answers.verify.verify import verify
from lineage.facts.baselines import PIN, UNPIN, Decision, record_decision
from lineage.facts.payload import leftover
from lineage.graph.graph import Graph
from lineage.store.open import open_store, open_store_to_write
from tests.stores.writer import CACHED, RUNNING, StoreWriter, artifact


class Pipeline:
    """A pipeline of Gen, Trainer, Evaluator and Pusher whose payloads are on disk."""

    def __init__(self, folder, name="taxi"):
        self.root = folder / "artifacts"
        self.serving = folder / "serving"
        self.name = name
        self.path = folder / "metadata.db"
        self.writer = StoreWriter(self.path)

    def payload(self, name, content="payload"):
        folder = self.root / name
        folder.mkdir(parents=True)
        (folder / "file").write_text(content)
        return folder

    def add_data(self, run):
        uri = self.payload(f"Gen/examples/{run}")
        self.writer.add_execution(self.name, run, "Gen", outputs={"examples": [artifact(uri)]})
        return self.writer.artifact_ids[0]

    def reuse_data(self, run, examples):
        self.writer.add_execution(self.name, run, "Gen", CACHED, reused=[("examples", examples)])

    def add_model(self, run, examples, blessed=0, baseline=None, **properties):
        outputs = {"model": [artifact(self.payload(f"Trainer/model/{run}"), **properties)]}
        self.writer.add_execution(
            self.name, run, "Trainer", outputs=outputs, inputs=[("examples", examples)]
        )
        model = self.writer.artifact_ids[0]
        blessing = artifact(
            self.payload(f"Evaluator/blessing/{run}"), blessed=blessed, current_model_id=model
        )
        evaluation = artifact(self.payload(f"Evaluator/evaluation/{run}"))
        inputs = [("examples", examples), ("model", model)]
        inputs += [("baseline_model", baseline)] if baseline else []
        self.writer.add_execution(
            self.name,
            run,
            "Evaluator",
            outputs={"blessing": [blessing], "evaluation": [evaluation]},
            inputs=inputs,
        )
        return model, self.writer.artifact_ids[0]

    def push(self, run, model, blessing, version, there=True):
        destination = self.serving / str(version)
        if there:
            destination.mkdir(parents=True)
            (destination / "file").write_text("payload")
        pushed = artifact(
            self.payload(f"Pusher/pushed_model/{run}"),
            pushed=1,
            pushed_destination=str(destination),
        )
        self.writer.add_execution(
            self.name,
            run,
            "Pusher",
            outputs={"pushed_model": [pushed]},
            inputs=[("model", model), ("model_blessing", blessing)],
        )

    def plan(self, keep=1, pins=(), roots=(), withdrawn=False):
        graph = Graph(open_store(self.path))
        pinned = graph.artifacts(pins)
        boundary = Boundary(roots or [self.root])
        now = time.time_ns() // 1_000_000
        return plan_prune(graph, keep, boundary, pinned, now, withdrawn)

    def prune(self, keep=1, **rest):
        plan = self.plan(keep, **rest)
        ids = [entry.artifact.id for entry in plan.pruned]
        mark_deleted(open_store_to_write(self.path), ids)
        entries = [*plan.unfinished, *plan.pruned]
        failed = remove_payloads([e.artifact.uri for e in entries], Boundary([self.root]))
        return plan, failed

    def payloads(self):
        return sorted(str(p.parent.relative_to(self.root)) for p in self.root.rglob("file"))


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(tmp_path)


def keys(entries):
    return [entry.artifact.key for entry in entries]


def test_old_runs_go_and_the_newest_stays(pipeline):
    for run in ("run-1", "run-2", "run-3"):
        pipeline.add_model(run, pipeline.add_data(run))

    plan, failed = pipeline.prune(keep=1)

    assert failed == []
    assert plan.kept_runs == ["run-3"]
    assert plan.pruned_runs == ["run-1", "run-2"]
    assert plan.bytes == 8 * len("payload")
    assert pipeline.payloads() == [
        "Evaluator/blessing/run-3",
        "Evaluator/evaluation/run-3",
        "Gen/examples/run-3",
        "Trainer/model/run-3",
    ]
    graph = Graph(open_store(pipeline.path))
    states = {a.key: a.state for a in graph.artifacts_of_type("Model")}
    assert states == {"Model:2": "deleted", "Model:6": "deleted", "Model:10": "live"}


def test_a_plan_alone_changes_nothing(pipeline):
    for run in ("run-1", "run-2"):
        pipeline.add_model(run, pipeline.add_data(run))
    payloads, store = pipeline.payloads(), pipeline.path.read_bytes()

    assert keys(pipeline.plan().pruned) == [
        "Examples:1",
        "Model:2",
        "ModelBlessing:3",
        "ModelEvaluation:4",
    ]
    assert pipeline.payloads() == payloads
    assert pipeline.path.read_bytes() == store


def test_marking_changes_the_state_and_nothing_else(pipeline):
    pipeline.add_model("run-1", pipeline.add_data("run-1"), blessed=1)
    [before] = open_store(pipeline.path).get_artifacts_by_id([3])

    mark_deleted(open_store_to_write(pipeline.path), [3])

    [after] = open_store(pipeline.path).get_artifacts_by_id([3])
    assert after.state == mlmd.Artifact.DELETED
    assert after.last_update_time_since_epoch >= before.last_update_time_since_epoch
    before.state = after.state
    before.last_update_time_since_epoch = after.last_update_time_since_epoch
    assert after == before


def test_what_a_kept_run_took_from_the_cache_stays(pipeline):
    examples = pipeline.add_data("run-1")
    pipeline.add_model("run-1", examples)
    pipeline.reuse_data("run-2", examples)
    pipeline.add_model("run-2", examples)

    plan, _ = pipeline.prune()

    assert keys(plan.pruned) == ["Model:2", "ModelBlessing:3", "ModelEvaluation:4"]
    assert "Gen/examples/run-1" in pipeline.payloads()


def test_what_a_published_model_came_from_stays_with_its_evaluation(pipeline):
    examples = pipeline.add_data("run-1")
    pipeline.push("run-1", *pipeline.add_model("run-1", examples, blessed=1), version=7)
    for run in ("run-2", "run-3"):
        pipeline.add_model(run, pipeline.add_data(run))

    plan, _ = pipeline.prune()

    assert plan.kept_runs == ["run-1", "run-3"]  # the one that pushed, and the newest
    assert plan.pruned_runs == ["run-2"]
    assert {a.key: why for a, why in plan.protected.items()} == {
        "Model:2": "latest blessed model of taxi, the next baseline",
        "ModelBlessing:3": "latest blessed model of taxi, the next baseline",
        "PushedModel:5": f"live at {pipeline.serving}",
    }
    assert {e.runs for e in plan.pruned} == {("run-2",)}
    assert "Evaluator/evaluation/run-1" in pipeline.payloads()
    assert "Gen/examples/run-1" in pipeline.payloads()


def test_a_version_that_left_the_destination_protects_unless_it_may_go(pipeline):
    for number in (1, 2, 3):
        run = f"run-{number}"
        model, blessing = pipeline.add_model(run, pipeline.add_data(run), blessed=1)
        pipeline.push(run, model, blessing, version=number, there=number > 1)

    assert pipeline.plan().pruned == []
    plan, _ = pipeline.prune(withdrawn=True)

    assert {run for entry in plan.pruned for run in entry.runs} == {"run-1"}
    assert "PushedModel:10" in [a.key for a in plan.protected]


def test_the_live_version_by_record_protects_even_when_it_is_gone(pipeline):
    model, blessing = pipeline.add_model("run-1", pipeline.add_data("run-1"))
    pipeline.push("run-1", model, blessing, version=7, there=False)
    pipeline.add_data("run-2")

    assert pipeline.plan().pruned == []


def test_the_model_of_a_sample_is_no_next_baseline(pipeline):
    pipeline.add_model("run-1", pipeline.add_data("run-1"), blessed=1)
    pipeline.add_model("run-2", pipeline.add_data("run-2"), blessed=1, sample="500")
    pipeline.add_data("run-3")

    plan, _ = pipeline.prune()

    assert [each.key for each in plan.protected] == ["Model:2", "ModelBlessing:3"]
    assert {e.runs for e in plan.pruned} == {("run-2",)}


def test_the_latest_blessed_model_stays_and_earlier_ones_go(pipeline):
    for number, blessed in ((1, 1), (2, 1), (3, 0), (4, 0)):
        run = f"run-{number}"
        pipeline.add_model(run, pipeline.add_data(run), blessed=blessed)

    plan = pipeline.plan()

    assert {run for entry in plan.pruned for run in entry.runs} == {"run-1", "run-3"}


def test_a_model_that_was_pinned_as_the_baseline_stays(pipeline):
    models = {}
    for number in (1, 2, 3, 4):
        run = f"run-{number}"
        models[run], _ = pipeline.add_model(run, pipeline.add_data(run), blessed=1)
    [model] = Graph(open_store(pipeline.path)).artifacts([models["run-2"]])
    decision = Decision(PIN, "taxi", model.id, "ada", "approved")
    record_decision(open_store_to_write(pipeline.path), decision, model)

    plan = pipeline.plan()

    pruned = {entry.artifact for entry in plan.pruned}
    assert model not in pruned
    assert {a.type for a in pruned if a.uri.endswith("run-2")} == {
        "ModelBlessing",
        "ModelEvaluation",
    }
    assert {a.type for a in pruned if a.uri.endswith("run-1")} >= {"Model", "Examples"}
    assert plan.protected[model] == "pinned as the baseline of taxi"
    # All that it came from stays too, and after `unpin` it is protected no more.
    assert not [entry for entry in plan.pruned if entry.artifact.uri.endswith("examples/run-2")]
    decision = Decision(UNPIN, "taxi", None, "ada", "another one is better")
    record_decision(open_store_to_write(pipeline.path), decision, None)
    assert model not in pipeline.plan().protected


def test_the_baseline_of_a_kept_run_stays_with_its_chain_and_its_own_baseline_goes(pipeline):
    first, _ = pipeline.add_model("run-1", pipeline.add_data("run-1"))
    second, _ = pipeline.add_model("run-2", pipeline.add_data("run-2"), baseline=first)
    pipeline.add_model("run-3", pipeline.add_data("run-3"), baseline=second)

    plan = pipeline.plan()

    pruned = keys(plan.pruned)
    assert f"Model:{first}" in pruned
    assert f"Model:{second}" not in pruned
    assert [key for key in pruned if key.startswith("Examples")] == ["Examples:1"]


def test_pins_protect_with_all_that_they_came_from(pipeline):
    model, _ = pipeline.add_model("run-1", pipeline.add_data("run-1"))
    pipeline.add_data("run-2")
    other = artifact(pipeline.payload("Trainer/model/pinned"))
    pipeline.writer.add_execution("taxi", "run-2", "Trainer", outputs={"model": [other]})
    pipeline.add_data("run-3")
    [pinned] = Graph(open_store(pipeline.path)).artifacts([6])
    decision = Decision(PIN, "taxi", pinned.id, "ada", "approved")
    record_decision(open_store_to_write(pipeline.path), decision, pinned)

    plan = pipeline.plan(pins=[model])

    assert [(a.key, why) for a, why in plan.protected.items()] == [
        ("Model:2", "pinned by --pin"),
        ("Model:6", "pinned as the baseline of taxi"),
    ]
    assert keys(plan.pruned) == ["ModelBlessing:3", "ModelEvaluation:4", "Examples:5"]


def test_each_pipeline_keeps_its_own_newest_runs(tmp_path):
    taxi = Pipeline(tmp_path)
    other = Pipeline(tmp_path, name="other")
    taxi.add_data("taxi-1")
    other.add_data("other-1")
    taxi.add_data("taxi-2")

    plan = taxi.plan(keep=1)

    assert plan.kept_runs == ["other-1", "taxi-2"]
    assert keys(plan.pruned) == ["Examples:1"]


def test_a_run_that_may_be_at_work_is_kept(pipeline):
    examples = pipeline.add_data("run-1")
    pipeline.writer.add_execution(
        "taxi", "run-1", "Trainer", RUNNING, inputs=[("examples", examples)]
    )
    pipeline.add_data("run-2")

    assert pipeline.plan().pruned == []


def test_nothing_outside_of_the_root_goes(pipeline, tmp_path):
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    sly = f"{pipeline.root}/Gen/../../elsewhere"
    uris = [outside, sly, "gs://bucket/examples", "relative/examples", pipeline.root]
    pipeline.writer.add_execution(
        "taxi", "run-1", "Gen", outputs={"examples": [artifact(uri) for uri in uris]}
    )
    pipeline.add_data("run-2")

    plan = pipeline.plan()

    assert plan.pruned == []
    outside_words = "it is outside of the folders to prune"
    assert list(plan.left.values()) == [
        outside_words,
        outside_words,
        "it is remote, and only local payloads are removed",
        "its URI is relative, so that it is not known where it is",
        outside_words,
    ]


def test_symbolic_links_are_not_followed(pipeline, tmp_path):
    outside = tmp_path / "elsewhere"
    (outside / "1").mkdir(parents=True)
    (outside / "1" / "precious").write_text("x")
    pipeline.root.mkdir()
    (pipeline.root / "link").symlink_to(outside / "1")
    (pipeline.root / "linked").symlink_to(outside)
    inside = pipeline.payload("Gen/examples/inner")
    (inside / "down").symlink_to(outside / "1")
    uris = [pipeline.root / "link", pipeline.root / "linked" / "1", inside]
    pipeline.writer.add_execution(
        "taxi", "run-1", "Gen", outputs={"examples": [artifact(uri) for uri in uris]}
    )
    pipeline.add_data("run-2")

    plan, failed = pipeline.prune()

    assert failed == []
    assert keys(plan.pruned) == ["Examples:3"]
    assert list(plan.left.values()) == ["a symbolic link leads there"] * 2
    assert not inside.exists()
    assert (outside / "1" / "precious").read_text() == "x"


def test_a_payload_that_a_kept_artifact_shares_stays(pipeline):
    shared = pipeline.payload("shared")
    pipeline.payload("shared/inner")
    for run, uri in (("run-1", shared), ("run-2", shared / "inner"), ("run-3", shared)):
        pipeline.writer.add_execution("taxi", run, "Gen", outputs={"examples": [artifact(uri)]})

    plan = pipeline.plan()

    assert plan.pruned == []
    assert set(plan.left.values()) == {"its payload is that of Examples:3, which is kept"}


def test_what_no_run_knows_is_left_alone(pipeline):
    pipeline.add_data("run-1")
    [found] = open_store(pipeline.path).get_artifacts_by_id([1])
    stray = artifact(pipeline.payload("stray"))
    stray.type_id = found.type_id
    open_store_to_write(pipeline.path).put_artifacts([stray])
    pipeline.add_data("run-2")

    plan = pipeline.plan()

    assert keys(plan.pruned) == ["Examples:1"]
    assert list(plan.left.values()) == ["no run made or used it"]


def test_a_crash_after_marking_is_found_and_completed(pipeline):
    for run in ("run-1", "run-2"):
        pipeline.add_data(run)
    mark_deleted(open_store_to_write(pipeline.path), [1])

    found = verify(Graph(open_store(pipeline.path)), 0)
    assert [(f.severity, f.check, f.id) for f in found.findings] == [
        ("warning", "deleted_but_there", "Examples:1")
    ]

    plan, failed = pipeline.prune()
    assert (keys(plan.unfinished), plan.pruned, failed) == (["Examples:1"], [], [])
    assert pipeline.payloads() == ["Gen/examples/run-2"]
    assert verify(Graph(open_store(pipeline.path)), 0).findings == ()


def test_a_crash_between_renaming_and_removing_is_completed(pipeline):
    for run in ("run-1", "run-2"):
        pipeline.add_data(run)
    mark_deleted(open_store_to_write(pipeline.path), [1])
    examples = pipeline.root / "Gen/examples"
    os.rename(examples / "run-1", examples / ".pruned-run-1")

    plan, _ = pipeline.prune()

    assert keys(plan.unfinished) == ["Examples:1"]
    assert sorted(os.listdir(examples)) == ["run-2"]
    assert leftover(str(examples / "run-1")) == []


def test_a_payload_that_cannot_go_keeps_no_other_from_going(pipeline, monkeypatch):
    for run in ("run-1", "run-2", "run-3"):
        pipeline.add_data(run)
    rename = os.rename

    def refuse(source, target):
        if source.name == "run-1":
            raise PermissionError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse)

    _, failed = pipeline.prune()

    uri = str(pipeline.root / "Gen/examples/run-1")
    assert failed == [(uri, "Permission denied")]
    assert pipeline.payloads() == ["Gen/examples/run-1", "Gen/examples/run-3"]
