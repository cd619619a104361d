"""The database servers that several tests ask; each starts when the first test wants it."""

import pytest

from tests.servers import SERVERS, start


@pytest.fixture(scope="session", params=sorted(SERVERS))
def server(request):
    with start(request.param) as running:
        yield running
