"""How a model is made again: what was recorded, the commands, and what is refused."""

import dataclasses
import json

import pytest
import yaml

from fareline.digests import sha256_of_file
from fareline.errors import UserMistake
from fareline.recorded.run import RunRecord
from lineage.answers.reproduce.reproduce import (
    code_warning,
    commands,
    compare_metrics,
    recipe_as_json,
    recipe_of,
    recorded_metrics,
)
from lineage.graph.graph import Graph
from lineage.store.open import open_store
from runners.provenance import Provenance
from runners.publishing import reproduction
from runners.publishing.reproduction import overrides_for, present_fingerprint, require_reproducible
from tests.stores.writer import CACHED, StoreWriter, artifact

SETTINGS = "name: taxi\npush:\n  destination: null\n"
COMMIT = "0123456789" * 4


class Project:
    """A run of ours with one data file, a model and its evaluation."""

    def __init__(self, folder):
        self.writer = StoreWriter(folder / "metadata.db")
        self.data = folder / "data.csv"
        self.data.write_text("a,b\n1,2\n")

    def add_run(self, fingerprint="f" * 64, settings=SETTINGS, dirty=0, metrics=True):
        entry = {"path": str(self.data), "bytes": 8, "sha256": sha256_of_file(self.data)}
        examples = artifact("/x/examples", source_files=json.dumps([entry]))
        self.writer.add_execution("taxi", "run-1", "Gen", outputs={"examples": [examples]})
        outputs = {"model": [artifact("/x/model")]}
        inputs = [("examples", 1)]
        self.writer.add_execution("taxi", "run-1", "Trainer", outputs=outputs, inputs=inputs)
        found = {"overall": {"auc": 0.95, "example_count": 10}} if metrics else {}
        evaluation = artifact("/x/evaluation", metrics=json.dumps(found))
        self.writer.add_execution(
            "taxi",
            "run-1",
            "Evaluator",
            outputs={"evaluation": [evaluation]},
            inputs=[("model+baseline_model", 2)],
        )
        self.writer.record_run(
            "run-1",
            settings=settings,
            settings_sha256="5" * 64,
            settings_file="taxi.yaml",
            overrides='["training.steps=5"]',
            git_commit=COMMIT,
            git_dirty=dirty,
            code_fingerprint=fingerprint,
            stack="compat",
            python="3.10.13",
        )

    def recipe(self, model=2):
        graph = Graph(open_store(self.writer.path))
        return recipe_of(graph, graph.artifacts([model])[0])


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_all_that_was_recorded(project):
    project.add_run()

    assert recipe_as_json(project.recipe(), [], None) == {
        "model": "Model:2",
        "made_by": "Trainer@run-1",
        "git_commit": COMMIT,
        "git_dirty": False,
        "code_fingerprint": "f" * 64,
        "code_warning": None,
        "stack": "compat",
        "python": "3.10.13",
        "settings_sha256": "5" * 64,
        "settings_file": "taxi.yaml",
        "overrides": ["training.steps=5"],
        "settings": SETTINGS,
        "files": [
            {
                "path": str(project.data),
                "bytes": 8,
                "sha256": sha256_of_file(project.data),
                "status": "same",
            }
        ],
        "metrics": {"auc": 0.95, "example_count": 10},
        "not_recorded": [],
        "commands": [
            "fareline lineage reproduce Model:2 --settings-out settings.yaml",
            f"git checkout {COMMIT}",
            "fareline run --config settings.yaml --workspace reproduced",
        ],
    }


def test_a_stock_store_says_what_it_lacks(project):
    project.writer.add_execution("taxi", "run-1", "Trainer", outputs={"model": [artifact("/x")]})

    recipe = project.recipe(model=1)

    assert recipe.not_recorded == (
        "the settings",
        "the git commit",
        "the fingerprint of the code",
        "the stack and Python",
        "the data files with their SHA-256",
        "its metrics",
    )
    assert commands(recipe, []) == []
    assert overrides_for(recipe) == []
    with pytest.raises(UserMistake, match="Model:1: the settings were not recorded; expected"):
        require_reproducible(recipe, force=True)


def test_the_run_that_made_it_counts_and_not_one_that_took_it_from_the_cache(project):
    project.add_run()
    project.writer.add_execution("taxi", "run-2", "Trainer", CACHED, reused=[("model", 2)])
    project.writer.record_run("run-2", settings="other: settings")

    assert project.recipe().settings == SETTINGS


