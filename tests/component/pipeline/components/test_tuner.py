"""Tuner's executor by every policy: what it writes and records; the search itself is made up."""

import json

import pytest
from tfx.components.tuner import executor as tfx_executor
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import standard_artifacts

from fareline.recorded import SEARCH_SHA256
from models.hyperparameters import read_hyperparameters, search_space
from pipeline.artifacts import DataDrift
from pipeline.components import tuner
from pipeline.dag import Placement, create_pipeline
from pipeline.settings.load import load_settings
from pipeline.tuning_decision import digests_of

GIVEN = {"learning_rate": 0.003, "dropout": 0.2, "width": 64, "depth": 1, "embedding_size": 8}
NEVER = ("tuning.policy=never", f"tuning.hyperparameters={json.dumps(GIVEN)}")


def config_of(*overrides):
    """What Tuner of the pipeline is told."""
    places = {"pipeline_root": "/a", "data_dir": "/d", "data_pattern": "*", "push_dir": "/p"}
    pipeline = create_pipeline(load_settings(overrides=overrides), Placement(**places))
    [node] = [node for node in pipeline.components if node.id == "Tuner"]
    return json.loads(node.exec_properties["custom_config"])


def artifact(kind, folder, artifact_id=0, **properties):
    made = kind()
    made.uri = str(folder)
    made.id = artifact_id
    for name, value in properties.items():
        if isinstance(value, int):
            made.set_int_custom_property(name, value)
        else:
            made.set_string_custom_property(name, value)
    return made


@pytest.fixture
def searches(monkeypatch):
    """What each search was told, in place of TFX's; it finds the lowest of the space."""
    told = []

    def search(self, input_dict, output_dict, exec_properties):
        told.append(json.loads(exec_properties["custom_config"]))
        space = search_space(told[-1]["tuning"]["search"])
        tuner.write_without_search(json.dumps(space.get_config()), output_dict)

    monkeypatch.setattr(tfx_executor.Executor, "Do", search)
    return told


@pytest.fixture
def tune(tmp_path):
    """Runs the executor; returns the values it wrote and what it recorded with both outputs."""
    runs = []

    def run(config, **inputs):
        runs.append(config)
        folder = tmp_path / str(len(runs))
        best = artifact(standard_artifacts.HyperParameters, folder / "best", 100 + len(runs))
        results = artifact(standard_artifacts.TunerResults, folder / "results")
        context = BaseExecutor.Context(tmp_dir=str(tmp_path / "tmp"), unique_id="1")
        tuner.Executor(context).Do(
            {key: [value] for key, value in inputs.items()},
            {"best_hyperparameters": [best], "tuner_results": [results]},
            {"custom_config": json.dumps(config), "tuning_trials": 3},
        )
        content = json.loads((folder / "best" / "best_hyperparameters.txt").read_text())
        recorded = tuner.read_custom_properties(best)
        said = tuner.read_custom_properties(results)
        assert said == {"tuning_decision": recorded["tuning_decision"]}
        assert json.loads((folder / "results" / "tuner_results.json").read_text()) == []
        return read_hyperparameters(content).values, recorded, best

    return run


def told_of(recorded):
    names = ("tuning_policy", "tuning_decision", "tuning_reasons", "reused_from")
    return tuple(recorded.get(name) for name in names)


def test_always(searches, tune):
    config = config_of()
    assert set(config["tuning"]) == {"steps", "search"}
    values, recorded, _ = tune(config)
    assert values["width"] == 32
    assert [each["tuning"]["trials"] for each in searches] == [3]
    assert told_of(recorded) == ("always", "searched", "", None)
    assert {name: recorded[name] for name in digests_of(config)} == digests_of(config)


def test_never(searches, tune):
    values, recorded, _ = tune(config_of(*NEVER))
    assert values == GIVEN
    assert {name: type(value) for name, value in values.items()} == {
        name: type(value) for name, value in GIVEN.items()
    }
    assert told_of(recorded) == ("never", "given", "tuning.policy is never", None)
    assert SEARCH_SHA256 not in recorded
    assert searches == []


def test_on_drift_reuses_what_the_last_search_found(searches, tune, tmp_path):
    config = config_of("tuning.policy=on_drift")
    values, recorded, last = tune(config)
    assert told_of(recorded) == (
        "on_drift",
        "searched",
        "no blessed model on other data yet",
        None,
    )
    quiet = artifact(DataDrift, tmp_path / "drift", 7, retunes=0, retune_reasons="")
    same = "same search space, model code, task, features, label and weighting; no drift"
    reused, recorded, second = tune(config, last_hyperparameters=last, drift=quiet)
    assert reused == values
    assert told_of(recorded) == ("on_drift", "reused", same, 101)
    assert {name: recorded[name] for name in digests_of(config)} == digests_of(config)
    reused, recorded, _ = tune(config, last_hyperparameters=second, drift=quiet)
    assert (reused, told_of(recorded)) == (values, ("on_drift", "reused", same, 102))
    assert len(searches) == 1


def test_on_drift_searches_where_the_data_has_drifted(searches, tune, tmp_path):
    config = config_of("tuning.policy=on_drift")
    *_, last = tune(config)
    reasons = "fare: share up to 7.25 50.1 % -> 46.3 %\ncompany: 4 new values"
    drift = artifact(DataDrift, tmp_path / "drift", 7, retunes=2, retune_reasons=reasons)
    _, recorded, _ = tune(config, last_hyperparameters=last, drift=drift)
    assert told_of(recorded) == ("on_drift", "searched", reasons, None)
    _, recorded, _ = tune(config, last_hyperparameters=last, earlier_drift=drift)
    since = "(DataDrift:7, and no model was blessed since)"
    assert recorded["tuning_reasons"].splitlines() == [
        f"fare: share up to 7.25 50.1 % -> 46.3 % {since}",
        f"company: 4 new values {since}",
    ]
    assert len(searches) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tuning": config_of("tuning.search.width=[16]")["tuning"]}, "search space changed"),
        ({"source_fingerprint": "other"}, "model code changed"),
        ({"task": "regression"}, "task, features, label or weighting changed"),
    ],
)
def test_on_drift_searches_where_something_else_is_searched_for(searches, tune, change, reason):
    config = config_of("tuning.policy=on_drift")
    *_, last = tune(config)
    policy = {"policy": "on_drift"}
    changed = {**config, **change}
    changed["tuning"] = {**changed["tuning"], **policy}
    _, recorded, _ = tune(changed, last_hyperparameters=last)
    assert told_of(recorded) == ("on_drift", "searched", reason, None)
    assert len(searches) == 2


def test_what_the_settings_gave_and_what_is_unknown_is_not_reused(searches, tune, tmp_path):
    *_, given = tune(config_of(*NEVER))
    config = config_of("tuning.policy=on_drift")
    _, recorded, _ = tune(config, last_hyperparameters=given)
    assert recorded["tuning_reasons"] == (
        "HyperParameters:101 of the last blessed model was given by the settings"
    )
    stock = artifact(standard_artifacts.HyperParameters, tmp_path / "stock", 5)
    _, recorded, _ = tune(config, last_hyperparameters=stock)
    assert recorded["tuning_reasons"] == (
        "what HyperParameters:5 of the last blessed model was searched for is not recorded"
    )
    assert len(searches) == 2
