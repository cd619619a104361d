"""Counts deselected tests in pytest's last line where workers of pytest-xdist collected them.

Pytest counts what `-m "not replay"` leaves out, but only in the process that collects; with workers
the last line would not say that anything was left out. Loaded by tests/conftest.py.
"""

import types

import pytest

DESELECTED = "deselected"
_count = pytest.StashKey[int]()


def pytest_deselected(items):
    if items:
        stash = items[0].config.stash
        stash[_count] = stash.get(_count, 0) + len(items)


def pytest_sessionfinish(session):
    output = getattr(session.config, "workeroutput", None)
    if output is not None:  # this is a worker
        output[DESELECTED] = session.config.stash.get(_count, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Each worker collects all tests, so that the greatest count is that of all."""
    stats = node.config.pluginmanager.get_plugin("terminalreporter").stats
    count = (getattr(node, "workeroutput", None) or {}).get(DESELECTED, 0)
    if count:
        stats[DESELECTED] = [
            types.SimpleNamespace() for _ in range(max(count, len(stats.get(DESELECTED, ()))))
        ]  # pytest counts them; other plugins look for attributes
