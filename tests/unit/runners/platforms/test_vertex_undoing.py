"""A push that was killed, and settings that name another place before the next push."""

import contextlib
import itertools

import pytest

from fareline.errors import FarelineError
from tests.loopback.http_server import Refused
from tests.loopback.vertex_models import PARENT, vertex_models_server
from tests.unit.runners.platforms.vertex_place import killed_at, vertex_place


@pytest.fixture
def place(tmp_path, monkeypatch):
    with vertex_place(tmp_path, monkeypatch) as running:
        running.vertex.api.polls = 1
        # It follows the push, with as many requests again.
        monkeypatch.setattr("runners.platforms.vertex.push.show", lambda *_: "")
        yield running


@pytest.fixture
def elsewhere(place):
    """The same buckets, another region."""
    with vertex_models_server(place.root / "buckets", location="us-central1") as server:
        yield server


def deployed(*apis):
    """Endpoint, model and version of all that is deployed."""
    return [
        (name, each["model"].rpartition("/")[2])
        for api in apis
        for name, endpoint in api.endpoints.items()
        for each in endpoint["deployedModels"]
    ]


def labels(*apis):
    versions = [v for api in apis for model in api.models.values() for v in model.values()]
    return [each["labels"] for each in versions]


def changes(place, elsewhere):
    (place.root / "buckets" / "other-bucket").mkdir()
    return {
        "endpoint": {"endpoint": "other"},
        "model": {"model": "other", "endpoint": "other"},
        "model on the same endpoint": {"model": "other"},
        "region": {"region": "us-central1", "api_endpoint": elsewhere.address},
        "bucket": {"bucket": "gs://other-bucket"},
        "endpoint and bucket": {"endpoint": "other", "bucket": "gs://other-bucket"},
    }


@pytest.mark.parametrize(
    ("first_request", "changed", "content", "arrives"),
    [
        (2, "endpoint", "first", True),
        (3, "endpoint", "second", True),
        (4, "endpoint", "second", False),
        (5, "model", "first", False),
        (6, "model on the same endpoint", "second", True),
        (7, "region", "first", True),
        (8, "bucket", "first", True),
        (9, "endpoint and bucket", "second", False),
    ],
)
def test_a_push_killed_at_any_request_is_undone_from_another_place(
    place, elsewhere, monkeypatch, first_request, changed, content, arrives
):
    """Nothing is left where it was begun, whatever the next push names; the same model or not.

    Each case takes every eighth request, from another one on.
    """
    apis = (place.vertex.api, elsewhere.api)
    change = changes(place, elsewhere)[changed]
    for request in itertools.count(first_request, 8):
        with killed_at(request, arrives, monkeypatch) as killed:
            place.push("first")
        if place.states().get(1) == "done":  # its work was done; it is no half push any more
            break
        pushed = place.push(content, **change)
        assert pushed.not_undone == "", f"request {request}"
        [(endpoint, model)] = deployed(*apis)
        assert endpoint == change.get("endpoint", "taxi") and pushed.record.live
        assert model == f"{change.get('model', 'taxi')}@{pushed.record.version}"
        assert [
            each
            for each in labels(*apis)
            if each["fareline_push"] != "done" or "fareline_endpoint" in each
        ] == []
        assert len(labels(*apis)) == 1, f"request {request}"
        assert not list(place.root.rglob(".lease"))
        assert not list(place.root.rglob(".vertex-pushes/*"))
        for api in apis:
            api.models.clear()
            api.endpoints.clear()
        assert killed
    assert request > 8


@pytest.mark.parametrize("arrives", [False, True])
def test_a_model_that_is_there_and_was_being_deployed_elsewhere(place, monkeypatch, arrives):
    """The version stays where it was pushed, and is taken from where it was only begun."""
    api = place.vertex.api
    place.push("first")
    for request in range(6, 40, 5):
        with killed_at(request, arrives, monkeypatch) as killed:
            place.push("first", endpoint="second")
        is_done = "fareline_endpoint" not in api.models["taxi"][1]["labels"]
        place.push("other", endpoint="third")
        kept = [("second", "taxi@1")] if is_done and "second" in dict(deployed(api)) else []
        assert deployed(api) == [("taxi", "taxi@1"), *kept, ("third", "taxi@2")]
        assert all("fareline_endpoint" not in each for each in labels(api))
        if not killed:
            break
        del api.models["taxi"][2], api.endpoints["third"]
        api.endpoints.pop("second", None)
    else:
        pytest.fail("a push has more requests than were tried")


def half_push(place, monkeypatch):
    """Leaves the second version on the endpoint, and pending."""
    place.push("first")
    place.vertex.api.breaking["deploy"] = (500, "no")
    with pytest.raises(FarelineError):
        place.push("second")
    place.vertex.api.breaking.clear()
    for request in range(8, 40):
        with killed_at(request, True, monkeypatch), contextlib.suppress(FarelineError):
            place.push("second")
        if place.traffic() == {1: 90, 2: 10}:
            break
    assert place.states()[2] == "pending"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/endpoints/taxi"), ("POST", "/endpoints/taxi:undeployModel")],
)
def test_a_former_endpoint_that_refuses_blocks_no_push_and_is_told(
    place, monkeypatch, method, path
):
    half_push(place, monkeypatch)
    api = place.vertex.api

    def refuse(request):
        raise Refused(403, "Permission denied.")

    api.route(method, PARENT + path, refuse)
    api._routes.insert(0, api._routes.pop())
    for content in ("third", "fourth"):
        pushed = place.push(content, endpoint="other")
        assert "permission denied" in pushed.not_undone and "\n" not in pushed.not_undone
        assert "version 2 of vertex://fare-project/europe-west4/taxi on taxi" in pushed.not_undone
    api._routes.pop(0)
    assert place.push("fourth", endpoint="other").not_undone == ""
    assert ("taxi", "taxi@1") in deployed(api) and ("taxi", "taxi@2") not in deployed(api)
    assert set(place.states().values()) == {"done"}


def test_a_former_endpoint_that_is_gone_leaves_nothing_to_undo(place, monkeypatch):
    half_push(place, monkeypatch)
    place.vertex.api.endpoints.clear()
    pushed = place.push("third", endpoint="other")
    assert pushed.not_undone == "" and place.states() == {1: "done", 2: "done"}
    assert deployed(place.vertex.api) == [("other", "taxi@2")]


def test_another_place_that_refuses_blocks_no_push_and_is_told(place, elsewhere, monkeypatch):
    place.vertex.api.breaking["deploy"] = (500, "no")
    with pytest.raises(FarelineError):
        place.push("first")
    change = {"region": "us-central1", "api_endpoint": elsewhere.address}
    kept = set(place.vertex.api.permissions)
    place.vertex.api.permissions.clear()
    pushed = place.push("first", **change)
    [note] = place.root.rglob(".vertex-pushes/*.json")
    assert "permission denied" in pushed.not_undone and "\n" not in pushed.not_undone
    assert pushed.not_undone.endswith(f"If the place is gone, remove {note}.")
    place.vertex.api.permissions |= kept
    assert place.push("first", **change).not_undone == ""
    assert place.vertex.api.models == {} and not note.exists()


def test_notes_that_cannot_be_read_are_no_notes(place):
    place.push("first")
    [folder] = place.root.rglob(".vertex-pushes")
    (folder / "odd.json").write_text("[1")
    (folder / "older.json").write_text('{"project": "x"}')
    assert place.push("second").not_undone == ""
