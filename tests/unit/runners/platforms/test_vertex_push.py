"""Pushing to Vertex AI: registry, endpoint and traffic; killed, twice at once, and refused."""

import concurrent.futures
import datetime
import json
import shutil
from unittest import mock

import pytest
from google.api_core import exceptions

from fareline.errors import FarelineError, UserMistake
from runners.platforms.jobs import PlatformError, RefusedRequestError
from runners.platforms.vertex import lease
from runners.platforms.vertex.lease import Holder
from runners.platforms.vertex.push import as_label
from runners.platforms.vertex.target import Target
from runners.platforms.vertex.traffic import live_version, share_with
from runners.platforms.vertex.undoing.begun import Begun
from tests.unit.runners.platforms.vertex_place import killed_at, vertex_place


@pytest.fixture
def place(tmp_path, monkeypatch):
    with vertex_place(tmp_path, monkeypatch) as running:
        yield running


def test_the_first_model_gets_all_requests_and_the_next_its_share(place):
    first = place.push("first")
    assert first.created and first.record.version == 1 and first.record.traffic == {"1": 100}
    second = place.push("second")
    assert second.record.traffic == {"1": 90, "2": 10} and second.record.live == 1
    assert place.traffic() == {1: 90, 2: 10}
    versions = place.vertex.api.models["taxi"]
    assert versions[1]["versionAliases"] == ["default", "live"]
    assert versions[2]["versionAliases"] == ["candidate"]
    assert versions[2]["labels"] == {
        "run": "run-20261130-1",
        "metric_auc": "0_9500",
        "made_by": "fareline",
        "fareline_sha256": versions[2]["labels"]["fareline_sha256"],
        "fareline_push": "done",
    }
    assert versions[2]["versionDescription"] == "auc 0.9500"
    files = place.root / "buckets" / versions[2]["artifactUri"].removeprefix("gs://")
    assert (files / "saved_model.pb").read_text() == "second"


def test_the_same_model_is_not_pushed_twice(place):
    place.push("first")
    sent = list(place.storage.api.uploaded)
    again = place.push("first")
    assert not again.created and again.record.traffic == {"1": 100}
    assert [u for u in place.storage.api.uploaded[len(sent) :] if ".lease" not in u] == []


def test_a_third_model_takes_the_share_of_the_second_which_is_ended(place):
    for content in ("first", "second", "third"):
        place.push(content)
    assert place.traffic() == {1: 90, 3: 10}
    assert place.states() == {1: "done", 2: "done", 3: "done"}


def test_operations_that_take_a_while(place):
    place.vertex.api.polls = 2
    assert place.push("first").record.traffic == {"1": 100}


@pytest.mark.parametrize(
    ("first_request", "arrives", "after"),
    [(1, False, "first"), (3, True, "first"), (5, False, "second"), (7, True, "second")],
)
def test_killed_at_any_request_and_pushed_again(place, monkeypatch, first_request, arrives, after):
    """The next push finishes the same model, and undoes another one; nothing is left."""
    place.vertex.api.polls = 1
    place.push("base")
    api = place.vertex.api
    for request in range(first_request, 60, 7):
        with killed_at(request, arrives, monkeypatch) as killed:
            place.push("first")
        place.push(after)
        assert "pending" not in place.states().values(), f"request {request}"
        newest = max(place.states())
        # Of a push that was killed after its work was done, the second is a push like any other.
        assert place.traffic() == {1: 90, newest: 10}, f"request {request}"
        assert set(place.states()) <= {1, newest, newest - 1}
        assert not list(place.root.rglob(".lease"))
        if not killed:
            break
        for number in sorted(place.states())[1:]:  # as it was after the base alone
            del api.models["taxi"][number]
        kept = place.endpoint["deployedModels"][:1]
        place.endpoint.update(deployedModels=kept, trafficSplit={kept[0]["id"]: 100})
    else:
        pytest.fail("a push has more requests than were tried")


