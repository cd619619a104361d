"""runners.looping: what starts a pass, what comes of it; a loop that is killed forgets nothing."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from cli.loop import _exit_code
from fareline.errors import SettingsError, UserMistake, WorkspaceError
from lineage.graph.graph import Graph
from lineage.store.open import sqlite_connection
from pipeline.settings.load import load_settings
from runners.looping import children, requests
from runners.looping import loop as looping
from runners.looping.children import Answered, Children, Stopped
from runners.looping.loop import Loop, Passed, Wish, keep
from runners.looping.secret import VARIABLE, read_secret
from runners.looping.state import LoopFolder, State
from runners.workspace import Workspace
from tests.stores.writer import StoreWriter

HOUR_MS = 3_600_000
ALARM = {
    "kind": "performance",
    "slice": "overall",
    "subject": "AUC",
    "said": "0.956 -> 0.588 (95 %: 0.539 to 0.637)",
    "start_ms": 0,
    "windows": 2,
}
ACTS = ("monitoring.policy={performance: retrain, integrity: roll_back, distribution: record}",)


class Told:
    """An outbox that keeps what it is told."""

    def __init__(self):
        self.events = []

    def put(self, event, event_id, content):
        self.events.append((event, event_id, content))


class Here:
    """A workspace with a store, a source of one file, and commands that answer as is planned."""

    def __init__(self, tmp_path, monkeypatch):
        self.root = tmp_path / "ws"
        self.root.mkdir()
        StoreWriter(self.root / "metadata.db").add_execution(
            "chicago-taxi", "run-1", "Trainer", outputs={"model": [mlmd.Artifact()]}
        )
        (self.root / "serving_logs").mkdir()
        self.now, self.digest = 1_796_000_000_000, "before"
        self.alarms, self.ran = [], []
        self.answers = {"run": Answered(0, {"status": "pushed", "run_id": "r"}, "")}
        self.folder = LoopFolder(self.root)
        self.told = Told()
        monkeypatch.setattr(looping, "now", lambda: self.now)
        monkeypatch.setattr(looping, "digest_of_data", lambda settings: self.digest)
        monkeypatch.setattr(Children, "run", lambda _, *words: self._run(*words))
        with self.folder.locked():
            self.folder.write(State(data="before"))

    def _run(self, *words):
        self.ran.append(words)
        if words[0] == "monitor" and "monitor" not in self.answers:
            return Answered(0, {"alarms": self.alarms, "report": str(self.report())}, "")
        found = self.answers.get(words[0], Answered(0, {}, ""))
        if isinstance(found, BaseException):
            raise found
        return found() if callable(found) else found

    def report(self):
        path = self.root / f"report-{self.now}.json"
        path.write_text("{}")
        return path

    def reports(self):
        return sorted(self.root.glob("report-*.json"))

    def make_pass(self, *overrides):
        settings = load_settings(None, [*ACTS, *overrides])
        wish = Wish(Workspace(self.root), settings, ("--set", "x=1"), None)
        with self.folder.locked():
            return Loop(wish, self.folder, self.told, threading.Event()).make_pass()

    def commands(self):
        ran, self.ran = [words[0] for words in self.ran], []
        return ran

    def recorded(self):
        store = metadata_store.MetadataStore(sqlite_connection(self.root / "metadata.db"))
        return [
            (e, Graph(store).outputs(g))
            for e in store.get_executions_by_type("fareline.monitor")
            for g in Graph(store).executions([e.id])
        ]


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Here(tmp_path, monkeypatch)


def test_a_quiet_pass_seals_and_watches_and_does_nothing_else(here):
    passed = here.make_pass()
    assert (passed.decision.action, passed.event, _exit_code(passed)) == ("nothing", None, 0)
    assert here.commands() == ["feedback", "monitor"]
    assert here.recorded() == []
    assert here.told.events == []


def test_an_alarm_retrains_once_and_the_run_names_its_reason(here):
    here.alarms = [ALARM]
    passed = here.make_pass()
    assert (passed.decision.action, passed.event) == ("retrain", "pushed")
    run = here.ran[-1]
    assert run[0] == "run"
    assert run[run.index("--note") + 1] == (
        f"{passed.execution}: performance: AUC: 0.956 -> 0.588 (95 %: 0.539 to 0.637)"
    )
    assert run[-2:] == ("--set", "x=1")
    [(execution, evidence)] = here.recorded()
    assert execution.custom_properties["action"].string_value == "retrain"
    assert sorted(evidence) == ["causes", "report"]
    assert [event for event, _, _ in here.told.events] == ["alarm", "pushed"]
    here.commands()
    here.now += 23 * HOUR_MS
    held = here.make_pass()  # the same alarm, in the cooldown
    assert (held.decision.action, held.execution) == ("warn", None)
    assert "run" not in here.commands()
    assert len(here.told.events) == 2
    here.now += HOUR_MS
    assert here.make_pass().event == "pushed"


@pytest.mark.parametrize(
    ("answered", "event", "code", "data"),
    [
        (Answered(0, {"status": "pushed"}, ""), "pushed", 0, "after"),
        (Answered(3, {"status": "refused", "reasons": ["auc"]}, ""), "refused", 3, "after"),
        (
            Answered(
                1, {"status": "failed", "nodes": [{"name": "DataGate", "state": "failed"}]}, ""
            ),
            "stopped",
            1,
            "after",
        ),
        (
            Answered(1, {"status": "failed", "nodes": [{"name": "Tuner", "state": "failed"}]}, ""),
            "failed",
            1,
            "before",  # it is tried again when the cooldown is over
        ),
        (Answered(2, None, "training.steps: 0; expected 1"), "failed", 1, "before"),
        (Answered(-9, None, ""), "failed", 1, "before"),
    ],
)
def test_what_came_of_a_run_is_told_and_remembered(here, answered, event, code, data):
    here.digest, here.answers["run"] = "after", answered
    passed = here.make_pass()
    assert (passed.event, _exit_code(passed)) == (event, code)
    assert [told for told, _, _ in here.told.events] == [event]
    assert here.folder.read().data == data
    assert here.folder.read().under_way is None


def test_a_rollback_is_carried_out_by_the_command_and_wins(here, monkeypatch):
    live = SimpleNamespace(made_ms=here.now, version=None)
    monkeypatch.setattr(Loop, "_find_live", lambda self: live)
    monkeypatch.setattr(looping, "record", lambda *arguments: "monitor#7")
    here.alarms = [ALARM, {**ALARM, "kind": "integrity", "subject": "rows", "said": "none"}]
    assert here.make_pass().event == "rolled_back"
    assert here.ran[-1][:5] == (
        "rollback",
        "--reason",
        "monitor#7: integrity: rows: none",
        "--workspace",
        str(here.root),
    )
    assert here.folder.read().data == "before"


def test_a_rollback_that_was_cut_off_after_it_was_done_is_not_done_twice(here, monkeypatch):
    monkeypatch.setattr(looping, "latest_version", lambda base: 7)
    cause = {"kind": "integrity", "said": "rows: none"}
    under_way = {"action": "roll_back", "causes": [cause], "execution": "monitor#7", "version": 6}
    more = {"data": "before", "requests": [], "cron_ms": 0}
    with here.folder.locked():
        here.folder.write(State("before", under_way={**under_way, **more}))
    assert here.make_pass().event == "rolled_back"
    assert here.commands() == []


def test_what_a_rollback_does_not_do_is_still_to_be_done(here):
    (here.folder.requests / "one.json").write_text(json.dumps({"reason": "new prices"}))
    here.alarms = [{**ALARM, "kind": "integrity"}]
    here.digest = "after"
    assert here.make_pass().event == "rolled_back"
    here.alarms = []
    passed = here.make_pass()
    assert (passed.event, [c.kind for c in passed.decision.causes]) == ("pushed", ["request"])


def test_a_run_that_another_was_quicker_than_is_still_to_be_done(here):
    (here.folder.requests / "one.json").write_text(json.dumps({"reason": "new prices"}))
    held = Workspace(here.root).locked()

    def busy():
        held.__enter__()
        return Answered(2, None, "another run is using it")

    here.answers["run"] = busy
    assert here.make_pass().as_json()["action"] == "wait"
    held.__exit__(None, None, None)
    here.answers["run"] = Answered(0, {"status": "pushed"}, "")
    assert here.make_pass().event == "pushed"
    assert requests.waiting(here.folder.requests) == {}


ON_KUBEFLOW = "loop.runner=kubeflow"


def test_on_a_cluster_the_same_decision_sends_a_job_and_follows_it(here):
    job = {"job_id": "run-7", "link": "https://k/run-7"}
    here.alarms = [ALARM]
    here.answers["submit"] = lambda: Answered(0, {**job, "state": "succeeded"}, "")
    passed = here.make_pass(ON_KUBEFLOW)
    assert (passed.decision.action, passed.event, _exit_code(passed)) == ("retrain", "succeeded", 0)
    sent, followed = (words for words in here.ran if words[0] == "submit")
    name = "chicago-taxi-20261130-005320-000"  # of the decision, whose time is that of the pass
    assert sent == ("submit", "kubeflow", "--job-id", name, "--unless-sent", "--set", "x=1")
    assert followed[:4] == ("submit", "kubeflow", "--follow", "run-7")
    assert [event for event, _, _ in here.told.events] == ["alarm", "succeeded"]
    assert here.told.events[-1][2]["link"] == job["link"]
    assert "run" not in here.commands()


@pytest.mark.parametrize(
    ("answers", "events", "submits"),
    [
        # Not sent: a mistake in the settings, or no answer.
        ([Answered(2, None, "runners.kubeflow.image: an example")], ["failed"], 1),
        ([Answered(1, None, "kubeflow: no answer")], ["failed"], 1),
        # Sent, and it fails.
        (
            [Answered(0, {"job_id": "j"}, ""), Answered(1, {"job_id": "j", "error": "e"}, "")],
            ["failed"],
            2,
        ),
        # The cluster is silent, or the loop is killed, while it is followed: it is not sent again.
        (
            [
                Answered(0, {"job_id": "j"}, ""),
                Answered(1, None, "kubeflow: no answer"),
                Answered(0, {"job_id": "j"}, ""),
            ],
            [None, "succeeded"],
            3,
        ),
        (
            [Answered(0, {"job_id": "j"}, ""), Stopped(), Answered(0, {}, "")],
            [Stopped, "succeeded"],
            3,
        ),
        # The cluster does not know it any more.
        ([Answered(0, {"job_id": "j"}, ""), Answered(2, None, "j: not found")], ["failed"], 2),
    ],
)  # fmt: skip
def test_a_job_is_sent_once_whatever_happens_to_it(here, answers, events, submits):
    here.alarms, rest = [ALARM], [*answers]

    def answer():
        found = rest.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found

    here.answers["submit"] = answer
    for event in events:
        if event is Stopped:
            with pytest.raises(Stopped):
                here.make_pass(ON_KUBEFLOW)
        else:
            assert here.make_pass(ON_KUBEFLOW).event == event
    words = [ran[2] for ran in here.ran if ran[0] == "submit"]
    assert len(words) == submits
    assert words.count("--follow") == submits - 1
    assert here.folder.read().under_way is None


def test_the_first_model_needs_no_store(here):
    (here.root / "metadata.db").unlink()
    with here.folder.locked():
        here.folder.write(State())
    passed = here.make_pass()
    assert (passed.event, passed.execution) == ("pushed", None)
    assert here.told.events[0][1].startswith("pass-")


def test_a_failure_of_one_pass_does_not_end_the_loop_and_is_said(here):
    here.answers["feedback"] = Answered(2, None, "feedback: sealed as of a later time")
    passed = here.make_pass()
    assert "feedback build: feedback: sealed as of a later time" in passed.notes


def test_what_is_cut_off_is_done_again_and_asked_for_once(here, tmp_path):
    (here.folder.requests / "one.json").write_text(json.dumps({"reason": "new prices"}))
    here.answers["run"] = Stopped()
    with pytest.raises(Stopped):
        here.make_pass()
    assert here.folder.read().under_way["action"] == "retrain"
    here.answers["run"] = Answered(0, {"status": "pushed"}, "")
    here.commands()
    passed = here.make_pass()
    assert (passed.event, here.commands()) == ("pushed", ["run"])
    assert [cause.said for cause in passed.decision.causes] == ["new prices"]
    assert len(here.recorded()) == 1
    assert here.make_pass().decision.action == "nothing"
    assert requests.waiting(here.folder.requests) == {}


def test_missed_times_of_the_schedule_count_as_one(here):
    every_day = "loop.cron=0 6 * * *"
    assert here.make_pass(every_day).event is None  # from now on
    here.now += 5 * 24 * HOUR_MS
    passed = here.make_pass(every_day)
    assert (passed.event, [c.kind for c in passed.decision.causes]) == ("pushed", ["cron"])
    assert here.make_pass(every_day).event is None


def test_while_another_run_is_at_work_nothing_is_done_or_lost(here):
    here.alarms = [ALARM]
    with Workspace(here.root).locked():
        passed = here.make_pass()
    assert passed.as_json()["action"] == "wait"
    assert "another run is using it" in passed.notes[0]
    assert here.commands() == []
    assert here.make_pass().event == "pushed"


def test_a_record_is_recorded_once_and_told_to_nobody(here):
    here.alarms = [{**ALARM, "kind": "distribution", "subject": "fare"}]
    passed = here.make_pass()
    assert (passed.decision.action, _exit_code(passed), here.told.events) == ("record", 0, [])
    here.make_pass()
    assert len(here.recorded()) == 1


def test_of_reports_that_no_record_points_at_the_last_one_is_kept(here):
    for alarms in ([], [], [ALARM], [], []):
        here.alarms = alarms
        here.make_pass()
        here.now += HOUR_MS
    hours = [(int(path.stem.partition("-")[2]) - here.now) // HOUR_MS for path in here.reports()]
    assert hours == [-3, -1]


def test_two_loops_on_one_workspace_are_one_line_and_exit_code_2(here):
    with here.folder.locked(), pytest.raises(WorkspaceError, match="another loop") as caught:
        keep(
            Wish(Workspace(here.root), load_settings(None, []), (), None),
            True,
            False,
            print,
            print,
        )
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pipeline", ["data", "training"])
def test_a_loop_runs_the_whole_graph(here, pipeline):
    settings = load_settings(None, [f"pipeline={pipeline}"])
    with pytest.raises(SettingsError, match=f"pipeline: found {pipeline}; expected whole, since a"):
        keep(Wish(Workspace(here.root), settings, (), None), True, False, print, print)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"datum": 1}', "\0"])
def test_a_broken_state_is_one_line_that_says_what_to_do(here, text):
    (here.folder.path / "state.json").write_text(text)
    with pytest.raises(WorkspaceError, match="the loop then begins anew"):
        here.folder.read()


def test_state_survives_writing_and_reading(here):
    state = State("d", 5, 6, {"action": "retrain"}, ["age"])
    here.folder.write(state)
    assert dataclasses.asdict(here.folder.read()) == dataclasses.asdict(state)


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_secret_is_needed_where_something_is_signed(monkeypatch, secret):
    monkeypatch.setenv(VARIABLE, secret)
    assert read_secret(load_settings(None, []).loop) is None
    for override in (
        "loop.port=0",
        "loop.hooks=[{events: [pushed], url: 'https://example.com/hook'}]",
    ):
        with pytest.raises(UserMistake, match=VARIABLE):
            read_secret(load_settings(None, [override]).loop)


@pytest.mark.parametrize(
    "override",
    [
        "loop.cron=61 * * * *",
        "loop.hooks=[{events: [], command: [true]}]",
        "loop.hooks=[{events: [pushed]}]",
        "loop.hooks=[{events: [pushed], command: [a], url: 'http://a'}]",
        "loop.hooks=[{events: [exploded], command: [a]}]",
        "loop.hooks=[{events: [pushed], url: 'file:///etc/passwd'}]",
        "loop.port=70000",
        "loop.every_minutes=0",
        "loop.runner=luigi",
    ],
)
def test_a_mistake_in_the_settings_is_named(override):
    with pytest.raises(ValueError, match=override.partition("=")[0]):
        load_settings(None, [override])


def test_a_signal_stops_the_command_that_is_under_way_and_ends_the_loop(tmp_path, monkeypatch):
    started = tmp_path / "started"
    code = (
        f"import pathlib, signal, sys, time; pathlib.Path({str(started)!r}).touch(); "
        "signal.signal(signal.SIGTERM, lambda *a: sys.exit(143)); time.sleep(60)"
    )
    monkeypatch.setattr(children, "command_for", lambda *words: [sys.executable, "-c", code])
    stop = threading.Event()
    threading.Thread(target=lambda: (_wait_for(started), stop.set())).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        Children(tmp_path / "log", stop).run("run")
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("os.kill(os.getpid(), 9)", -9, "was ended by signal 9"),
        ("os._exit(7)", 7, "ended with exit code 7 and without a message"),
        ("os.write(2, b'fareline: x: y.\\n'); os._exit(2)", 2, "x: y."),
        ("os.write(1, b'{\"a\": 1}')", 0, ""),
    ],
)
def test_a_command_that_says_nothing_is_told_by_how_it_ended(
    tmp_path, monkeypatch, end, code, said
):
    command = [sys.executable, "-S", "-c", f"import os; {end}"]
    monkeypatch.setattr(children, "command_for", lambda *words: command)
    answered = Children(tmp_path / "log", threading.Event()).run("run")
    assert (answered.code, answered.said) == (code, said)


def test_why_nothing_is_watched_is_said_once(here):
    here.answers["monitor"] = Answered(2, None, "version 7: has no recorded reference")
    monitored = here.make_pass()
    assert monitored.notes == ("monitor: version 7: has no recorded reference",)


def test_a_loop_ends_cleanly_by_a_signal(tmp_path):
    """The whole command: one pass, then SIGTERM while it waits."""
    command = [sys.executable, "-m", "cli.app", "loop", "--json", "-w", str(tmp_path / "ws")]
    command += ["--set", "loop.new_data=false"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    line = process.stdout.readline()
    assert json.loads(line)["action"] == "nothing"
    os.kill(process.pid, signal.SIGTERM)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0


def _wait_for(path, seconds=30):
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)


def test_words_of_a_pass_are_stable():
    assert list(Passed(0, None).as_json()) == [
        "at",
        "action",
        "causes",
        "held_until",
        "execution",
        "event",
        "notes",
    ]
