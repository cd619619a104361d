"""The user's own metrics and slices: settings, refusals, and what the functions may return."""

import json
import sys

import numpy as np
import pytest

from fareline.errors import SettingsError, UserMistake
from fareline.start import offer_packages
from pipeline.evaluation.eval_config import build_eval_config, has_computed_slices
from pipeline.evaluation.own_functions import Examples
from pipeline.evaluation.own_slices import resolve, slice_of_row
from pipeline.nodes.data_gate import gate_policy
from pipeline.rules.settings import curated_types, require_sound_settings
from pipeline.settings.evaluation import Evaluation
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from runners.own_code import offer_own_code, require_own_code

JUDGING = """
def cost(labels, predictions, weights): return 1.0
def width(labels, predictions, weights=None): return 1.0
def shift(row): return "day"
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with a package `taxicode`."""
    (tmp_path / "taxicode").mkdir()
    (tmp_path / "taxicode" / "__init__.py").write_text("")
    yield tmp_path
    offer_packages((), "")
    for name in [name for name in sys.modules if name.partition(".")[0] == "taxicode"]:
        del sys.modules[name]
    resolve.cache_clear()


def judged_by(folder, *overrides):
    (folder / "taxicode" / "judge.py").write_text(JUDGING)
    own = ("metrics={cost: taxicode.judge.cost}", "slices={shift: taxicode.judge.shift}")
    code = [f"code.folder={folder}", *(f"code.{each}" for each in own)]
    return load_settings(DEFAULT_PATH, [*code, *overrides])


def require_sound(settings):
    types = curated_types(settings)
    require_sound_settings(settings, types, [name for name in types if name != "tips"])


def test_metrics_and_slices_are_named_as_ours_are(folder):
    settings = judged_by(
        folder,
        "evaluation.slices=[[payment_type], [shift], [payment_type, shift]]",
        "evaluation.thresholds.cost={at_most: 3, at_most_above_baseline: 0.1}",
        "evaluation.slice_thresholds={shift: {cost: {at_most: 4}}}",
        "evaluation.max_gap={cost: {shift: 0.1, payment_type: 0}, auc: {shift: 0.2}}",
        "gate.coverage.min_slice_examples.eval=5",
    )
    require_sound(settings)
    require_own_code(settings)
    config = build_eval_config(settings)
    own = config.metrics_specs[0].metrics[-1]
    assert json.loads(own.config) == {"name": "cost", "function": "taxicode.judge.cost"}
    [threshold] = own.per_slice_thresholds
    assert threshold.threshold.value_threshold.upper_bound.value == 3
    assert threshold.threshold.change_threshold.absolute.value == 0.1
    assert has_computed_slices(config)
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [
        [],
        ["payment_type"],
        ["shift [taxicode.judge.shift]"],
        ["payment_type", "shift [taxicode.judge.shift]"],
    ]
    assert json.loads(gate_policy(settings))["slices"] == [[["payment_type", []]]]
    assert settings.code.packages == ("taxicode",)
    assert settings.code.modules_of_evaluator == ("taxicode.judge",)
    copy = Evaluation.model_validate_json(settings.evaluation.model_dump_json())
    assert copy == settings.evaluation


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "evaluation.thresholds.cots={at_most: 3}",
            "evaluation.thresholds.cots: unknown setting; did you mean cost? expected one of auc, "
            "pr_auc, accuracy, log_loss, macro_auc, micro_auc, macro_recall, rmse, mae, r2, "
            "calibration, example_count, cost.",
        ),
        (
            "evaluation.slice_thresholds={payment_type: {cots: {at_most: 3}}}",
            "evaluation.slice_thresholds.payment_type.cots: unknown setting; did you mean cost? ",
        ),
        (
            "evaluation.max_gap={cots: {shift: 1}}",
            "evaluation.max_gap.cots: unknown setting; did you mean cost? expected one of auc, ",
        ),
        ("evaluation.max_gap={cost: 1}", "evaluation.max_gap.cost: found 1; expected "),
        ("evaluation.max_gap={cost: {shift: -1}}", "max_gap.cost.shift: found -1; expected at "),
        (
            "evaluation.max_gap={cost: {shfit: 1}}",
            "evaluation.max_gap.cost.shfit: no such slices; expected one of ",
        ),
        ("evaluation.thresholds.cost={}", "evaluation.thresholds.cost: found {}; expected at_"),
        (
            "evaluation.thresholds.cost={at_most_below_baseline: 1, at_most_above_baseline: 1}",
            "expected at_most_below_baseline or at_most_above_baseline, not both.",
        ),
        (
            "evaluation.thresholds.cost.at_mots=3",
            "evaluation.thresholds.cost.at_mots: unknown setting; did you mean at_most? ",
        ),
        (
            "code.metrics={auc: taxicode.judge.cost}",
            "expected a name other than auc, which is Fareline's own metric.",
        ),
        ("code.metrics={Cost: taxicode.judge.cost}", "expected a name of lower-case letters, "),
        ("code.metrics={cost: cost}", "code.metrics.cost: found 'cost'; expected PACKAGE.MODULE."),
        (
            "code.metrics={cost: taxicode.judge.cots}",
            "code.metrics.cost: FILE has no cots; expected a function of that name. Hint: did you "
            "mean cost",
        ),
        (
            "code.metrics={cost: taxicode.judge.shift}",
            "code.metrics.cost: FILE:4: found shift(row); expected cost(labels, predictions, "
            "weights), as TFX calls it.",
        ),
        (
            "code.slices={shift: taxicode.judge.cost}",
            "code.slices.shift: FILE:2: found cost(labels, predictions, weights); expected "
            "shift(row), as TFX calls it.",
        ),
        (
            "code.slices={fare: taxicode.judge.shift}",
            "code.slices.fare: the data has a column fare; expected another name.",
        ),
        (
            "evaluation.slices=[[{column: shift, boundaries: [1]}]]",
            "evaluation.slices.0: shift is computed by code.slices, and has boundaries; expected "
            "none.",
        ),
        ("evaluation.slices=[[shfit]]", "evaluation.slices.0: "),
    ],
)
def test_mistakes_in_metrics_and_slices_are_one_line(folder, override, message):
    with pytest.raises(SettingsError) as refusal:
        settings = judged_by(folder, override)
        require_sound(settings)
        require_own_code(settings)
    file = str(folder / "taxicode" / "judge.py")
    key = override.partition("=")[0]
    line = str(refusal.value).removeprefix(f"--set {key}: ")
    line = line if line.startswith(key) or not message.startswith(key) else f"{key}: {line}"
    assert message.replace("FILE", file) in line
    assert "\n" not in str(refusal.value)