@pytest.mark.parametrize("error", [KeyboardInterrupt, exceptions.Forbidden("no")])
def test_an_operation_that_outlives_its_push_is_waited_for_by_the_next(place, monkeypatch, error):
    place.push("base")
    api = place.vertex.api
    api.polls = 3
    with monkeypatch.context() as patch:
        patch.setattr("google.api_core.operation.Operation.result", mock.Mock(side_effect=error))
        with pytest.raises((KeyboardInterrupt, PlatformError)):
            place.push("second")
    [left] = place.root.rglob(".lease")
    operation = json.loads(left.read_bytes())["operation"]
    asked = len(api.requests)
    place.push("second", "elsewhere")
    assert any(operation in request for request in api.requests[asked:])
    assert place.traffic() == {1: 90, max(place.states()): 10}
    assert not list(place.root.rglob(".lease"))


@pytest.mark.parametrize("workspaces", [("one", "other"), ("one", "one")])
def test_two_pushes_at_once_take_turns(place, workspaces):
    """Also in one workspace, as two runs of it do whose steps an orchestrator starts."""
    place.push("base")
    place.vertex.api.polls = 1
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        pairs = zip(("first", "second"), workspaces, strict=True)
        jobs = [pool.submit(place.push, *each) for each in pairs]
        pushed = [job.result() for job in jobs]
    assert {each.record.version for each in pushed} == {2, 3}
    assert place.traffic() == {1: 90, 3: 10} and set(place.states().values()) == {"done"}
    assert not list(place.root.rglob(".lease")) and not list(place.root.rglob(".vertex-pushes/*"))


def test_a_push_of_another_model_in_the_same_workspace_is_not_undone(place, monkeypatch):
    """It is at work, and not interrupted, which its note alone would not tell."""
    note, others = Begun.note, []

    def note_and_push_another(begun, target):
        note(begun, target)
        monkeypatch.setattr(Begun, "note", note)
        others.append(place.push("other", model="other", endpoint="other"))

    monkeypatch.setattr(Begun, "note", note_and_push_another)
    assert place.push("first").record.traffic == {"1": 100}
    assert others[0].not_undone == "" and others[0].record.traffic == {"1": 100}


def test_workspaces_at_the_same_path_are_told_apart(tmp_path):
    """As those of two containers are, which may also have the same number of the machine."""
    target, names = mock.Mock(key="key"), []
    for _ in range(2):
        for _ in range(2):
            with Holder(tmp_path / "artifacts").alone(target, 0.0) as name:
                names.append(name)
        shutil.rmtree(tmp_path / "artifacts")
    assert names[0] == names[1] != names[2] == names[3]


def test_the_lease_of_another_owner_is_waited_for_and_named(place, monkeypatch):
    monkeypatch.setattr(lease, "_WAIT_SECONDS", 0.0)
    with killed_at(4, True, monkeypatch):
        place.push("one", "elsewhere")
    with pytest.raises(PlatformError, match="another push or change is at work there") as raised:
        place.push("two")
    holder = Holder.of_artifact(place.model("one", "elsewhere"))
    with (
        holder.alone(Target.read(place.target), 0.0),
        pytest.raises(PlatformError, match="wait until the other command has ended"),
    ):
        place.push("one", "elsewhere")
    assert "gcloud storage rm gs://taxi-bucket/vertex-models/taxi/.lease" in str(raised.value)
    monkeypatch.setattr(lease, "_DEAD_SECONDS", -1.0)
    assert place.push("two").record.traffic == {"1": 100}


@pytest.mark.parametrize("hours", [-30, -3, 0, 3, 30])
@pytest.mark.parametrize("is_dead", [False, True])
def test_the_age_of_a_lease_is_told_by_the_clock_of_the_service(place, monkeypatch, hours, is_dead):
    """However wrong the clock here: a living lease is waited for, and a dead one is taken over."""
    place.storage.api.clock = datetime.timedelta(hours=hours)
    monkeypatch.setattr(lease, "_WAIT_SECONDS", 0.0)
    with killed_at(4, True, monkeypatch):
        place.push("one", "elsewhere")
    place.storage.api.clock += datetime.timedelta(hours=2.1 if is_dead else 1.9)
    if is_dead:
        assert place.push("two").record.live
    else:
        with pytest.raises(PlatformError, match="another push or change is at work there"):
            place.push("two")
    assert not list(place.root.rglob(".lease-clock"))


