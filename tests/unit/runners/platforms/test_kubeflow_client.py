"""Kubeflow's client against a server on this machine: what is sent, read back, said of errors."""

import datetime
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from pipeline.settings.runners import Kubeflow
from runners.platforms.jobs import (
    JobState,
    PlatformError,
    RefusedRequestError,
    Request,
    UnreachableError,
)
from runners.platforms.kubeflow import client as kubeflow_client
from runners.platforms.kubeflow.client import HOST_VARIABLE, TOKEN_VARIABLE, KubeflowPlatform
from runners.platforms.kubeflow.tasks import read_tasks
from runners.progress import NodeState
from tests.loopback.execution import FAILED, Play
from tests.loopback.kubeflow import kubeflow_server
from tests.loopback.specs_for_tests import SPEC, VALUES, spec_with_resolver

E, R, C, F = NodeState.EXECUTED, NodeState.RUNNING, NodeState.CACHED, NodeState.FAILED
TOKEN = "a-token-of-the-cluster"


def settings(address, **changed):
    return Kubeflow(image="image:1", bucket="gs://taxi-bucket", host=address, **changed)


def request(job_id="tiny-1", spec=SPEC, values=VALUES, schedule=None):
    return Request(job_id, "tiny", spec, values, schedule)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch, tmp_path):
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    monkeypatch.delenv(HOST_VARIABLE, raising=False)


@pytest.fixture
def play():
    return Play([("Examples", R), ("Examples", C), ("Trainer", R), ("Trainer", E)])


@pytest.fixture
def server(play):
    with kubeflow_server(play, TOKEN) as running:
        yield running


@pytest.fixture
def platform(server):
    return KubeflowPlatform(settings(server.address))


def ended(platform, job_id):
    while not (status := platform.look(job_id)).state.is_final:
        pass
    return status


def test_a_run_is_created_and_read_back(platform, server, capsys):
    submitted = platform.submit(request())
    assert submitted.link == f"{server.address}/#/runs/details/{submitted.id}"
    status = ended(platform, submitted.id)
    assert status.state is JobState.SUCCEEDED
    # A backend of today does not say whose executor was skipped.
    assert {name: task.state for name, task in status.tasks.items()} == {
        "Examples": E,
        "Trainer": E,
    }
    assert list(status.tasks) == ["Examples", "Trainer"]
    assert platform.find(submitted.id) == submitted
    [run] = server.api.jobs.jobs.values()
    assert run.content["display_name"] == "tiny-1"
    assert run.documents == [SPEC]
    assert run.values == VALUES
    [experiment] = server.api.experiments.values()
    assert experiment["display_name"] == "fareline"
    assert run.content["experiment_id"] == experiment["experiment_id"]
    assert capsys.readouterr().out == ""  # where kfp prints its links


def test_a_spec_is_uploaded_once(platform, server):
    platform.submit(request())
    first = [r for r in server.api.requests if "upload" in r]
    platform.submit(request("tiny-2"))
    assert [r for r in server.api.requests if "upload" in r] == first
    assert [r.rpartition("/")[2] for r in first] == ["upload", "upload_version"]
    changed = SPEC | {"sdkVersion": "tfx-1.21.0"}
    platform.submit(request("tiny-3", spec=changed))
    assert len(server.api.pipelines) == 1
    names = [version["display_name"] for version in server.api.versions.values()]
    assert names[0] == "tiny"
    assert [bool(re.fullmatch("[0-9a-f]{12}", name)) for name in names[1:]] == [True, True]
    assert names[1] != names[2]
    assert list(server.api.jobs.jobs.values())[-1].documents == [changed]


def test_what_is_described_is_what_is_sent(platform, server):
    described = platform.describe(request())
    assert server.api.requests == []
    platform.submit(request())
    [run] = server.api.jobs.jobs.values()
    version = list(server.api.versions.values())[-1]
    assert described == {
        "host": server.address,
        "namespace": None,
        "experiment": "fareline",
        "pipeline": {
            "display_name": "tiny",
            "version": version["display_name"],
            "pipeline_spec": SPEC,
        },
        "run": {
            "display_name": run.content["display_name"],
            "service_account": None,
            "runtime_config": {"parameters": run.content["runtime_config"]["parameters"]},
        },
    }
    assert TOKEN not in str(described)


def test_the_service_account_and_the_namespace_are_sent(server):
    platform = KubeflowPlatform(
        settings(server.address, service_account="trainer", namespace="rides", experiment="fares")
    )
    platform.submit(request())
    [run] = server.api.jobs.jobs.values()
    assert run.content["service_account"] == "trainer"
    [experiment] = server.api.experiments.values()
    assert (experiment["display_name"], experiment["namespace"]) == ("fares", "rides")
    [pipeline] = server.api.pipelines.values()
    assert pipeline["namespace"] == "rides"


