"""The database servers that several tests ask, and interrupts that are heeded."""

import signal

import pytest

from tests.servers import SERVERS, start

# A shell that starts the tests in the background has them ignore interrupts, and so would every
# command that they start; several are about to be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", params=sorted(SERVERS))
def server(request):
    with start(request.param) as running:
        yield running
