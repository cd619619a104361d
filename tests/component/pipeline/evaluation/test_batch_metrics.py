"""Sums of whole batches, against TFMA's own combiners fed one example at a time."""

import collections
import json

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.evaluators import (
    metrics_plots_and_validations_evaluator as evaluator,
)
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from pipeline.evaluation import batch_metrics, batch_slices, tfma_internals
from pipeline.evaluation.batch_metrics import Measured, make_adder
from pipeline.evaluation.batch_slices import BatchSlicer, Pairs
from pipeline.evaluation.eval_config import OWN_FUNCTIONS, OWN_METRIC
from pipeline.evaluation.tfma_internals import LeftToTfmaError
from pipeline.slice_extractor import _add_computed

CLASSES, SLICES = 3, 4


def weighted_gap(labels, predictions, weights):
    """A metric of a user: one number from all examples of a slice, in any order."""
    wanted = labels if predictions.ndim == 1 else labels[:, np.newaxis]
    gaps = np.abs(wanted - predictions).reshape(len(labels), -1).sum(axis=1)
    return np.float64((gaps * weights).max() - np.median(gaps))


def kind_of_row(row):
    """A slice of a user, by several columns; None where one is missing."""
    if row["text"] is None or isinstance(row["text"], list):
        return None
    return f"{row['text']}{type(row['miles']).__name__}"


BINARY = ("AUC", "AUCPrecisionRecall", "BinaryAccuracy", "Calibration", "ExampleCount", "MeanLabel")
MULTICLASS = ("SparseCategoricalAccuracy", "SparseCategoricalCrossentropy", "ExampleCount")
REGRESSION = (
    "RootMeanSquaredError",
    "MeanAbsoluteError",
    "SquaredPearsonCorrelation",
    "Calibration",
    "ExampleCount",
    "MeanLabel",
    "MeanPrediction",
)


def specs(names, weighted, **settings):
    spec = config_pb2.MetricsSpec(**settings)
    for name in names:
        # Of several thresholds there is no average.
        several = name == "Recall" and not settings
        config = {"thresholds": [0.0, 0.3, 0.5, 1.0]} if several else {}
        spec.metrics.add(class_name=name, config=json.dumps(config))
    if not settings:  # there is no average of one's own
        config = {"name": "gap", "function": f"{__name__}.weighted_gap"}
        spec.metrics.add(class_name=OWN_METRIC, module=OWN_FUNCTIONS, config=json.dumps(config))
    spec.example_weights.weighted = weighted
    spec.example_weights.unweighted = not weighted
    return spec


def averaged(names, weighted, kind):
    aggregate = config_pb2.AggregationOptions(
        class_weights={0: 0.5, 2: 2.0} if kind == "macro" else {}
    )
    setattr(aggregate, f"{kind}_average", True)
    if kind == "micro":
        aggregate.class_weights.update({0: 0.5, 2: 2.0})
    return specs(names, weighted, aggregate=aggregate)


TASKS = {
    "binary": lambda weighted: [specs((*BINARY, "Recall"), weighted)],
    "multiclass": lambda weighted: [
        specs(MULTICLASS, weighted),
        averaged(("AUC", "Recall"), weighted, "macro"),
        averaged(("AUC", "Recall"), weighted, "micro"),
    ],
    "regression": lambda weighted: [specs(REGRESSION, weighted)],
}


