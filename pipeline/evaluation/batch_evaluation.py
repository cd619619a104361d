"""Evaluates models in this process, a batch at a time, and writes what TFMA would write.

TFMA takes every example apart, and gives it to every metric of every slice on its own; its Beam
pipeline costs seconds before the first example. Here examples are read, predicted and sliced in
batches, their sums are added up by `pipeline.evaluation.batch_metrics`, and all that comes after
the sums is TFMA's own code. Examples are read and predicted in threads, so that both cores have
work; at most `_AHEAD` batches wait, so that memory does not grow with the data.

Two models of equal content are measured once. Whatever is not known here is left to TFMA, which
works on a cluster as well: `LeftToTfmaError` says why. Called by the Evaluator, which imports this
only after `tfma_internals.check_all`: the names of TFMA are looked up at import.
"""

import collections
import concurrent.futures
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.evaluators import (
    metrics_plots_and_validations_evaluator as evaluator,
)
from tensorflow_model_analysis.evaluators import metrics_validator
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2
from tensorflow_model_analysis.utils import model_util
from tensorflow_model_analysis.writers import eval_config_writer
from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer
from tfx_bsl.coders import example_coder

from pipeline.evaluation import batch_metrics
from pipeline.evaluation.batch_metrics import Measured
from pipeline.evaluation.batch_slices import BatchSlicer, SliceKey
from pipeline.evaluation.curves import CurveSums
from pipeline.evaluation.tfma_internals import LeftToTfmaError
from pipeline.evaluation.unlabelled import Predicted, remove_features

_BATCH = 4096
_THREADS = 2
_AHEAD = 4
# What TFMA takes for the vocabulary of labels, where a model answers with it.
_VOCABULARY = ({"all_classes"}, {"classes", "scores"})


def check_known(eval_config: config_pb2.EvalConfig) -> None:
    """Checks that nothing is asked for that is not known here.

    Args:
        eval_config: With TFMA's defaults.

    Raises:
        LeftToTfmaError: Something is.
    """
    options = eval_config.options
    unknown = {
        "confidence intervals": options.compute_confidence_intervals.value,
        "a least size of slices": options.min_slice_size.value > 1,
        "outputs that are left out": bool(options.disabled_outputs.values),
        "slices compared with slices": bool(eval_config.cross_slicing_specs),
        "a query": any(spec.query_key for spec in eval_config.metrics_specs),
        "slices by SQL": any(spec.slice_keys_sql for spec in eval_config.slicing_specs),
    }
    for what, is_asked in unknown.items():
        if is_asked:
            raise LeftToTfmaError(f"{what}: not computed in batches")


def evaluate(
    example_files: Sequence[str],
    models: Mapping[str, tfma.types.EvalSharedModel],
    twins: Mapping[str, str],
    eval_config: config_pb2.EvalConfig,
    output_path: str,
    unserved: Sequence[str] = (),
) -> Mapping[str, "Observed"]:
    """Measures models on examples and writes TFMA's files.

    Args:
        example_files: TFRecord files of serialized Examples.
        models: By the name that their model spec has; the empty one if there is one only.
        twins: Twins of names, that of the model of the same content which stands for it.
        eval_config: With TFMA's defaults, passed by `check_known`.
        output_path: URI of the folder to write to.
        unserved: Columns that no request carries: predictions are made without them.

    Returns:
        What was seen of each model's predictions, by its name; of a twin nothing.

    Raises:
        LeftToTfmaError: Something is not known here; nothing was written.
    """
    specs = _specs_by_name(eval_config)
    if set(specs) != set(models):
        raise LeftToTfmaError(f"models {sorted(models)} for specs {sorted(specs)}")
    computations = evaluator._filter_and_separate_computations(
        metric_specs.to_computations(eval_config.metrics_specs, eval_config=eval_config)
    )
    if computations.cross_slice_computations or computations.ci_derived_computations:
        raise LeftToTfmaError("metrics across slices or of intervals: not computed in batches")
    sums = _Sums(computations.non_derived_computations, twins)
    slicer = BatchSlicer(eval_config.slicing_specs)
    predictors = {
        name: _Predictor(models[name], spec, slicer)
        for name, spec in specs.items()
        if name not in twins
    }
    observed = {name: Observed() for name in predictors}
    for batch in _measured_batches(example_files, predictors, slicer, unserved):
        for name, measured in batch.by_model.items():
            observed[name].add(measured)
        sums.add(batch.by_model, slicer.pairs(batch.columns))
    results = [
        (key, _with_derived(sums.metrics(number), computations, eval_config))
        for number, key in sorted(enumerate(slicer.keys), key=lambda pair: repr(pair[1]))
    ]
    _write(results, models, eval_config, output_path)
    return observed


