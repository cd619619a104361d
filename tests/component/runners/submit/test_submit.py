"""`fareline submit` as a user meets it, against servers on this machine that play the jobs.

The pipeline is compiled for real, and checked by the servers as the platforms would; its nodes are
not executed, which tests/e2e/replays/test_submit.py does.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from cli import app as cli
from data.taxi import taxi_csv_path
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from runners.looping.children import Answered, Children
from runners.looping.hooks import Outbox
from runners.looping.loop import Loop, Wish
from runners.looping.state import LoopFolder
from runners.platforms.jobs import UnreachableError
from runners.platforms.kubeflow.client import KubeflowPlatform
from runners.platforms.vertex.client import VertexPlatform
from runners.progress import NodeState
from runners.submit import submission
from runners.workspace import Workspace
from tests.e2e.conftest import fareline_command
from tests.forked import run_forked
from tests.loopback.execution import CANCELLED, FAILED, Play
from tests.loopback.kubeflow import kubeflow_server
from tests.loopback.storage import storage_server
from tests.loopback.vertex import vertex_server

E, R, C, F = NodeState.EXECUTED, NodeState.RUNNING, NodeState.CACHED, NodeState.FAILED
IMAGE = "registry.test/fareline:0.1.0"
BUCKET = "gs://taxi-bucket"
DATA = f"{BUCKET}/chicago-taxi/data/data.csv"


@pytest.fixture
def play():
    return Play([("ExampleGen", R), ("ExampleGen", E), ("Trainer", R), ("Trainer", C)])


@pytest.fixture
def storage(tmp_path, monkeypatch):
    (tmp_path / "taxi-bucket").mkdir()
    with storage_server(tmp_path) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def vertex(play):
    with vertex_server(play) as running:
        yield running


@pytest.fixture
def kubeflow(play, monkeypatch):
    monkeypatch.setenv("KUBEFLOW_TOKEN", "a-token")
    with kubeflow_server(play, "a-token") as running:
        yield running


def options(server):
    """The settings that make a server the platform, and whose it is."""
    name = "vertex" if hasattr(server.api, "permissions") else "kubeflow"
    own = {
        "vertex": {"api_endpoint": server.address, "project": "fare-project"},
        "kubeflow": {"host": server.address},
    }[name]
    settings = {"image": IMAGE, "bucket": BUCKET, **own}
    return name, [f"--set=runners.{name}.{key}={value}" for key, value in settings.items()]


def command(server, *words):
    """The command as a message names it: with the settings that were given."""
    name, settings = options(server)
    given = [part for setting in settings for part in setting.split("=", 1)]
    return f"`fareline submit {name} {' '.join((*words, *given))}`"


@pytest.fixture
def submit(monkeypatch, capfd, storage):
    """Runs the command in this process, which has TFX loaded already; returns code, out, err."""

    def run(server, *arguments):
        name, settings = options(server)
        command = ["fareline", "submit", name, *settings, "--poll-seconds=0.1", *arguments]
        monkeypatch.setattr(sys, "argv", command)
        code = cli._run_app()
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture(params=["vertex", "kubeflow"])
def server(request):
    return request.getfixturevalue(request.param)


def jobs(server):
    return list(server.api.jobs.jobs.values())


def test_a_job_is_sent_with_what_it_reads(submit, server, storage):
    code, out, err = submit(server, "--job-id=taxi-1")
    assert (code, err) == (0, f"uploaded data.csv to {DATA}\n")
    [job] = jobs(server)
    first, link = out.splitlines()
    assert first == (
        f"{job.job_id} was sent; {command(server, '--follow', job.job_id)} follows it again, "
        f"{command(server, '--cancel', job.job_id)} stops it."
    )
    assert link.startswith("http") and job.job_id in link
    sent = (storage.api.folder / "taxi-bucket/chicago-taxi/data/data.csv").read_bytes()
    assert sent == taxi_csv_path().read_bytes()
    code, _, err = submit(server, "--job-id=taxi-2")
    assert (code, err) == (0, "")  # the data is there, as it is here
    assert storage.api.uploaded == [DATA]


def test_a_job_is_followed_to_its_end(submit, server):
    code, out, err = submit(server, "--wait", "--job-id=taxi-1")
    [job] = jobs(server)
    assert code == 0
    assert out.splitlines()[0] == f"{job.job_id} succeeded"
    lines = [line.split() for line in err.splitlines()]
    assert ["✓", "ExampleGen", "executed", "0.0", "s"] in lines
    cached = options(server)[0] == "vertex"  # Kubeflow does not say so
    expected = ["=", "cached"] if cached else ["✓", "executed"]
    assert [expected[0], "Trainer", expected[1], "0.0", "s"] in lines


@contextlib.contextmanager
def loop_with_a_request(tmp_path, name, given):
    """The folder of a loop that is asked to retrain on a platform, and what makes its next pass."""
    overrides = [f"loop.runner={name}", *(setting.removeprefix("--set=") for setting in given)]
    wish = Wish(Workspace(tmp_path / "ws"), load_settings(None, overrides), (), None)
    folder = LoopFolder(tmp_path / "ws")
    with folder.locked():
        (folder.requests / "one.json").write_text('{"reason": "new prices"}')
        outbox = Outbox(folder.outbox, [], None, print)
        yield folder, lambda: Loop(wish, folder, outbox, threading.Event()).make_pass()


def test_a_loop_sends_what_it_has_decided_and_follows_it(submit, server, tmp_path, monkeypatch):
    """A decision by a request; the commands that it starts run in this process."""
    name, given = options(server)

    def run(_, *words):
        if words[0] != "submit":
            return Answered(0, {}, "")
        assert words[1] == name
        code, out, err = submit(server, *words[2:], "--json")
        return Answered(code, json.loads(out), err)

    monkeypatch.setattr(Children, "run", run)
    with loop_with_a_request(tmp_path, name, given) as (folder, make_pass):
        passed = make_pass()
    assert (passed.decision.action, passed.event) == ("retrain", "succeeded")
    assert len(jobs(server)) == 1
    assert folder.read().under_way is None


@pytest.mark.parametrize("cut_off", ["before the answer", "after the answer"])
def test_a_loop_that_is_killed_at_the_sending_sends_no_second_job(
    submit, server, tmp_path, monkeypatch, cut_off
):
    """Before the platform has answered, and between its answer and the loop's own note of it."""
    name, given = options(server)
    killed = [cut_off]

    class Killed(BaseException):
        pass

    def run(_, *words):
        if words[0] != "submit":
            return Answered(0, {}, "")
        if killed == ["before the answer"] and killed.pop():
            raise Killed
        code, out, err = submit(server, *words[2:], "--json")
        if killed and killed.pop():
            raise Killed
        return Answered(code, json.loads(out), err)

    monkeypatch.setattr(Children, "run", run)
    with loop_with_a_request(tmp_path, name, given) as (_, make_pass):
        with pytest.raises(Killed):
            make_pass()
        sent = len(jobs(server))
        passed = make_pass()
    assert sent == (cut_off == "after the answer")
    assert (passed.decision.action, passed.event) == ("retrain", "succeeded")
    assert len(jobs(server)) == 1


