"""What our Trainer adds to TFX's: where a killed one left off, and what it records."""

import json

import pytest
from tfx.components.trainer import executor as tfx_executor
from tfx.types import standard_artifacts

from fareline.recorded import NO_MODEL
from fareline.recorded.tuning import warm_start_of
from pipeline.components.trainer import Executor


def artifact(kind, uri, number=0):
    made = kind()
    made.uri, made.id = str(uri), number
    return made


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Runs the executor with a training that notes what it was given and maybe fails."""
    seen = []

    def do(self, inputs, outputs, properties):
        config = json.loads(properties["custom_config"])
        seen.append((inputs, config))
        if place := config.get("checkpoint"):
            (tmp_path / "Trainer" / "checkpoints").mkdir(exist_ok=True, parents=True)
            open(place, "w").close()
        if config["fails"]:
            raise RuntimeError("killed")
        (tmp_path / "run").mkdir(exist_ok=True)
        (tmp_path / "run" / "training.json").write_text(json.dumps(config["report"]))

    monkeypatch.setattr(tfx_executor.GenericExecutor, "Do", do)

    def train(execution=7, uri=None, fails=False, report=None, earlier=None, **properties):
        uri = uri or tmp_path / "Trainer" / "model" / str(execution)
        model = artifact(standard_artifacts.Model, uri)
        inputs = {"examples": [artifact(standard_artifacts.Examples, "/examples", 3)]}
        if earlier is not None:
            inputs["base_model"] = [earlier]
        outputs = {
            "model": [model],
            "model_run": [artifact(standard_artifacts.ModelRun, tmp_path / "run")],
        }
        config = json.dumps({"report": report or {}, "fails": fails})
        Executor().Do(inputs, outputs, {"custom_config": config, "train_args": "{}"} | properties)
        return model

    train.seen = seen
    return train


def test_a_killed_trainer_leaves_its_checkpoint_to_one_of_the_same_key(trained, tmp_path):
    folder = tmp_path / "Trainer" / "checkpoints"
    given = {"run_fn": "models.trainer.run_fn"}
    for execution in (7, 8):
        with pytest.raises(RuntimeError):
            trained(execution, fails=True, **given)
    with pytest.raises(RuntimeError):
        trained(9, fails=True, run_fn="taxi_code.model.run_fn")
    names = [
        place.rpartition("/")[2] for _, config in trained.seen for place in [config["checkpoint"]]
    ]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    keys = [name.partition("-") for name in names]
    assert [execution for execution, _, _ in keys] == ["7", "8", "9"]
    assert keys[0][2] == keys[1][2] != keys[2][2]

    with pytest.raises(RuntimeError):  # what is trained is another thing
        trained(10, fails=True, **given, training_steps=4)
    assert len({path.name.partition("-")[2] for path in folder.iterdir()}) == 3


def test_with_the_model_all_checkpoints_of_its_key_go(trained, tmp_path):
    folder = tmp_path / "Trainer" / "checkpoints"
    folder.mkdir(parents=True)
    trained(7)
    assert not folder.exists()
    [(_, config)] = trained.seen
    killed = folder / config["checkpoint"].rpartition("/")[2].replace("7-", "5-")
    folder.mkdir()
    for path in (killed, folder / "6-other.npz"):
        path.write_text("")
    trained(8)
    assert [path.name for path in folder.iterdir()] == ["6-other.npz"]


@pytest.mark.parametrize("uri", ["gs://bucket/job/Trainer_1/model", "/root/job/Trainer_1/model"])
def test_in_a_cluster_each_attempt_begins_anew(trained, uri, monkeypatch):
    monkeypatch.setattr("pipeline.components.trainer.sha256_of_folder", lambda folder: "0")
    trained(uri=uri)
    assert "checkpoint" not in trained.seen[0][1]


def test_a_warm_start_is_recorded_as_it_was_reported(trained):
    earlier = artifact(standard_artifacts.Model, "/earlier", 12)
    report = {"warm_start": {"taken": ["a"], "left": {"b": "none of that name"}}}
    model = trained(report=report, earlier=earlier)
    properties = {"warm_start": model.get_string_custom_property("warm_start")}
    recorded = warm_start_of(type("Element", (), {"properties": properties, "key": "Model:13"}))
    assert recorded.line == (
        "Trainer began with the weights of Model:12: 1 taken, new are b: none of that name"
    )
    assert not trained(earlier=earlier).has_custom_property("warm_start")  # own code told nothing


def test_a_baseline_without_a_model_is_no_beginning(trained):
    earlier = artifact(standard_artifacts.Model, "/earlier", 12)
    earlier.set_int_custom_property(NO_MODEL, 1)
    trained(earlier=earlier)
    assert "base_model" not in trained.seen[0][0]
