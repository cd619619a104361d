"""Chains as trees and as JSON, the ends outside of the store, and how one thing led to another."""

import io
import json

import pytest
from rich.console import Console

from fareline.errors import UserMistake
from lineage import ids
from lineage.answers.chain.chain import Wanted, chain_as_json, find_chain
from lineage.answers.chain.path_view import draw_paths
from lineage.answers.chain.paths import find_paths, paths_as_json
from lineage.answers.chain.view import draw_chain
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from tests.stores.big import write_store
from tests.stores.writer import CACHED, StoreWriter, artifact

SHA = "ab" * 32


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metadata.db"


@pytest.fixture
def two_runs(path):
    """Run 2 takes the examples from the cache and compares its model with that of run 1."""
    writer = StoreWriter(path)
    files = json.dumps([{"path": "/d/trips.csv", "bytes": 1500, "sha256": SHA}])
    outputs = {"examples": [artifact("/e", span=3, source_files=files)]}
    writer.add_execution("taxi", "run-1", "ExampleGen", outputs=outputs)
    for run, baseline in (("run-1", []), ("run-2", [("baseline_model", 2)])):
        if run == "run-2":
            writer.add_execution("taxi", run, "ExampleGen", CACHED, reused=[("examples", 1)])
        writer.add_execution("taxi", run, "Trainer", inputs=[("examples", 1)],
                             outputs={"model": [artifact(f"/{run}/m")]})  # fmt: skip
        inputs = [("model", writer.artifact_ids[0]), ("examples", 1), *baseline]
        writer.add_execution("taxi", run, "Evaluator", inputs=inputs,
                             outputs={"blessing": [artifact(f"/{run}/b")]})  # fmt: skip
    return path


def chain(path, asked, is_upstream=True, **wanted):
    graph = Graph(open_store(path))
    return find_chain(graph, ids.find(graph, asked), is_upstream, Wanted(**wanted))


def printed(draw, *args, width=200):
    console = Console(width=width, record=True, file=io.StringIO(), highlight=False)
    draw(console, *args)
    return [line.rstrip() for line in console.export_text().splitlines()]


def tree(path, *args, show_all=False, width=200, **wanted):
    return printed(draw_chain, chain(path, *args, **wanted), show_all, width=width)


def test_upstream_as_a_tree_down_to_the_file(two_runs):
    assert tree(two_runs, "ModelBlessing:5") == [
        "ModelBlessing:5",
        "└── Evaluator@run-2 (blessing)",
        "    ├── Examples:1 span 3 +1 cached (examples)",
        "    │   └── ExampleGen@run-1 (examples)",
        f"    │       └── /d/trips.csv 1.5 kB sha256 {SHA[:12]}",
        "    ├── Model:2 (baseline_model) baseline (not followed; --through-baselines)",
        "    └── Model:4 (model)",
        "        └── Trainer@run-2 (model)",
        "            └── Examples:1 span 3 +1 cached (examples) ↑ shown above",
    ]


def test_a_baseline_is_followed_and_marked_if_asked_for(two_runs):
    lines = tree(two_runs, "ModelBlessing:5", through_baselines=True)
    assert "    ├── Model:2 (baseline_model) baseline" in lines
    assert "    │   └── Trainer@run-1 (model)" in lines


def test_downstream_as_a_tree(two_runs):
    assert tree(two_runs, "Trainer@run-1", False) == [
        "Trainer@run-1",
        "└── Model:2 (model)",
        "    ├── Evaluator@run-1 (model)",
        "    │   └── ModelBlessing:3 (blessing)",
        "    └── Evaluator@run-2 (baseline_model) baseline (not followed; --through-baselines)",
    ]


def test_depth_counts_from_the_start(two_runs):
    assert tree(two_runs, "ModelBlessing:5", depth=2)[1:] == [
        "└── Evaluator@run-2 (blessing)",
        "    ├── Examples:1 span 3 (examples)",
        "    ├── Model:2 (baseline_model) baseline (not followed; --through-baselines)",
        "    └── Model:4 (model)",
    ]


