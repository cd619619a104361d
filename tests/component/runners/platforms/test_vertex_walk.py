"""The way of two models through a Vertex AI on loopback, from the first push to a rollback.

The endpoint answers with the files of the version that it names, through Google's client.
"""

import json

import pytest
from typer.testing import CliRunner

from cli import app as cli
from tests.component.serving import models_for_tests
from tests.unit.runners.platforms.vertex_place import vertex_place

FACTORS = {1: 2.0, 2: 3.0, 3: 5.0}  # by version: it answers y = factor x
X = [1.0, -4.0, 0.25]


@pytest.fixture
def place(tmp_path, monkeypatch):
    with vertex_place(tmp_path, monkeypatch) as running:
        running.answer_from_files()
        yield running


def push(place, version):
    """A run that trains `y = factor x` and pushes it."""
    content = f"model-{version}"
    folder = place.model_folder(content)
    models_for_tests.save_model(folder, factor=FACTORS[version])
    assert place.record(content) == version


def ask(place):
    """The version that answers Google's client, after its answers were compared."""
    version, answers = place.ask([models_for_tests.make_example(x) for x in X])
    assert answers == [[FACTORS[version] * x] for x in X]
    return version


def call(place, *words):
    """What a command prints."""
    where = ("--workspace", str(place.root / "workspace"))
    ran = CliRunner().invoke(cli.app, [*words, *where])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return ran.stdout


def require_live(place, version, shares):
    """Endpoint, client, store and lineage agree on the version that is live."""
    assert place.traffic() == shares and ask(place) == version
    answer = json.loads(call(place, "models", "--vertex", "--json"))
    [there] = answer["destinations"]
    assert {each["version"]: each["percent"] for each in answer["deployed"]} == shares
    assert there["live"] == version
    assert {each["version"]: each["traffic"] for each in there["versions"] if each["traffic"]} == {
        number: share for number, share in shares.items() if share
    }
    shown = call(place, "lineage", "upstream", "live")
    trainers = [line for line in shown.splitlines() if "Trainer@" in line]
    assert len(trainers) == 1 and f"Trainer@run-model-{version}" in trainers[0]


def test_two_models_on_their_way_and_a_rollback(place):
    push(place, 1)
    push(place, 2)
    require_live(place, 1, {1: 90, 2: 10})
    call(place, "promote", "--destination", "vertex")
    require_live(place, 2, {1: 0, 2: 100})
    push(place, 3)
    call(place, "promote", "--destination", "vertex")
    require_live(place, 3, {2: 0, 3: 100})
    words = ("rollback", "--destination", "vertex", "--reason", "tips were wrong", "--json")
    back = json.loads(call(place, *words))
    require_live(place, 2, {2: 100})
    shown = call(place, "lineage", "upstream", back["pushed_model"])
    assert back["execution"] in shown and "Trainer@run-model-2" in shown
    changes = json.loads(call(place, "lineage", "upstream", "live", "--json"))["history"]
    assert [each["change"] for each in changes] == [
        "push", "push", "promote", "push", "promote", "rollback",
    ]  # fmt: skip
    assert [each["live"] for each in changes] == [1, 1, 2, 2, 3, 2]
