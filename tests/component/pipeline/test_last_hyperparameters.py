"""Which hyperparameters a run may reuse: by its data alone, whatever was done since."""

import pytest
from ml_metadata.metadata_store import metadata_store
from tfx.types import standard_artifacts

from fareline.recorded import PROMOTE, ROLLBACK
from lineage.facts.baselines import PIN, RESET, Decision, record_decision
from lineage.graph.graph import Graph
from lineage.store.open import sqlite_connection
from pipeline.artifacts import DataDrift
from pipeline.resolvers.last_hyperparameters import LastHyperparametersStrategy
from tests.stores.writer import CACHED, StoreWriter, artifact, mlmd

KINDS = {
    "model": standard_artifacts.Model,
    "model_blessing": standard_artifacts.ModelBlessing,
    "hyperparameters": standard_artifacts.HyperParameters,
    "earlier_drift": DataDrift,
}


class Pipeline:
    """Runs of a pipeline, each with the data of a span; what was there already is cached."""

    def __init__(self, path):
        self.path = path
        self.writer = StoreWriter(path)
        self.ids = {}

    @property
    def store(self):
        return metadata_store.MetadataStore(sqlite_connection(self.path))

    def read(self, span, **properties):
        """ExampleGen; returns the id of its Examples."""
        if span not in self.ids:
            outputs = {"examples": [artifact(f"/examples/{span}", **properties)]}
            self.writer.add_execution("taxi", span, "ExampleGen", outputs=outputs)
            [self.ids[span]] = self.writer.artifact_ids
        return self.ids[span]

    def compare(self, span, retunes):
        """DriftMonitor; returns the id of its DataDrift."""
        inputs = [("examples", self.read(span))]
        outputs = {"drift": [artifact(f"/drift/{span}", retunes=retunes)]}
        self.writer.add_execution("taxi", span, "DriftMonitor", outputs=outputs, inputs=inputs)
        return self.writer.artifact_ids[0]

    def run(self, span, blessed=True, retunes=None):
        """A whole run; returns the ids of HyperParameters and Model."""
        self.read(span)
        if retunes is not None:
            self.compare(span, retunes)
        outputs = {"best_hyperparameters": [artifact("/h")]}
        self.writer.add_execution("taxi", span, "Tuner", outputs=outputs)
        [best] = self.writer.artifact_ids
        inputs = [("examples", self.ids[span]), ("hyperparameters", best)]
        outputs = {"model": [artifact("/m")]}
        self.writer.add_execution("taxi", span, "Trainer", outputs=outputs, inputs=inputs)
        model = self.writer.artifact_ids[0]
        self.bless(span, model, blessed)
        return best, model

    def bless(self, span, model, blessed=True):
        blessing = artifact("/b", blessed=int(blessed), current_model_id=model)
        self.writer.add_execution("taxi", span, "Evaluator", outputs={"blessing": [blessing]})

    def resolve(self, span, without=()):
        """Key to ids, of what the strategy gives to a run of this span."""
        store = self.store
        given = {"examples": [made(standard_artifacts.Examples, store, self.read(span))]}
        known = {each.name for each in store.get_artifact_types()}
        for key, kind in KINDS.items():
            protos = store.get_artifacts_by_type(kind.TYPE_NAME) if kind.TYPE_NAME in known else []
            ids = [p.id for p in protos if p.id not in without and p.state == mlmd.Artifact.LIVE]
            given[key] = [made(kind, store, each) for each in ids]
        found = LastHyperparametersStrategy("taxi").resolve_artifacts(store, given)
        assert set(found) == set(given)
        assert found.pop("examples") == []
        return {key: [each.id for each in artifacts] for key, artifacts in found.items()}

    def reused(self, span, **rest):
        """Ids of the HyperParameters to reuse."""
        return self.resolve(span, **rest)["hyperparameters"]


def made(kind, store, artifact_id):
    found = kind()
    [proto] = store.get_artifacts_by_id([artifact_id])
    found.set_mlmd_artifact(proto)
    return found


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(tmp_path / "m.db")


def test_those_of_the_last_blessed_model(pipeline):
    assert pipeline.resolve("1") == {key: [] for key in KINDS}
    first, _ = pipeline.run("1")
    second, model = pipeline.run("2")
    pipeline.run("3", blessed=False)
    assert (first, second) == (pipeline.reused("2")[0], pipeline.reused("3")[0])
    found = pipeline.resolve("4")
    assert (found["hyperparameters"], found["model"]) == ([second], [model])
    assert len(found["model_blessing"]) == 1


