"""Which tests stay with one worker, and which are started first."""

import ast

from fareline.packages import CHECKOUT
from tests import workers
from tests.unit.project.test_needs import run_pytest

# The session fixtures of tests/e2e/conftest.py that run pipelines.
RUNS = {"first", "after_first", "second", "after_second", "third", "after_third", "refused",
        "small_run", "small_workspace", "newer_run", "resumed_run"}  # fmt: skip

FILE = """
import os, time

def test_a(): note()
def test_b(): note()

def note():
    time.sleep(0.3)  # long enough for the other worker to take the next file
    with open("notes", "a") as notes:
        notes.write(f"{os.environ['PYTEST_XDIST_WORKER']} {os.path.basename(__file__)}\\n")
"""


def test_files_that_share_runs_stay_together_and_the_others_by_themselves():
    assert workers.share_of("tests/e2e/test_why.py::test_a[x::y]") == workers.SHARING_RUNS[0]
    assert workers.share_of("tests/e2e/test_three_runs.py::test_a") == workers.SHARING_RUNS[0]
    assert (
        workers.share_of("tests/unit/lineage/answers/test_why.py::test_a")
        == "tests/unit/lineage/answers/test_why.py"
    )


def test_what_takes_longest_goes_first():
    files = ["tests/unit/test_a.py", "tests/component/test_a.py", "tests/e2e/test_drift.py",
             "tests/e2e/test_why.py", "tests/e2e/test_three_runs.py"]  # fmt: skip
    assert sorted(files, key=workers.rank) == files[::-1]


def test_all_files_that_share_runs_are_known():
    sharing = set()
    for path in (CHECKOUT / "tests" / "e2e").rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        asked = {argument.arg for function in functions for argument in function.args.args}
        if RUNS & asked - {function.name for function in functions}:
            sharing.add(path.relative_to(CHECKOUT).as_posix())
    assert sharing <= set(workers.SHARING_RUNS)
    assert all((CHECKOUT / name).is_file() for name in workers.SHARING_RUNS)


def test_a_file_is_not_torn_apart_by_two_workers(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"test_{name}.py").write_text(FILE, encoding="utf-8")
    code, said = run_pytest(tmp_path, "", "-n", "2", "--dist", "loadfile")
    assert code == 0, said
    notes = [line.split() for line in (tmp_path / "notes").read_text().splitlines()]
    assert len(notes) == 4
    assert len({worker for worker, _ in notes}) == 2
    assert len({(worker, file) for worker, file in notes}) == 2