def random_batch(task, labels, seed, rows):
    rng = np.random.default_rng(seed)
    if task == "multiclass":
        scores = rng.random((rows, CLASSES)).astype(np.float32)
        scores /= scores.sum(axis=1, keepdims=True)
        scores[:2] = np.eye(CLASSES)[:2]  # certain, right or wrong
        found = rng.integers(-1 if labels == "unknown" else 0, CLASSES, (rows, 1))
    elif task == "regression":
        scores = rng.normal(10, 5, (rows, 1)).astype(np.float32)
        found = rng.normal(10, 5, (rows, 1)).astype(np.float32)
    else:
        scores = rng.choice([0, 1, 0.5, 0.3, rng.random()], (rows, 1)).astype(np.float32)
        scores[rows // 2 :] = rng.random((rows - rows // 2, 1))
        found = rng.integers(0, 2, (rows, 1))
        if labels == "fractional":
            found = rng.random((rows, 1)).astype(np.float32)
    weights = rng.choice([0, 1, 2.5], rows).astype(np.float32)
    return Measured(found, scores, weights)


def random_pairs(seed, rows):
    """Every example in slice 0, some in others, none in the last."""
    rng = np.random.default_rng(seed)
    chosen = rng.random((rows, SLICES)) < [1, 0.5, 0.1, 0]
    return Pairs(*np.nonzero(chosen))


def computations_of(task, weighted):
    config = config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(label_key="label")], metrics_specs=TASKS[task](weighted)
    )
    return evaluator._filter_and_separate_computations(
        metric_specs.to_computations(config.metrics_specs, eval_config=config)
    )


def of_tfma(computations, batches):
    """Each slice's metrics, by TFMA's combiners, one example after the other."""
    sums = collections.defaultdict(
        lambda: [c.combiner.create_accumulator() for c in computations.non_derived_computations]
    )
    for computation in computations.non_derived_computations:
        computation.combiner.setup()
    for batch, pairs in batches:
        for row, number in zip(pairs.rows, pairs.slices, strict=True):
            element = metric_types.StandardMetricInputs(
                {
                    tfma.LABELS_KEY: batch.labels[row],
                    tfma.PREDICTIONS_KEY: batch.predictions[row],
                    tfma.EXAMPLE_WEIGHTS_KEY: batch.weights[row : row + 1],
                }
            )
            for place, computation in enumerate(computations.non_derived_computations):
                sums[number][place] = computation.combiner.add_input(sums[number][place], element)
    return {number: with_derived(computations, found) for number, found in sums.items()}


def with_derived(computations, accumulators):
    found = {}
    for computation, each in zip(computations.non_derived_computations, accumulators, strict=True):
        found |= computation.combiner.extract_output(each)
    for computation in computations.derived_computations:
        found.update(computation.result(found))
    return {k: v for k, v in found.items() if not evaluator._is_private_metrics(k)}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("binary", "plain"),
        ("binary", "fractional"),
        ("multiclass", "plain"),
        ("multiclass", "unknown"),
        ("regression", "plain"),
    ],
)
def test_every_metric_is_that_of_tfma(task, labels, weighted, seed, monkeypatch):
    monkeypatch.setattr(batch_metrics, "_MANY_BUCKETS", 50)  # so that sums are merged on the way
    monkeypatch.setattr(batch_metrics, "_MANY_NUMBERS", 300)
    if labels == "unknown":  # label -1, which Keras's metrics do not take
        monkeypatch.setitem(
            TASKS, task, lambda w: [averaged(("AUC", "Recall"), w, k) for k in ("macro", "micro")]
        )
    batches = [
        (random_batch(task, labels, seed + rows, rows), random_pairs(seed + rows, rows))
        for rows in (40, 7, 60)
    ]
    expected = of_tfma(computations_of(task, weighted), batches)
    computations = computations_of(task, weighted)
    adders = [make_adder(each) for each in computations.non_derived_computations]
    for batch, pairs in batches:
        for adder in adders:
            adder.add(batch, pairs)
    assert sorted(expected) == [0, 1, 2]
    for number, metrics in expected.items():
        found = with_derived(computations, [adder.accumulator(number) for adder in adders])
        assert found.keys() == metrics.keys()
        for key, value in metrics.items():
            # Keras sums in float32, in another order here.
            exact = not key.name.startswith(("sparse_categorical", "root_mean"))
            np.testing.assert_allclose(
                found[key], value, rtol=1e-10 if exact else 2e-6, atol=1e-12, err_msg=str(key)
            )


