"""What tests need beside what the README asks for: skipped where it is missing, and counted.

A test names the Debian package, one of .ci/packages.txt: `@pytest.mark.needs("curl")`. Where none
of the package's programs is found, the test is skipped with its reason and what to install, and
one line at the end counts what was left out. With CI=true, which `make test-all` sets, it fails
instead. Loaded by tests/conftest.py.
"""

import collections
import dataclasses
import glob
import os
import shutil

import pytest

from fareline.packages import CHECKOUT

PACKAGES = CHECKOUT / ".ci" / "packages.txt"
# Debian keeps PostgreSQL's programs off PATH, newest version first here, and a user's PATH may
# lack the folders of servers.
FOLDERS = [
    *os.environ.get("PATH", "").split(os.pathsep),
    *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True),
    "/usr/local/sbin", "/usr/sbin", "/sbin",
]  # fmt: skip
NEEDS = "needs"


@dataclasses.dataclass(frozen=True)
class Package:
    """One line of .ci/packages.txt.

    Attributes:
        name: Of the Debian package.
        programs: It is there if one of these is; empty if that cannot be seen.
        purpose: What is left without proof where it is missing.
    """

    name: str
    programs: tuple[str, ...]
    purpose: str


def read_packages() -> dict[str, Package]:
    """Reads the list of packages, by name."""
    packages = {}
    for line in PACKAGES.read_text(encoding="utf-8").splitlines():
        facts, _, purpose = line.partition("#")
        if facts.strip():
            name, programs = facts.split()
            alternatives = () if programs == "-" else tuple(programs.split("|"))
            packages[name] = Package(name, alternatives, purpose.strip())
    return packages


def find_program(*names: str) -> str | None:
    """Finds the first of some programs that this machine has."""
    path = os.pathsep.join(FOLDERS)
    return next(filter(None, (shutil.which(name, path=path) for name in names)), None)


def nothing_left_out(environment=os.environ) -> bool:
    """Whether a missing package is a failure."""
    return environment.get("CI", "").lower() not in ("", "0", "false")


def pytest_configure(config):
    config.addinivalue_line(
        "markers", f"{NEEDS}(package): skipped without this one of .ci/packages.txt; fails in CI"
    )


@pytest.hookimpl(tryfirst=True)  # before any fixture is made
def pytest_runtest_setup(item):
    packages = read_packages() if item.get_closest_marker(NEEDS) else {}
    for mark in item.iter_markers(NEEDS):
        [name] = mark.args
        if name not in packages:
            pytest.fail(
                f"needs: {name}, which is not in {PACKAGES.name}; expected one of "
                f"{', '.join(packages)}. Hint: add it there.",
                pytrace=False,
            )
        package = packages[name]
        if package.programs and not find_program(*package.programs):
            _leave_out(item, package)


def _leave_out(item, package):
    found = f"there is no {' or '.join(package.programs)}"
    if nothing_left_out():
        pytest.fail(
            f"needs: {found}; with CI=true no test is left out. Hint: apt install {package.name}, "
            "or as root .ci/install-packages.",
            pytrace=False,
        )
    item.user_properties.append((NEEDS, package.name))
    pytest.skip(f"{found}, so nothing is proved of {package.purpose}: apt install {package.name}")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around pytest's own, to have the last word
def pytest_terminal_summary(terminalreporter):
    yield
    reports = terminalreporter.stats.get("skipped", [])
    left_out = collections.Counter(
        value for report in reports for name, value in report.user_properties if name == NEEDS
    )
    if left_out:
        terminalreporter.write_line(describe_left_out(left_out), yellow=True, bold=True)


def describe_left_out(left_out: collections.Counter) -> str:
    """Says in one line how many tests were left out, for want of what, and what to do."""
    number = left_out.total()
    counts = ", ".join(f"{name} ({count})" for name, count in left_out.most_common())
    return (
        f"left out: {number} {'test that needs' if number == 1 else 'tests that need'} {counts}: "
        f"apt install {' '.join(sorted(left_out))}; make test-all fails without them"
    )
