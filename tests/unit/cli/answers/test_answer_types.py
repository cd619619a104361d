"""Every command that answers JSON has a type for it, and the types hold answers to their keys.

Real answers are held against their types wherever a test asks for them: tests/answers.py.
"""

import json

import pytest
from typer.testing import CliRunner

from cli import app as cli
from cli.answers import answers
from tests.stores.writer import COMPLETE, StoreWriter
from tests.unit.cli.test_habits import COMMANDS


def test_every_command_with_json_has_a_type_and_no_other():
    with_json = {
        words for words, each in COMMANDS.items() if any("--json" in p.opts for p in each.params)
    }
    assert set(answers.ANSWERS) == with_json
    assert len(with_json) > 50


@pytest.mark.parametrize("command", answers.ANSWERS)
def test_objects_with_known_keys_take_no_other(command):
    schema = json.loads(json.dumps(answers.schema_of(command)))
    assert schema["$schema"].startswith("https://json-schema.org/")
    objects = [schema, *schema.get("$defs", {}).values()]
    if command != "report":  # which prints a record as it is
        named = [each for each in objects if "properties" in each]
        assert all(each["additionalProperties"] is False for each in named)
        assert all(each.get("description") for each in named)


GOOD = {"errors": 0, "warnings": 0, "notes": 0, "artifacts": 1, "executions": 1, "events": 1,
        "hashed": 0, "not_looked_at": 0, "findings": []}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"errors": None}, "errors"),
        ({"errors": "0"}, "errors"),
        ({"findings": [{"id": "Model:1"}]}, "findings.0.what"),
        ({"more": 1}, "more"),
    ],
)
def test_an_answer_of_another_kind_is_told_by_its_place(change, said):
    answers.require_as_declared("lineage verify", json.dumps(GOOD))
    with pytest.raises(ValueError, match=f"\n{said}\n"):
        answers.require_as_declared("lineage verify", json.dumps(GOOD | change))
    for key in GOOD:
        with pytest.raises(ValueError, match=f"\n{key}\n  Field required"):
            answers.require_as_declared(
                "lineage verify", json.dumps({k: v for k, v in GOOD.items() if k != key})
            )


def test_whatever_a_test_asks_for_is_held_against_its_type(tmp_path, monkeypatch):
    writer = StoreWriter(tmp_path / "metadata.db")
    writer.add_execution("taxi", "run-1", "Gen", state=COMPLETE)
    asked = ["lineage", "verify", "--json", "--store", f"sqlite:{tmp_path}/metadata.db"]
    assert CliRunner().invoke(cli.app, asked).exception is None
    monkeypatch.setitem(answers.ANSWERS, "lineage verify", answers.ANSWERS["status"])
    assert "last_run\n  Field required" in str(CliRunner().invoke(cli.app, asked).exception)
