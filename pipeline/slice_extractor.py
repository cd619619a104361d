"""Slices by bucketed numbers for TFMA: what the Evaluator takes as its `module_path`.

The EvalConfig names a feature `trip_miles [1, 5, 10]` to slice by; this puts it beside the others,
computed from the raw column. The model knows nothing of it: another slice needs no training.
"""

from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import slice_key_extractor
from tensorflow_model_analysis.proto import config_pb2

from pipeline.settings.slicing import bucket_name, parse_feature_key

STAGE_NAME = "ExtractBucketedNumbers"


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
    return [*extractors[:place], bucket_extractor(eval_config), *extractors[place:]]


def bucket_extractor(eval_config: config_pb2.EvalConfig) -> tfma.extractors.Extractor:
    """Adds the bucketed numbers that are sliced by to the features of each example."""
    keys = {key for spec in eval_config.slicing_specs for key in spec.feature_keys}
    bucketed = sorted(key for key in keys if parse_feature_key(key)[1])
    return tfma.extractors.Extractor(STAGE_NAME, beam.Map(_add_buckets, bucketed))


def _add_buckets(extracts: tfma.Extracts, keys: Sequence[str]) -> tfma.Extracts:
    features = dict(extracts[tfma.FEATURES_KEY])
    for key in keys:
        column, boundaries = parse_feature_key(key)
        numbers = _numbers(features.get(column))
        if numbers:  # where the number is missing, the example is in no such slice
            names = [bucket_name(number, boundaries).encode() for number in numbers]
            features[key] = np.array(names, dtype=object)
    return {**extracts, tfma.FEATURES_KEY: features}


def _numbers(value: Any) -> list[float]:
    array = np.asarray([] if value is None else value).ravel()
    return [float(number) for number in array if np.isfinite(number)]