def test_a_second_run_of_the_same_data_finds_the_same(pipeline):
    pipeline.run("1")
    before = pipeline.resolve("2")
    pipeline.run("2", retunes=1)
    assert pipeline.resolve("2") == before
    pipeline.run("2")
    pipeline.compare("2", retunes=2)
    assert pipeline.resolve("2") == before
    assert pipeline.resolve("1") == {key: [] for key in KINDS}


def test_models_and_verdicts_of_later_do_not_count_for_an_older_span(pipeline):
    first, _ = pipeline.run("1")
    _, second = pipeline.run("2", blessed=False)
    before = pipeline.resolve("3")
    assert before["hyperparameters"] == [first]
    pipeline.run("3")
    pipeline.run("1")  # by other settings, say
    pipeline.bless("2", second)
    assert pipeline.resolve("3") == before
    assert pipeline.reused("2") == [first]


def test_drift_counts_until_a_model_is_blessed(pipeline):
    best, _ = pipeline.run("1", retunes=1)
    pipeline.run("2", blessed=False, retunes=0)
    pipeline.run("3", blessed=False, retunes=2)
    third = pipeline.resolve("3")
    assert (third["hyperparameters"], third["earlier_drift"]) == ([best], [])
    fourth = pipeline.resolve("4")
    drift = max(a.id for a in pipeline.store.get_artifacts_by_type("pipeline.DataDrift"))
    assert (fourth["hyperparameters"], fourth["earlier_drift"]) == ([best], [drift])
    searched, _ = pipeline.run("4", retunes=0)
    fifth = pipeline.resolve("5")
    assert (fifth["hyperparameters"], fifth["earlier_drift"]) == ([searched], [])
    assert pipeline.resolve("4") == fourth


def test_of_data_that_was_compared_again_the_last_comparison_counts(pipeline):
    pipeline.run("1")
    first = pipeline.compare("2", retunes=1)
    pipeline.compare("3", retunes=0)
    assert pipeline.resolve("4")["earlier_drift"] == [first]
    pipeline.compare("2", retunes=0)
    assert pipeline.resolve("4")["earlier_drift"] == [first]  # its first use was before that
    assert pipeline.resolve("5")["earlier_drift"] == []


def test_drift_of_a_sample_calls_for_no_search(pipeline):
    pipeline.run("1")
    pipeline.read("2", sample="500")
    pipeline.compare("2", retunes=1)
    assert pipeline.resolve("3")["earlier_drift"] == []


def test_a_pinned_model_is_asked_if_it_was_there_before_the_data(pipeline):
    first, model = pipeline.run("1")
    second, _ = pipeline.run("2")
    assert pipeline.reused("3") == [second]
    decide(pipeline, PIN, model)
    assert pipeline.reused("3") == [first]
    _, newer = pipeline.run("3")
    decide(pipeline, PIN, newer)
    assert pipeline.reused("3") == [second]


def test_after_a_reset_there_are_none_until_a_model_is_blessed(pipeline):
    pipeline.run("1")
    pipeline.read("2")
    decide(pipeline, RESET)
    assert pipeline.reused("2") == []
    best, _ = pipeline.run("2")
    assert pipeline.reused("3") == [best]


def test_a_model_that_was_rolled_back_from_is_not_asked(pipeline):
    first, model = pipeline.run("1")
    second, bad = pipeline.run("2")
    place = {"pushed_model": [artifact("/p", pushed=1, pushed_destination="/serving/2")]}
    pipeline.writer.add_execution("taxi", "2", "Pusher", outputs=place, inputs=[("model", bad)])
    assert pipeline.reused("3") == [second]
    values = {"destination": "/serving", "from_version": 2, "to_version": 1}
    pipeline.writer.add_execution("taxi", "3", ROLLBACK, inputs=[("model", model)], **values)
    assert pipeline.reused("3") == [first]
    values = {"destination": "/serving", "from_version": 3, "to_version": 2}
    pipeline.writer.add_execution("taxi", "3", PROMOTE, inputs=[("model", bad)], **values)
    assert pipeline.reused("3") == [second]


def test_hyperparameters_that_are_gone_are_none(pipeline):
    best, _ = pipeline.run("1")
    assert pipeline.reused("2", without=[best]) == []


def test_a_cached_trainer_without_inputs_hides_nothing(pipeline):
    best, model = pipeline.run("1")
    pipeline.writer.add_execution("taxi", "again", "Trainer", CACHED, reused=[("model", model)])
    assert pipeline.reused("2") == [best]


def decide(pipeline, action, model_id=None):
    models = Graph(pipeline.store).artifacts([model_id] if model_id else [])
    decision = Decision(action, "taxi", model_id, "ada", "because")
    record_decision(pipeline.store, decision, models[0] if models else None)
