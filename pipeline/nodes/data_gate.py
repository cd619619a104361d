"""Arguments of DataPolicy and DriftMonitor, as JSON texts.

Called by pipeline.dag. Imports no TFX and no TensorFlow.
"""

import json

from fareline.digests import sha256_of_file
from pipeline.settings.settings import Settings
from pipeline.user_code import DRIFT_SOURCES, GATE_SOURCES, fingerprint_sources


def gate_policy(settings: Settings) -> str:
    """Rules for DataPolicy, as JSON."""
    content = settings.section("gate")["gate"] | settings.section("label", "task")
    content["slices"] = []
    if settings.gate.coverage.min_slice_examples:
        content["slices"] = [
            parts
            for parts in settings.evaluation.columns_of_slices()
            if not any(column in settings.code.slices for column, _ in parts)
        ]
    content["source_fingerprint"] = fingerprint_sources(GATE_SOURCES)
    return json.dumps(content, sort_keys=True)


def drift_rules(settings: Settings) -> str:
    """Rules for DriftMonitor, as JSON."""
    content = settings.section("drift", "label", "task")
    content["features"] = sorted({column for _, column in settings.features.columns()})
    content["names"] = sorted({*settings.features.vocabulary, *settings.features.categorical})
    sample = settings.drift.serving_sample
    private = sorted(settings.unlogged_columns)
    content["private"] = private
    # A pseudonym is compared with pseudonyms; what a request holds may be the person's own value.
    content["unlogged"] = [] if sample is None else private
    if sample is not None and "://" not in sample:
        path = settings.resolve(sample)
        content["drift"]["serving_sample"] = str(path)
        content["serving_sample_sha256"] = sha256_of_file(path)
    content["source_fingerprint"] = fingerprint_sources(DRIFT_SOURCES)
    return json.dumps(content, sort_keys=True)
