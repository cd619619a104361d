"""Pusher: the executor on real artifacts, and the component, compiled as well."""

import json
import os
import pathlib

import pytest
from tfx import v1 as tfx
from tfx.components.pusher import executor as tfx_executor
from tfx.types import channel_utils, standard_artifacts

from fareline.digests import sha256_of_folder
from fareline.recorded.evaluation import Metrics
from pipeline.components.infra_validator import write_verdict, write_warm_model
from pipeline.components.pusher import Executor, Pusher
from serving.validation.verdict import CheckResult, Reason
from serving.versions.decisions import Withheld, model_digest
from serving.versions.notes import Pushing, read_notes
from serving.versions.publish import PublishError, Return, bring_back, list_versions, publish
from tests.component.pipeline.components import compiled_for_tests
from tests.component.serving import models_for_tests


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return models_for_tests.save_model(tmp_path_factory.mktemp("good") / "model")


def _artifact(artifact_class, folder, blessed=None):
    artifact = artifact_class()
    artifact.uri = str(folder)
    if blessed is not None:
        artifact.set_int_custom_property("blessed", blessed)
    return [artifact]


def _inputs(model_dir, tmp_path, model_blessed=1, infra_blessed=1):
    model = tmp_path / "trained"
    model.mkdir(exist_ok=True)
    link = model / "Format-Serving"
    if link.is_symlink():
        link.unlink()
    link.symlink_to(model_dir)
    return {
        "model": _artifact(standard_artifacts.Model, model),
        "model_blessing": _artifact(
            standard_artifacts.ModelBlessing, tmp_path / "evaluated", model_blessed
        ),
        "infra_blessing": _artifact(
            standard_artifacts.InfraBlessing, tmp_path / "checked", infra_blessed
        ),
    }


def _push(inputs, folder, base, custom_config=None, **filesystem):
    """Runs the executor; returns the custom properties of what it pushed."""
    pushed = _artifact(standard_artifacts.PushedModel, folder)
    folder.mkdir()
    destination = {"filesystem": {"base_directory": str(base), **filesystem}}
    properties = {
        "push_destination": json.dumps(destination),
        "custom_config": json.dumps(custom_config),
    }
    Executor().Do(inputs, {"pushed_model": pushed}, properties)
    return {
        name: getattr(value, value.WhichOneof("value"))
        for name, value in pushed[0].mlmd_artifact.custom_properties.items()
    }


def _tree(folder):
    paths = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_blessed_model_is_published_and_kept_in_the_artifact(good, tmp_path):
    base = tmp_path / "serving"
    stored = _push(_inputs(good, tmp_path), tmp_path / "pushed", base)
    (number,) = list_versions(str(base))
    assert stored == {
        "pushed": 1,
        "pushed_destination": str(base / str(number)),
        "pushed_version": str(number),
        "version_created": 1,
        "sha256": sha256_of_folder(good),
    }
    assert "variables/variables.index" in _tree(good)
    assert _tree(base / str(number)) == _tree(tmp_path / "pushed") == _tree(good)
    # Until the run has recorded it: whoever finds the version knows whose it is.
    [note] = read_notes(str(base))
    assert (note.version, note.sha256) == (number, sha256_of_folder(good))
    assert note.pushing == Pushing("Pusher", str(tmp_path / "pushed"), str(tmp_path / "trained"))


def test_what_is_pushed_is_the_copy_that_infra_validation_has_warmed(good, tmp_path):
    inputs = _inputs(good, tmp_path)
    (blessing,) = inputs["infra_blessing"]
    write_warm_model(blessing, good, "taxi", [models_for_tests.make_example(1.0)])
    trained = _tree(tmp_path / "trained" / "Format-Serving")
    stored = _push(inputs, tmp_path / "pushed", tmp_path / "serving")
    pushed = _tree(stored["pushed_destination"])
    assert pushed == _tree(tmp_path / "pushed") == _tree(f"{blessing.uri}/stamped_model")
    assert pushed.keys() - trained.keys() == {"assets.extra/tf_serving_warmup_requests"}
    # The Model stays as its recorded digest says.
    assert _tree(tmp_path / "trained" / "Format-Serving") == trained == _tree(good)


