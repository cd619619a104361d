"""The report of time that folders of tests took."""

from fareline.packages import CHECKOUT
from tests import budgets
from tests.unit.project.test_needs import run_pytest


def test_only_folders_over_their_budget_are_named_worst_first():
    allowed = budgets.parse_budgets(["tests/unit 60", "tests/e2e 300", "tests/golden 20"])
    took = budgets.sum_by_folder(
        [
            ("tests/e2e/test_a.py::test_x", 400.0),
            ("tests/e2e/test_b.py::test_x", 12.25),
            ("tests/unit/test_a.py::test_x", 60.0),
            ("tests/golden/test_a.py::test_x", 21.0),
            ("tests/unitary/test_a.py::test_x", 1000.0),
        ],
        allowed,
    )
    assert took == {"tests/e2e": 412.25, "tests/unit": 60.0, "tests/golden": 21.0}
    assert budgets.describe_excess(took, allowed) == [
        "tests/e2e took 412 s of its 300 s",
        "tests/golden took 21 s of its 20 s",
    ]


def test_a_test_run_says_it_and_passes(tmp_path):
    folder = tmp_path / "some"
    folder.mkdir()
    tests = "def test_it():\n    import time; time.sleep(0.6)\n"
    (folder / "test_slow.py").write_text(tests, encoding="utf-8")
    options = ("-o", "time_budgets=some 0", "--durations-min=0.5", "--durations=0")
    code, said = run_pytest(tmp_path, "", "-n", "2", *options)
    assert code == 0, said
    assert said.splitlines()[-2] == "some took 1 s of its 0 s"
    assert "call     some/test_slow.py::test_it" in said


def test_every_folder_has_a_budget(pytestconfig):
    allowed = budgets.parse_budgets(pytestconfig.getini(budgets.BUDGETS))
    tests = CHECKOUT / "tests"
    found = {f"tests/{path.relative_to(tests).parts[0]}" for path in tests.rglob("test_*.py")}
    assert set(allowed) == found
