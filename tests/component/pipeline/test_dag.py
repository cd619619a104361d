"""The graph as TFX compiles it: node ids, who waits for whom, and what makes a node run again."""

import json
from pathlib import Path

import pytest

from pipeline import user_code
from pipeline.settings.load import load_settings
from tests.component.compiled_graphs import compile_graph

TEN = {
    "ExampleGen",
    "StatisticsGen",
    "SchemaGen",
    "ExampleValidator",
    "Transform",
    "Tuner",
    "Trainer",
    "Evaluator",
    "InfraValidator",
    "Pusher",
}
GATE = {"DataPolicy", "DriftMonitor", "DataGate"}


def compile_nodes(tmp_path, *overrides):
    """Node id to compiled node."""
    return compile_graph(load_settings(overrides=overrides), tmp_path)[1]


def custom_config(node):
    value = node.parameters.parameters["custom_config"].field_value.string_value
    return json.loads(value)


def test_ten_components_and_what_joins_them(tmp_path):
    nodes = compile_nodes(tmp_path)
    assert set(nodes) == TEN | {"CuratedSchema", *GATE, "BaselineResolver"}
    waits_for = {name: set(node.upstream_nodes) for name, node in nodes.items()}
    assert waits_for == {
        "ExampleGen": set(),
        "StatisticsGen": {"ExampleGen"},
        "SchemaGen": {"StatisticsGen"},
        "CuratedSchema": set(),
        "ExampleValidator": {"StatisticsGen", "CuratedSchema"},
        "DataPolicy": {"ExampleGen", "CuratedSchema", "ExampleValidator"},
        "DriftMonitor": {"ExampleGen", "CuratedSchema"},
        "DataGate": {"CuratedSchema", "DataPolicy", "DriftMonitor", "ExampleGen"},
        "Transform": {"ExampleGen", "CuratedSchema", "DataGate"},
        "Tuner": {"Transform"},
        "Trainer": {"Transform", "Tuner"},
        "BaselineResolver": set(),
        "Evaluator": {"ExampleGen", "Trainer", "BaselineResolver"},
        "InfraValidator": {"ExampleGen", "Trainer"},
        "Pusher": {"Trainer", "Evaluator", "InfraValidator"},
    }


def test_without_a_curated_schema_the_inferred_one_is_the_contract(tmp_path):
    nodes = compile_nodes(tmp_path, "schema=null")
    assert set(nodes) == TEN | {*GATE, "BaselineResolver"}
    assert "SchemaGen" in nodes["ExampleValidator"].upstream_nodes
    assert "SchemaGen" in nodes["Transform"].upstream_nodes


def test_what_is_reused_is_looked_up_only_where_it_may_be(tmp_path):
    before, nodes = compile_nodes(tmp_path), compile_nodes(tmp_path, "tuning.policy=on_drift")
    assert set(nodes) - set(before) == {"LastHyperparameters"}
    assert set(nodes["LastHyperparameters"].upstream_nodes) == {"ExampleGen"}
    assert set(nodes["Tuner"].upstream_nodes) == {
        *("Transform", "LastHyperparameters", "DriftMonitor")
    }
    optional = {key for key, given in nodes["Tuner"].inputs.inputs.items() if not given.min_count}
    assert optional == {"transform_graph", "last_hyperparameters", "drift", "earlier_drift"}
    assert set(custom_config(before["Tuner"])["tuning"]) == {"steps", "search"}
    known = user_code.fingerprint_sources(user_code.TUNER_SOURCES)
    assert custom_config(nodes["Tuner"])["tuning"] == {
        **custom_config(before["Tuner"])["tuning"],
        "policy": "on_drift",
        "decision_fingerprint": known,
    }


def test_a_warm_start_is_an_input_of_trainer_alone(tmp_path):
    nodes = compile_nodes(tmp_path, "training.warm_start=live")
    plain = compile_nodes(tmp_path)
    assert set(nodes) - set(plain) == {"WarmStartResolver"}
    assert set(nodes["Trainer"].upstream_nodes) == {
        *plain["Trainer"].upstream_nodes,
        "WarmStartResolver",
    }
    assert "base_model" in nodes["Trainer"].inputs.inputs
    # Which model it is decides, and not how it was named.
    assert custom_config(nodes["Trainer"]) == custom_config(plain["Trainer"])