def test_a_job_is_sent_unless_it_was(submit, server):
    answers = [submit(server, "--job-id=taxi-1", "--unless-sent", "--json") for _ in range(2)]
    assert [code for code, _, _ in answers] == [0, 0]
    assert answers[0][1] == answers[1][1]
    assert len(jobs(server)) == 1
    code, out, err = submit(server, "--unless-sent")
    assert (code, out) == (2, "")
    assert err == (
        "fareline: fareline submit: found --unless-sent alone; expected --job-id. "
        "Hint: name the job.\n"
    )


def test_an_answer_that_gets_lost_sends_no_second_job(submit, server, monkeypatch):
    platform = {"vertex": VertexPlatform, "kubeflow": KubeflowPlatform}[options(server)[0]]
    send, lost = platform.submit, ["the first"]

    def submit_and_lose(self, request):
        found = send(self, request)
        if lost:
            raise UnreachableError(f"{lost.pop()}: no answer")
        return found

    monkeypatch.setattr(submission, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(platform, "submit", submit_and_lose)
    code, out, _ = submit(server, "--job-id=taxi-1", "--unless-sent", "--json")
    [job] = jobs(server)
    assert (code, json.loads(out)["job_id"]) == (0, job.job_id)


def test_the_answer_as_json(submit, server):
    code, out, _ = submit(server, "--wait", "--json", "--job-id=taxi-1")
    [job] = jobs(server)
    answer = json.loads(out)
    assert code == 0
    assert list(answer) == ["platform", "job_id", "link", "state", "error", "nodes"]
    assert (answer["job_id"], answer["state"]) == (job.job_id, "succeeded")
    states = {node["name"]: node["state"] for node in answer["nodes"]}
    assert states["ExampleGen"] == "executed"
    assert len(states) >= 13
    code, out, _ = submit(server, "--json", "--job-id=taxi-2")
    assert (code, list(json.loads(out))) == (0, ["platform", "job_id", "link"])


def test_a_failed_job(submit, vertex, kubeflow, play):
    play.steps, play.state = [("Trainer", R), ("Trainer", F)], FAILED
    play.errors = {"Trainer": "The replica workerpool0-0 exited with a non-zero status of 1."}
    code, out, _ = submit(vertex, "--wait", "--job-id=taxi-1")
    assert code == 1
    assert out.splitlines()[0] == (
        "taxi-1 failed at Trainer: The replica workerpool0-0 exited with a non-zero status of 1."
    )
    code, out, _ = submit(kubeflow, "--wait", "--job-id=taxi-1")
    assert code == 1
    [run] = jobs(kubeflow)
    assert out.splitlines()[0] == f"{run.job_id} failed at Trainer: the platform gave no reason"


def test_a_cancelled_job(submit, server, play):
    play.steps = [("ExampleGen", R), ("wait", None)]
    submit(server, "--job-id=taxi-1")
    [job] = jobs(server)
    name, _ = options(server)
    code, out, _ = submit(server, f"--cancel={job.job_id}")
    assert (code, out) == (
        0,
        f"{job.job_id}: {name} was asked to cancel it. "
        f"{command(server, '--follow', job.job_id)} shows when it has.\n",
    )
    code, out, _ = submit(server, f"--follow={job.job_id}")
    assert code == 1
    assert out.splitlines()[0] == f"{job.job_id} cancelled"
    assert job.state == CANCELLED


def test_a_schedule(submit, server):
    name, _ = options(server)
    code, out, _ = submit(server, "--schedule", f"--set=runners.{name}.schedule=0 6 * * 1")
    assert code == 0
    assert out.splitlines()[0] == "chicago-taxi runs by the schedule `0 6 * * 1` from now on."
    assert jobs(server) == []
    created = server.api.schedules if name == "vertex" else server.api.recurring
    assert len(created) == 1


def test_a_dry_run_sends_nothing(submit, server, storage):
    code, out, err = submit(server, "--dry-run", "--job-id=taxi-1")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["uploads"] == [{"file": str(taxi_csv_path()), "to": DATA}]
    assert server.api.requests == storage.api.requests == []
    submit(server, "--job-id=taxi-1")
    [job] = jobs(server)
    if answer["platform"] == "vertex":
        assert answer["request"]["pipelineJob"] == job.content
        assert answer["request"]["pipelineJobId"] == "taxi-1"
    else:
        assert answer["request"]["pipeline"]["pipeline_spec"] == job.documents[0]
        assert answer["request"]["run"]["runtime_config"]["parameters"] == job.values


def test_a_dry_run_of_a_schedule(submit, server):
    name, _ = options(server)
    setting = f"--set=runners.{name}.schedule=0 6 * * 1"
    code, out, _ = submit(server, "--dry-run", "--schedule", setting)
    assert code == 0
    request = json.loads(out)["request"]
    if name == "vertex":
        assert request["schedule"]["cron"] == "0 6 * * 1"
    else:
        assert request["recurring_run"]["trigger"]["cron_schedule"]["cron"] == "0 0 6 * * 1"
    assert server.api.requests == []


def test_what_the_settings_say_of_a_job_is_sent(submit, vertex):
    key = "projects/fare-project/locations/europe-west4/keyRings/rides/cryptoKeys/steps"
    account = "stepping@fare-project.iam.gserviceaccount.com"
    code, _, err = submit(
        vertex,
        f"--set=runners.vertex.service_account={account}",
        "--set=runners.vertex.network=projects/4711/global/networks/rides",
        f"--set=runners.vertex.encryption_key={key}",
        "--set=runners.vertex.labels={team: rides}",
        "--set=runners.vertex.cache=false",
    )
    assert code == 0, err
    [job] = jobs(vertex)
    assert job.content["serviceAccount"] == account
    assert job.content["network"] == "projects/4711/global/networks/rides"
    assert job.content["encryptionSpec"] == {"kmsKeyName": key}
    assert job.content["labels"]["team"] == "rides"
    tasks = job.content["pipelineSpec"]["root"]["dag"]["tasks"]
    assert not any(task.get("cachingOptions", {}).get("enableCache") for task in tasks.values())
    name, _, time_ = job.job_id.partition("-20")
    assert name == "chicago-taxi"
    assert re.fullmatch(r"\d{6}-\d{6}", time_)


def test_data_that_the_settings_place_is_left_alone(submit, vertex, storage):
    code, _, err = submit(vertex, "--set=runners.vertex.data_path=gs://taxi-bucket/rides")
    assert (code, err, storage.api.requests) == (0, "", [])


# Mistakes and errors: one line each.


def test_a_bucket_that_is_not_there(submit, vertex):
    code, out, err = submit(vertex, "--set=runners.vertex.bucket=gs://taxi-buckets")
    assert (code, out) == (2, "")
    assert err == (
        "fareline: gs://taxi-buckets/chicago-taxi/data/data.csv: not found (The specified bucket "
        "does not exist); expected what is there. Hint: `gcloud storage buckets create "
        "gs://taxi-buckets` makes a bucket.\n"
    )
    assert jobs(vertex) == []


def test_a_bucket_that_is_closed(submit, vertex, storage):
    storage.api.may_write = False
    code, out, err = submit(vertex)
    assert (code, out) == (1, "")
    assert err == (
        "fareline: gs://taxi-bucket: permission denied (someone@example.com does not have "
        "storage.objects.create access to the Google Cloud Storage object. Permission "
        "'storage.objects.create' denied on resource (or it may not exist)); expected "
        "roles/storage.objectAdmin on the bucket. Hint: docs/vertex.md lists the roles.\n"
    )
    assert jobs(vertex) == []


def test_a_job_id_that_exists(submit, vertex):
    submit(vertex, "--job-id=taxi-1")
    code, out, err = submit(vertex, "--job-id=taxi-1")
    assert (code, out) == (2, "")
    assert err == (
        "fareline: taxi-1: vertex already has a job of this id; expected a new id for every "
        f"job. Hint: leave --job-id out, or {command(vertex, '--follow', 'taxi-1')} follows "
        "that job.\n"
    )


def refused(arguments, folder):
    ran = run_forked(
        [sys.executable, "-m", "cli.app", "submit", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(DEFAULT_PATH.parents[2]), "COLUMNS": "100"},
    )
    assert (ran.returncode, ran.stdout) == (2, ""), ran.stderr
    return ran.stderr


def test_examples_are_refused(tmp_path):
    says = "expected yours, since this one is an example. Hint: change it in the settings, or with"
    where = f"{DEFAULT_PATH}: runners.kubeflow"
    assert refused(["kubeflow"], tmp_path) == (
        "fareline: "
        f"{where}.image: found registry.example.com/fareline:0.1.0; {says} --set.\n"
        f"{where}.bucket: found gs://example-bucket; {says} --set.\n"
        f"{where}.host: found https://kubeflow.example.com; {says} --set.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["argo"],
            "fareline submit: found argo; expected kubeflow or vertex. Hint: `fareline run` is for "
            "this machine.",
        ),
        (
            ["vertex", "--job-id=Taxi_1"],
            "--job-id: found Taxi_1; expected at most 128 lower-case letters, digits and hyphens, "
            "first a letter. Hint: leave it out for an id of the pipeline's name and the time.",
        ),
        (
            ["vertex", "--schedule"],
            "runners.vertex.schedule: is not set; expected five cron fields, such as 0 6 * * 1. "
            "Hint: set it in the settings, or leave --schedule out.",
        ),
        (
            ["vertex", "--follow=a", "--cancel=b"],
            "fareline submit: found --follow and --cancel; expected one of them. Hint: leave "
            "--cancel out.",
        ),
        (
            ["vertex", "--schedule", "--wait"],
            "fareline submit: found --schedule and --wait; expected one of them. Hint: leave "
            "--wait out.",
        ),
        (
            ["vertex", "--dry-run", "--wait"],
            "fareline submit: found --wait and --dry-run; expected one of them. Hint: leave "
            "--dry-run out.",
        ),
        (
            ["vertex", "--follow=a", "--job-id=a"],
            "fareline submit: found --follow and --job-id; expected one of them. Hint: leave "
            "--job-id out.",
        ),
    ],
)
def test_mistakes_are_found_before_anything_heavy_is_loaded(arguments, message, tmp_path):
    assert refused(arguments, tmp_path) == f"fareline: {message}\n"


def test_an_interrupt_leaves_the_job_alone(vertex, storage, play):
    """As from the keyboard, in a process of its own."""
    play.steps = [("ExampleGen", R), ("wait", None)]
    _, settings = options(vertex)
    call = fareline_command("submit", "vertex", *settings, "--wait", "--job-id=taxi-1")
    call["env"] |= storage.environment()
    process = subprocess.Popen(
        **call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        while not any(r.startswith("GET") and "taxi-1" in r for r in vertex.api.requests):
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == (
        "fareline: taxi-1: not followed any more; the job goes on. Hint: "
        f"{command(vertex, '--follow', 'taxi-1')} follows it again, "
        f"{command(vertex, '--cancel', 'taxi-1')} stops it."
    )
    [job] = jobs(vertex)
    assert (job.state, job.cancel.is_set()) == ("RUNNING", False)
    assert not any(r.endswith(":cancel") for r in vertex.api.requests)
