"""Minimal settings: four things suffice, and the rest is what is written down."""

import pytest
import yaml

from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH

MINIMAL = {
    "name": "mine",
    "data": {"source": {"csv": "rows.csv"}},
    "features": {"numeric": {"a": {}}},
    "label": {"column": "y"},
}


def load(tmp_path, **changes):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(MINIMAL | changes))
    return load_settings(path)


def test_the_defaults_are_those_of_the_taxi_pipeline_where_they_know_no_data(tmp_path):
    mine, taxi = load(tmp_path), load_settings(DEFAULT_PATH)
    for name in ("seed", "tuning", "training", "serving", "transform", "weighting", "gate"):
        assert getattr(mine, name) == getattr(taxi, name), name
    assert mine.data.splits == taxi.data.splits
    assert mine.schema_ is None
    assert mine.runners.vertex is None


@pytest.mark.parametrize(
    ("label", "task", "thresholds"),
    [
        ({"column": "y"}, "binary", {"auc": (0.5, 0.005)}),
        ({"column": "y", "positive": "yes"}, "binary", {"auc": (0.5, 0.005)}),
        ({"column": "y", "classes": ["a", "b", "c"]}, "multiclass", {"accuracy": (0.3333, 0.01)}),
        ({"column": "y", "log": False}, "regression", {"r2": (0.0, 0.01)}),
    ],
)
def test_task_and_thresholds_follow_from_the_label(tmp_path, label, task, thresholds):
    settings = load(tmp_path, label=label)
    assert settings.task == task
    found = dict(settings.evaluation.thresholds.items())
    assert {
        name: (bounds.at_least, bounds.at_most_below_baseline) for name, bounds in found.items()
    } == thresholds


def test_what_is_written_counts(tmp_path):
    changes = {"task": "regression", "evaluation": {"thresholds": {"mae": {"at_most": 2}}}}
    settings = load(tmp_path, **changes)
    assert [name for name, _ in settings.evaluation.thresholds.items()] == ["mae"]
    assert load(tmp_path, tuning={"trials": 1}).tuning.steps == 120


@pytest.mark.parametrize("evaluation", [{}, {"min_slice_examples": 7}])
def test_a_section_may_be_given_in_part(tmp_path, evaluation):
    settings = load(tmp_path, evaluation=evaluation)
    assert settings.evaluation.min_slice_examples == evaluation.get("min_slice_examples", 50)
    assert settings.evaluation.thresholds.auc.at_least == 0.5
