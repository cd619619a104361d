"""Which model a run is compared with: the latest blessed, the pinned, none after a reset."""

import pytest
from ml_metadata.metadata_store import metadata_store
from tfx.types import standard_artifacts

from fareline.errors import UserMistake
from fareline.recorded import PROMOTE, ROLLBACK
from lineage.facts.baselines import PIN, RESET, UNPIN, Decision, record_decision
from lineage.graph.graph import Graph
from lineage.store.open import sqlite_connection
from pipeline.resolvers.baseline import BaselineStrategy
from tests.stores.writer import COMPLETE, FAILED, StoreWriter, artifact


@pytest.fixture
def store(tmp_path):
    """Two models, both blessed."""
    writer = StoreWriter(tmp_path / "m.db")
    for run in ("r1", "r2"):
        writer.add_execution("taxi", run, "Trainer", outputs={"model": [artifact(f"/{run}")]})
        blessing = artifact("/b", blessed=1, current_model_id=writer.artifact_ids[0])
        writer.add_execution("taxi", run, "Evaluator", outputs={"blessing": [blessing]})
    return metadata_store.MetadataStore(sqlite_connection(tmp_path / "m.db"))


def resolve(store, without=()):
    """Ids of the models that the strategy chooses from those of the store."""
    given = {}
    for key, kind in (
        ("model", standard_artifacts.Model),
        ("model_blessing", standard_artifacts.ModelBlessing),
    ):
        given[key] = []
        for proto in store.get_artifacts_by_type(kind.TYPE_NAME):
            if proto.id in without:
                continue
            made = kind()
            made.set_mlmd_artifact(proto)
            given[key].append(made)
    return [m.id for m in BaselineStrategy("taxi").resolve_artifacts(store, given)["model"]]


def decide(store, action, model_id=None, pipeline="taxi"):
    [*models] = Graph(store).artifacts([model_id] if model_id else [])
    decision = Decision(action, pipeline, model_id, "ada", "because")
    record_decision(store, decision, models[0] if models else None)


def test_the_latest_blessed_unless_it_is_decided(store):
    [first, second] = [m.id for m in store.get_artifacts_by_type("Model")]
    assert resolve(store) == [second]
    decide(store, PIN, first)
    assert resolve(store) == [first]
    decide(store, PIN, second, pipeline="bikes")
    assert resolve(store) == [first]
    decide(store, UNPIN)
    assert resolve(store) == [second]


def test_after_a_reset_only_what_is_blessed_later(store, tmp_path):
    decide(store, RESET)
    assert resolve(store) == []
    [first, _] = [m.id for m in store.get_artifacts_by_type("Model")]
    writer = StoreWriter(tmp_path / "m.db")
    later = artifact("/b3", blessed=1, current_model_id=first)
    writer.add_execution("taxi", "r3", "Evaluator", outputs={"blessing": [later]})
    assert resolve(store) == [first]


def test_a_model_that_was_rolled_back_from_is_none_until_it_is_promoted(store, tmp_path):
    [first, second] = [m.id for m in store.get_artifacts_by_type("Model")]
    writer = StoreWriter(tmp_path / "m.db")
    pushed = {}
    for version, model in (("1", first), ("2", second)):
        place = artifact("/p", pushed=1, pushed_destination=f"/serving/{version}")
        outputs = {"pushed_model": [place]}
        writer.add_execution("taxi", "r2", "Pusher", outputs=outputs, inputs=[("model", model)])
        pushed[version] = writer.artifact_ids[0]

    def change(kind, model, state=COMPLETE, **versions):
        inputs = [("model", model)]
        values = {"destination": "/serving", **versions}
        writer.add_execution("taxi", "r2", kind, state, inputs=inputs, **values)

    change(ROLLBACK, first, FAILED, from_version=2, to_version=1)
    assert resolve(store) == [second]
    change(ROLLBACK, first, from_version=2, to_version=1)
    assert resolve(store) == [first]
    decide(store, PIN, second)
    assert resolve(store) == [second]
    decide(store, UNPIN)
    assert resolve(store) == [first]
    assert resolve(store, without=[first]) == []
    change(PROMOTE, second, from_version=3, to_version=2)
    assert resolve(store) == [second]


def test_a_pinned_model_that_is_gone_is_an_error(store):
    [first, _] = [m.id for m in store.get_artifacts_by_type("Model")]
    decide(store, PIN, first)
    with pytest.raises(UserMistake) as error:
        resolve(store, without=[first])
    assert str(error.value) == (
        f"BaselineResolver: Model:{first}, which ada pinned, is gone; expected a model with its "
        "files. Hint: pin another one, or `fareline baseline unpin`."
    )


def test_without_any_blessing_a_pinned_model_is_the_baseline(store):
    [first, _] = [m.id for m in store.get_artifacts_by_type("Model")]
    blessings = [b.id for b in store.get_artifacts_by_type("ModelBlessing")]
    decide(store, PIN, first)
    assert resolve(store, without=blessings) == [first]


def test_the_model_of_a_sample_is_none(store, tmp_path):
    [_, second] = [m.id for m in store.get_artifacts_by_type("Model")]
    writer = StoreWriter(tmp_path / "m.db")
    outputs = {"model": [artifact("/r3", sample="500")]}
    writer.add_execution("taxi", "r3", "Trainer", outputs=outputs)
    blessing = artifact("/b3", blessed=1, current_model_id=writer.artifact_ids[0])
    writer.add_execution("taxi", "r3", "Evaluator", outputs={"blessing": [blessing]})
    assert resolve(store) == [second]
