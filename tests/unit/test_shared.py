"""What a test run makes once for all of its workers."""

import json

import pytest

from tests import shared
from tests.unit.test_needs import run_pytest

TESTS = """
import os, pathlib, time
import pytest
from tests.shared import once

@pytest.fixture(scope="session")
def costly(tmp_path_factory):
    def make(folder):
        time.sleep(0.5)
        with open(COUNT, "a") as count:
            count.write("made\\n")
        (folder / "result").write_text("42")
        return {"code": 0}
    return once(tmp_path_factory, "costly", make)

@pytest.mark.parametrize("number", range(4))
def test_it(costly, number):
    folder, answer = costly
    assert (folder / "result").read_text() == "42" and answer == {"code": 0}
    with open(COUNT + ".workers", "a") as workers:
        workers.write(os.environ.get("PYTEST_XDIST_WORKER", "one") + "\\n")
    time.sleep(0.2)
"""


@pytest.mark.parametrize(("workers", "names"), [("0", {"one"}), ("2", {"gw0", "gw1"})])
def test_two_workers_make_it_once(tmp_path, workers, names):
    count = tmp_path / "count"
    tests = TESTS.replace("COUNT", repr(str(count)))
    code, said = run_pytest(tmp_path, tests, "-n", workers)
    assert code == 0, said
    assert count.read_text() == "made\n"
    assert set((tmp_path / "count.workers").read_text().split()) == names


def test_what_could_not_be_made_is_not_tried_again(tmp_path, monkeypatch):
    class Factory:
        def getbasetemp(self):
            return tmp_path

    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    made = []

    def fail(folder):
        made.append(folder)
        raise RuntimeError("no luck")

    with pytest.raises(RuntimeError, match="no luck"):
        shared.once(Factory(), "x", fail)
    with pytest.raises(pytest.fail.Exception, match="x could not be made; see the first test"):
        shared.once(Factory(), "x", fail)
    assert len(made) == 1
    folder, answer = shared.once(Factory(), "y", lambda folder: json.loads("[1, null]"))
    assert (folder.is_dir(), answer) == (True, [1, None])