def test_a_failed_run_and_a_cancelled_one(platform, play):
    play.steps, play.state = [("Examples", R), ("Examples", F)], FAILED
    status = ended(platform, platform.submit(request()).id)
    assert status.state is JobState.FAILED
    assert {name: task.state for name, task in status.tasks.items()} == {
        "Examples": F,
        "Trainer": NodeState.WAITING,
    }
    play.steps = [("Examples", R), ("wait", None)]
    run = platform.submit(request("tiny-2"))
    platform.cancel(run.id)
    assert ended(platform, run.id).state is JobState.CANCELLED


def test_a_recurring_run_is_created_once(platform, server):
    scheduled = request("tiny", schedule="0 6 * * 1")
    submitted = platform.submit(scheduled)
    [recurring] = server.api.recurring.values()
    assert recurring["trigger"]["cron_schedule"]["cron"] == "0 0 6 * * 1"  # seconds come first
    assert (int(recurring["max_concurrency"]), recurring["no_catchup"]) == (1, True)
    assert recurring["mode"] == "ENABLE"
    assert recurring["runtime_config"]["parameters"] == VALUES
    link = f"{server.address}/#/recurringrun/details/{submitted.id}"
    assert submitted.link == link
    assert server.api.jobs.jobs == {}
    assert message(RefusedRequestError, platform.submit, scheduled) == (
        "tiny: is scheduled already, `0 0 6 * * 1`; expected a schedule that does not exist yet. "
        f"Hint: delete that one first, or name another --job-id: {link}."
    )


def test_the_host_may_come_from_kfps_own_variable(server, monkeypatch):
    monkeypatch.setenv(HOST_VARIABLE, server.address)
    submitted = KubeflowPlatform(settings(None)).submit(request())
    assert submitted.link.startswith(server.address)


# What a backend tells of a run.


def detail(name, state, task_id=None, parent=None, start=0, end=0):
    def moment(second):
        return datetime.datetime.fromtimestamp(second, datetime.timezone.utc)

    return SimpleNamespace(
        display_name=name, state=state, task_id=task_id or name, parent_task_id=parent,
        create_time=moment(start), start_time=moment(start), end_time=moment(end), error=None,
    )  # fmt: skip


START = 1_790_000_000


def test_only_tasks_of_the_spec_are_shown():
    details = [
        detail("tiny-x7k2p", "RUNNING"),
        detail("root-driver", "SUCCEEDED"),
        detail("root", "RUNNING"),
        detail("Examples-driver", "SUCCEEDED"),
        detail("Examples", "SUCCEEDED", start=START, end=START + 12),
        detail("executor", "SUCCEEDED", "one"),
        detail("Trainer", "RUNNING", start=START + 12, end=0),
    ]
    tasks = read_tasks(details, SPEC)
    assert {name: (task.state, task.seconds) for name, task in tasks.items()} == {
        "Examples": (E, 12.0),
        "Trainer": (R, 0.0),
    }


def test_a_backend_that_says_whose_executor_was_skipped_tells_of_the_cache():
    details = [
        detail("Examples", "SUCCEEDED", "1"),
        detail("executor", "SKIPPED", "2", parent="1"),
        detail("Trainer", "SUCCEEDED", "3"),
        detail("executor", "SUCCEEDED", "4", parent="3"),
    ]
    states = {name: task.state for name, task in read_tasks(details, SPEC).items()}
    assert states == {"Examples": C, "Trainer": E}


def test_such_a_backend_is_read_through_the_client(platform, server):
    server.api.tells_parents = True
    status = ended(platform, platform.submit(request()).id)
    assert {name: task.state for name, task in status.tasks.items()} == {
        "Examples": C,
        "Trainer": E,
    }


# Errors, word by word.


def message(kind, function, *arguments):
    with pytest.raises(kind) as raised:
        function(*arguments)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_name_that_is_taken(platform, server):
    first = platform.submit(request())
    assert message(RefusedRequestError, platform.submit, request()) == (
        "tiny-1: kubeflow already has a job of this id; expected a new id for every job. "
        f"Hint: leave --job-id out, or `fareline submit kubeflow --follow {first.id}` follows that "
        "job."
    )
    assert len(server.api.jobs.jobs) == 1


def test_an_experiment_that_is_there_twice(platform, server):
    for number in "12":
        server.api.experiments[number] = {"experiment_id": number, "display_name": "fareline"}
    assert message(PlatformError, platform.submit, request()) == (
        "kubeflow: Multiple experiments is found with name fareline; expected one of that name. "
        "Hint: name another runners.kubeflow.experiment."
    )


def test_a_token_that_is_expired(platform, server, monkeypatch, capfd):
    server.api.token = "another"
    assert message(PlatformError, platform.submit, request()) == (
        "kubeflow: the credentials are invalid or have expired (Unauthenticated access: the "
        "token is expired or not valid); expected the token of an account of the cluster in "
        "KUBEFLOW_TOKEN. Hint: set KUBEFLOW_TOKEN to a new token."
    )
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")


def test_a_missing_permission(platform, server):
    server.api.may_create = False
    assert message(PlatformError, platform.submit, request()) == (
        "kubeflow: permission denied (User 'someone' is not authorized with reason: (request: "
        "verb:create resource:experiments)); expected an account that may create runs and "
        "pipelines in runners.kubeflow.namespace. Hint: docs/kubeflow.md lists the roles."
    )