def test_what_a_function_may_return(folder):
    offer_own_code(judged_by(folder))
    file = folder / "taxicode" / "judge.py"
    file.write_text(
        "def text(labels, predictions, weights): return 'much'\n"
        "def one(labels, predictions, weights): return (labels * weights).sum(keepdims=True)\n"
        "def number(row): return row['fare']\n"
        "def kind(row): return type(row['fare']).__name__\n"
    )
    examples = Examples()
    examples.add(np.array([1, 0, 1]), np.array([[0.5], [0.5], [0.1]]), np.array([2.0, 1, 1]))
    assert examples.measure("taxicode.judge.one") == 3.0
    with pytest.raises(UserMistake) as refusal:
        examples.measure("taxicode.judge.text")
    assert str(refusal.value) == (
        f"{file}:1: text returned 'much', a str; expected a number, NaN where it is undefined. "
        "Hint: return float(…)."
    )
    rows = ([b"1"], "str"), ([1.5], "float"), ([], "NoneType"), (None, "NoneType"), ([1, 2], "list")
    for cells, expected in rows:
        assert slice_of_row("taxicode.judge.kind", {"fare": cells}) == expected
    assert slice_of_row("taxicode.judge.number", {"fare": []}) is None
    with pytest.raises(UserMistake) as refusal:
        slice_of_row("taxicode.judge.number", {"miles": [2], "hour": []})
    assert str(refusal.value) == (
        f"{file}:3: number asks for a column fare; expected one of hour, miles. Hint: correct the "
        "name, or use row.get(…), which is None where there is none."
    )
    with pytest.raises(UserMistake, match="number returned 2, a int; expected a text, or None"):
        slice_of_row("taxicode.judge.number", {"fare": [2]})
