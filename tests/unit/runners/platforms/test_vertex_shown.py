"""What Vertex AI shows of a pushed model: evaluation, slices, Experiments, Metadata."""

import pytest

from tests.unit.runners.platforms.vertex_place import killed_at, vertex_place

STORE = "projects/fare-project/locations/europe-west4/metadataStores/default"
MODEL = "projects/fare-project/locations/europe-west4/models/taxi@1"


@pytest.fixture
def place(tmp_path, monkeypatch):
    with vertex_place(tmp_path, monkeypatch) as running:
        yield running


def require_all(shown):
    """Everything of `first` once."""
    [evaluation] = shown.evaluations[MODEL]
    assert evaluation["displayName"] == "run-first" and evaluation["sliceDimensions"] == ["slice"]
    assert evaluation["metricsSchemaUri"].endswith("/classification_metrics_1.0.0.yaml")
    assert evaluation["metrics"] == {"auRoc": 0.95}
    assert evaluation["metadata"]["metrics"] == {"auc": 0.95, "calibration": 1.01}
    slices = shown.slices[evaluation["name"]]
    got = {each["slice"]["value"]: each["metrics"]["auRoc"] for each in slices}
    assert len(slices) == 60 and got["hour=7"] == 0.907
    run = f"{STORE}/contexts/taxi-run-first"
    assert shown.children == {f"{STORE}/contexts/taxi": {run}}
    content = shown.things[run]
    assert content["schemaTitle"] == "system.ExperimentRun"
    assert content["metadata"]["_metrics"] == {"auc": 0.95, "calibration": 1.01}
    assert content["metadata"]["_params"] == {"width": 32, "learning_rate": 0.01}
    execution = f"{STORE}/executions/taxi-run-first-run"
    of = f"{STORE}/artifacts/taxi-run-first"
    assert shown.events == {
        execution: {(f"{of}-data", "INPUT"), (f"{of}-v1", "OUTPUT"), (f"{of}-metrics", "OUTPUT")}
    }
    assert len(shown.members[run]) == 4
    assert shown.things[f"{of}-v1"]["metadata"]["resourceName"] == MODEL
    assert shown.things[f"{of}-data"]["uri"] == "gs://taxi-bucket/rows"


def test_a_push_writes_evaluation_slices_and_lineage_once(place):
    assert place.push("first").not_shown == ""
    require_all(place.shown)
    assert place.push("first").not_shown == ""
    require_all(place.shown)


def test_killed_at_any_request_after_the_push_and_pushed_again(place, monkeypatch):
    before = 0
    with monkeypatch.context() as patch:
        patch.setattr("runners.platforms.vertex.push.show", lambda *_: "")
        place.push("first")
        before = len(place.storage.api.requests) + len(place.vertex.api.requests)
    with monkeypatch.context() as patch:
        patch.setattr("runners.platforms.vertex.push.show", lambda *_: "")
        place.push("first")
    before = len(place.storage.api.requests) + len(place.vertex.api.requests) - before
    for request in range(before - 1, before + 30, 5):  # what an idle push asks, then the writing
        with killed_at(request, True, monkeypatch) as killed:
            place.push("first")
        assert place.traffic() == {1: 100} and place.states() == {1: "done"}
        if not killed:
            break
        place.push("first")
        require_all(place.shown)
        for relation in (place.shown.evaluations, place.shown.slices, place.shown.things):
            relation.clear()
        for relation in (place.shown.children, place.shown.members, place.shown.events):
            relation.clear()
    else:
        pytest.fail("a push has more requests than were tried")


@pytest.mark.parametrize(
    ("permission", "written"),
    [("modelEvaluations.import", "things"), ("contexts.create", "evaluations")],
)
def test_what_cannot_be_written_is_said_and_loses_no_push(place, permission, written):
    place.vertex.api.permissions.discard(f"aiplatform.{permission}")
    pushed = place.push("first")
    assert pushed.record.traffic == {"1": 100} and place.states() == {1: "done"}
    assert f"Permission 'aiplatform.{permission}' denied" in pushed.not_shown
    assert "\n" not in pushed.not_shown and getattr(place.shown, written)
    place.vertex.api.permissions.add(f"aiplatform.{permission}")
    assert place.push("first").not_shown == ""
    require_all(place.shown)