def observe(
    example_files: Sequence[str],
    models: Mapping[str, tfma.types.EvalSharedModel],
    twins: Mapping[str, str],
    eval_config: config_pb2.EvalConfig,
    unserved: Sequence[str] = (),
) -> Mapping[str, "Observed"]:
    """Only looks at predictions, where TFMA has measured; the arguments are those of `evaluate`.

    Raises:
        LeftToTfmaError: Something is not known here.
    """
    slicer = BatchSlicer([])
    predictors = {
        name: _Predictor(models[name], spec, slicer)
        for name, spec in _specs_by_name(eval_config).items()
        if name not in twins
    }
    observed = {name: Observed() for name in predictors}
    for batch in _measured_batches(example_files, predictors, slicer, unserved):
        for name, measured in batch.by_model.items():
            observed[name].add(measured)
    return observed


class Observed:
    """Observations of the predictions of one model.

    Attributes:
        predicted: Their range.
        curves: Data of the curves.
    """

    def __init__(self):
        self.predicted = Predicted()
        self.curves = CurveSums()

    def add(self, measured: Measured) -> None:
        """Takes in a batch."""
        self.predicted.add(measured.predictions)
        self.curves.add(measured)


def _specs_by_name(eval_config: config_pb2.EvalConfig) -> dict[str, config_pb2.ModelSpec]:
    if len(eval_config.model_specs) == 1:
        return {"": eval_config.model_specs[0]}
    return {spec.name: spec for spec in eval_config.model_specs}


class _Sums:
    """All sums of an evaluation; models of equal content share theirs."""

    def __init__(
        self, computations: Sequence[metric_types.MetricComputation], twins: Mapping[str, str]
    ):
        self._computations = computations
        self._twins = twins
        self._adders = [
            (batch_metrics.model_of(each), batch_metrics.make_adder(each)) for each in computations
        ]
        self._sources = self._find_sources()

    def _find_sources(self) -> list[int]:
        """Of each computation, the one whose sums it takes: its own, or that of its twin."""
        known = {
            _without_model(each): number
            for number, each in enumerate(self._computations)
            if batch_metrics.model_of(each) not in self._twins
        }
        return [
            known[_without_model(each)] if batch_metrics.model_of(each) in self._twins else number
            for number, each in enumerate(self._computations)
        ]

    def add(self, by_model: Mapping[str, Measured], pairs: batch_metrics.Pairs) -> None:
        for model, adder in self._adders:
            if model in by_model:
                adder.add(by_model[model], pairs)

    def metrics(self, number: int) -> metric_types.MetricsDict:
        """What TFMA's combiners make of the sums of a slice."""
        result = {}
        for (_, adder), source in zip(self._adders, self._sources, strict=True):
            accumulator = self._adders[source][1].accumulator(number)
            result |= adder.combiner.extract_output(accumulator)
        return result


def _without_model(computation: metric_types.MetricComputation) -> tuple:
    keys = tuple(key._replace(model_name="") for key in computation.keys)
    return type(computation.combiner), keys