def _no_permission(place):
    place.vertex.api.permissions.discard("aiplatform.models.upload")


def _no_deploy(place):
    place.vertex.api.permissions.discard("aiplatform.endpoints.deploy")


def _quota(place):
    place.vertex.api.machines = 0


def _image(place):
    place.vertex.api.images.add("europe-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest")


def _ends_in_error(place):
    place.vertex.api.breaking["deploy"] = (500, "Model server never became ready.")


def _no_bucket(place):
    (place.root / "buckets" / "taxi-bucket").rmdir()


def _no_writing(place):
    place.storage.api.may_write = False


def _foreign(place):
    place.push("first")
    for each in place.endpoint["deployedModels"]:
        each["model"] = "projects/1/locations/europe-west4/models/other@1"


@pytest.mark.parametrize(
    ("spoil", "changed", "said"),
    [
        (_no_permission, {}, "vertex: permission denied (Permission 'aiplatform.models.upload'"),
        (_no_deploy, {}, "vertex: permission denied (Permission 'aiplatform.endpoints.deploy'"),
        (_quota, {}, "vertex: a quota is exhausted"),
        (_image, {}, "does not have permission to pull the image"),
        (_ends_in_error, {}, "Model server never became ready"),
        (_no_bucket, {}, "the specified bucket does not exist"),
        (_no_writing, {}, "storage.objects.create"),
        (_foreign, {}, "another model is deployed there"),
        (None, {"region": "us-central1"}, "or it may not exist"),
        (None, {"machine_type": "x9-huge-1"}, 'Machine type "x9-huge-1" is not supported'),
    ],
)
def test_a_refusal_is_one_line_and_the_next_push_goes_on(place, spoil, changed, said):
    if spoil:
        spoil(place)
    with pytest.raises(FarelineError) as raised:
        place.push("second", **changed)
    assert said.lower() in str(raised.value).lower()
    assert "\n" not in str(raised.value) and "Hint:" in str(raised.value)
    assert not list(place.root.rglob(".lease"))


def test_a_deployment_that_failed_is_finished_by_the_next_push(place):
    place.push("first")
    place.vertex.api.breaking["deploy"] = (500, "Model server never became ready.")
    with pytest.raises(FarelineError):
        place.push("second")
    assert place.states() == {1: "done", 2: "pending"} and place.traffic() == {1: 100}
    del place.vertex.api.breaking["deploy"]
    assert not place.push("second").created
    assert place.states() == {1: "done", 2: "done"} and place.traffic() == {1: 90, 2: 10}


def test_a_name_that_is_taken_by_an_invalid_setting_never_gets_there():
    with pytest.raises(UserMistake, match=r"push\.vertex\.region"):
        from pipeline.settings.load import load_settings

        load_settings(
            None, ["push.vertex={project: fare-project, region: Europe, bucket: gs://taxi-bucket}"]
        )


@pytest.mark.parametrize(
    ("before", "percent", "after"),
    [
        ({}, 10, {3: 100}),
        ({1: 100}, 10, {1: 90, 3: 10}),
        ({1: 100}, 100, {1: 0, 3: 100}),
        ({1: 100}, 0, {1: 100, 3: 0}),
        ({1: 90, 2: 10}, 20, {1: 80, 2: 0, 3: 20}),
        ({1: 0, 2: 0}, 50, {1: 0, 2: 0, 3: 100}),
        ({1: 90, 3: 10}, 100, {1: 0, 3: 100}),
    ],
)
def test_shares_add_up(before, percent, after):
    assert share_with(before, 3, percent) == after
    assert sum(after.values()) == 100


@pytest.mark.parametrize(
    ("traffic", "live"), [({}, None), ({1: 0}, None), ({1: 50, 2: 50}, 2), ({1: 90, 2: 10}, 1)]
)
def test_most_requests_are_live(traffic, live):
    assert live_version(traffic) == live


def test_labels_are_what_vertex_takes():
    assert as_label("0.95 AUC/é") == "0_95_auc__"
    assert len(as_label("x" * 100)) == 63


def test_refusals_of_a_user_are_mistakes_of_a_user():
    assert issubclass(RefusedRequestError, UserMistake)
