"""Where more nodes are ready than may run, those start first that most others wait behind."""

from runners.scheduling import PARALLEL_NODES, choose_next, longest_chains

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
