"""Dotted paths of the user functions, and the fingerprint of their sources.

TFX's cache key holds the dotted path of a function, or of an executor, not its code (tfx issue
2247). The fingerprint goes into `custom_config`, for the two judges into a parameter of its own, so
that an edit executes the component again: a verdict by other rules is no verdict. `pipeline` names
these functions and never imports them.
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

PREPROCESSING_FN = "preprocessing.transform.preprocessing_fn"
RUN_FN = "models.trainer.run_fn"
TUNER_FN = "models.tuner.tuner_fn"
# Where rows are read, this gives the key of pseudonyms: the environment is read in runners alone.
PII_KEY_FN = "runners.pii_key.read_pii_key"

# What each function's code consists of: packages whole, so that a new module counts as well.
TRANSFORM_SOURCES = ("preprocessing",)
MODEL_SOURCES = (
    "models",
    "preprocessing.features",
    "preprocessing.labels",
    "preprocessing.weighting",
)
# What decides how a row is read, and which split it belongs to.
EXAMPLE_GEN_SOURCES = (
    "data.columnar_files",
    "data.csv_batches",
    "data.csv_blocks",
    "data.example_files",
    "data.example_records",
    "data.examples",
    "data.kinds",
    "data.local_query",
    "data.locked_duckdb",
    "data.pieces",
    "data.privacy",
    "data.row_values",
    "data.splits",
    "data.time_splits",
    "pipeline.components.columnar_example_gen",
    "pipeline.components.example_reading",
    "pipeline.components.piece_files",
    "pipeline.components.query_reading",
)
# And of what decides on anomalies.
GATE_SOURCES = (
    "data.example_records",
    "data.samples",
    "pipeline.components.data_policy",
    "pipeline.coverage",
    "pipeline.example_rows",
    "pipeline.slicing",
    "preprocessing.labels",
    "schema.anomalies",
    "schema.bounds",
    "schema.evidence",
    "schema.gate",
)
# And of what compares data with data.
DRIFT_SOURCES = (
    "data.coded_rows",
    "data.drift",
    "data.drift_measures",
    "data.drift_report",
    "data.example_records",
    "data.row_reader",
    "data.row_values",
    "data.rows",
    "data.rows_csv",
    "data.rows_json",
    "data.rows_parquet",
    "data.samples",
    "pipeline.components.drift_monitor",
    "pipeline.coverage",
    "pipeline.drift_rows",
    "pipeline.example_rows",
    "pipeline.passed_data",
    "preprocessing.labels",
)
# And of what decides whether Tuner searches, where it does not always.
TUNER_SOURCES = ("pipeline.components.tuner", "pipeline.tuning_decision")
# And of the two judges: what measures, and what decides.
EVALUATOR_SOURCES = (
    "pipeline.batch_evaluation",
    "pipeline.batch_metrics",
    "pipeline.batch_slices",
    "pipeline.components.evaluator",
    "pipeline.evaluation",
    "pipeline.evaluation_section",
    "pipeline.evaluator_inputs",
    "pipeline.judgement",
    "pipeline.metrics",
    "pipeline.numpy_confusion_matrices",
    "pipeline.slice_extractor",
    "pipeline.slicing",
    "pipeline.tfma_internals",
    "pipeline.verdict",
)
INFRA_VALIDATOR_SOURCES = ("pipeline.components.infra_validator", "serving")

# What an image for a cluster can import: our packages, and the library whose executors we extend.
IMAGE_PACKAGES = (
    "fareline", "pipeline", "preprocessing", "models", "data", "schema", "runners", "lineage",
    "serving", "tfx",
)  # fmt: skip


def fingerprint_sources(modules: Sequence[str]) -> str:
    """SHA-256 over names and contents of the sources of modules and packages.

    Args:
        modules: Dotted names; a package stands for every `.py` file below it.

    Returns:
        64 hexadecimal digits; the same wherever the code is installed.
    """
    digest = hashlib.sha256()
    for module in modules:
        for name, path in _source_files(module):
            digest.update(f"{module}/{name}\0".encode())
            digest.update(path.read_bytes())
            digest.update(b"\0")
    return digest.hexdigest()


def _source_files(module: str) -> list[tuple[str, Path]]:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module}: no source found; expected an importable module")
    origin = Path(spec.origin)
    if not spec.submodule_search_locations:
        return [(origin.name, origin)]
    folder = origin.parent
    return [(p.relative_to(folder).as_posix(), p) for p in sorted(folder.rglob("*.py"))]
