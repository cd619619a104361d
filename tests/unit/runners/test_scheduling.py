"""Where more nodes are ready than may run, those start first that most others wait behind."""

import concurrent.futures
import threading

import pytest

from runners.progress import NodeResult, NodeState
from runners.scheduling import PARALLEL_NODES, Schedule, choose_next, longest_chains

# The shape of the taxi pipeline: what each node waits for.
UPSTREAM = {
    "BaselineResolver": [],
    "CuratedSchema": [],
    "ExampleGen": [],
    "StatisticsGen": ["ExampleGen"],
    "SchemaGen": ["StatisticsGen"],
    "ExampleValidator": ["StatisticsGen", "CuratedSchema"],
    "DriftMonitor": ["ExampleGen", "CuratedSchema"],
    "DataPolicy": ["ExampleValidator"],
    "DataGate": ["DataPolicy", "DriftMonitor"],
    "Transform": ["ExampleGen", "CuratedSchema", "DataGate"],
    "Trainer": ["Transform"],
    "Evaluator": ["Trainer", "BaselineResolver", "elsewhere"],
    "Pusher": ["Trainer", "Evaluator"],
}


def test_a_chain_is_counted_to_its_end():
    chains = longest_chains(UPSTREAM)
    assert chains["Pusher"] == 1
    assert chains["Evaluator"] == 2
    assert chains["BaselineResolver"] == 3
    assert chains["SchemaGen"] == 1
    assert chains["DriftMonitor"] == 6  # DataGate, Transform, Trainer, Evaluator, Pusher
    assert chains["ExampleGen"] == 9
    assert longest_chains({}) == {}


def test_what_most_wait_behind_starts_first():
    chains = longest_chains(UPSTREAM)
    first = choose_next(["BaselineResolver", "CuratedSchema", "ExampleGen"], 0, chains)
    assert first == ["ExampleGen", "CuratedSchema"]
    assert choose_next(["SchemaGen", "ExampleValidator"], 1, chains) == ["ExampleValidator"]


def test_of_equal_ones_the_first_starts_and_no_more_than_may_run():
    chains = {"a": 2, "b": 2, "c": 2}
    assert PARALLEL_NODES == 2
    assert choose_next(["b", "a", "c"], 0, chains) == ["b", "a"]
    assert choose_next(["b", "a", "c"], 1, chains) == ["b"]
    assert choose_next(["b", "a", "c"], 2, chains) == []
    assert choose_next([], 0, chains) == []


def run_all(upstream, work, changes=None):
    """Runs nodes that wait for those before them, and returns their results."""
    results = {name: NodeResult(name) for name in upstream}

    def find_ready():
        done = {name for name, result in results.items() if result.state.is_success}
        waiting = [name for name in upstream if results[name].state is NodeState.WAITING]
        return [name for name in waiting if done >= upstream.keys() & upstream[name]]

    def on_change(result):
        if changes is not None:
            changes.append((result.name, result.state))

    with concurrent.futures.ThreadPoolExecutor(PARALLEL_NODES) as pool:
        Schedule(results, on_change).run(pool, upstream, find_ready, work)
    return results


def test_nodes_run_after_those_that_they_wait_for_and_every_change_is_told():
    changes = []
    results = run_all(UPSTREAM, lambda name: NodeState.EXECUTED, changes)
    assert all(result.state is NodeState.EXECUTED for result in results.values())
    assert len(changes) == 2 * len(UPSTREAM)
    for name, before in UPSTREAM.items():
        begun = changes.index((name, NodeState.RUNNING))
        ends = [changes.index((each, NodeState.EXECUTED)) for each in before if each in UPSTREAM]
        assert all(end < begun for end in ends)


def test_two_nodes_are_at_work_at_a_time_and_never_three():
    together = threading.Barrier(2)
    lock, at_work, most = threading.Lock(), [0], [0]

    def work(name):
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        together.wait(30)  # for the other one: alone it would never go on
        with lock:
            at_work[0] -= 1
        return NodeState.EXECUTED

    run_all(dict.fromkeys("abcdef", ()), work)
    assert most == [2]


def test_what_a_node_raises_is_its_error_and_nothing_waits_for_it():
    def work(name):
        if name == "b":
            raise ValueError("boom")
        return NodeState.CACHED

    results = run_all({"a": (), "b": ("a",), "c": ("b",), "d": ("a",)}, work)
    states = {name: result.state.name for name, result in results.items()}
    assert states == {"a": "CACHED", "b": "FAILED", "c": "WAITING", "d": "CACHED"}
    assert str(results["b"].error) == "boom"


def test_an_interrupt_of_a_node_ends_the_loop():
    def work(name):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all({"a": (), "b": ("a",)}, work)
