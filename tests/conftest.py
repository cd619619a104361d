"""The database servers that several tests ask, interrupts that are heeded, an empty command line.

What a test needs of the machine is in needs.py, what it may take in budgets.py, and what two
workers share in shared.py.
"""

import os
import signal
import sys

import pytest

from tests.servers import PACKAGES, SERVERS

pytest_plugins = ["tests.needs", "tests.budgets"]

# A shell that starts the tests in the background has them ignore interrupts, and so would every
# command that they start; several are about to be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Every Beam executor of TFX hands sys.argv to absl, which takes pytest's -v for its own. Pytest has
# read its arguments by now.
del sys.argv[1:]


@pytest.fixture(
    scope="session",
    params=[pytest.param(s, marks=pytest.mark.needs(PACKAGES[s])) for s in sorted(SERVERS)],
)
def server(request):
    with SERVERS[request.param]() as running:
        yield running


def pytest_collection_modifyitems(items):
    """Has two workers start with the files that take longest, so that they end together."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        longest_first = ("tests/e2e/", "tests/component/", "")
        items.sort(key=lambda item: [item.nodeid.startswith(f) for f in longest_first].index(True))
