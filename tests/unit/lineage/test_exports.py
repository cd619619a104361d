"""Exports hold what the store holds, are well-formed whatever stands in it, and never vary."""

import base64
import json
import re
import sqlite3

import pydot
import pytest

from fareline.errors import UserMistake
from lineage.exports.dot import to_dot
from lineage.exports.dump import to_json
from lineage.exports.mermaid import MOST_LINKS, to_mermaid, too_large
from lineage.exports.openlineage import to_openlineage
from lineage.exports.scope import around, whole_store
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from lineage.text.harmless import plain
from tests.stores.of_exports import HOSTILE, hostile, two_runs

WRITERS = {"dot": to_dot, "mermaid": to_mermaid, "json": to_json, "openlineage": to_openlineage}


@pytest.fixture
def path(tmp_path):
    return two_runs(tmp_path / "metadata.db")


@pytest.fixture
def graph(path):
    return Graph(open_store(path))


@pytest.fixture(scope="module")
def hostile_scope(tmp_path_factory):
    return whole_store(Graph(open_store(hostile(tmp_path_factory.mktemp("h") / "metadata.db"))))


def keys(scope):
    return [element.key for element in (*scope.executions, *scope.artifacts)]


# What is exported.


def test_the_last_run_and_all_that_it_read(graph):
    scope = around(graph)
    assert scope.title == "run-2"
    assert keys(scope) == [
        "ExampleGen@run-2",
        "Trainer@run-2",
        "Evaluator@run-2",
        "Pusher@run-2",
        "Examples:1",
        "Model:2",
        "Model:4",
    ]
    assert list(scope.runs) == ["run-2"]
    assert scope.pipelines == ("taxi",)


def test_an_artifact_with_what_it_came_from_and_what_came_from_it(graph):
    assert keys(around(graph, "Model:2")) == [
        "ExampleGen@run-1",
        "Trainer@run-1",
        "Evaluator@run-1",
        "Evaluator@run-2",  # it compared another model with this one
        "Examples:1",
        "Model:2",
        "ModelBlessing:3",
    ]


def test_a_pipeline_is_all_its_runs(graph):
    whole = whole_store(graph)
    assert keys(around(graph, "taxi")) == keys(whole)
    assert len(whole.executions) == 7
    assert len(whole.artifacts) == 4


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_store_gives_the_same_bytes(path, name):
    texts = {WRITERS[name](whole_store(Graph(open_store(path)))) for _ in range(2)}
    assert len(texts) == 1
    assert "run-1" in texts.pop() or name == "openlineage"


def test_what_is_not_there_is_refused(graph):
    with pytest.raises(UserMistake, match="Model:77: is not in the store"):
        around(graph, "Model:77")


# JSON.


def test_json_holds_every_row_of_the_store(path, graph):
    content = json.loads(to_json(whole_store(graph)), parse_constant=pytest.fail)
    assert (content["format"], content["version"], content["scope"]) == (
        "fareline-lineage",
        1,
        "store",
    )
    # The rows, straight from SQLite: not through the code under test.
    with sqlite3.connect(path) as connection:
        events = connection.execute("select artifact_id, execution_id, type from Event").fetchall()
        artifacts = connection.execute("select id, uri from Artifact").fetchall()
        properties = connection.execute(
            "select artifact_id, name, int_value, double_value, string_value from ArtifactProperty"
            " where is_custom_property"
        ).fetchall()
    read = {"input": 3, "output": 4}  # of metadata_store.proto: Event.Type
    assert sorted(events) == sorted(
        (k["artifact"], k["execution"], read[k["direction"]]) for k in content["links"]
    )
    assert sorted(artifacts) == [(a["id"], a["uri"]) for a in content["artifacts"]]
    dumped = {
        (a["id"], name): value
        for a in content["artifacts"]
        for name, value in a["custom_properties"].items()
    }
    stored = {row[:2]: next(v for v in row[2:] if v is not None) for row in properties}
    # TFX's way of keeping a list.
    assert "[NaN, 0.5]" in base64.b64decode(stored.pop((4, "ratios")).partition(":")[2]).decode()
    assert dumped.pop((4, "ratios")) == ["NaN", 0.5]
    assert dumped == stored
    assert content["runs"][1]["properties"] == {"git_commit": "c" * 40, "runner": "local"}
    assert content["pipelines"] == ["taxi"]
    assert [e["state"] for e in content["executions"]].count("cached") == 1


def test_json_says_of_an_artifact_what_the_store_says(graph):
    [model] = [a for a in json.loads(to_json(around(graph)))["artifacts"] if a["id"] == 4]
    assert model.pop("created") == model.pop("updated") > 1.7e12
    assert model == {
        "id": 4,
        "key": "Model:4",
        "type": "Model",
        "name": "",
        "uri": "gs://bucket/model/5",
        "state": "live",
        "properties": {},
        "custom_properties": {"ratios": ["NaN", 0.5]},
    }


def test_json_keeps_hostile_names_as_they_are(hostile_scope):
    content = json.loads(to_json(hostile_scope))
    assert [a["name"] for a in content["artifacts"]] == list(HOSTILE)
    assert [a["custom_properties"] for a in content["artifacts"]] == [{n: n} for n in HOSTILE]
    assert [e["node"] for e in content["executions"]] == list(HOSTILE)


