"""Vertex's client against a server on this machine: what is sent, read back, and said of errors."""

import pytest

from fareline.errors import UserMistake
from pipeline.settings.runners import Vertex
from runners.platforms.jobs import (
    JobState,
    PlatformError,
    RefusedRequestError,
    Request,
    UnreachableError,
)
from runners.platforms.vertex.client import VertexPlatform
from runners.platforms.vertex.connection import credentials_for
from runners.progress import NodeState
from tests.loopback.execution import CANCELLED, FAILED, Play
from tests.loopback.specs_for_tests import SPEC, VALUES, vertex_job
from tests.loopback.vertex import vertex_server

E, R, C, F = NodeState.EXECUTED, NodeState.RUNNING, NodeState.CACHED, NodeState.FAILED
CONSOLE = "https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines"


def settings(address, **changed):
    return Vertex(
        project="fare-project",
        region="europe-west4",
        image="image:1",
        bucket="gs://taxi-bucket",
        api_endpoint=address,
        **changed,
    )


def request(job_id="tiny-1", spec=None, schedule=None):
    return Request(job_id, "tiny", vertex_job() if spec is None else spec, VALUES, schedule)


@pytest.fixture
def play():
    return Play([("Examples", R), ("Examples", C), ("Trainer", R), ("Trainer", E)])


@pytest.fixture
def server(play):
    with vertex_server(play) as running:
        yield running


@pytest.fixture
def platform(server):
    return VertexPlatform(settings(server.address))


def ended(platform, job_id="tiny-1"):
    while not (status := platform.look(job_id)).state.is_final:
        pass
    return status


def test_a_job_is_created_and_read_back(platform, server):
    submitted = platform.submit(request())
    assert submitted.id == "tiny-1"
    assert submitted.link == f"{CONSOLE}/runs/tiny-1?project=fare-project"
    status = ended(platform)
    assert status.state is JobState.SUCCEEDED
    assert {name: task.state for name, task in status.tasks.items()} == {
        "Examples": C,
        "Trainer": E,
    }
    assert list(status.tasks) == ["Examples", "Trainer"]  # the one that waits comes last
    assert platform.find("tiny-1") == submitted
    sent = server.api.jobs.jobs["tiny-1"].content
    assert sent["pipelineSpec"]["root"]["dag"] == SPEC["root"]["dag"]
    assert sent["runtimeConfig"] == vertex_job()["runtimeConfig"]


def test_what_is_described_is_what_is_sent(platform, server):
    described = platform.describe(request())
    platform.submit(request())
    assert described == {
        "parent": "projects/fare-project/locations/europe-west4",
        "pipelineJob": vertex_job(),
        "pipelineJobId": "tiny-1",
    }
    assert server.api.jobs.jobs["tiny-1"].content == described["pipelineJob"]


def test_a_task_that_has_not_begun_waits(platform, play):
    play.steps = [("Examples", R), ("wait", None)]
    platform.submit(request())
    while (status := platform.look("tiny-1")).tasks["Examples"].state is NodeState.WAITING:
        pass
    assert status.state is JobState.RUNNING
    assert status.tasks["Examples"].state is R
    assert status.tasks["Trainer"].state is NodeState.WAITING


def test_the_pipeline_as_a_whole_is_no_task_of_its_own(platform, play):
    """It is all that Vertex tells of until the first task begins."""
    play.steps = [("wait", None)]
    platform.submit(request())
    assert list(platform.look("tiny-1").tasks) == ["Examples", "Trainer"]


def test_a_failed_task_says_why(platform, play):
    play.steps, play.state = [("Examples", R), ("Examples", F)], FAILED
    play.errors = {"Examples": "The replica exited with a non-zero status of 1.", "": "It failed."}
    platform.submit(request())
    status = ended(platform)
    assert (status.state, status.error) == (JobState.FAILED, "It failed.")
    assert status.tasks["Examples"].state is F
    assert status.tasks["Examples"].error == "The replica exited with a non-zero status of 1."


def test_a_job_is_cancelled(platform, play, server):
    play.steps = [("Examples", R), ("wait", None)]
    platform.submit(request())
    platform.cancel("tiny-1")
    assert ended(platform).state is JobState.CANCELLED
    assert server.api.jobs.jobs["tiny-1"].state == CANCELLED


def test_a_schedule_is_created_once(platform, server):
    scheduled = request("tiny", schedule="TZ=Europe/Berlin 0 6 * * 1")
    submitted = platform.submit(scheduled)
    [schedule] = server.api.schedules.values()
    assert schedule["cron"] == "TZ=Europe/Berlin 0 6 * * 1"
    assert schedule["displayName"] == "tiny"
    assert schedule["createPipelineJobRequest"]["pipelineJob"] == vertex_job()
    number = schedule["name"].rpartition("/")[2]
    assert submitted.id == number
    assert submitted.link == f"{CONSOLE}/schedules/{number}?project=fare-project"
    assert server.api.jobs.jobs == {}
    with pytest.raises(RefusedRequestError) as refused:
        platform.submit(scheduled)
    assert str(refused.value) == (
        "tiny: is scheduled already, `TZ=Europe/Berlin 0 6 * * 1`; expected a schedule that does "
        "not exist yet. Hint: delete that one first, or name another --job-id: " + submitted.link
        + "."
    )  # fmt: skip
    assert len(server.api.schedules) == 1


