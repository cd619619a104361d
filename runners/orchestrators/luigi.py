"""Luigi: a task for each node."""

from runners.orchestrators.plan import CRONTAB, Plan, python_file

_SAID = """
{pipeline} for Luigi, written by `fareline export luigi`.

    python FILE --run nightly-1 --workers 2
    python FILE --crontab                       # prints the schedule as lines for crontab

It needs luigi, and no TensorFlow: every task calls `fareline step` by its path. Behind a gate that
has stopped the run nothing is executed. The exit code is that of `fareline step end`, which runs
whatever came before: 0 pushed, 1 failed, 3 refused. The same --run again goes on with the run.
"""
_IMPORTS = """
import argparse
import pathlib
import shlex
import subprocess
import sys
import time

import luigi
"""
_BODY = '''DONE, REFUSED, BLOCKED, TRY_LATER = 0, 3, 10, 75
ATTEMPTS, WAIT_SECONDS = 30, 10  # while another process is at work on it


def call(run_id, *words, stdout=None):
    """Calls `fareline step` and returns its exit code."""
    command = [FARELINE, "step", *words, "--run", run_id, "--workspace", WORKSPACE]
    for _ in range(ATTEMPTS):
        code = subprocess.run(command, cwd=FOLDER, stdout=stdout, check=False).returncode
        if code != TRY_LATER:
            break
        time.sleep(WAIT_SECONDS)
    return code


class Node(luigi.Task):
    """A node of a run. It is done when its file is there."""

    run_id = luigi.Parameter()
    name = luigi.Parameter()

    def requires(self):
        return [Node(self.run_id, before) for before in UPSTREAM[self.name]]

    def output(self):
        return luigi.LocalTarget(marks(self.run_id) / f"{self.name}.json")

    def run(self):
        with self.output().temporary_path() as path, open(path, "w") as stdout:
            code = call(self.run_id, "run", self.name, stdout=stdout)
            if code not in (DONE, REFUSED, BLOCKED):
                raise RuntimeError(f"{self.name}: exit code {code}")


def marks(run_id):
    """Where the files of done nodes are."""
    return pathlib.Path(WORKSPACE, "runs", run_id, "luigi")


'''
_MAIN = '''

def main():
    """Begins the run, or goes on with it, and ends it."""
    parser = argparse.ArgumentParser(description=f"Run {PIPELINE} by Luigi.")
    parser.add_argument("--run", default=time.strftime("luigi-%Y%m%d-%H%M%S"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--crontab", action="store_true", help="print the schedule, and end")
    asked = parser.parse_args()
    if asked.crontab:
        return crontab("--workers", str(asked.workers))
    code = call(asked.run, "begin", "--warm", "--orchestrator", "luigi", *BEGIN)
    if code:
        return code
    for mark in marks(asked.run).glob("*.json"):
        if '"gate": null' not in mark.read_text():  # blocked last time
            mark.unlink()
    nodes = [Node(asked.run, name) for name in UPSTREAM]
    luigi.build(nodes, workers=asked.workers, local_scheduler=True, log_level="WARNING")
    return call(asked.run, "end")


if __name__ == "__main__":
    sys.exit(main())
'''


def luigi_file(plan: Plan) -> str:
    """The tasks as a Python file that runs them."""
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
