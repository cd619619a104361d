"""Airflow 3: a BashOperator for each node."""

from runners.orchestrators.plan import Plan, python_file

_SAID = """
{pipeline} for Airflow 3, written by `fareline export airflow`.

Put it into the folder of the DAGs. It needs the provider `standard`, and no TensorFlow: every task
calls `fareline step` by its path. A node that a gate has blocked is skipped, and so are Pusher and
the end where the model was refused; the end runs whatever came before.
"""
_IMPORTS = """
import shlex
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
"""
_BODY = '''REFUSED, BLOCKED = 3, 10
# The same for every attempt of a run, so that a step which failed or was killed goes on.
RUN = "{{ run_id | replace(':', '-') | replace('+', '-') }}"


def step(task, *words, **options):
    """A task that calls `fareline step`."""
    command = [FARELINE, "step", *words, "--workspace", WORKSPACE]
    return BashOperator(
        task_id=task,
        bash_command=" ".join(map(shlex.quote, command)) + f" --run '{RUN}'",
        cwd=FOLDER,
        append_env=True,
        **options,
    )


with DAG(
    PIPELINE,
    schedule=SCHEDULE,
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(ZONE)),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
):
    begin = step("begin", "begin", "--warm", "--orchestrator", "airflow", *BEGIN)
    end = step("end", "end", trigger_rule="all_done", skip_on_exit_code=REFUSED)
    nodes = {
        name: step(name, "run", name, skip_on_exit_code=[REFUSED, BLOCKED]) for name in UPSTREAM
    }
    for name, before in UPSTREAM.items():
        nodes[name].set_upstream([nodes[each] for each in before] or [begin])
        nodes[name].set_downstream(end)
'''


def airflow_file(plan: Plan) -> str:
    """The DAG as a Python file."""
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
    return python_file(_SAID.format(pipeline=plan.pipeline), _IMPORTS, constants, _BODY)
