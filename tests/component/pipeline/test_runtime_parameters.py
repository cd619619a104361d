"""Steps and trials: parameters of their own, which TFX finds where it looks for them."""

import json

import pytest
from tfx.components.trainer import fn_args_utils
from tfx.dsl.compiler import compiler
from tfx.types import standard_artifacts

from lineage.store.open import sqlite_connection
from pipeline.components import trainer, tuner
from pipeline.dag import Placement, create_pipeline
from pipeline.settings.load import load_settings

STEPS = {"train_args": '{"splits": ["train"]}', "training_steps": 7}


def fn_args(exec_properties):
    """What TFX hands to `run_fn` and `tuner_fn`."""
    examples = standard_artifacts.Examples()
    examples.uri, examples.split_names = "/data", '["train", "validate"]'
    given = {"eval_args": '{"splits": ["validate"]}', "custom_config": "{}", **exec_properties}
    return fn_args_utils.get_common_fn_args({"examples": [examples]}, given)


@pytest.mark.parametrize("steps", [7, 7.0])  # what went through JSON is a fraction
def test_the_trainer_hands_its_steps_to_tfx(steps):
    given = {**STEPS, "training_steps": steps}
    found = fn_args(trainer.put_steps_into_train_args(given))
    assert found.train_steps == 7
    assert found.train_files == ["/data/Split-train/*"]
    assert "num_steps" not in given["train_args"]


def test_a_trainer_that_is_told_no_steps_keeps_those_of_tfx():
    given = {"train_args": '{"num_steps": 3}'}
    assert fn_args(trainer.put_steps_into_train_args(given)).train_steps == 3


@pytest.mark.parametrize("trials", [2, 2.0])
def test_the_tuner_hands_its_trials_to_the_search(trials):
    config = {"seed": 1, "tuning": {"steps": 5, "search": {"width": [1, 2]}}}
    given = {
        "train_args": '{"num_steps": 5}',
        "custom_config": json.dumps(config),
        "tuning_trials": trials,
    }
    found = fn_args(tuner.put_trials_into_custom_config(given))
    assert found.custom_config["tuning"] == {"steps": 5, "search": {"width": [1, 2]}, "trials": 2}
    assert found.custom_config["seed"] == 1
    assert found.train_steps == 5


def test_on_this_machine_they_are_numbers_in_the_cache_key(tmp_path):
    settings = load_settings(overrides=["training.steps=11", "tuning.trials=3"])
    placement = Placement(
        pipeline_root=str(tmp_path),
        data_dir=str(tmp_path),
        data_pattern="*.csv",
        push_dir=str(tmp_path / "serving"),
        metadata=sqlite_connection(tmp_path / "metadata.db"),
    )
    ir = compiler.Compiler().compile(create_pipeline(settings, placement))
    nodes = {n.pipeline_node.node_info.id: n.pipeline_node for n in ir.nodes}
    values = {
        (node, name): nodes[node].parameters.parameters[name].field_value.int_value
        for node, name in (("Trainer", "training_steps"), ("Tuner", "tuning_trials"))
    }
    assert values == {("Trainer", "training_steps"): 11, ("Tuner", "tuning_trials"): 3}
    for node in ("Trainer", "Tuner"):
        config = nodes[node].parameters.parameters["custom_config"].field_value.string_value
        assert '"trials"' not in config
        assert "steps" not in json.loads(config)["training"]
