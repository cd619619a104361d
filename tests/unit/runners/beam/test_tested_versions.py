"""What is replaced in TFX's libraries is replaced in the versions that are pinned, and no other."""

import importlib.metadata
import re
from types import SimpleNamespace

import pytest

from fareline.packages import CHECKOUT
from pipeline.evaluation import tfma_internals
from pipeline.tested_versions import TESTED, untested
from runners.beam import replacing


@pytest.fixture
def installed(monkeypatch):
    """Sets the version of whatever is asked for."""

    def install(version):
        untested.cache_clear()
        monkeypatch.setattr(importlib.metadata, "version", lambda name: version)

    yield install
    untested.cache_clear()


def test_the_versions_are_those_of_the_requirements():
    pinned = {name: set() for name in TESTED}
    for path in (CHECKOUT / "requirements").glob("c*.txt"):
        for name, version in re.findall(r"^([a-z-]+)==(\d+\.\d+)\.", path.read_text(), re.M):
            if name in pinned:
                pinned[name].add(version)
    assert pinned == {name: set(versions) for name, versions in TESTED.items()}


@pytest.mark.parametrize("version", ["1.15.1", "1.17.0", "1.20.3", "1.22.0", "2.16.0", "1.16"])
def test_a_function_of_another_version_stays_as_it_is(installed, version):
    installed(version)
    owner = SimpleNamespace(__name__="tfx_bsl.coders", decode=lambda records: records)
    assert replacing.is_known(owner, "decode", "records") == (version == "1.16")
    other = SimpleNamespace(__name__="apache_beam.coders", decode=lambda records: records)
    assert replacing.is_known(other, "decode", "records")


def test_metrics_of_another_tfma_are_left_to_it(installed):
    installed("0.48.0")
    assert tfma_internals.first_difference(tfma_internals.BATCH_METRICS) == (
        "tensorflow-model-analysis 0.48.0 was not tested; expected 0.47 or 0.52"
    )