def test_what_was_cut_for_its_depth_is_shown_where_it_is_nearer(path):
    """The examples are three steps away by the first branch, and one by the second."""
    writer = StoreWriter(path)
    writer.add_execution("taxi", "r", "ExampleGen", outputs={"examples": [artifact("/e")]})
    writer.add_execution("taxi", "r", "Transform", inputs=[("examples", 1)],
                         outputs={"transform_graph": [artifact("/g")]})  # fmt: skip
    writer.add_execution("taxi", "r", "Trainer", inputs=[("examples", 1), ("transform_graph", 2)],
                         outputs={"model": [artifact("/m")]})  # fmt: skip
    graph = Graph(open_store(path))
    walk = find_chain(graph, ids.find(graph, "Model:3"), True, Wanted(depth=4))
    walk.trace.steps.sort(key=lambda step: -step.target.id)  # the longer branch first
    assert printed(draw_chain, walk) == [
        "Model:3",
        "└── Trainer@r (model)",
        "    ├── TransformGraph:2 (transform_graph)",
        "    │   └── Transform@r (transform_graph)",
        "    │       └── Examples:1 (examples)",
        "    └── Examples:1 (examples)",
        "        └── ExampleGen@r (examples)",
    ]


def test_only_branches_that_lead_to_a_type(two_runs):
    assert tree(two_runs, "ModelBlessing:5", type="model") == [
        "ModelBlessing:5",
        "└── Evaluator@run-2 (blessing)",
        "    ├── Model:2 (baseline_model) baseline (not followed; --through-baselines)",
        "    └── Model:4 (model)",
    ]
    content = chain_as_json(chain(two_runs, "ModelBlessing:5", type="model"))
    ends = ["ModelBlessing:5", "Evaluator@run-2", "Model:2", "Model:4"]
    assert [node["id"] for node in content["nodes"]] == ends
    assert (content["type"], content["sources"]) == ("Model", [])
    assert tree(two_runs, "Model:2", type="ModelB") == ["Model:2: no ModelBlessing upstream"]


def test_a_type_that_is_not_there(two_runs):
    with pytest.raises(UserMistake, match="--type Modle: .* Hint: did you mean Model"):
        chain(two_runs, "Model:2", type="Modle")
    with pytest.raises(UserMistake, match="--type mo: is 2 types; expected one. Hint: did you"):
        chain(two_runs, "Model:2", type="mo")


def test_a_run_starts_from_all_its_outputs_upstream_and_its_executions_downstream(two_runs):
    lines = tree(two_runs, "run-2")
    assert [line for line in lines if line[0].isalpha()] == ["ModelBlessing:5"]
    lines = tree(two_runs, "run-2", False)
    starts = [line.partition(" ")[0] for line in lines if line[0].isalpha()]
    assert starts == ["Trainer@run-2"]


def test_a_cached_execution_leads_on_to_who_made_its_outputs(two_runs):
    content = chain_as_json(chain(two_runs, "ExampleGen@run-2"))
    assert content["starts"] == ["ExampleGen@run-2", "Examples:1"]
    assert content["sources"][0]["place"] == "/d/trips.csv"


def test_a_chain_as_json(two_runs):
    content = chain_as_json(chain(two_runs, "Model:4"))
    assert content == {
        "start": "Model:4",
        "direction": "upstream",
        "starts": ["Model:4"],
        "type": None,
        "nodes": [
            {
                "id": "Model:4",
                "number": 4,
                "kind": "artifact",
                "type": "Model",
                "uri": "/run-2/m",
                "state": "live",
                "span": None,
                "cached": 0,
                "followed": True,
                "depth": 0,
            },
            {
                "id": "Trainer@run-2",
                "number": 5,
                "kind": "execution",
                "node": "Trainer",
                "run": "run-2",
                "pipeline": "taxi",
                "state": "executed",
                "followed": True,
                "depth": 1,
            },
            {
                "id": "Examples:1",
                "number": 1,
                "kind": "artifact",
                "type": "Examples",
                "uri": "/e",
                "state": "live",
                "span": 3,
                "cached": 1,
                "followed": True,
                "depth": 2,
            },
            {
                "id": "ExampleGen@run-1",
                "number": 1,
                "kind": "execution",
                "node": "ExampleGen",
                "run": "run-1",
                "pipeline": "taxi",
                "state": "executed",
                "followed": True,
                "depth": 3,
            },
        ],
        "edges": [
            {"from": "Trainer@run-2", "to": "Model:4", "keys": ["model"], "baseline": False},
            {"from": "Examples:1", "to": "Trainer@run-2", "keys": ["examples"], "baseline": False},
            {"from": "ExampleGen@run-1", "to": "Examples:1", "keys": ["examples"],
             "baseline": False},
        ],
        "sources": [
            {
                "execution": "ExampleGen@run-1",
                "artifact": "Examples:1",
                "place": "/d/trips.csv",
                "sha256": SHA,
                "files": 1,
                "bytes": 1500,
                "times_checksum": None,
            }
        ],
        "history": [],
        "earlier_changes": 0,
    }  # fmt: skip
    assert chain_as_json(chain(two_runs, "Model:4")) == content


