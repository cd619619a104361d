"""Tests that need a program: skipped and counted where it is missing, a failure in CI."""

import collections
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fareline.packages import CHECKOUT
from tests import needs
from tests.servers import PACKAGES as PACKAGES_OF_SERVERS

# In the test run that is looked at, `here` is a package that is there and `gone` one that is not.
LIST = "here sh # the shell\ngone no-such-program|nor-this # all that it does\nunseen -\n"
TESTS = """
import sys
import pytest
from tests import needs

needs.PACKAGES = PACKAGES

@pytest.fixture(params=[pytest.param(1, marks=pytest.mark.needs("gone")), 2])
def server(request):
    return request.param

@pytest.mark.needs("gone")
def test_gone(): pass

@pytest.mark.needs("here")
@pytest.mark.needs("unseen")
def test_here(): pass

def test_server(server): assert server == 2
"""


def run_pytest(folder, tests, *arguments, **environment):
    """Runs tests in a folder of their own with what tests/conftest.py loads."""
    (folder / "test_some.py").write_text(tests, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "conftest.py").write_text("from tests.conftest import *\n", encoding="utf-8")
    inherited = {k: v for k, v in os.environ.items() if k != "CI" and "PYTEST" not in k}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-ra",
            "-W",
            "ignore",
            "-p",
            "no:cacheprovider",
            *arguments,
        ],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(CHECKOUT), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    return done.returncode, done.stdout + done.stderr


def run_needing_tests(folder, *arguments, **environment):
    (folder / "packages").write_text(LIST, encoding="utf-8")
    tests = TESTS.replace(
        "PACKAGES\n", f"__import__('pathlib').Path({str(folder / 'packages')!r})\n"
    )
    return run_pytest(folder, tests, *arguments, **environment)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_missing_program_skips_with_its_reason_and_is_counted_in_one_line(tmp_path, workers):
    code, said = run_needing_tests(tmp_path, "-n", workers)
    assert code == 0
    reason = (
        "there is no no-such-program or nor-this, so nothing is proved of all that it does: "
        "apt install gone"
    )
    assert re.search(rf"^SKIPPED \[2\] .*{re.escape(reason)}$", said, re.MULTILINE)
    counted, last = said.splitlines()[-2:]
    assert counted == (
        "left out: 2 tests that need gone (2): apt install gone; make test-all fails without them"
    )
    assert "2 passed, 2 skipped" in last


def test_in_ci_a_missing_program_is_a_failure(tmp_path):
    code, said = run_needing_tests(tmp_path, CI="true")
    assert code == 1
    assert "2 passed, 2 errors" in said
    assert "skipped" not in said and "left out" not in said.replace("no test is left out", "")
    assert (
        "needs: there is no no-such-program or nor-this; with CI=true no test is left out. Hint: "
        "apt install gone, or as root .ci/install-packages."
    ) in said


@pytest.mark.parametrize(
    ("value", "strict"), [("true", True), ("1", True), ("", False), ("0", False), ("false", False)]
)
def test_what_ci_sets(value, strict):
    assert needs.nothing_left_out({"CI": value}) is strict
    assert not needs.nothing_left_out({})


def test_make_test_all_is_strict_and_chooses_all():
    done = subprocess.run(
        ["make", "-f", "-", "test-all"],
        input="include Makefile\nlint:\n\n"
        "override SHELL := /bin/sh\ntest:\n\t@echo CI is $$CI, ARGS are $(CHOSEN)$(ARGS)\n",
        cwd=CHECKOUT,
        env={k: v for k, v in os.environ.items() if k not in ("CI", "MAKEFLAGS")} | {"ARGS": "-v"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "CI is true, ARGS are -v" in done.stdout, done.stderr


def test_a_need_that_nobody_lists_is_an_error(tmp_path):
    tests = "import pytest\n@pytest.mark.needs('nothing')\ndef test_it(): pass\n"
    code, said = run_pytest(tmp_path, tests)
    assert code != 0
    assert "needs: nothing, which is not in packages.txt; expected one of mariadb-server, p" in said


def test_one_test_that_was_left_out_is_said_in_the_singular():
    assert needs.describe_left_out(collections.Counter({"curl": 1})) == (
        "left out: 1 test that needs curl (1): apt install curl; make test-all fails without them"
    )
    both = collections.Counter({"chromium": 10, "mariadb-server": 31})
    assert needs.describe_left_out(both).startswith(
        "left out: 41 tests that need mariadb-server (31), chromium (10): "
        "apt install chromium mariadb-server; "
    )


def test_every_need_of_a_test_is_installed_in_ci():
    packages = needs.read_packages()
    assert all(package.purpose for package in packages.values())
    named = set(PACKAGES_OF_SERVERS.values())
    for path in (CHECKOUT / "tests").rglob("test_*.py"):
        if path != Path(__file__):
            named |= set(re.findall(r"mark\.needs\(\"(.*?)\"\)", path.read_text(encoding="utf-8")))
    assert named == {name for name, package in packages.items() if package.programs}


def test_programs_off_the_path_are_found(tmp_path, monkeypatch):
    program = tmp_path / "a-server"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    assert needs.find_program("a-server") is None
    monkeypatch.setattr(needs, "FOLDERS", [str(tmp_path)])
    assert needs.find_program("no-such-program", "a-server") == str(program)


def test_tests_see_no_arguments_of_pytest(tmp_path):
    # As TFX does in every Beam executor: absl would take -v for a level of its log.
    tests = """
import sys
from absl import flags, logging

def test_it():
    assert flags.FLAGS([*sys.argv, "--direct_num_workers=1"], known_only=True)
"""
    code, said = run_pytest(tmp_path, tests, "-x", "-v", "-k", "it", "--pdb")
    assert (code, "1 passed" in said) == (0, True), said
