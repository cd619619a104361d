"""Following a job: the table, a platform that is silent a while, an interrupt, the last line."""

import io
import os
import signal
import threading

import pytest
from rich.console import Console

from fareline.errors import Interrupted
from runners.platforms.jobs import (
    JobState,
    JobStatus,
    PlatformError,
    Task,
    UnreachableError,
    waiting_tasks,
)
from runners.progress import NodeState, ProgressTable
from runners.submit.following import follow, say_how_it_ended
from tests.loopback.specs_for_tests import SPEC

E, R, C, F = NodeState.EXECUTED, NodeState.RUNNING, NodeState.CACHED, NodeState.FAILED
W, S = NodeState.WAITING, NodeState.SKIPPED
RUNNING, SUCCEEDED = JobState.RUNNING, JobState.SUCCEEDED


class Scripted:
    """A platform that gives, or raises, one thing after the other; the last one for ever."""

    name = "vertex"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    def look(self, job_id):
        assert job_id == "job-1"
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def status(state, examples=W, trainer=W, error="", seconds=0.0, told=""):
    tasks = {
        "Examples": Task("Examples", examples, seconds, told),
        "Trainer": Task("Trainer", trainer),
    }
    return JobStatus(state, tasks, error)


def followed(platform, **how):
    console = Console(file=io.StringIO(), width=100)
    how = {"poll_seconds": 0.01, "silence_seconds": 5.0} | how
    last = follow(platform, "job-1", ProgressTable(console, "vertex · job-1"), **how)
    return last, console.file.getvalue().splitlines()


def test_each_change_is_shown_once():
    platform = Scripted(
        status(JobState.PENDING),
        status(RUNNING, R),
        status(RUNNING, R),
        status(RUNNING, E, R, seconds=12.34),
        status(RUNNING, E, R, seconds=12.34),
        status(SUCCEEDED, E, C, seconds=12.34),
    )
    last, lines = followed(platform)
    assert last.state is SUCCEEDED
    assert {name: task.state for name, task in last.tasks.items()} == {"Examples": E, "Trainer": C}
    assert lines == [
        "vertex · job-1",
        "✓ Examples           executed    12.3 s",
        "= Trainer            cached       0.0 s",
    ]
    assert platform.asked == 6


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_what_never_ran_is_skipped_in_the_end(state):
    last, lines = followed(Scripted(status(RUNNING, R), status(state, R)))
    assert last.state is state
    assert {name: task.state for name, task in last.tasks.items()} == {"Examples": S, "Trainer": S}
    assert lines[1:] == [
        "- Examples           skipped      0.0 s",
        "- Trainer            skipped      0.0 s",
    ]


def test_a_task_that_shows_up_later_is_added():
    grown = JobStatus(SUCCEEDED, {"Examples": Task("Examples", E), "Exit": Task("Exit", E)})
    last, _ = followed(Scripted(JobStatus(RUNNING, {"Examples": Task("Examples", R)}), grown))
    assert list(last.tasks) == ["Examples", "Exit"]


def test_a_silence_is_waited_out():
    silent = UnreachableError("vertex: no answer.")
    platform = Scripted(status(RUNNING, R), silent, silent, status(SUCCEEDED, E, E))
    assert followed(platform)[0].state is SUCCEEDED
    assert platform.asked == 4


def test_a_silence_that_lasts_ends_following_and_says_how_to_go_on():
    platform = Scripted(UnreachableError("vertex: no answer."))
    with pytest.raises(UnreachableError) as raised:
        followed(platform, silence_seconds=0.1)
    assert str(raised.value) == (
        "vertex: no answer. The job goes on; `fareline submit vertex --follow job-1` follows it "
        "again, `fareline submit vertex --cancel job-1` stops it."
    )
    assert platform.asked > 1


def test_an_answer_that_is_an_error_ends_following_at_once():
    platform = Scripted(PlatformError("vertex: the credentials are not valid."))
    with pytest.raises(PlatformError, match="the credentials are not valid"):
        followed(platform)
    assert platform.asked == 1


def test_an_interrupt_stops_following_and_not_the_job():
    interrupt = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
    interrupt.start()
    with pytest.raises(Interrupted) as raised:
        followed(Scripted(status(RUNNING, R)))
    assert str(raised.value) == (
        "job-1: not followed any more; the job goes on. Hint: `fareline submit vertex --follow "
        "job-1` follows it again, `fareline submit vertex --cancel job-1` stops it."
    )
    assert raised.value.exit_code == 130


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (status(SUCCEEDED, E, E), "job-1 succeeded"),
        (status(JobState.CANCELLED, S, S), "job-1 cancelled"),
        (
            status(JobState.FAILED, F, S, told="exit code 1\nsee the log"),
            "job-1 failed at Examples: exit code 1 see the log",
        ),
        (
            status(JobState.FAILED, F, S, error="The DAG failed."),
            "job-1 failed at Examples: The DAG failed.",
        ),
        (status(JobState.FAILED, F, S), "job-1 failed at Examples: the platform gave no reason"),
        (
            status(JobState.FAILED, S, S, error="The image\nwas not found."),
            "job-1 failed: The image was not found.",
        ),
    ],
)
def test_the_last_line(ended, said):
    assert say_how_it_ended("job-1", ended) == said


def test_tasks_stand_after_those_that_they_wait_for():
    assert list(waiting_tasks(SPEC)) == ["Examples", "Trainer"]
    reads = {"inputs": {"artifacts": {"x": {"taskOutputArtifact": {"producerTask": "Z"}}}}}
    takes = {"inputs": {"parameters": {"y": {"taskOutputParameter": {"producerTask": "D"}}}}}
    tasks = {"A": reads, "B": {"dependentTasks": ["A"]}, "C": takes, "D": {}, "Z": takes}
    order = list(waiting_tasks({"root": {"dag": {"tasks": tasks}}}))
    assert order == ["D", "C", "Z", "A", "B"]
    assert waiting_tasks({}) == {}
