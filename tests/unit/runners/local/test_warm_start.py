"""Which model a run begins with: the live one or a named one, and which are refused."""

import json

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from fareline.errors import SettingsError, UserMistake
from pipeline.rules.cluster import find_named_warm_start
from pipeline.rules.settings import check_settings
from pipeline.settings.load import load_settings
from runners.local.warm_start import choose_warm_start
from runners.workspace import Workspace
from tests.stores.writer import StoreWriter, artifact

OURS = "models.trainer.run_fn"
OWN = "taxi_code.model.run_fn"


@pytest.fixture
def made(tmp_path):
    """Makes a model; returns its id."""
    writer = StoreWriter(tmp_path / "metadata.db")
    count = 0

    def make(
        run_fn=OURS, pipeline="chicago-taxi", node="Trainer", task="binary", sample=None, **model
    ):
        nonlocal count
        count += 1
        folder = tmp_path / f"model-{count}"
        folder.mkdir()
        properties = {"sample": sample} if sample else {}
        config = {"task": task, **({"model": model} if model else {})}
        writer.add_execution(
            pipeline, f"run-{count}", node, outputs={"model": [artifact(folder, **properties)]},
            run_fn=run_fn, custom_config=json.dumps(config),
        )  # fmt: skip
        return writer.artifact_ids[0]

    make.writer = writer
    return make


def choose(tmp_path, wanted, *overrides):
    settings = load_settings(overrides=[f"training.warm_start={wanted}", *overrides])
    return choose_warm_start(settings, Workspace(tmp_path), str(tmp_path / "serving"))


def push(made, tmp_path, model, version):
    place = artifact("/p", pushed=1, pushed_destination=f"{tmp_path}/serving/{version}")
    made.writer.add_execution(
        "chicago-taxi", f"push-{version}", "Pusher",
        outputs={"pushed_model": [place]}, inputs=[("model", model)],
    )  # fmt: skip
    return made.writer.artifact_ids[0]


def test_live_is_the_highest_version_where_the_run_pushes_to(made, tmp_path):
    assert choose(tmp_path, "live") == 0
    first, second, other = made(), made(kind="wide_deep"), made()
    assert choose(tmp_path, "live") == 0
    push(made, tmp_path, second, 2)
    push(made, tmp_path, first, 1)
    push(made, tmp_path / "elsewhere", other, 3)
    assert choose(tmp_path, "live") == second
    assert choose(tmp_path, "null") == 0


def test_a_model_is_named_as_lineage_names_it(made, tmp_path):
    first, second = made(), made()
    pushed = push(made, tmp_path, first, 1)
    for named, model in (
        (f"Model:{first}", first),
        (f"mod:{second}", second),
        ("run-2", second),
        ("Trainer@run-1", first),
        (f"PushedModel:{pushed}", first),
    ):
        assert choose(tmp_path, named) == model, named


def test_before_the_first_run_there_is_no_model_to_name(tmp_path):
    assert choose(tmp_path, "live") == 0
    with pytest.raises(UserMistake, match=r"training\.warm_start: Model:1: nothing was run in"):
        choose(tmp_path, "Model:1")


@pytest.mark.parametrize("named", ["Model:99", "Modell:1", "run-99", "latest model", "bikes"])
def test_an_unknown_model_is_refused_in_one_line(made, tmp_path, named):
    made()
    with pytest.raises(UserMistake, match=r"^training\.warm_start: .*Hint: [^\n]*$"):
        choose(tmp_path, named)


@pytest.mark.parametrize(
    ("how", "overrides", "said"),
    [
        ({"run_fn": OWN}, (), f"made with code.run_fn {OWN}; expected {OURS}"),
        ({"run_fn": None}, (), f"made with code.run_fn not recorded; expected {OURS}"),
        ({}, (f"code.run_fn={OWN}",), f"made with code.run_fn {OURS}; expected {OWN}"),
        ({"kind": "linear"}, (), "made with model.kind linear; expected wide_deep"),
        ({}, ("model.kind=linear",), "made with model.kind wide_deep; expected linear"),
        ({"kind": "boosted_trees"}, (), "made with model.kind boosted_trees; expected wide_deep"),
        ({"task": "regression"}, (), "made with task regression; expected binary"),
        ({"pipeline": "bikes"}, (), "made with name bikes; expected chicago-taxi"),
        ({"node": "Importer"}, (), "made with name not recorded; expected chicago-taxi"),
    ],
)
@pytest.mark.parametrize("is_live", [False, True])
def test_weights_that_mean_something_else_are_refused(
    made, tmp_path, how, overrides, said, is_live
):
    how = {key: value for key, value in how.items() if value is not None} | (
        {"run_fn": ""} if "run_fn" in how and how["run_fn"] is None else {}
    )
    model = made(**how)
    if is_live:
        push(made, tmp_path, model, 1)
    with pytest.raises(UserMistake) as refused:
        choose(tmp_path, "live" if is_live else f"Model:{model}", *overrides)
    assert str(refused.value).startswith(f"training.warm_start: Model:{model}: it was {said}, as")
    assert "\n" not in str(refused.value)


def test_an_erased_model_is_refused(made, tmp_path):
    marked, removed = made(), made()
    made.writer.set_state(marked, mlmd.Artifact.DELETED)
    (tmp_path / "model-2").rmdir()
    for model in (marked, removed):
        with pytest.raises(UserMistake, match=rf"Model:{model}: its files are gone; expected a"):
            choose(tmp_path, f"Model:{model}")


def test_the_model_of_a_sample_is_refused(made, tmp_path):
    model = made(sample="500")
    with pytest.raises(UserMistake, match=rf"Model:{model}: it is of a sample of 500 rows; expec"):
        choose(tmp_path, f"Model:{model}")


def test_trees_have_no_weights_and_a_cluster_knows_no_ids():
    settings = load_settings(overrides=["training.warm_start=live", "model.kind=boosted_trees"])
    with pytest.raises(SettingsError, match="boosted_trees have no weights to begin with"):
        check_settings(settings)
    for wanted, refused in (("live", 0), ("null", 0), ("Model:3", 1), ("run-7", 1)):
        settings = load_settings(overrides=[f"training.warm_start={wanted}"])
        assert len([*find_named_warm_start(settings)]) == refused, wanted
