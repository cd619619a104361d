"""The database servers that several tests ask, interrupts that are heeded, an empty command line.

What a test needs of the machine is in needs.py, what its folder may take in budgets.py, how tests
are dealt out in workers.py, when garbage is collected in garbage.py, where temporary files are in
temporary.py, how tests that are left out are counted in deselected.py, and what holds JSON answers
against their types in answers.py.
"""

import signal
import sys

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import PACKAGES, SERVERS

pytest_plugins = [
    f"tests.{name}"
    for name in ("needs", "budgets", "workers", "garbage", "temporary", "deselected", "answers")
]

# A shell that starts the tests in the background has them ignore interrupts, and so would every
# command that they start; several are about to be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes is that of a machine that others use, too.
settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("unhurried")

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