# Errors, word by word.


def message(kind, function, *arguments):
    with pytest.raises(kind) as raised:
        function(*arguments)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_an_id_that_is_taken(platform):
    platform.submit(request())
    assert message(RefusedRequestError, platform.submit, request()) == (
        "tiny-1: vertex already has a job of this id; expected a new id for every job. "
        "Hint: leave --job-id out, or `fareline submit vertex --follow tiny-1` follows that job."
    )


def test_a_missing_permission(platform, server):
    server.api.permissions.remove("aiplatform.pipelineJobs.create")
    assert message(PlatformError, platform.submit, request()) == (
        "vertex: permission denied (Permission 'aiplatform.pipelineJobs.create' denied on resource "
        "'//aiplatform.googleapis.com/projects/fare-project/locations/europe-west4' (or it may not "
        "exist)); expected roles/aiplatform.user on the project, and roles/iam.serviceAccountUser "
        "on the service account of the job. Hint: docs/vertex.md lists the roles."
    )
    assert server.api.jobs.jobs == {}


def test_an_exhausted_quota(platform, server):
    server.api.quota = 0
    assert message(PlatformError, platform.submit, request()) == (
        "vertex: a quota is exhausted (The following quotas are exceeded: "
        "aiplatform.googleapis.com/pipeline_jobs_concurrent); expected room for a job. Hint: wait "
        "for other jobs to end, or ask for more on the quota page of the project."
    )


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (
            vertex_job(SPEC | {"schemaVersion": "2.2.0"}),
            "Unsupported pipeline schema version: 2.2.0",
        ),
        (
            vertex_job(values={"steps": 5}),
            "parameter data-root is not optional, yet has neither default value nor user provided "
            "value",
        ),
        (
            vertex_job(values=VALUES | {"steps": "five"}),
            "input parameter steps requires type double or integer, but the parameter value is not "
            "of number value type",
        ),
        (
            vertex_job(values=VALUES | {"pace": 1}),
            "parameter(s) provided are not required by pipeline: pace",
        ),
        (
            vertex_job(root="/tmp/root"),
            "runtime_config.gcs_output_directory must start with gs://",
        ),
    ],
)
def test_a_job_that_vertex_refuses(platform, server, job, said):
    assert message(RefusedRequestError, platform.submit, request(spec=job)) == (
        f"tiny-1: vertex refuses it ({said}); expected a job that it takes. Hint: --dry-run shows "
        "what would be sent."
    )
    assert server.api.jobs.jobs == {}


def test_a_job_that_is_not_there(platform):
    expected = (
        "tiny-2: not found (The PipelineJob does not exist: projects/fare-project/locations/"
        "europe-west4/pipelineJobs/tiny-2); expected what is there. Hint: runners.vertex.project "
        "and region in the settings say where to look."
    )
    for ask in (platform.find, platform.look, platform.cancel):
        assert message(RefusedRequestError, ask, "tiny-2") == expected


def test_nobody_answers():
    with vertex_server(Play()) as gone:
        address = gone.address
    platform = VertexPlatform(settings(address))
    assert message(UnreachableError, platform.submit, request()) == (
        f"vertex: no answer from {address} (Connection refused); expected the platform's API. "
        "Hint: check the network, and runners.vertex.region and api_endpoint in the settings."
    )


def test_a_service_that_is_down_for_the_moment(platform, server):
    server.api.breakdowns = 1
    assert message(UnreachableError, platform.look, "tiny-1") == (
        "vertex: answered 503 (The service is currently unavailable); expected a usable answer. "
        "Hint: try again in a moment; if it says the same again, act on what it says."
    )


def test_credentials_that_are_not_valid_any_more(platform, monkeypatch, server):
    """As Google's library raises it where a refresh token has expired or was revoked."""
    from google.auth import credentials, exceptions

    class Expired(credentials.Credentials):
        def refresh(self, request):
            raise exceptions.RefreshError(
                "invalid_grant: Token has been expired or revoked.", {"error": "invalid_grant"}
            )

    monkeypatch.setattr(
        "runners.platforms.vertex.connection.credentials_for", lambda endpoint: Expired()
    )
    assert message(PlatformError, platform.look, "tiny-1") == (
        "vertex: the credentials are invalid or have expired (invalid_grant: Token has been "
        "expired or revoked); expected Application Default Credentials of an account that may use "
        "the project. Hint: run `gcloud auth application-default login`."
    )


def test_a_machine_without_credentials(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    platform = VertexPlatform(settings("https://aiplatform.invalid"))
    assert message(RefusedRequestError, platform.submit, request()) == (
        "vertex: found no credentials; expected Application Default Credentials of an account that "
        "may use the project. Hint: run `gcloud auth application-default login`."
    )
    assert issubclass(RefusedRequestError, UserMistake)  # exit code 2


@pytest.mark.parametrize(
    ("endpoint", "anonymous"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("https://europe-west4-aiplatform.googleapis.com", False),
        ("https://127.0.0.1.example.com", False),
    ],
)
def test_only_this_machine_gets_no_credentials(endpoint, anonymous):
    found = credentials_for(endpoint)
    assert (type(found).__name__ == "AnonymousCredentials") is anonymous
    assert (found is None) is not anonymous
