"""Beam as a local run has it."""

import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def _beam_in_process():
    """Otherwise Beam looks for the binary of another runner first, each time."""
    if "apache_beam" in sys.modules:  # of tests that run no pipeline none waits for it
        from runners.beam.engine import run_beam_in_process

        run_beam_in_process()
