"""The kind of feature that docs/own-code.md adds: its values, and a network that reads them."""

import importlib
import re
import sys

import numpy as np
import pytest
import tensorflow as tf

from fareline.packages import CHECKOUT
from models.heads import BinaryHead
from preprocessing.features import parse_features
from runners.own_package import write_own_package

DOCUMENT = (CHECKOUT / "docs" / "own-code.md").read_text(encoding="utf-8")
[WRITTEN] = [t for t in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if "circle" in t]
SETTINGS = {"numeric": {}, "bucketized": {}, "vocabulary": {}, "categorical": {"month": 13}}


def edit(file, *pairs):
    text = file.read_text()
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package of `fareline init --code`, with the edits of the document."""
    write_own_package(tmp_path, "circle_code")
    folder = tmp_path / "circle_code"
    (folder / "circle.py").write_text(WRITTEN)
    before_return, imported = "\n    outputs |= circle(inputs)", "from circle_code.circle import "
    assert "write `outputs \\|= circle(inputs)` before `return outputs`" in DOCUMENT
    assert "write `[MISSING, *NAMES]` instead of `[MISSING]`" in DOCUMENT
    edit(
        folder / "preprocessing.py",
        ("\n    return outputs", f"{before_return}\n    return outputs"),
        ("import tensorflow as tf\n", f"import tensorflow as tf\n{imported}circle\n"),
    )
    edit(
        folder / "model.py",
        ("+ [MISSING]:", "+ [MISSING, *NAMES]:"),
        ("import keras\n", f"import keras\n{imported}NAMES\n"),
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module
    for name in [name for name in sys.modules if name.partition(".")[0] == "circle_code"]:
        del sys.modules[name]


def column(*values, dtype=tf.int64):
    """A raw column, where None is missing."""
    present = [i for i, value in enumerate(values) if value is not None]
    known = tf.constant([values[i] for i in present], dtype)
    return tf.SparseTensor([[i, 0] for i in present], known, [len(values), 1])


def test_the_documented_kind_is_computed_and_read(package):
    inputs = {
        "trip_start_hour": column(0, 6, 23, None),
        "trip_start_day": column(7, None, 1, 3),
        "month": column(1, 2, None, 12),
        "tips": column(1, 0, 0, 1),
    }
    config = {"task": "binary", "features": SETTINGS, "label": {"column": "tips"}}
    outputs = package("circle_code.preprocessing").preprocessing_fn(inputs, config)
    names = package("circle_code.circle").NAMES
    assert {*names} < {*outputs}
    found = np.concatenate([outputs[name] for name in names[:2]], axis=1)
    angles = [2 * np.pi * hour / 24 for hour in (0, 6, 23)]
    expected = [[np.sin(angle), np.cos(angle)] for angle in angles]
    assert found == pytest.approx(np.array([*expected, [0, 0]]), abs=1e-6)

    features = parse_features(SETTINGS)
    hyperparameters = {"learning_rate": 0.01, "width": 2, "embedding_size": 1}
    model = package("circle_code.model").build_model(features, BinaryHead(), hyperparameters)
    assert {*names} < {*model.input} < {*outputs}
    answers = model({name: outputs[name] for name in model.input})
    assert answers.shape == (4, 1)