def test_metrics_as_a_baseline_are_those_of_another_model(project):
    project.writer.add_execution("taxi", "run-1", "Trainer", outputs={"model": [artifact("/x")]})
    evaluation = artifact("/e", metrics='{"overall": {"auc": 0.5}}')
    project.writer.add_execution(
        "taxi",
        "run-1",
        "Evaluator",
        outputs={"evaluation": [evaluation]},
        inputs=[("baseline_model", 1)],
    )

    graph = Graph(open_store(project.writer.path))
    assert recorded_metrics(graph, graph.artifacts([1])[0]) == {}


def test_a_reproduction_does_not_publish_or_record_elsewhere(project):
    settings = {"push": {"destination": "/srv/models"}, "metadata": {"store": "mysql://u@h/d"}}
    project.add_run(settings=yaml.safe_dump(settings))

    overrides = overrides_for(project.recipe())

    assert overrides == ["push.destination=null", "metadata.store=null"]
    assert commands(project.recipe(), overrides)[-1] == (
        "fareline run --config settings.yaml --workspace reproduced "
        "--set push.destination=null --set metadata.store=null"
    )


def test_other_code_is_refused_unless_forced(project):
    project.add_run()
    recipe = project.recipe()
    words = f"Model:2: the present code is another (fingerprint {present_fingerprint()[:12]}…)"

    with pytest.raises(UserMistake) as refusal:
        require_reproducible(recipe, force=False)
    assert str(refusal.value) == (
        f"{words}; expected the same code. Hint: check out the recorded commit, or say --force."
    )
    require_reproducible(recipe, force=True)


def test_a_checkout_with_changes_is_warned_of_unless_it_is_the_present_one(project):
    project.add_run(dirty=1)

    assert code_warning(project.recipe(), "a" * 64) == (
        "the checkout differed from the commit, so that the commit is not the whole code"
    )
    assert code_warning(project.recipe(), "f" * 64) is None


def test_other_data_is_refused_unless_forced(project):
    project.add_run(fingerprint=present_fingerprint())
    require_reproducible(project.recipe(), force=False)
    digest = sha256_of_file(project.data)[:12]

    project.data.write_text("a,b\n1,3\n")
    with pytest.raises(UserMistake) as refusal:
        require_reproducible(project.recipe(), force=False)
    assert str(refusal.value) == (
        f"Model:2: {project.data} has other content now; expected SHA-256 {digest}…. "
        "Hint: restore it, or say --force."
    )
    require_reproducible(project.recipe(), force=True)

    project.data.unlink()
    with pytest.raises(UserMistake, match="data.csv is gone"):
        require_reproducible(project.recipe(), force=False)


def test_metrics_must_be_equal_where_everything_is_as_recorded(project, monkeypatch):
    present = {"code_fingerprint": "f" * 64, "packages": "{}", "python": "3", "host_kind": "Linux"}
    monkeypatch.setattr(
        reproduction, "collect_provenance", lambda _: Provenance(present, present["python"])
    )
    project.add_run()
    recipe = project.recipe()
    record = dict(recipe.record.properties)

    def tolerance(**other):
        properties = record | present | other
        return reproduction.default_tolerance(
            dataclasses.replace(recipe, record=RunRecord(properties))
        )

    assert tolerance() == 0.0
    for name in present:
        assert tolerance(**{name: "other"}) == 0.01
    project.data.write_text("other")
    recipe = project.recipe()
    assert tolerance() == 0.01


def test_equal_metrics_are_within_no_difference_at_all():
    before = {"auc": 0.95, "accuracy": 0.9, "recall": float("nan")}
    after = {"auc": 0.95, "accuracy": 0.9 + 1e-9, "recall": float("nan")}
    compared = compare_metrics(before, after, tolerance=0.0)
    assert [m.within for m in compared] == [False, True, True]


def test_metrics_within_a_tolerance():
    before = {"auc": 0.95, "accuracy": 0.9, "only_before": 1.0}
    after = {"auc": 0.955, "accuracy": 0.92, "only_after": 1.0}

    compared = compare_metrics(before, after, tolerance=0.01)

    assert [(m.name, m.recorded, m.again, m.within) for m in compared] == [
        ("accuracy", 0.9, 0.92, False),
        ("auc", 0.95, 0.955, True),
        ("only_after", None, 1.0, False),
        ("only_before", 1.0, None, False),
    ]
