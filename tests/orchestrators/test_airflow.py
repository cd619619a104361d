"""The exported DAG: by `airflow dags test`, and by the scheduler with a LocalExecutor."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time

import pytest

from tests.orchestrators.conftest import fareline
from tests.servers import PACKAGES, USER, postgresql

pytestmark = pytest.mark.timeout(1800)
DAG = "chicago-taxi"


@pytest.fixture
def airflow(environment, export, tmp_path):
    """Calls `airflow` with a home, a folder of DAGs and a database of its own."""
    (tmp_path / "dags").mkdir()
    export("airflow", "dags/taxi.py")
    program = environment("airflow") / "airflow"
    of_airflow = {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }

    class Airflow:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | of_airflow

        def call(self, *words):
            done = subprocess.run(
                [program, *words], cwd=tmp_path, env=self.environment, capture_output=True,
                text=True,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
            return done.stdout

        @contextlib.contextmanager
        def running(self, *words):
            log = tmp_path / f"{words[0]}.log"
            with log.open("w") as output:
                process = subprocess.Popen(
                    [program, *words], cwd=tmp_path, env=self.environment, stdout=output,
                    stderr=output, start_new_session=True,
                )  # fmt: skip
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    return Airflow()


def run_of_airflow(workspace):
    """Id of the newest run that Airflow has begun."""
    runs = json.loads(fareline("runs", "--json", "-w", workspace))
    return max(r["run_id"] for r in runs if r["run_id"].startswith("manual__"))


def test_a_dag_under_test_runs_what_a_local_run_does(airflow, workspace, require_as_local):
    airflow.call("db", "migrate")
    airflow.call("dags", "test", DAG)
    require_as_local(run_of_airflow(workspace), "airflow")


@pytest.mark.needs(PACKAGES["postgresql"])
def test_the_scheduler_runs_what_a_local_run_does(airflow, workspace, require_as_local):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with postgresql() as server:
        database = server.new_database()
        place = f"{USER}:{server.password}@127.0.0.1:{server.port}/{database}"
        airflow.environment |= {
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{place}",
        }
        airflow.call("db", "migrate")
        with (
            airflow.running(
                "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"
            ),
            airflow.running("dag-processor"),
            airflow.running("scheduler"),
        ):

            def rows(statement):
                return server.execute(statement, database)

            wait_for(lambda: rows(f"SELECT 1 FROM serialized_dag WHERE dag_id = '{DAG}'"))
            airflow.call("dags", "trigger", DAG, "--run-id", "by-scheduler")
            [[state]] = wait_for(
                lambda: rows(
                    "SELECT state FROM dag_run WHERE run_id = 'by-scheduler' AND state IN "
                    "('success', 'failed')"
                )
            )
            tasks = dict(rows("SELECT task_id, state FROM task_instance"))
    assert state == "success", tasks
    assert (len(tasks), set(tasks.values())) == (17, {"success"})
    require_as_local("by-scheduler", "airflow")


def wait_for(found, seconds=1500):
    end = time.monotonic() + seconds
    while not (what := found()):
        assert time.monotonic() < end
        time.sleep(1)
    return what
