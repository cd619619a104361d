"""Who is blamed for a wrong setting: the file, or the `--set` that changed it."""

import pytest
import yaml

from fareline.errors import SettingsError
from pipeline.rules.cluster import check_runner
from pipeline.rules.settings import require_no_label_leak
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH


@pytest.fixture
def file_with(tmp_path):
    """A settings file that differs from the packaged one in some dotted keys."""

    def write(**changes):
        content = yaml.safe_load(DEFAULT_PATH.read_text())
        for key, value in changes.items():
            *parents, last = key.split("__")
            section = content
            for name in parents:
                section = section[name]
            section[last] = value
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


def blamed(path, *overrides):
    """What each line begins with: the file's name, or --set and its key."""
    with pytest.raises(SettingsError) as caught:
        load_settings(path, overrides)
    lines = str(caught.value).replace(str(path), path.name).splitlines()
    return [line.partition(": ")[0] for line in lines]


def test_a_value_is_blamed_on_where_it_came_from(file_with):
    path = file_with(training__steps=0)
    assert blamed(path) == ["mine.yaml"]
    assert blamed(path, "seed=-1") == ["--set seed", "mine.yaml"]
    assert blamed(path, "training.steps=-7") == ["--set training.steps"]
    assert blamed(path, "training={steps: 0}")[0] == "--set training"
    # The same wrong value in both: the one that counts.
    assert blamed(path, "training.steps=0") == ["--set training.steps"]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("evaluation.treshold=1", "--set evaluation.treshold: unknown setting; did you mean thres"),
        ("evalution.x=1", "--set evalution.x: evalution: unknown setting; did you mean evaluation"),
        ("training.steps=a", "--set training.steps: found 'a'; expected a whole number."),
        ("tuning={trails: 1}", "--set tuning: tuning.trails: unknown setting; did you mean trials"),
        ("data.source={}", "--set data.source: "),
        ("label.column=null", "--set label.column: found None; expected a text."),
        ("task=regression", "--set task: "),  # what it breaks stands elsewhere: the label's rule
    ],
)
def test_a_mistake_in_a_set_is_blamed_on_it(override, line):
    with pytest.raises(SettingsError) as caught:
        load_settings(None, [override])
    said = str(caught.value)
    assert any(each.startswith(line) for each in said.splitlines()), said
    assert str(DEFAULT_PATH) not in said


def test_of_several_the_first_one_after_which_the_problem_is_there(file_with):
    path = file_with()
    assert set(blamed(path, "seed=3", "task=regression", "tuning.trials=2")) == {"--set task"}


def test_the_rules_blame_in_the_same_way(file_with):
    path = file_with(features__numeric={"tips": {}})
    with pytest.raises(SettingsError) as caught:
        require_no_label_leak(load_settings(path))
    assert str(caught.value).startswith(f"{path}: features.numeric.tips: tips makes the label")
    with pytest.raises(SettingsError) as caught:
        require_no_label_leak(load_settings(path, ["features.numeric={tips: {}}"]))
    assert str(caught.value).startswith("--set features.numeric: features.numeric.tips: tips makes")
    with pytest.raises(SettingsError) as caught:
        changed = load_settings(None, ["runners.vertex.data_path=rows"])
        check_runner(changed, "vertex", changed.runners.vertex)
    assert str(caught.value).startswith("--set runners.vertex.data_path: ")
