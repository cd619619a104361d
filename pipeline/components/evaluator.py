"""Evaluator: TFX's own, and a verdict with the result of each threshold.

TFX blesses by the thresholds that TFMA can express. Here a model is blessed if TFX does so and all
checks of pipeline.evaluation.judge are passed. Metrics and verdict are also recorded in the store,
where they outlive the payload.

Used by `pipeline.dag`. No `from __future__ import annotations`: TFX reads raw annotations.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pydantic
import tensorflow_model_analysis as tfma
from absl import logging
from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as tfx_executor
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.types.standard_component_specs import (
    BASELINE_MODEL_KEY,
    BLESSING_KEY,
    EVAL_CONFIG_KEY,
    EVALUATION_KEY,
    EXAMPLE_SPLITS_KEY,
    EXAMPLES_KEY,
    MODEL_KEY,
    MODULE_PATH_KEY,
)
from tfx.utils import io_utils, json_utils

from fareline.errors import UserMistake
from fareline.recorded import METRIC_PREFIX, METRICS, VERDICT
from fareline.recorded.curves import (
    CURVES_FILE,
    SLICES_FILE,
    BesideMetrics,
    Curves,
    slices_text,
)
from fareline.recorded.evaluation import Metrics, Reference, VerdictRecord, finite
from pipeline.components.live_baseline import without_empty_model
from pipeline.evaluation import numpy_confusion_matrices, tfma_internals
from pipeline.evaluation.eval_config import has_computed_slices, read_metrics, read_refusals
from pipeline.evaluation.evaluator_inputs import find_files, read_inputs
from pipeline.evaluation.judge import judge
from pipeline.evaluation.tfma_internals import LeftToTfmaError
from pipeline.evaluation.unlabelled import check_sample, too_good
from pipeline.evaluation.verdict import SliceMetrics
from pipeline.settings.evaluation import Evaluation
from pipeline.settings.slicing import OVERALL
from pipeline.user_code import EVALUATOR_SOURCES, fingerprint_sources

DEMANDS_KEY, TASK_KEY, CODE_KEY = "demands", "task", "source_fingerprint"
UNSERVED_KEY, REFERENCE_KEY = "unserved_columns", "reference"
SLICE_EXTRACTOR = "pipeline.slice_extractor"
VERDICT_FILE = "verdict.json"


class EvaluatorSpec(standard_component_specs.EvaluatorSpec):
    """TFX's inputs and outputs, its used parameters, and Fareline's requirements as JSON text."""

    PARAMETERS: ClassVar[dict[str, component_spec.ExecutionParameter]] = {
        EVAL_CONFIG_KEY: component_spec.ExecutionParameter(type=tfma.EvalConfig),
        EXAMPLE_SPLITS_KEY: component_spec.ExecutionParameter(type=str),
        MODULE_PATH_KEY: component_spec.ExecutionParameter(type=str, optional=True),
        DEMANDS_KEY: component_spec.ExecutionParameter(type=str),
        TASK_KEY: component_spec.ExecutionParameter(type=str),
        UNSERVED_KEY: component_spec.ExecutionParameter(type=str, optional=True),
        REFERENCE_KEY: component_spec.ExecutionParameter(type=str, optional=True),
        CODE_KEY: component_spec.ExecutionParameter(type=str),
    }


class Executor(tfx_executor.Executor):
    """TFX's executor, followed by Fareline's checks, which are recorded in the store."""

    def Do(  # noqa: N802 - TFX calls it so
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the model, then records metrics and verdict.

        Args:
            input_dict: Input dict, as TFX's; a `baseline_model` without files counts as none.
            output_dict: `evaluation` and `blessing`. The evaluation gets `metrics`, JSON as
                `fareline.recorded` has it with null for what is undefined, and each defined overall
                metric as a number: `metric_auc` and so on. The blessing gets `verdict`, JSON, and
                the same as verdict.json in its payload.
            exec_properties: Exec properties, as TFX's, with `demands`, `task` and
                `unserved_columns`.

        Raises:
            UserMistake: No threshold is among the demands: TFX would give no blessing, in silence.
        """
        demands = read_demands(exec_properties)
        input_dict = without_empty_model(input_dict, BASELINE_MODEL_KEY)
        numpy_confusion_matrices.install()
        try:
            refusals = self._evaluate_in_batches(input_dict, output_dict, exec_properties)
        except LeftToTfmaError as reason:
            logging.info("Evaluator: %s; evaluated by TFMA, example by example.", reason)
            super().Do(input_dict, output_dict, exec_properties)
            refusals = check_unlabelled(input_dict, exec_properties)
            self._observe(input_dict, output_dict, exec_properties)
        evaluation = artifact_utils.get_single_instance(output_dict[EVALUATION_KEY])
        slices = read_metrics(evaluation.uri)
        record_metrics(slices, evaluation)
        baselines = input_dict.get(BASELINE_MODEL_KEY)
        write_slices(slices, evaluation)
        verdict = judge(
            slices,
            demands,
            exec_properties[TASK_KEY],
            baselines[0].id if baselines else None,
        )
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        tfma_refusals = read_refusals(evaluation.uri)
        reference = measure_reference(input_dict, exec_properties, slices)
        record_verdict(blessing, verdict, tfma_refusals, refusals, too_good(slices), reference)

    def _evaluate_in_batches(
        self,
        input_dict: Mapping[str, list[types.Artifact]],
        output_dict: Mapping[str, list[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> list[str]:
        """Does what TFX's executor does, by `pipeline.evaluation.batch_evaluation`.

        Returns:
            Why the predictions are refused, in sentences.

        Raises:
            LeftToTfmaError: Only TFMA can evaluate this; nothing was written.
        """
        if exec_properties.get(MODULE_PATH_KEY) not in (None, "", SLICE_EXTRACTOR):
            raise LeftToTfmaError("a module of its own is given")
        if self._make_beam_pipeline_fn is not None:
            raise LeftToTfmaError("another Beam engine than that of this process is chosen")
        tfma_internals.check_all()
        from pipeline.evaluation import batch_evaluation

        inputs = read_inputs(input_dict, exec_properties, self._beam_pipeline_args or [])
        batch_evaluation.check_known(inputs.eval_config)
        if inputs.twins:
            logging.info("Evaluator: the baseline is the same model, which is measured once.")
        evaluation = artifact_utils.get_single_instance(output_dict[EVALUATION_KEY])
        observed = batch_evaluation.evaluate(
            inputs.example_files,
            inputs.models,
            inputs.twins,
            inputs.eval_config,
            evaluation.uri,
            unserved_columns(exec_properties),
        )
        bless(input_dict, output_dict, exec_properties)
        task = exec_properties[TASK_KEY]
        found = write_curves(observed, inputs.candidate, task, evaluation)
        return found.predicted.refusals(task)

    def _observe(
        self,
        input_dict: Mapping[str, list[types.Artifact]],
        output_dict: Mapping[str, list[types.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> None:
        """Keeps what curves are drawn of, where TFMA has measured on this machine."""
        try:
            inputs = read_inputs(input_dict, exec_properties, self._beam_pipeline_args or [])
            tfma_internals.check_all()
            from pipeline.evaluation import batch_evaluation

            observed = batch_evaluation.observe(
                inputs.example_files,
                inputs.models,
                inputs.twins,
                inputs.eval_config,
                unserved_columns(exec_properties),
            )
        except LeftToTfmaError as reason:
            logging.info("Evaluator: %s; no curves are kept.", reason)
            return
        evaluation = artifact_utils.get_single_instance(output_dict[EVALUATION_KEY])
        write_curves(observed, inputs.candidate, exec_properties[TASK_KEY], evaluation)


def write_curves(
    observed: Mapping[str, Any], candidate: str, task: str, evaluation: types.Artifact
) -> Any:
    """Writes what curves are drawn of, beside TFMA's files.

    Args:
        observed: Observations of each model by its name; the name is empty for a single model.
        candidate: Name of the evaluated model.
        task: Task of the pipeline.
        evaluation: Gets the file.

    Returns:
        Observations of the evaluated model.
    """
    found = observed[candidate if candidate in observed else ""]
    others = [each.curves.result(task) for each in observed.values() if each is not found]
    curves = Curves(found.curves.result(task), *others)
    io_utils.write_string_file(os.path.join(evaluation.uri, CURVES_FILE), curves.to_text())
    return found


def write_slices(slices: list[SliceMetrics], evaluation: types.Artifact) -> None:
    """Writes additional measurements of each slice; no file without such measurements."""
    found = {
        each.name: BesideMetrics(dict(each.baseline), dict(each.intervals))
        for each in slices
        if each.baseline or each.intervals
    }
    if found:
        path = os.path.join(evaluation.uri, SLICES_FILE)
        io_utils.write_string_file(path, slices_text(found))


def unserved_columns(exec_properties: Mapping[str, Any]) -> list[str]:
    """The columns that no request carries."""
    return json.loads(exec_properties.get(UNSERVED_KEY) or "[]")


def check_unlabelled(
    input_dict: Mapping[str, list[types.Artifact]], exec_properties: Mapping[str, Any]
) -> list[str]:
    """Returns why a model is refused that TFMA has measured on examples with the label.

    Returns:
        Sentences. None where its examples are in a format that is not read here.
    """
    try:
        inputs = read_inputs(input_dict, exec_properties, [])
    except LeftToTfmaError as reason:
        logging.warning("Evaluator: the model was evaluated with the label: %s.", reason)
        return []
    (spec,) = [s for s in inputs.eval_config.model_specs if not s.is_baseline]
    model = inputs.models[spec.name if spec.name in inputs.models else ""]
    return check_sample(
        model.model_path,
        inputs.example_files,
        unserved_columns(exec_properties),
        spec,
        exec_properties[TASK_KEY],
    )


def bless(
    input_dict: Mapping[str, list[types.Artifact]],
    output_dict: Mapping[str, list[types.Artifact]],
    exec_properties: Mapping[str, Any],
) -> None:
    """Blesses by TFMA's thresholds alone, as TFX's executor does."""
    blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
    models = (
        (MODEL_KEY, constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY,
         constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY),
        (BASELINE_MODEL_KEY, constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY,
         constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY),
    )  # fmt: skip
    for key, uri_property, id_property in models:
        if input_dict.get(key):
            blessing.set_string_custom_property(uri_property, input_dict[key][0].uri)
            blessing.set_int_custom_property(id_property, input_dict[key][0].id)
    if "current_component_id" in exec_properties:
        component = exec_properties["current_component_id"]
        blessing.set_string_custom_property("component_id", component)
    evaluation = artifact_utils.get_single_uri(output_dict[EVALUATION_KEY])
    is_ok = tfma.load_validation_result(evaluation).validation_ok
    name = constants.BLESSED_FILE_NAME if is_ok else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    value = constants.BLESSED_VALUE if is_ok else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)


def measure_reference(
    input_dict: Mapping[str, list[types.Artifact]],
    exec_properties: Mapping[str, Any],
    slices: Sequence[SliceMetrics],
) -> Reference | None:
    """Measures the reference model, if the settings name one.

    Returns:
        None as well where the examples are in a format that is not read here.
    """
    asked = exec_properties.get(REFERENCE_KEY)
    if not asked:
        return None
    from pipeline.evaluation.reference import BOOSTING, Rule, measure_boosting

    splits = json.loads(exec_properties.get(EXAMPLE_SPLITS_KEY) or "null") or ["eval"]
    try:
        train, judged = (find_files(input_dict[EXAMPLES_KEY], s) for s in (["train"], splits))
    except (LeftToTfmaError, ValueError) as reason:
        logging.warning("Evaluator: no reference was measured: %s.", reason)
        return None
    rows, measured = measure_boosting(train, judged, Rule.read(json.loads(asked)))
    own = next((finite(one.metrics) for one in slices if one.name == OVERALL), {})
    return Reference(BOOSTING, rows, finite(measured), {name: own.get(name) for name in measured})


def read_demands(exec_properties: Mapping[str, Any]) -> Evaluation:
    """Reads the requirements for a model.

    Raises:
        UserMistake: The property cannot be read, or has no threshold.
    """
    try:
        return Evaluation.model_validate_json(exec_properties.get(DEMANDS_KEY) or "{}")
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise UserMistake.explain(
            f"Evaluator: {where}",
            problem["msg"],
            "expected a threshold for at least one metric",
            "see evaluation.thresholds in the settings",
        ) from error


def record_metrics(slices: Sequence[SliceMetrics], evaluation: types.Artifact) -> None:
    """Copies the metrics of an evaluation into its custom properties."""
    by_name = {one.name: finite(one.metrics) for one in slices}
    overall = by_name.pop(OVERALL, {})
    evaluation.set_string_custom_property(METRICS, Metrics(overall, by_name).to_text())
    for name, value in overall.items():
        if value is not None:
            evaluation.set_float_custom_property(f"{METRIC_PREFIX}{name}", value)


def record_verdict(
    blessing: types.Artifact,
    verdict: VerdictRecord,
    tfma_refusals: list[str],
    refusals: list[str],
    warnings: list[str],
    reference: Reference | None = None,
) -> None:
    """Writes the verdict into the blessing, and takes TFX's blessing back if a check is missed.

    Args:
        blessing: Blessing, as TFX left it.
        verdict: Ours.
        tfma_refusals: TFMA's own, in sentences; it may refuse what we do not.
        refusals: Refusals of the predictions, in sentences.
        warnings: In sentences; they refuse nothing.
        reference: Result of gradient boosting; it never causes a refusal.
    """
    blessed = verdict.passed and not tfma_refusals and not refusals
    if not blessed:
        marker = os.path.join(blessing.uri, constants.BLESSED_FILE_NAME)
        if fileio.exists(marker):
            fileio.remove(marker)
        refused = os.path.join(blessing.uri, constants.NOT_BLESSED_FILE_NAME)
        io_utils.write_string_file(refused, "")
        blessing.set_int_custom_property(
            constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.NOT_BLESSED_VALUE
        )
    record = dataclasses.replace(
        verdict,
        blessed=blessed,
        tfma_refusals=tuple(tfma_refusals),
        refusals=tuple(refusals),
        warnings=tuple(warnings),
        reference=reference,
    )
    blessing.set_string_custom_property(VERDICT, record.to_text())
    pretty = record.to_text(indent=1) + "\n"
    io_utils.write_string_file(os.path.join(blessing.uri, VERDICT_FILE), pretty)
    logging.info("The model is %s.", "blessed" if blessed else "not blessed")


class Evaluator(base_beam_component.BaseBeamComponent):
    """Measures the model, overall and by slice, and blesses it or not."""

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        eval_config: tfma.EvalConfig,
        demands: Evaluation,
        *,
        task: str = "binary",
        baseline_model: types.BaseChannel | None = None,
        example_splits: list[str] | None = None,
        unserved_columns: list[str] | None = None,
        reference: Mapping[str, Any] | None = None,
        own_modules: Sequence[str] = (),
    ):
        """Constructs the component. All values are part of the cache key, and so is our code.

        Args:
            examples: Channel of raw Examples.
            model: Channel of the Model to judge.
            eval_config: What is measured, from `pipeline.evaluation.eval_config.build_eval_config`.
            demands: What is demanded: the section `evaluation` of the settings.
            task: The task of the settings.
            baseline_model: Channel of the Model to compare with, if there is one.
            example_splits: Splits to measure on; None: `eval`.
            unserved_columns: The label, and whatever else no request carries: predictions are made
                without them.
            reference: `features`, `label`, `task` and `seed` of the settings, where gradient
                boosting is to be measured beside the model.
            own_modules: Modules of the user, whose functions `eval_config` names.
        """
        text = json.dumps(demands.model_dump(mode="json", exclude_none=True), sort_keys=True)
        super().__init__(
            spec=EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                example_splits=json_utils.dumps(example_splits or ["eval"]),
                eval_config=eval_config,
                demands=text,
                task=task,
                unserved_columns=json.dumps(sorted(unserved_columns or [])),
                reference=json.dumps(reference, sort_keys=True) if reference else None,
                source_fingerprint=fingerprint_sources((*EVALUATOR_SOURCES, *own_modules)),
                module_path=SLICE_EXTRACTOR if has_computed_slices(eval_config) else None,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
