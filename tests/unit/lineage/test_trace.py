"""Walks up and down, on hand-made stores of every awkward shape."""

import itertools

import pytest

from lineage.graph.graph import Graph
from lineage.graph.trace import trace_downstream, trace_upstream
from lineage.store.open import open_store
from tests.stores.writer import CACHED, FAILED, RUNNING, StoreWriter, artifact


class Store:
    """A store that is written line by line; artifacts are named by key."""

    def __init__(self, path):
        self.path = path
        self.writer = StoreWriter(path)
        self.ids = {}

    def execute(self, node, run="run-1", inputs=None, outputs=None, **rest):
        """`inputs` and `outputs`: key to the name of an artifact; a new name is a new artifact."""
        outputs = outputs or {}
        new = {key: name for key, name in outputs.items() if name not in self.ids}
        self.writer.add_execution(
            rest.pop("pipeline", "taxi"),
            run,
            node,
            outputs={key: [artifact(f"/{name}")] for key, name in new.items()},
            reused=[(k, self.ids[name]) for k, name in outputs.items() if name in self.ids],
            inputs=[(key, self.ids[name]) for key, name in (inputs or {}).items()],
            **rest,
        )
        self.ids.update(zip(new.values(), self.writer.artifact_ids, strict=False))

    def walk(self, walk, *names, **options):
        graph = Graph(open_store(self.path))
        return walk(graph, graph.artifacts(self.ids[name] for name in names), **options)

    def up(self, *names, **options):
        return reached(self.walk(trace_upstream, *names, **options))

    def down(self, *names, **options):
        return reached(self.walk(trace_downstream, *names, **options))


def reached(trace):
    """Uri or printable id, to depth."""
    return {getattr(node, "uri", node.key): depth for node, depth in trace.depths.items()}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "metadata.db")


@pytest.fixture
def diamond(store):
    """The examples reach the model by two ways, and its evaluation by a third."""
    store.execute("ExampleGen", outputs={"examples": "e"})
    store.execute("Transform", inputs={"examples": "e"}, outputs={"transform_graph": "g"})
    store.execute("Tuner", inputs={"examples": "e"}, outputs={"best_hyperparameters": "h"})
    store.execute(
        "Trainer", inputs={"transform_graph": "g", "hyperparameters": "h"}, outputs={"model": "m"}
    )
    store.execute("Evaluator", inputs={"model": "m", "examples": "e"}, outputs={"blessing": "b"})
    return store


def test_a_diamond_is_walked_once_each_way(diamond):
    assert diamond.up("m") == {
        "/m": 0,
        "Trainer@run-1": 1,
        "/g": 2,
        "/h": 2,
        "Transform@run-1": 3,
        "Tuner@run-1": 3,
        "/e": 4,
        "ExampleGen@run-1": 5,
    }
    assert diamond.down("e") == {
        "/e": 0,
        "Transform@run-1": 1,
        "Tuner@run-1": 1,
        "Evaluator@run-1": 1,
        "/g": 2,
        "/h": 2,
        "/b": 2,
        "Trainer@run-1": 3,
        "/m": 4,
    }


def test_every_step_is_there_once_and_from_its_source(diamond):
    trace = diamond.walk(trace_downstream, "e")
    pairs = [(step.source, step.target, step.keys) for step in trace.steps]
    assert len(pairs) == len(set(pairs)) == 10
    [evaluator] = [e for e in trace.executions() if e.place.node == "Evaluator"]
    assert [s.source.uri for s in trace.steps if s.target == evaluator] == ["/e", "/m"]
    assert [s.target.uri for s in trace.steps_from(evaluator)] == ["/b"]


def test_depth(diamond):
    assert list(diamond.up("m", depth=1)) == ["/m", "Trainer@run-1"]
    assert max(diamond.up("m", depth=3).values()) == 3
    assert diamond.down("b", depth=5) == {"/b": 0}


def test_several_starts(diamond):
    assert diamond.up("g", "h", depth=1) == {
        "/g": 0,
        "/h": 0,
        "Transform@run-1": 1,
        "Tuner@run-1": 1,
    }


def test_cached_runs_are_counted_and_not_followed(diamond):
    for run in ("run-2", "run-3"):
        diamond.execute("ExampleGen", run, outputs={"examples": "e"}, state=CACHED)
        inputs = {"transform_graph": "g", "hyperparameters": "h"}
        diamond.execute("Trainer", run, inputs=inputs, outputs={"model": "m"}, state=CACHED)
    up, down = (diamond.walk(walk, name) for walk, name in
                ((trace_upstream, "m"), (trace_downstream, "e")))  # fmt: skip
    assert [e.key for e in up.executions() + down.executions() if e.place.run_id != "run-1"] == []
    assert {a.uri: n for a, n in up.cached.items() if n} == {"/m": 2, "/e": 2}
    assert {a.uri: n for a, n in down.cached.items() if n} == {"/g": 2, "/h": 2}


def test_after_a_partial_run_the_maker_is_found_past_executions_without_inputs(diamond):
    """Reused nodes are recorded as CACHED, with what they put out and nothing that they read."""
    diamond.execute("Trainer", "run-2", outputs={"model": "m"}, state=CACHED)
    assert "/e" in diamond.up("m")
    assert "Trainer@run-2" not in diamond.up("m")


def test_what_only_cached_executions_put_out_is_traced_to_them(store):
    store.execute("Trainer", outputs={"model": "m"}, state=CACHED)
    assert store.up("m") == {"/m": 0, "Trainer@run-1": 1}