# Graphviz.


def unquoted(text):
    """What a label says, from its DOT source: the rules of Graphviz's escString, backwards."""
    inside = text[1:-1] if text.startswith('"') else text
    inside = inside.replace('\\"', '"')
    lines = re.split(r"(?<!\\)(?:\\\\)*\\n", inside.replace("\\\\", "\x01"))
    return [line.replace("\x01", "\\").replace("&amp;", "&") for line in lines]


def test_dot_draws_executions_as_boxes_and_artifacts_as_ellipses(graph):
    [drawn] = pydot.graph_from_dot_data(to_dot(whole_store(graph)))
    nodes = {node.get_name(): node for node in drawn.get_nodes() if node.get("label")}
    assert [unquoted(n.get("label")) for n in nodes.values()][3:8] == [
        ["ExampleGen", "run-2", "cached"],
        ["Trainer", "run-2", "executed"],
        ["Evaluator", "run-2", "failed"],
        ["Pusher", "run-2", "running"],
        ["Examples:1"],
    ]
    assert {n: node.get("shape") for n, node in nodes.items()} == {
        **{f"e{i}": "box" for i in range(1, 8)},
        **{f"a{i}": "ellipse" for i in range(1, 5)},
    }
    assert nodes["e4"].get("style") == '"filled,dashed"'
    assert "rankdir=LR" in drawn.to_string()
    edges = {(e.get_source(), e.get_destination()): e.get("label") for e in drawn.get_edges()}
    assert edges[("a2", "e6")] == "baseline"
    assert edges[("e5", "a4")] is None
    assert len(edges) == 13


def test_dot_stays_whole_whatever_the_names_hold(hostile_scope):
    [drawn] = pydot.graph_from_dot_data(to_dot(hostile_scope))
    nodes = [node for node in drawn.get_nodes() if node.get("label")]
    assert len(nodes) == 2 * len(HOSTILE)
    assert len(drawn.get_edges()) == 2 * len(HOSTILE) - 1
    shown = [plain(name, 60) for name in HOSTILE]
    assert [unquoted(node.get("label")) for node in nodes[: len(HOSTILE)]] == [
        [name, "executed"] for name in shown
    ]
    assert not any(node.get("label").startswith("<") for node in nodes)


# Mermaid.

_ENTITY = re.compile(r"#(\d+);")
# What a line may be. Stricter than Mermaid's own grammar, whose traps it keeps out of: labels are
# quoted, and hold words, spaces, entity codes and line breaks only.
_LABEL = r'"(?:\w|[.-]|\ |\#\d+;|<br/>)*"'
_LINE = re.compile(
    rf"""flowchart\ LR
    |\ \ e\d+\[{_LABEL}\]:::(executed|cached|failed|running|unknown)
    |\ \ a\d+\(\[{_LABEL}\]\):::artifact
    |\ \ [ae]\d+\ (-->|-\.\ baseline\ \.->)\ [ae]\d+
    |\ \ classDef\ \w+\ fill:\#\w+,stroke:\#\w+,color:\#\w+(,stroke-dasharray:5\ 5)?""",
    re.VERBOSE,
)


def mermaid_labels(text):
    found = re.findall(r'^  e\d+\["(.*)"\]', text, re.MULTILINE)
    said = [_ENTITY.sub(lambda m: chr(int(m[1])), label) for label in found]
    return [label.replace("\u2060", "").split("<br/>") for label in said]


def test_mermaid_draws_states_and_the_baseline(graph):
    lines = to_mermaid(around(graph)).splitlines()
    assert lines[:6] == [
        "flowchart LR",
        '  e4["ExampleGen<br/>cached"]:::cached',
        '  e5["Trainer<br/>executed"]:::executed',
        '  e6["Evaluator<br/>failed"]:::failed',
        '  e7["Pusher<br/>running"]:::running',
        '  a1(["Examples#58;1"]):::artifact',
    ]
    assert "  a2 -. baseline .-> e6" in lines
    assert "  e5 --> a4" in lines
    assert "  a4 --> e7" in lines


def test_mermaid_labels_say_the_names_and_nothing_else(hostile_scope):
    text = to_mermaid(hostile_scope)
    assert [line for line in text.splitlines() if not _LINE.fullmatch(line)] == []
    shown = [plain(name, 60) for name in HOSTILE]
    assert mermaid_labels(text) == [[name, "executed"] for name in shown]
    # Two things that Mermaid looks for in whole lines, before it knows of labels.
    assert not re.search(r"direction\s+(LR|RL|TB|BT)", text)
    assert not re.search(r"style.*:\S*#.*;", text)


def test_mermaid_says_when_viewers_will_refuse_it(graph):
    assert too_large(to_mermaid(whole_store(graph))) is None
    many = "flowchart LR\n" + "  a1 --> e1\n" * (MOST_LINKS + 1)
    said = "6,025 characters and 501 links; Mermaid's default limits are 50,000 and 500"
    assert too_large(many) == said