def test_what_is_not_known_is_left_to_tfma():
    config = config_pb2.EvalConfig(
        model_specs=[config_pb2.ModelSpec(label_key="label")],
        metrics_specs=[specs(("MeanSquaredError", "MeanSquaredLogarithmicError"), False)],
    )
    [first, *_] = metric_specs.to_computations(config.metrics_specs, eval_config=config)
    with pytest.raises(LeftToTfmaError, match="is computed by _"):
        make_adder(first)


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([[2]], [[0.5]], "a label is not within"),
        ([[1]], [[np.nan]], "a prediction is not a number"),
        ([[3]], [[0.2, 0.8]], "a label is not the number of a class"),
    ],
)
def test_examples_that_tfma_refuses_are_left_to_it(labels, predictions, message):
    [histogram, *_] = computations_of("binary", False).non_derived_computations
    batch = Measured(np.array(labels), np.array(predictions, np.float32), None)
    with pytest.raises(LeftToTfmaError, match=message):
        make_adder(histogram).add(batch, Pairs(np.array([0]), np.array([0])))


def test_the_tables_name_what_the_installed_tfma_has():
    tfma_internals.check_all()


COLUMNS = {
    "text": (pa.list_(pa.binary()), lambda rng: [b"a", b"b", "ü".encode()][rng.integers(3)]),
    "count": (pa.list_(pa.int64()), lambda rng: int(rng.integers(3))),
    "miles": (
        pa.list_(pa.float32()),
        lambda rng: float(rng.choice([0, 1, 1.5, 10, 12, -3, np.nan, np.inf])),
    ),
    "score": (pa.list_(pa.float32()), lambda rng: float(rng.choice([0.1, 2.0]))),
}
SPECS = [
    [],
    ["text"],
    ["count"],
    ["score"],
    ["miles [1, 10]"],
    ["text", "miles [0.5]"],
    ["text", "count", "score"],
    ["absent"],
    [f"kind [{__name__}.kind_of_row]"],
    ["count", f"kind [{__name__}.kind_of_row]"],
]


@pytest.mark.parametrize("longest", [1, 3])
def test_slices_are_those_of_tfma(longest):
    config = config_pb2.EvalConfig(
        slicing_specs=[
            *(config_pb2.SlicingSpec(feature_keys=keys) for keys in SPECS),
            config_pb2.SlicingSpec(feature_values={"text": "a"}),
            config_pb2.SlicingSpec(feature_keys=["count"], feature_values={"text": "b"}),
        ]
    )
    single = [slicer_lib.SingleSliceSpec(spec=spec) for spec in config.slicing_specs]
    slicer = BatchSlicer(config.slicing_specs)
    assert slicer.columns == {*COLUMNS, "absent", "kind"}
    rng = np.random.default_rng(5)
    for rows in (30, 1, 50):
        contents = {
            name: [
                None
                if rng.random() < 0.1
                else [make(rng) for _ in range(rng.integers(longest + 1))]
                for _ in range(rows)
            ]
            for name, (_, make) in COLUMNS.items()
        }
        batch = pa.RecordBatch.from_arrays(
            [pa.array(contents[name], kind) for name, (kind, _) in COLUMNS.items()], list(COLUMNS)
        )
        pairs = slicer.pairs(batch)
        found = collections.defaultdict(list)
        for row, number in zip(pairs.rows.tolist(), pairs.slices.tolist(), strict=True):
            found[row].append(slicer.keys[number])
        for row in range(rows):
            features = {
                name: np.array(contents[name][row] or [], kind.value_type.to_pandas_dtype())
                for name, (kind, _) in COLUMNS.items()
            }
            computed = [key for keys in SPECS for key in keys if key.endswith("]")]
            added = _add_computed({tfma.FEATURES_KEY: features}, computed)
            expected = set(
                slicer_lib.get_slices_for_features_dicts([], added[tfma.FEATURES_KEY], single)
            )
            assert sorted(found[row], key=repr) == sorted(expected, key=repr)


def test_a_slice_that_is_not_a_number_is_left_to_tfma():
    slicer = BatchSlicer([config_pb2.SlicingSpec(feature_keys=["miles"])])
    batch = pa.RecordBatch.from_arrays([pa.array([[np.nan]], pa.list_(pa.float32()))], ["miles"])
    with pytest.raises(LeftToTfmaError, match="miles: a slice by a value that is not a number"):
        slicer.pairs(batch)
    assert batch_slices.BatchSlicer([config_pb2.SlicingSpec()]).columns == set()
