"""Celery: one task, sent for each node that has become ready."""

from runners.orchestrators.plan import CRONTAB, Plan, python_file

_SAID = """
{pipeline} for Celery, written by `fareline export celery`.

    celery -A FILE_WITHOUT_PY worker --concurrency 1     # as many workers as are wanted
    python FILE start --run nightly-1                    # begins, sends what is ready
    python FILE wait --run nightly-1                     # until the end; its exit code
    python FILE resume --run nightly-1                   # sends again what a killed worker had
    python FILE crontab                                  # prints the schedule, for crontab

It needs celery with redis, and no TensorFlow: every task calls `fareline step` by its path. The
broker is FARELINE_BROKER, or Redis on this machine. Behind a gate that has stopped the run nothing
is executed; the end runs whatever came before.
"""
_IMPORTS = """
import argparse
import contextlib
import fcntl
import os
import pathlib
import shlex
import subprocess
import sys
import time

from celery import Celery
from kombu.exceptions import OperationalError
"""
_BODY = '''DONE, FAILED, REFUSED, BLOCKED, TRY_LATER = 0, 1, 3, 10, 75
WAIT_SECONDS, RETRIES = 10, 30

app = Celery(PIPELINE, broker=os.environ.get("FARELINE_BROKER", "redis://localhost:6379/0"))
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"socket_connect_timeout": 10, "max_retries": 2},
    task_ignore_result=True,
)


def call(run_id, *words):
    """Calls `fareline step` and returns its exit code."""
    command = [FARELINE, "step", *words, "--run", run_id, "--workspace", WORKSPACE]
    return subprocess.run(command, cwd=FOLDER, check=False).returncode


def mark(run_id, name, kind):
    """A file that says of a step that it was sent, or how it ended."""
    return pathlib.Path(WORKSPACE, "runs", run_id, "celery", f"{name}.{kind}")


def codes(run_id):
    """Exit codes of the steps that have ended."""
    found = mark(run_id, "any", "code").parent.glob("*.code")
    return {path.stem: int(path.read_text()) for path in found}


def send(run_id, name):
    """Sends a step to the workers."""
    mark(run_id, name, "sent").touch()
    step.delay(name, run_id)


@contextlib.contextmanager
def deciding(run_id):
    """One process at a time decides what is ready, so that each step is sent once."""
    folder = mark(run_id, "any", "sent").parent
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def send_ready(run_id):
    """Sends what has become ready: nodes, or the end when nothing is left to do."""
    with deciding(run_id):
        ended = codes(run_id)
        fine = {name for name, code in ended.items() if code in (DONE, REFUSED, BLOCKED)}
        sent = {name for name in [*UPSTREAM, "end"] if mark(run_id, name, "sent").exists()}
        if fine == set(ended):
            for name, before in UPSTREAM.items():
                if name not in sent and fine.issuperset(before):
                    send(run_id, name)
                    sent.add(name)
        if sent == set(ended) and "end" not in sent:
            send(run_id, "end")


@app.task(bind=True, name="fareline.step", max_retries=RETRIES)
def step(task, name, run_id):
    """Runs one node, or the end, and sends what it was waited for by."""
    code = call(run_id, "end") if name == "end" else call(run_id, "run", name)
    if code == TRY_LATER:
        raise task.retry(countdown=WAIT_SECONDS)
    ended = mark(run_id, name, "code")
    part = ended.with_suffix(f".{os.getpid()}")
    part.write_text(str(code))
    part.replace(ended)
    send_ready(run_id)


def start(run_id):
    """Begins the run, or goes on with it, and sends what is ready."""
    code = call(run_id, "begin", "--warm", "--orchestrator", "celery", *BEGIN)
    return code or resume(run_id)


def resume(run_id):
    """Sends again what has not ended, or has failed; a step at work is not disturbed."""
    with deciding(run_id):
        ended = codes(run_id)
        for name in [*UPSTREAM, "end"]:
            if name == "end" or ended.get(name) not in (DONE, REFUSED):
                mark(run_id, name, "sent").unlink(missing_ok=True)
                mark(run_id, name, "code").unlink(missing_ok=True)
    send_ready(run_id)
    return DONE


def wait(run_id):
    """Waits for the end, and returns its exit code."""
    while "end" not in codes(run_id):
        time.sleep(1)
    return codes(run_id)["end"]


'''
_MAIN = '''

def main():
    """Starts, resumes or waits for a run."""
    parser = argparse.ArgumentParser(description=f"Run {PIPELINE} by Celery.")
    parser.add_argument("what", choices=("start", "resume", "wait", "crontab"))
    parser.add_argument("--run", help="default of start: a new id")
    asked = parser.parse_args()
    if asked.what == "crontab":
        return crontab("start")
    if asked.run is None and asked.what != "start":
        parser.error("--run is needed")
    run_id = asked.run or time.strftime("celery-%Y%m%d-%H%M%S")
    try:
        return {"start": start, "resume": resume, "wait": wait}[asked.what](run_id)
    except OperationalError as error:
        print(f"{PIPELINE}: the broker cannot be reached ({error}); try again", file=sys.stderr)
        return TRY_LATER


if __name__ == "__main__":
    sys.exit(main())
'''


def celery_file(plan: Plan) -> str:
    """The task as a Python file that workers load, and that starts runs."""
    zone, fields = plan.zone_and_fields
    constants = {
        "PIPELINE": plan.pipeline,
        "FARELINE": plan.script,
        "FOLDER": plan.folder,
        "WORKSPACE": plan.workspace,
        "BEGIN": list(plan.begin_options),
        "SCHEDULE": fields,
        "ZONE": zone,
        "UPSTREAM": plan.upstream,
    }
    return python_file(
        _SAID.format(pipeline=plan.pipeline), _IMPORTS, constants, _BODY + CRONTAB + _MAIN
    )