def test_the_same_model_again_is_the_same_version(good, tmp_path):
    base = tmp_path / "serving"
    first = _push(_inputs(good, tmp_path), tmp_path / "pushed", base)
    again = _push(_inputs(good, tmp_path), tmp_path / "pushed again", base, versioning=1)
    assert again == {**first, "version_created": 0}
    assert len(list_versions(str(base))) == 1
    assert _tree(tmp_path / "pushed again") == _tree(good)


def test_another_model_within_the_same_second_is_the_next_version(good, tmp_path):
    base = tmp_path / "serving"
    other = models_for_tests.save_model(tmp_path / "other", "nan")
    first = _push(_inputs(good, tmp_path), tmp_path / "pushed", base)
    second = _push(_inputs(other, tmp_path), tmp_path / "pushed next", base)
    assert int(second["pushed_version"]) > int(first["pushed_version"])
    assert _tree(second["pushed_destination"]) == _tree(other)


def test_old_versions_are_removed_after_the_push_and_the_artifact_says_which(good, tmp_path):
    base = tmp_path / "serving"
    for number in (1, 2, 3):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "saved_model.pb").write_text(f"{number}")
        publish(str(tmp_path / f"{number}"), str(base), version=number)
    stored = _push(_inputs(good, tmp_path), tmp_path / "pushed", base, {"keep_versions": 2})
    assert list_versions(str(base)) == [3, int(stored["pushed_version"])]
    assert json.loads(stored["versions_removed"]) == [1, 2]
    again = _push(_inputs(good, tmp_path), tmp_path / "again", base, {"keep_versions": 2})
    assert "versions_removed" not in again


def test_a_model_that_was_rolled_back_from_is_not_pushed_until_it_is_brought_back(good, tmp_path):
    base = str(tmp_path / "serving")
    old = models_for_tests.save_model(tmp_path / "old", factor=3.0)
    publish(old, base, version=1)
    first = _push(_inputs(good, tmp_path), tmp_path / "pushed", base)
    bad = int(first["pushed_version"])
    withheld = Withheld(model_digest(good), bad, "too many tips", "ann", "2026-01-02T03:04:05")
    bring_back(base, Return(1, f"{base}/1", sha256_of_folder(old), bad, withheld))

    inputs = _inputs(good, tmp_path)
    # The same model, warmed up with other requests, is the same model.
    write_warm_model(inputs["infra_blessing"][0], good, "taxi", [models_for_tests.make_example(7)])
    stored = _push(inputs, tmp_path / "pushed again", base)
    assert stored == {
        "pushed": 0,
        "withheld_version": bad,
        "not_pushed_because": f"version {bad}: ann rolled back from this model on 2026-01-02: too "
        f"many tips; expected another model. Hint: `fareline promote --to {bad}` brings it back.",
    }
    assert len(list_versions(base)) == 3
    assert os.listdir(tmp_path / "pushed again") == []

    live = list_versions(base)[-1]
    bring_back(base, Return(bad, f"{base}/{bad}", sha256_of_folder(good), live))
    assert _push(_inputs(good, tmp_path), tmp_path / "third", base)["pushed"] == 1


_UNBLESSED = {
    "model": ({"model_blessed": 0}, "model_blessing: Evaluator did not bless the model"),
    "infra": ({"infra_blessed": 0}, "infra_blessing: InfraValidator did not bless the model"),
    # Evaluator without thresholds leaves a blessing that says nothing.
    "silent": ({"model_blessed": None}, "model_blessing: Evaluator did not bless the model"),
    "both": (
        {"model_blessed": 0, "infra_blessed": 0},
        "model_blessing: Evaluator did not bless the model; "
        "infra_blessing: InfraValidator did not bless the model",
    ),
}


