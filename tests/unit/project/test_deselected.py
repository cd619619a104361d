"""Tests that are left out by a mark are counted in pytest's last line, with workers as well."""

import pytest

from tests.unit.project.test_needs import run_pytest

TESTS = """
import pytest

@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_left_out(number): assert False

def test_here(): pass
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_last_line_counts_them(tmp_path, workers):
    code, said = run_pytest(tmp_path, TESTS, "-n", workers, "-m", "not slow")
    assert code == 0, said
    assert "1 passed, 3 deselected" in said.splitlines()[-1]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_nothing_is_said_where_nothing_is_left_out(tmp_path, workers):
    code, said = run_pytest(tmp_path, TESTS, "-n", workers)
    assert code == 1
    assert "3 failed, 1 passed" in said.splitlines()[-1]
    assert "deselected" not in said
