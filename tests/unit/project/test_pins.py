"""The pins of the current stack: what every set must hold, and what beats a package's own wish."""

import re

import farmhash
import pytest

from fareline.packages import CHECKOUT

REQUIREMENTS = CHECKOUT / "requirements"
PYTHONS = ("py310", "py311", "py312", "py313")


def pinned(name):
    text = (REQUIREMENTS / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^ ]+)", text, re.MULTILINE))


@pytest.mark.parametrize("python", PYTHONS)
def test_each_python_gets_the_same_tfx_and_what_tfx_lacks(python):
    pins = pinned(f"current-{python}.txt")
    assert pins["tfx"] == "1.21.0"
    for name in ("tensorflow", "tensorboard"):
        assert pins[name].startswith("2.21.")
    assert pins["kfp"].startswith("2.")
    assert {"pydantic", "typer", "rich", "pyyaml", "filelock", "psutil", "dill"} <= set(pins)


@pytest.mark.parametrize("python", PYTHONS)
def test_the_test_tools_agree_with_what_runs(python):
    runs, tests = pinned(f"current-{python}.txt"), pinned(f"current-{python}-dev.txt")
    assert {"pytest", "ruff", "import-linter"} <= set(tests)
    assert {name: tests[name] for name in runs.keys() & tests} == {
        name: runs[name] for name in runs.keys() & tests
    }


@pytest.mark.parametrize("python", PYTHONS)
def test_farmhash_is_the_one_with_wheels(python):
    assert int(pinned(f"current-{python}.txt")["pyfarmhash"].split(".")[1]) >= 5


def test_farmhash_answers_the_same_on_every_stack():
    # TFDV asks for <0.4 and gets 0.5 on the current stack. These values are those of 0.3.2.
    assert farmhash.fingerprint64("taxi" * 10) == 4617170636177156854
    assert farmhash.fingerprint32("taxi" * 10) == 2996739942
    assert farmhash.fingerprint64("") == 11160318154034397263