def test_of_many_pushes_the_last_ten_are_listed_and_read(path):
    writer = StoreWriter(path)
    for number in range(1, 31):
        pushed = artifact(f"/p/{number}", pushed=1, pushed_destination=f"/serving/taxi/{number}")
        writer.add_execution("taxi", f"run-{number}", "Pusher", outputs={"pushed_model": [pushed]})
    content = chain_as_json(chain(path, "live"))
    assert [each["live"] for each in content["history"]] == [*range(21, 31)]
    assert content["earlier_changes"] == 20
    assert tree(path, "live")[3:5] == [
        "What was live at /serving/taxi:",
        "… 20 earlier changes (--all)",
    ]
    whole = chain_as_json(chain(path, "live", changes=None))
    assert len(whole["history"]) == 30 and whole["earlier_changes"] == 0


def test_edges_downstream_point_the_same_way(two_runs):
    content = chain_as_json(chain(two_runs, "Model:2", False))
    assert content["edges"][0] == {
        "from": "Model:2", "to": "Evaluator@run-1", "keys": ["model"], "baseline": False,
    }  # fmt: skip
    assert [n["id"] for n in content["nodes"] if not n["followed"]] == ["Evaluator@run-2"]


def test_a_wide_fan_is_cut_by_kind(path):
    writer = StoreWriter(path)
    writer.add_execution("taxi", "run-00", "ExampleGen", outputs={"examples": [artifact("/e")]})
    for run in range(30):
        for node in ("Transform", "Evaluator"):
            writer.add_execution("taxi", f"run-{run:02}", node, inputs=[("examples", 1)])
    lines = tree(path, "Examples:1", False)
    assert lines[1:4] == [
        "├── Transform@run-00 (examples)",
        "├── Evaluator@run-00 (examples)",
        "├── Transform@run-01 (examples)",
    ]
    assert lines[11:] == [
        "├── … and 25 more Transform (examples) (--all)",
        "└── … and 25 more Evaluator (examples) (--all)",
    ]
    assert len(tree(path, "Examples:1", False, show_all=True)) == 61
    assert len(chain_as_json(chain(path, "Examples:1", False))["nodes"]) == 61


def test_a_chain_that_is_deeper_than_any_terminal(path):
    """Each model begins with the weights of the one before."""
    writer = StoreWriter(path)
    for run in range(60):
        inputs = [("base_model", run)] if run else []
        writer.add_execution("taxi", f"run-{run:02}", "Trainer", inputs=inputs,
                             outputs={"model": [artifact(f"/{run}")]})  # fmt: skip
    lines = tree(path, "Model:60", width=300)
    assert len(lines) == 42
    assert lines[-1].strip() == "└── … goes on: fareline lineage upstream Model:40"
    assert len(chain_as_json(chain(path, "Model:60"))["nodes"]) == 120


def test_hostile_names_are_shown_as_they_are(path):
    writer = StoreWriter(path)
    files = json.dumps([{"path": "[red]/d[/]\x1b[31m" + "x" * 4096, "bytes": 1, "sha256": SHA}])
    outputs = {"examples": [artifact("/e", span="[b]3\n", source_files=files)]}
    writer.add_execution("t", "run[/]\x1b", "Example[bold]Gen", outputs=outputs)
    lines = tree(path, "Examples:1")
    assert lines[0] == "Examples:1 span [b]3\\n"
    assert lines[1] == "└── Example[bold]Gen@run[/]\\x1b (examples)"
    assert lines[2].startswith("    └── [red]/d[/]\\x1b[31mxxx")
    assert lines[2].endswith(f"… (4,111 characters) 1 byte sha256 {SHA[:12]}")
    assert len(lines) == 3


def test_a_narrow_terminal_breaks_lines_and_cuts_nothing(two_runs):
    console = Console(width=30, force_terminal=True, file=io.StringIO(), color_system=None)
    draw_chain(console, chain(two_runs, "Model:4"))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 30
    assert SHA[:12] in "".join(line.strip(" │") for line in lines)


