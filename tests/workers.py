"""How tests are dealt out to the workers of pytest-xdist. Loaded by tests/conftest.py.

A file stays with one worker, since its tests share module fixtures; the files that look at the same
runs stay with one too, since each worker makes session fixtures of its own. Files that take longest
go first, so that the workers end together.
"""

import os

import pytest
from xdist.scheduler import LoadFileScheduling

# They share session fixtures of tests/e2e/conftest.py, in the order in which these are cheapest.
SHARING_RUNS = tuple(
    f"tests/e2e/{name}.py"
    for name in (
        "test_three_runs",
        "test_recorded",
        "test_why",
        "test_report",
        "glance/test_python",
        "test_documents",
        "test_publishing",
        "test_faults",
        "repeated/test_same_twice",
        "steps/test_steps",
        "steps/test_two_pipelines",
    )
)
LONGEST_FIRST = (*SHARING_RUNS, "tests/e2e/", "tests/component/", "")


class SharedRunsTogether(LoadFileScheduling):
    """Deals out files, those that share runs as if they were one."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)


def share_of(nodeid: str) -> str:
    """Names what a test is dealt out with: its file, or the first of the files that share runs."""
    file = nodeid.partition("::")[0]
    return SHARING_RUNS[0] if file in SHARING_RUNS else file


def rank(nodeid: str) -> int:
    """Counts what goes before a test; smaller is earlier."""
    return next(i for i, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return SharedRunsTogether(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: rank(item.nodeid))