def test_downstream_a_cached_execution_leads_to_what_nothing_else_made(store):
    """As in a store whose older half was pruned by another tool."""
    store.execute("ExampleGen", outputs={"examples": "e"})
    store.execute("Trainer", inputs={"examples": "e"}, outputs={"model": "m"}, state=CACHED)
    store.execute("Pusher", inputs={"model": "m"}, outputs={"pushed_model": "p"})
    assert store.down("e") == {"/e": 0, "Trainer@run-1": 1, "/m": 2, "Pusher@run-1": 3, "/p": 4}


@pytest.fixture
def compared(store):
    """The model of run 2 is compared with that of run 1, and in run 3 with itself."""
    for run, model in (("run-1", "m1"), ("run-2", "m2")):
        store.execute("ExampleGen", run, outputs={"examples": f"e of {model}"})
        store.execute(
            "Trainer", run, inputs={"examples": f"e of {model}"}, outputs={"model": model}
        )
    inputs = {"model": "m2", "baseline_model": "m1"}
    store.execute("Evaluator", "run-2", inputs=inputs, outputs={"blessing": "b2"})
    inputs = {"model+baseline_model": "m2"}
    store.execute("Evaluator", "run-3", inputs=inputs, outputs={"blessing": "b3"})
    return store


def test_a_baseline_is_shown_and_not_followed(compared):
    trace = compared.walk(trace_upstream, "b2")
    assert [node.uri for node in trace.not_followed] == ["/m1"]
    assert "/e of m2" in reached(trace)
    assert "/e of m1" not in reached(trace)
    assert [s.target.uri for s in trace.steps if s.is_baseline] == ["/m1"]


def test_a_baseline_is_followed_if_asked_for(compared):
    trace = compared.walk(trace_upstream, "b2", through_baselines=True)
    assert "/e of m1" in reached(trace)
    assert trace.not_followed == set()
    assert "/b2" not in compared.down("m1")
    assert "/b2" in compared.down("m1", through_baselines=True)


def test_a_model_that_is_its_own_baseline_is_followed(compared):
    trace = compared.walk(trace_upstream, "b3")
    assert trace.not_followed == set()
    assert "/e of m2" in reached(trace)
    [step] = [s for s in trace.steps if "baseline_model" in s.keys]
    assert (step.keys, step.is_baseline) == (("model", "baseline_model"), False)


def test_what_is_reached_as_a_baseline_and_otherwise_is_followed_once(compared):
    """Downstream from both models, the Evaluator is reached first by one, then by the other."""
    for names in (("m1", "m2"), ("m2", "m1")):
        trace = compared.walk(trace_downstream, *names)
        assert trace.not_followed == set()
        targets = [s.target for s in trace.steps if getattr(s.target, "uri", "") == "/b2"]
        assert len(targets) == 1


def test_a_baseline_that_is_found_later_to_be_the_model_is_followed_once(store):
    """The examples reach the Evaluator at once, the older model later and as a baseline."""
    store.execute("ExampleGen", outputs={"examples": "e"})
    store.execute("Trainer", inputs={"examples": "e"}, outputs={"model": "m"})
    inputs = {"examples": "e", "baseline_model": "m"}
    store.execute("Evaluator", "run-2", inputs=inputs, outputs={"blessing": "b"})
    trace = store.walk(trace_downstream, "e")
    assert trace.not_followed == set()
    assert [s.target.uri for s in trace.steps if s.target.key == "ModelBlessing:3"] == ["/b"]


def test_two_pipelines_share_an_input(store):
    store.execute("ExampleGen", outputs={"examples": "e"})
    store.execute("Trainer", inputs={"examples": "e"}, outputs={"model": "m"})
    store.execute("Trainer", "run-2", {"examples": "e"}, {"model": "other"}, pipeline="bikes")
    down = store.walk(trace_downstream, "e")
    assert {e.place.pipeline for e in down.executions()} == {"taxi", "bikes"}
    assert set(store.up("other")) == {"/other", "Trainer@run-2", "/e", "ExampleGen@run-1"}


def test_several_makers_are_all_followed(store):
    """One URI that was imported twice is one artifact."""
    for run in ("run-1", "run-2"):
        store.execute("Importer", run, outputs={"result": "schema"})
    assert store.up("schema") == {"/schema": 0, "Importer@run-1": 1, "Importer@run-2": 1}


@pytest.mark.parametrize("state", [FAILED, RUNNING])
def test_a_crash_in_the_middle_ends_the_chain(store, state):
    store.execute("ExampleGen", outputs={"examples": "e"})
    store.execute("Trainer", inputs={"examples": "e"}, state=state)
    assert store.down("e") == {"/e": 0, "Trainer@run-1": 1}


def test_a_long_chain_is_read_in_few_questions_and_needs_no_recursion(store):
    names = [f"m{index}" for index in range(400)]
    for before, after in itertools.pairwise(names):
        if before == "m0":
            store.execute("Trainer", outputs={"model": before})
        inputs = {"base_model": before}
        store.execute("Trainer", f"run-{after}", inputs=inputs, outputs={"model": after})
    asked = []
    graph = counting(open_store(store.path), asked)
    trace = trace_upstream(graph, graph.artifacts([store.ids["m399"]]))
    assert max(trace.depths.values()) == 799
    assert len(asked) < 1500  # else the whole is read, which is a question per run


def counting(store, asked):
    """A graph that adds the names of the questions it asks to `asked`."""
    for name in dir(store):
        if name.startswith("get_"):
            real = getattr(store, name)

            def ask(*args, name=name, real=real, **options):
                asked.append(name)
                return real(*args, **options)

            setattr(store, name, ask)
    return Graph(store)