@pytest.mark.parametrize("case", list(_UNBLESSED))
def test_an_unblessed_model_is_not_pushed_and_the_store_says_why(good, tmp_path, case):
    blessings, because = _UNBLESSED[case]
    stored = _push(_inputs(good, tmp_path, **blessings), tmp_path / "pushed", tmp_path / "serving")
    assert stored == {"pushed": 0, "not_pushed_because": because}
    assert not (tmp_path / "serving").exists()
    assert os.listdir(tmp_path / "pushed") == []


@pytest.mark.parametrize("reason", [each for each in Reason if each is not Reason.OK])
def test_nothing_that_infra_validation_refused_is_pushed_whatever_the_reason(
    good, tmp_path, reason
):
    inputs = _inputs(good, tmp_path, infra_blessed=None)
    [blessing] = inputs["infra_blessing"]
    write_verdict(blessing, CheckResult(reason=reason, message="it: is bad; expected good."))
    assert os.listdir(blessing.uri).count("INFRA_NOT_BLESSED") == 1
    assert blessing.get_string_custom_property("reason") == reason.value
    stored = _push(inputs, tmp_path / "pushed", tmp_path / "serving")
    because = "infra_blessing: InfraValidator did not bless the model"
    assert stored == {"pushed": 0, "not_pushed_because": because}
    assert not (tmp_path / "serving").exists()


@pytest.mark.parametrize("key", ["model_blessing", "infra_blessing"])
def test_a_blessing_that_was_never_given_is_missing(good, tmp_path, key):
    inputs = _inputs(good, tmp_path)
    del inputs[key]
    stored = _push(inputs, tmp_path / "pushed", tmp_path / "serving")
    assert stored["pushed"] == 0
    assert stored["not_pushed_because"].startswith(f"{key}: none was given by ")