def _with_derived(
    metrics: metric_types.MetricsDict,
    computations: evaluator.MetricComputations,
    eval_config: config_pb2.EvalConfig,
) -> metric_types.MetricsDict:
    """Adds derived metrics and differences to the baseline, as TFMA does; drops private ones."""
    result = dict(metrics)
    for computation in computations.derived_computations:
        result.update(computation.result(result))
    baseline = model_util.get_baseline_model_spec(eval_config)
    result = {key: v for key, v in result.items() if not evaluator._is_private_metrics(key)}
    for key, value in list(result.items()) if baseline else ():
        of_baseline = key.make_baseline_key(baseline.name)
        if key.is_diff or key.model_name == baseline.name or of_baseline not in result:
            continue
        if evaluator._is_metric_diffable(value):
            result[key.make_diff_key()] = value - result[of_baseline]
    return result


@dataclasses.dataclass(frozen=True)
class _Batch:
    columns: pa.RecordBatch
    by_model: Mapping[str, Measured]


class _Predictor:
    """One model: from serialized Examples to labels, predictions and weights."""

    def __init__(
        self,
        model: tfma.types.EvalSharedModel,
        spec: config_pb2.ModelSpec,
        slicer: BatchSlicer,
    ):
        if model.model_type != tfma.TF_GENERIC:
            raise LeftToTfmaError(f"a model of type {model.model_type}")
        self._model = model.model_loader.load()  # kept: its variables go with it
        self._predict = self._signature(spec.signature_name)
        (transform,) = spec.preprocessing_function_names or [""]
        self._transform = self._signature(transform)
        found = self._transform.structured_outputs
        if sliced := slicer.columns & set(found):
            raise LeftToTfmaError(f"slices by transformed features: {', '.join(sorted(sliced))}")
        self._output = _chosen_output(self._predict.structured_outputs, spec)
        self._label, self._weight = spec.label_key, spec.example_weight_key
        for name in filter(None, (self._label, self._weight)):
            if name not in found:
                raise LeftToTfmaError(f"{name} is no transformed feature")
        # Only what is asked for is computed: one graph, without the features that are not returned.
        examples = tf.TensorSpec([None], tf.string)
        self._run = tf.function(self._wanted, input_signature=[examples, examples])

    def _signature(self, name: str):
        function = getattr(self._model, "signatures", {}).get(name)
        if function is None:
            raise LeftToTfmaError(f"the model has no signature {name!r}")
        inputs = function.structured_input_signature[1]
        if [spec.dtype for spec in inputs.values()] != [tf.string]:
            raise LeftToTfmaError(f"the signature {name!r} does not take serialized Examples alone")
        return function

    def _wanted(self, serialized: tf.Tensor, asked: tf.Tensor) -> list[tf.Tensor]:
        def call(function, examples):
            (name,) = function.structured_input_signature[1]
            return function(**{name: examples})

        features = call(self._transform, serialized)
        wanted = [call(self._predict, asked)[self._output], features[self._label]]
        return [*wanted, features[self._weight]] if self._weight else wanted

    def measure(self, serialized: tf.Tensor, asked: tf.Tensor) -> Measured:
        """Predicts a batch.

        Args:
            serialized: Examples with the label.
            asked: The same as a client would send them.

        Raises:
            LeftToTfmaError: It answers in shapes that are not known here.
        """
        try:
            predictions, labels, *weights = (
                value.numpy() for value in self._run(serialized, asked)
            )
        except tf.errors.OpError as error:
            raise LeftToTfmaError(f"a batch cannot be predicted: {error.message}") from error
        count = len(serialized)
        predictions, labels = (
            each[:, np.newaxis] if each.ndim == 1 else each for each in (predictions, labels)
        )
        if predictions.ndim != 2 or labels.shape != (count, 1) or labels.dtype.kind not in "if":
            raise LeftToTfmaError(f"predictions {predictions.shape}, labels {labels.shape}")
        if weights and weights[0].size != count:
            raise LeftToTfmaError(f"weights {weights[0].shape}")
        return Measured(labels, predictions, weights[0].reshape(count) if weights else None)


