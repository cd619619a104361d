"""The kind of model: its own search space, its hyperparameters, its library."""

import pytest

from fareline.errors import SettingsError
from pipeline.rules import model as rules
from pipeline.rules.model import find_model_mistakes
from pipeline.rules.settings import check_settings
from pipeline.settings.load import load_settings
from runners.provenance import write_settings

LINEAR = "model.linear.hyperparameters={learning_rate: 0.05, l2: 0}"


def problems(*overrides):
    return list(find_model_mistakes(load_settings(overrides=overrides)))


def test_each_kind_has_a_search_space_of_its_own():
    def searched(kind):
        return set(load_settings(overrides=[f"model.kind={kind}"]).search_section()["search"])

    assert searched("wide_deep") == {"learning_rate", "dropout", "width", "depth", "embedding_size"}
    assert searched("linear") == {"learning_rate", "l2"}
    assert searched("boosted_trees") == {
        "learning_rate", "max_depth", "min_child_weight", "subsample", "colsample_bytree",
    }  # fmt: skip


def test_without_a_search_the_kind_has_values_of_its_own():
    settings = load_settings(overrides=["model.kind=linear", "tuning.policy=never", LINEAR])
    check_settings(settings)
    assert settings.search_section()["hyperparameters"] == {"learning_rate": 0.05, "l2": 0}


def test_hyperparameters_are_there_where_nothing_is_searched_and_nowhere_else():
    assert problems("model.kind=linear", "tuning.policy=never") == [
        "model.linear.hyperparameters: found null; expected learning_rate, l2 with tuning.policy "
        "never. Hint: give one value of each, or search."
    ]
    assert problems("model.kind=linear", LINEAR) == [
        "model.linear.hyperparameters: found values; expected null with tuning.policy always, "
        "which searches for them. Hint: leave them out, or set tuning.policy to never."
    ]


def test_a_missing_library_is_one_line(monkeypatch):
    monkeypatch.setattr(rules, "_is_installed", lambda name: False)
    assert problems("model.kind=boosted_trees") == [
        "model.kind: found boosted_trees, and XGBoost is not installed; expected the library. "
        "Hint: pip install 'xgboost-cpu>=3.2,<4', or take another kind."
    ]
    assert problems("model.kind=linear") == []


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("model.kind=forest", "found 'forest'; expected 'wide_deep', 'linear' or 'boosted_trees'."),
        ("model.linear.search.l2=[1, 0]", "found [1, 0]; expected [low, high] with 1e-08 <= low"),
        ("model.boosted_trees.search.max_depth=[40]", "found [40]; expected depths of at most 16"),
        ("model.linear.search.width=[8]", "unknown setting; expected one of learning_rate, l2."),
    ],
)
def test_a_wrong_value_is_one_line(override, line):
    with pytest.raises(SettingsError) as refusal:
        load_settings(overrides=[override])
    assert str(refusal.value).startswith(f"--set {override.partition('=')[0]}: {line}")


@pytest.mark.parametrize("kind", ["wide_deep", "linear", "boosted_trees"])
def test_settings_that_are_written_are_read_as_the_same(kind, tmp_path):
    settings = load_settings(overrides=[f"model.kind={kind}"])
    path = tmp_path / "again.yaml"
    path.write_text(write_settings(settings), encoding="utf-8")
    assert load_settings(path).model_dump() == settings.model_dump()