def test_a_pipeline_has_no_chain(two_runs):
    with pytest.raises(UserMistake, match="taxi: is a pipeline; expected something that a run"):
        chain(two_runs, "taxi")


def test_the_chain_of_one_model_asks_as_much_of_a_large_store_as_of_a_small_one(tmp_path):
    """Hence it takes as long in one of 100,000 executions."""
    asked = {}
    for runs in (20, 200):
        write_store(tmp_path / f"{runs}.db", runs)
        store = open_store(tmp_path / f"{runs}.db")
        counts = asked[runs] = {}
        for name in dir(store):
            if name.startswith("get_"):
                real = getattr(store, name)

                def ask(*args, name=name, real=real, counts=counts, **options):
                    answer = real(*args, **options)
                    size = len(answer) if isinstance(answer, list) else 1
                    # All runs are listed, small as they are, since an id may be a run's.
                    size = 0 if name == "get_contexts_by_type" else size
                    questions, elements = counts.get(name, (0, 0))
                    counts[name] = (questions + 1, elements + size)
                    return answer

                setattr(store, name, ask)
        graph = Graph(store)
        found = find_chain(graph, ids.find(graph, "Model:100"), True, Wanted())
        assert len(found.trace.depths) == 11
    assert asked[20] == asked[200]
    assert sum(elements for _, elements in asked[200].values()) < 250


# Paths.


def paths(path, a, b):
    graph = Graph(open_store(path))
    return find_paths(graph, ids.find(graph, a), ids.find(graph, b))


def test_how_one_led_to_the_other_in_either_order(two_runs):
    found = paths(two_runs, "Examples:1", "Model:4")
    assert printed(draw_paths, found) == [
        "Examples:1 led to Model:4 in 2 steps:",
        "  Examples:1",
        "  → Trainer@run-2 (examples)",
        "  → Model:4 (model)",
    ]
    swapped = paths(two_runs, "Model:4", "Examples:1")
    assert (swapped.swapped, swapped.paths) == (True, found.paths)
    assert printed(draw_paths, swapped)[0] == "The other way round:"
    assert paths_as_json(swapped) == {
        "from": "Examples:1",
        "to": "Model:4",
        "swapped": True,
        "same": False,
        "paths": [
            [
                {"from": "Examples:1", "to": "Trainer@run-2", "keys": ["examples"],
                 "baseline": False},
                {"from": "Trainer@run-2", "to": "Model:4", "keys": ["model"], "baseline": False},
            ]
        ],
    }  # fmt: skip


def test_the_shortest_is_taken(two_runs):
    [path] = paths(two_runs, "Examples:1", "ModelBlessing:5").paths
    assert [step.target.key for step in path] == ["Evaluator@run-2", "ModelBlessing:5"]


def test_a_comparison_is_a_way_only_if_there_is_no_other(two_runs):
    [path] = paths(two_runs, "Model:2", "ModelBlessing:5").paths
    assert [step.is_baseline for step in path] == [True, False]
    lines = printed(draw_paths, paths(two_runs, "Model:2", "ModelBlessing:5"))
    assert lines[2] == "  → Evaluator@run-2 (baseline_model) baseline"


def test_no_path_is_said_plainly(two_runs):
    found = paths(two_runs, "Model:2", "Model:4")
    assert paths_as_json(found)["paths"] == []
    assert printed(draw_paths, found) == [
        "No path: neither did Model:2 lead to Model:4 nor the other way round."
    ]


def test_something_and_itself(two_runs):
    assert paths(two_runs, "Model:2", "Model:2").both_in_one
    assert paths(two_runs, "run-1", "Model:2").both_in_one
    assert not paths(two_runs, "run-2", "Model:2").both_in_one


def test_all_the_shortest_up_to_three(path):
    writer = StoreWriter(path)
    writer.add_execution("taxi", "r", "ExampleGen", outputs={"examples": [artifact("/e")]})
    graphs = [artifact(f"/{i}") for i in range(4)]
    writer.add_execution("taxi", "r", "Transform", inputs=[("examples", 1)],
                         outputs={"transform_graph": graphs})  # fmt: skip
    writer.add_execution("taxi", "r", "Trainer", outputs={"model": [artifact("/m")]},
                         inputs=[("transform_graph", i) for i in (2, 3, 4, 5)])  # fmt: skip
    found = paths(path, "Examples:1", "Model:6").paths
    assert [path[1].target.key for path in found] == [f"TransformGraph:{i}" for i in (2, 3, 4)]