def _chosen_output(outputs: Mapping[str, tf.TensorSpec], spec: config_pb2.ModelSpec) -> str:
    if any(names <= set(outputs) for names in _VOCABULARY):
        raise LeftToTfmaError("the model answers with a vocabulary of labels")
    if len(outputs) == 1:
        return next(iter(outputs))
    if spec.prediction_key not in outputs:
        raise LeftToTfmaError(f"none of {', '.join(sorted(outputs))} is the prediction key")
    return spec.prediction_key


def _measured_batches(
    example_files: Sequence[str],
    predictors: Mapping[str, _Predictor],
    slicer: BatchSlicer,
    unserved: Sequence[str],
) -> Iterator[_Batch]:
    """Reads, decodes and predicts in threads; in the order of the files."""
    decoder = example_coder.ExamplesToRecordBatchDecoder()

    def measure(serialized: tf.Tensor) -> _Batch:
        examples = serialized.numpy().tolist()
        columns = decoder.DecodeBatch(examples) if slicer.columns else None
        asked = tf.constant(remove_features(examples, unserved)) if unserved else serialized
        by_model = {name: each.measure(serialized, asked) for name, each in predictors.items()}
        if columns is None:
            columns = pa.RecordBatch.from_arrays([pa.nulls(len(serialized))], ["none"])
        return _Batch(columns, by_model)

    waiting = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
        try:
            for serialized in _read(example_files):
                waiting.append(threads.submit(measure, serialized))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _read(example_files: Sequence[str]) -> Iterator[tf.Tensor]:
    for path in example_files:
        compression = "GZIP" if path.endswith(".gz") else ""
        yield from tf.data.TFRecordDataset(path, compression).batch(_BATCH).prefetch(1)


def _write(
    results: Sequence[tuple[SliceKey, metric_types.MetricsDict]],
    models: Mapping[str, tfma.types.EvalSharedModel],
    eval_config: config_pb2.EvalConfig,
    output_path: str,
) -> None:
    """Writes the files that TFMA's default writers write, under the same names."""
    rubber_stamp = model_util.has_rubber_stamp(list(models.values()))
    combine = writer.CombineValidations(eval_config, rubber_stamp=rubber_stamp)
    validation = combine.create_accumulator()
    for sliced in results:
        only_metrics = evaluator._filter_by_key_type(sliced, metric_types.MetricKey)
        judged = metrics_validator.validate_metrics(only_metrics, eval_config)
        validation = combine.add_input(validation, judged)
    for name, key_type, convert, more in (
        (tfma.METRICS_KEY, metric_types.MetricKey, writer.convert_slice_metrics_to_proto, ([],)),
        (tfma.PLOTS_KEY, metric_types.PlotKey, writer.convert_slice_plots_to_proto, ([],)),
        (
            tfma.ATTRIBUTIONS_KEY,
            metric_types.AttributionsKey,
            writer.convert_slice_attributions_to_proto,
            (),
        ),
    ):
        messages = [
            convert(evaluator._filter_by_key_type(sliced, key_type), *more) for sliced in results
        ]
        _write_records(os.path.join(output_path, f"{name}-00000-of-00001.tfrecord"), messages)
    judged = combine.extract_output(validation)
    _write_records(os.path.join(output_path, f"{tfma.VALIDATIONS_KEY}.tfrecord"), [judged])
    locations = {name: model.model_path or "<unknown>" for name, model in models.items()}
    text = eval_config_writer._serialize_eval_run(
        eval_config, "<user provided PCollection>", "<unknown>", locations
    )
    path = os.path.join(output_path, f"{eval_config_writer.EVAL_CONFIG_FILE}.json")
    with tf.io.gfile.GFile(path, "w") as output:
        output.write(f"{text}\n")


def _write_records(path: str, messages: Sequence) -> None:
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(path) as output:
        for message in messages:
            output.write(message.SerializeToString())