def test_where_nothing_is_searched_the_search_concerns_nobody(tmp_path):
    values = {"learning_rate": 0.003, "dropout": 0.2, "width": 64, "depth": 1, "embedding_size": 8}
    never = ("tuning.policy=never", f"tuning.hyperparameters={json.dumps(values)}")
    told = custom_config(compile_nodes(tmp_path, *never)["Tuner"])
    other = compile_nodes(tmp_path, *never, "tuning.search.width=[16]")
    assert custom_config(other["Tuner"]) == told
    assert told["tuning"].keys() == {"hyperparameters", "policy", "decision_fingerprint"}
    assert told["tuning"]["hyperparameters"] == values


def test_code_fingerprints_are_part_of_the_cache_key_of_whom_they_concern(tmp_path):
    nodes = compile_nodes(tmp_path)
    fingerprints = {
        name: custom_config(nodes[name])["source_fingerprint"]
        for name in ("Transform", "Tuner", "Trainer")
    }
    transform = user_code.fingerprint_sources(["preprocessing"])
    models = user_code.fingerprint_sources(["models"])
    assert fingerprints == {"Transform": transform, "Tuner": models, "Trainer": models}


@pytest.mark.parametrize(
    ("override", "concerned"),
    [
        ("training.patience=3", {"Tuner", "Trainer"}),
        ("tuning.trials=9", {"Tuner"}),
        ("training.steps=9", {"Trainer"}),
        ("seed=9", {"Tuner", "Trainer"}),
        ("features.numeric.fare.log=false", {"Transform", "Tuner", "Trainer"}),
        ("evaluation.thresholds.auc.at_least=0.9", {"Evaluator"}),
        ("serving.latency_ms.batch_1.p95=7", {"InfraValidator"}),
        ("serving.log_exclude=[company]", {"DriftMonitor"}),  # it names no value of these
        ("data.splits.eval=6", {"ExampleGen"}),
        ("gate.default=warn", {"DataPolicy"}),
        ("drift.default=record", {"DriftMonitor"}),
        ("weighting.classes=balanced", {"Transform", "Tuner", "Trainer"}),
        ("weighting.classes=null", set()),
        ("transform.statistics=true", {"Transform"}),
        ("runners.vertex.image=other:1", set()),
    ],
)
def test_a_setting_concerns_only_the_nodes_that_read_it(tmp_path, override, concerned):
    def parameters(*overrides):
        nodes = compile_nodes(tmp_path, *overrides)
        return {
            n: node.parameters.SerializeToString(deterministic=True) for n, node in nodes.items()
        }

    before, after = parameters(), parameters(override)
    assert {name for name in before if before[name] != after[name]} == concerned


@pytest.mark.parametrize(
    ("edited", "concerned"),
    [
        ("pipeline/evaluation/judge.py", {"Evaluator"}),
        ("serving/validation/check.py", {"InfraValidator"}),
        ("models/network.py", {"Tuner", "Trainer"}),
        ("pipeline/settings/settings.py", set()),
    ],
)
def test_an_edit_concerns_only_the_nodes_of_that_code(tmp_path, monkeypatch, edited, concerned):
    read = Path.read_bytes

    def parameters():
        nodes = compile_nodes(tmp_path)
        return {
            n: node.parameters.SerializeToString(deterministic=True) for n, node in nodes.items()
        }

    before = parameters()
    with monkeypatch.context() as patched:
        patched.setattr(
            Path, "read_bytes", lambda p: read(p) + b"#" * p.as_posix().endswith(edited)
        )
        after = parameters()
    assert {name for name in before if before[name] != after[name]} == concerned


def test_nothing_reads_the_evaluation_split_before_the_evaluation(tmp_path):
    nodes = compile_nodes(tmp_path)
    for name in ("Tuner", "Trainer"):
        for key, splits in (("train_args", ["train"]), ("eval_args", ["validate"])):
            value = nodes[name].parameters.parameters[key].field_value.string_value
            assert json.loads(value)["splits"] == splits
    value = nodes["Evaluator"].parameters.parameters["example_splits"].field_value.string_value
    assert json.loads(value) == ["eval"]
