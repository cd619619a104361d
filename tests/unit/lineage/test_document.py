"""docs/lineage.md and records.md agree with the code: commands, properties, the JSON format."""

import json
import re

import pytest

from cli.lineage import app
from fareline import recorded
from fareline.packages import CHECKOUT
from lineage.exports import dump
from lineage.exports.scope import whole_store
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.stores.of_exports import two_runs

QUESTIONS = (CHECKOUT / "docs" / "lineage.md").read_text(encoding="utf-8")
RECORDS = (CHECKOUT / "docs" / "records.md").read_text(encoding="utf-8")


def documented(row):
    """The names in the second column of a row of the table of the JSON format."""
    [line] = [line for line in RECORDS.splitlines() if line.startswith(f"| `{row}` |")]
    return re.findall(r"`([a-z_]+)`", line.partition("` |")[2])


def test_every_recorded_property_is_in_the_table():
    names = [v for k, v in vars(recorded).items() if k.isupper() and k != "METRIC_PREFIX"]
    assert len(names) > 20
    assert [name for name in names if f"`{name}`" not in RECORDS] == []


def test_every_command_has_a_place():
    commands = {c.name or c.callback.__name__.replace("_", "-") for c in app.registered_commands}
    assert {"runs", "show", "export"} <= commands
    assert [name for name in sorted(commands) if f"fareline lineage {name}" not in QUESTIONS] == []


@pytest.mark.parametrize("part", ["runs", "executions", "artifacts", "links"])
def test_the_json_format_has_the_keys_that_are_documented(part, tmp_path):
    graph = Graph(open_store(two_runs(tmp_path / "metadata.db")))
    content = json.loads(dump.to_json(whole_store(graph)))
    assert [key for key in documented(part) if key not in ("input", "output")] == list(
        content[part][0]
    )
    [described] = re.findall(rf"^{part} +((?:.+\n)(?: +.+\n)*)", dump.__doc__, re.MULTILINE)
    said = re.sub(r"\(.*?\)", "", described)
    assert re.findall(r"\w+", said) == list(content[part][0])