def test_an_exhausted_quota(platform, server):
    server.api.quota = 0
    assert message(PlatformError, platform.submit, request()) == (
        "kubeflow: a quota is exhausted (Failed to create a new run: exceeded quota: "
        "count/workflows); expected room for a job. Hint: wait for other runs to end, or have the "
        "quota of the namespace raised."
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"spec": SPEC | {"schemaVersion": "2.0.0"}},
            "Invalid input error: invalid pipeline spec: KFP only supports schema version 2.1.0, "
            "but the pipeline spec has version 2.0.0",
        ),
        (
            {"spec": SPEC | {"pipelineInfo": {"name": "Tiny!"}}},
            "Invalid input error: invalid pipeline spec: invalid v2 pipeline spec: name should "
            "consist of lower case alphanumeric characters, '-' or '.', and must start and end "
            "with an alphanumeric character",
        ),
        (
            {"values": {"steps": 5}},
            "Failed to create a new run: invalid pipeline job inputs: Invalid input error: "
            "parameter data-root is not optional, yet has neither default value nor user provided "
            "value",
        ),
        (
            {"values": VALUES | {"data-root": 5}},
            "Failed to create a new run: invalid pipeline job inputs: Invalid input error: input "
            "parameter data-root requires type string, but the input parameter is not of string "
            "value type",
        ),
        (
            {"values": VALUES | {"pace": 1}},
            "Failed to create a new run: invalid pipeline job inputs: Invalid input error: "
            "parameter(s) provided are not required by pipeline: pace",
        ),
    ],
)
def test_a_run_that_kubeflow_refuses(platform, server, changed, said):
    assert message(RefusedRequestError, platform.submit, request(**changed)) == (
        f"tiny-1: kubeflow refuses it ({said}); expected a job that it takes. Hint: --dry-run "
        "shows what would be sent."
    )
    assert server.api.jobs.jobs == {}


def test_a_resolver_is_not_implemented_there(platform, server):
    assert message(UnreachableError, platform.submit, request(spec=spec_with_resolver())) == (
        "kubeflow: answered 500 (Failed to create a new run: Failed to compile job: error "
        "processing resolver Examples_executor: resolver not implemented yet); expected a usable "
        "answer. Hint: try again in a moment; if it says the same again, act on what it says."
    )
    assert server.api.jobs.jobs == {}


def test_a_run_that_is_not_there(platform):
    for ask in (platform.find, platform.look, platform.cancel):
        assert message(RefusedRequestError, ask, "0815") == (
            "0815: not found (Run 0815 not found); expected what is there. Hint: "
            "runners.kubeflow.host and namespace in the settings say where to look."
        )


@pytest.mark.timeout(60)
def test_a_server_that_is_silent_is_not_waited_for_and_no_other_socket_is_touched(monkeypatch):
    monkeypatch.setattr(kubeflow_client, "SECONDS", 1)
    told = []
    monkeypatch.setattr(socket, "setdefaulttimeout", told.append)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        platform = KubeflowPlatform(settings(f"http://127.0.0.1:{silent.getsockname()[1]}"))
        with ThreadPoolExecutor() as pool:  # each waits for seconds
            asks = (platform.find, platform.look, platform.cancel)
            for said in pool.map(lambda ask: message(UnreachableError, ask, "0815"), asks):
                assert "timed out" in said.lower()
    assert told == [] and socket.getdefaulttimeout() is None


def test_a_client_that_is_built_in_another_way_is_left_alone():
    client = SimpleNamespace(api=SimpleNamespace(api_client=SimpleNamespace()), host="h", none=None)
    kubeflow_client._bound_waiting(client)
    assert client.api.api_client == SimpleNamespace()


def test_nobody_answers():
    with kubeflow_server(Play()) as gone:
        address = gone.address
    platform = KubeflowPlatform(settings(address))
    assert message(UnreachableError, platform.submit, request()) == (
        f"kubeflow: no answer from {address} (Connection refused); expected the platform's API. "
        "Hint: check the network, and runners.kubeflow.host in the settings."
    )


def test_no_host_is_known():
    assert message(RefusedRequestError, KubeflowPlatform(settings(None)).submit, request()) == (
        "runners.kubeflow.host: is not set; expected the address of Kubeflow Pipelines. Hint: set "
        "it in the settings, or KF_PIPELINES_ENDPOINT."
    )


def test_a_time_zone_cannot_be_scheduled():
    platform = KubeflowPlatform(settings("http://127.0.0.1:1"))
    scheduled = request(schedule="TZ=Europe/Berlin 0 6 * * 1")
    assert message(RefusedRequestError, platform.describe, scheduled) == (
        "runners.kubeflow.schedule: found TZ=Europe/Berlin 0 6 * * 1; expected no time zone: "
        "Kubeflow uses the time zone of its controller. Hint: leave TZ= out."
    )
