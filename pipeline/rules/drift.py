"""Rules about the section `drift` that one section cannot see.

Called by pipeline.rules.settings and pipeline.rules.cluster. Imports no TFX and no TensorFlow.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from fareline.near import near_names
from monitoring.drift.report import LABEL
from pipeline.settings.settings import Settings
from preprocessing.labels import REGRESSION

SAMPLE_ENDINGS = (".csv", ".jsonl", ".parquet")


def find_drift_mistakes(settings: Settings, columns: Collection[str]) -> Iterator[str]:
    """Policies are of columns that there are; the serving sample is a file of rows.

    Args:
        settings: Valid in themselves.
        columns: Columns of the schema; empty where it is yet to be inferred.
    """
    known = [*columns, *([] if settings.task == REGRESSION else [LABEL])]
    for column, rule in settings.drift.columns.items() if columns else ():
        if column not in known and rule.policy != "record":  # which is what becomes of it anyway
            near = near_names(column, known)
            hint = f"did you mean {near[0]}" if near else f"the columns are {', '.join(columns)}"
            yield (
                f"drift.columns.{column}: no column {column} in the schema; expected one of its "
                f"columns, or {LABEL}. Hint: {hint}."
            )
    sample = settings.drift.serving_sample
    if sample is None:
        return
    if not sample.endswith(SAMPLE_ENDINGS):
        yield (
            f"drift.serving_sample: {sample} is of no known format; expected a file that ends in "
            f"{', '.join(SAMPLE_ENDINGS)}. Hint: `fareline serve --log-share` writes requests as "
            ".jsonl."
        )
    elif "://" not in sample and not Path(settings.resolve(sample)).is_file():
        yield (
            f"drift.serving_sample: {settings.resolve(sample)}: no such file; expected rows of "
            "prediction requests. Hint: check the path, or leave it null."
        )

    features = {column for _, column in settings.features.columns()}
    if not features - settings.unlogged_columns:
        yield (
            f"drift.serving_sample: found {sample}, and every feature is personal or in "
            "serving.log_exclude; expected one that can be compared. Hint: leave it null."
        )


def find_local_sample(settings: Settings) -> Iterator[str]:
    """A step in a cluster can reach the serving sample."""
    sample = settings.drift.serving_sample
    if sample is not None and not sample.startswith("gs://"):
        yield (
            f"drift.serving_sample: {sample} is a path of this machine; expected gs://…, which a "
            "step in a cluster can reach. Hint: copy the sample to a bucket, or leave it null."
        )
