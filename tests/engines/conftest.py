"""A job server of each Beam engine, fetched once into a folder outside the tree.

`make test-engines` alone runs these tests. Prism is built from the Go proxy. The job servers of
Flink and Spark come from Maven Central; where it does not serve them, their tests are skipped with
the name of what was asked for.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import apache_beam
import pytest

from tests.e2e.conftest import small_csv  # noqa: F401 - a fixture

VERSION = apache_beam.__version__
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fareline" / "engines"
JARS = {
    "flink": ("beam-runners-flink-1.19-job-server", "--flink-master=[local]"),
    "spark": ("beam-runners-spark-3-job-server", "--spark-master-url=local[2]"),
}


@pytest.fixture(scope="session")
def job_server():
    """Starts the job server of an engine at a free port; gives HOST:PORT and the process."""
    with contextlib.ExitStack() as stack:

        def start(engine):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            process = subprocess.Popen(
                [
                    *_command(engine),
                    f"{'--job_port=' if engine == 'prism' else '--job-port='}{port}",
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            for _ in range(300):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    return f"127.0.0.1:{port}", process
                assert process.poll() is None, f"{engine}: its job server ended at once"
                time.sleep(0.2)
            raise AssertionError(f"{engine}: its job server does not listen")

        yield start


def _command(engine):
    if engine == "prism":
        return [str(_prism()), "--serve_http=false"]
    artifact, master = JARS[engine]
    return ["java", "-jar", str(_jar(artifact)), master, "--job-host=127.0.0.1"]


def _prism():
    if shutil.which("go") is None:
        pytest.skip("Prism is built by Go, which is not installed")
    folder = CACHE / f"prism-{VERSION}"
    if not (folder / "prism").is_file():
        module = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{VERSION}"
        subprocess.run(
            ["go", "install", module], check=True, env={**os.environ, "GOBIN": str(folder)}
        )
    return folder / "prism"


def _jar(artifact):
    if shutil.which("mvn") is None:
        pytest.skip("job servers are fetched by Maven, which is not installed")
    named = f"org.apache.beam:{artifact}:{VERSION}"
    repository = CACHE / "maven"
    fetched = subprocess.run(
        ["mvn", "-B", "-q", "dependency:get", "-Dtransitive=false",
         f"-Dmaven.repo.local={repository}", f"-Dartifact={named}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = sorted(repository.glob(f"org/apache/beam/{artifact}/{VERSION}/*.jar"))
    if fetched.returncode or not found:
        pytest.skip(f"Maven Central does not serve {named}")
    return found[0]
