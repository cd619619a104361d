"""Python's garbage collector while tests run, as the commands set it. Loaded by tests/conftest.py.

The test files load about a million objects that stay, and the collector would look at them again
and again: see fareline.collector. What the tests of a file leave is collected at the file's end.
"""

import gc

import pytest

from fareline import collector


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    with collector.paused():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item, nextitem):
    yield
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
