"""The evaluation of a stock store: files that TFMA itself wrote, against NumPy."""

import numpy as np
import pandas as pd
import pytest
import tensorflow_model_analysis as tfma

from lineage.graph.graph import Graph
from lineage.store.open import open_store
from report.run.gather import gather
from report.run.page import report_page
from tests.stores.writer import StoreWriter, artifact

CONFIG = """
model_specs {{ label_key: "label" prediction_key: "score" }}
slicing_specs {{}}
slicing_specs {{ feature_keys: "payment" }}
metrics_specs {{
  metrics {{ class_name: "ExampleCount" }}
  metrics {{ class_name: "BinaryAccuracy" }}
  {plots}
}}
"""
PLOTS = """
  metrics { class_name: "ConfusionMatrixPlot" }
  metrics { class_name: "CalibrationPlot" config: '{"num_buckets": 10}' }
"""
ROWS = 400


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(6)
    labels = random.integers(0, 2, ROWS)
    scores = np.clip(random.normal(0.3 + 0.4 * labels, 0.2), 0.002, 0.998)
    scores = ((scores * 1000 + 0.5).astype(int) + 0.5) / 1000  # on no threshold
    payment = random.choice(["Cash", "<b>"], ROWS)
    return pd.DataFrame({"label": labels.astype(float), "score": scores, "payment": payment})


def evaluate(rows, folder, plots):
    """Lets TFMA evaluate, and records what it wrote as stock TFX does: without a property."""
    from google.protobuf import text_format

    config = text_format.Parse(CONFIG.format(plots=plots), tfma.EvalConfig())
    place = folder / "evaluation"
    tfma.analyze_raw_data(rows, config, output_path=str(place))
    writer = StoreWriter(folder / "metadata.db")
    writer.add_execution("stock", "now", "Evaluator", outputs={"evaluation": [artifact(place)]})
    return gather(Graph(open_store(str(folder / "metadata.db"))), "now")


@pytest.fixture(scope="module")
def document(rows, tmp_path_factory):
    return evaluate(rows, tmp_path_factory.mktemp("stock"), PLOTS)


def test_metrics_of_the_whole_and_of_every_slice(document, rows):
    evaluation = document.evaluation
    right = (rows["score"] > 0.5) == (rows["label"] == 1)
    assert evaluation.overall.metrics["example_count"] == ROWS
    assert evaluation.overall.metrics["binary_accuracy"] == pytest.approx(right.mean())
    assert [s.name for s in evaluation.slices] == ["payment=<b>", "payment=Cash"]
    for found in evaluation.slices:
        chosen = rows["payment"] == found.name.partition("=")[2]
        assert found.metrics["example_count"] == chosen.sum()
        assert found.metrics["binary_accuracy"] == pytest.approx(right[chosen].mean())


def test_curves_come_from_its_plots(document, rows):
    [found] = document.evaluation.candidate.operating
    labels = rows["label"] == 1
    assert (found.positives, found.negatives) == (labels.sum(), (~labels).sum())
    for place in range(0, len(found.thresholds), 50):
        above = rows["score"] > found.thresholds[place]
        assert found.true_positives[place] == (above & labels).sum()
        assert found.false_positives[place] == (above & ~labels).sum()
    [calibration] = document.evaluation.candidate.calibration
    assert sum(calibration.weights) == ROWS
    mean = np.average(calibration.rates, weights=calibration.weights)
    assert mean == pytest.approx(labels.mean())
    assert document.evaluation.notes == []


def test_its_page(document):
    page = report_page(document)
    assert "Confusion matrix at the threshold" in page
    assert "payment=&lt;b&gt;" in page
    assert "<b>" not in page


def test_without_plots_the_page_says_so(rows, tmp_path):
    document = evaluate(rows, tmp_path, "")
    assert document.evaluation.candidate is None
    assert document.evaluation.notes == [
        "Curves are not in this evaluation: its EvalConfig asks for no plots."
    ]
    assert "asks for no plots" in report_page(document)