def test_a_remote_destination_is_left_to_tfx(good, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(
        tfx_executor.Executor, "Do", lambda self, *arguments: calls.append(arguments)
    )
    inputs = _inputs(good, tmp_path)
    _push(inputs, tmp_path / "pushed", "gs://bucket/serving")
    ((given, _, properties),) = calls
    assert given is inputs
    assert "gs://bucket/serving" in properties["push_destination"]


def test_tfx_pushes_where_we_do_not_and_heeds_both_blessings(good, tmp_path, monkeypatch):
    # Its own Do, on a local folder that is made to look remote.
    monkeypatch.setattr("pipeline.components.pusher._local_base", lambda _: None)
    stored = _push(_inputs(good, tmp_path), tmp_path / "pushed", tmp_path / "serving")
    assert stored["pushed"] == 1 and "version_created" not in stored
    assert _tree(stored["pushed_destination"]) == _tree(good)


def test_a_blessed_artifact_without_a_model_fails(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PublishError, match="holds no saved_model.pb; expected a SavedModel"):
        _push(_inputs(tmp_path / "empty", tmp_path), tmp_path / "pushed", tmp_path / "serving")


def test_the_model_of_a_sample_is_not_pushed(good, tmp_path):
    base = tmp_path / "serving"
    stored = _push(_inputs(good, tmp_path), tmp_path / "a", base, {"sample": 2000})
    assert stored["pushed"] == 0
    assert stored["sample"] == "2000"
    assert stored["not_pushed_because"] == "the model is of a sample of 2,000 rows (data.sample)"
    refused = _push(_inputs(good, tmp_path, model_blessed=0), tmp_path / "b", base, {"sample": 5})
    assert "sample" not in refused
    assert not base.exists()
    sampled = Pusher(**_channels(), push_destination=_destination(), sample=5)
    assert json.loads(sampled.exec_properties["custom_config"]) == {"sample": 5}


def test_an_approved_model_that_meets_no_condition_is_not_pushed(good, tmp_path):
    when = [{"metric": "auc", "at_least": 0.96}, {"metric": "rmse", "at_most": 3}]
    base = tmp_path / "serving"

    def push(name, config, **metrics):
        evaluation = _artifact(standard_artifacts.ModelEvaluation, tmp_path / "e")
        text = Metrics(overall=metrics).to_text()
        evaluation[0].set_string_custom_property("metrics", text)
        inputs = _inputs(good, tmp_path) | {"evaluation": evaluation}
        return _push(inputs, tmp_path / name, base, config)

    low = push("low", {"when": when, "sample": 9}, auc=0.95, rmse=None)
    assert low["pushed"] == 0
    assert "sample" not in low
    assert low["not_pushed_because"] == (
        "auc is 0.95; expected at least 0.96 (push.when); "
        "rmse is undefined; expected at most 3 (push.when)"
    )
    assert not base.exists()
    assert push("met", {"when": when}, auc=0.96, rmse=3)["pushed"] == 1


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_conditions_and_what_they_are_about_compile(tmp_path, suffix):
    when = [{"metric": "auc", "at_least": 0.96}]
    compiled = compiled_for_tests.compile_pipeline(tmp_path, suffix, when)
    spec = compiled if suffix == ".yaml" else compiled["pipelineSpec"]
    inputs = spec["root"]["dag"]["tasks"]["Pusher"]["inputs"]
    assert inputs["artifacts"]["evaluation"]["taskOutputArtifact"]["producerTask"] == "evaluation"
    config = json.loads(inputs["parameters"]["custom_config"]["runtimeValue"]["constant"])
    assert config == {"when": when}


def test_keep_versions_is_part_of_the_cache_key_where_it_is_set():
    plain = Pusher(**_channels(), push_destination=_destination())
    keeping = Pusher(**_channels(), push_destination=_destination(), keep_versions=5)
    assert plain.exec_properties["custom_config"] == "null"
    assert json.loads(keeping.exec_properties["custom_config"]) == {"keep_versions": 5}


def _channels():
    classes = {
        "model": standard_artifacts.Model,
        "model_blessing": standard_artifacts.ModelBlessing,
        "infra_blessing": standard_artifacts.InfraBlessing,
    }
    return {name: channel_utils.as_channel([each()]) for name, each in classes.items()}


def _destination():
    return tfx.proto.PushDestination(
        filesystem=tfx.proto.PushDestination.Filesystem(base_directory="serving")
    )


def test_inputs_and_outputs_are_those_of_tfx():
    pusher = Pusher(**_channels(), push_destination=_destination())
    stock = tfx.components.Pusher(**_channels(), push_destination=_destination())
    assert pusher.id == stock.id == "Pusher"
    assert pusher.exec_properties == stock.exec_properties
    assert set(pusher.inputs) == set(stock.inputs) == set(_channels())
    assert pusher.outputs["pushed_model"].type is standard_artifacts.PushedModel


@pytest.mark.parametrize("missing", ["model_blessing", "infra_blessing", "push_destination"])
def test_it_cannot_be_built_without_both_blessings_and_a_destination(missing):
    arguments = {**_channels(), "push_destination": _destination()}
    del arguments[missing]
    with pytest.raises(ValueError, match=f"Pusher: without {missing}; expected both blessings"):
        Pusher(**arguments)


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_it_compiles_for_kubeflow_and_vertex(tmp_path, suffix):
    compiled = compiled_for_tests.compile_pipeline(tmp_path, suffix)
    spec = compiled if suffix == ".yaml" else compiled["pipelineSpec"]
    task = spec["root"]["dag"]["tasks"]["Pusher"]
    assert sorted(task["dependentTasks"]) == ["InfraValidator", "blessing", "model"]
    assert set(task["inputs"]["artifacts"]) == {"model", "model_blessing", "infra_blessing"}
    executor = spec["deploymentSpec"]["executors"]["Pusher_executor"]["container"]
    assert "pipeline.components.pusher.Executor" in executor["args"]
