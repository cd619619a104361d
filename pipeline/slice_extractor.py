"""Slices by what is computed of a row: what the Evaluator takes as its `module_path` for TFMA.

The EvalConfig names a feature `trip_miles [1, 5, 10]` or `shift [own.slices.shift]` to slice by;
this puts it beside the others, computed from the raw columns. The model knows nothing of it:
another slice needs no training.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import slice_key_extractor
from tensorflow_model_analysis.proto import config_pb2

from pipeline.evaluation.own_slices import slice_of_row
from pipeline.settings.slicing import FeatureKey, bucket_name, parse_feature_key

STAGE_NAME = "ExtractComputedSlices"


def custom_extractors(
    eval_shared_model: Any, eval_config: config_pb2.EvalConfig, tensor_adapter_config: Any
) -> list[tfma.extractors.Extractor]:
    """Returns TFMA's own extractors, with ours before the one that slices.

    TFX calls it by this name, with these arguments.
    """
    extractors = tfma.default_extractors(
        eval_shared_model=eval_shared_model,
        eval_config=eval_config,
        tensor_adapter_config=tensor_adapter_config,
    )
    names = [extractor.stage_name for extractor in extractors]
    place = names.index(slice_key_extractor.SLICE_KEY_EXTRACTOR_STAGE_NAME)
    return [*extractors[:place], computed_extractor(eval_config), *extractors[place:]]


def computed_extractor(eval_config: config_pb2.EvalConfig) -> tfma.extractors.Extractor:
    """Adds the computed features that are sliced by to the features of each example."""
    keys = {key for spec in eval_config.slicing_specs for key in spec.feature_keys}
    computed = sorted(key for key in keys if parse_feature_key(key).is_computed)
    return tfma.extractors.Extractor(STAGE_NAME, beam.Map(_add_computed, computed))


def _add_computed(extracts: tfma.Extracts, keys: Sequence[str]) -> tfma.Extracts:
    raw = extracts[tfma.FEATURES_KEY]
    found = {key: _values(raw, parse_feature_key(key)) for key in keys}
    # Without a value, such as where the number is missing, the example is in no such slice.
    added = {
        key: np.array([value.encode() for value in values], dtype=object)
        for key, values in found.items()
        if values
    }
    return {**extracts, tfma.FEATURES_KEY: {**raw, **added}}


def _values(raw: Mapping[str, Any], key: FeatureKey) -> list[str]:
    if key.function is None:
        numbers = _numbers(raw.get(key.column))
        return [bucket_name(number, key.boundaries) for number in numbers]
    cells = {name: np.asarray(value).ravel().tolist() for name, value in raw.items()}
    value = slice_of_row(key.function, cells)
    return [] if value is None else [value]


def _numbers(value: Any) -> list[float]:
    array = np.asarray([] if value is None else value).ravel()
    return [float(number) for number in array if np.isfinite(number)]
