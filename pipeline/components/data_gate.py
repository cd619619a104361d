"""DataGate: stops the run where the data breaks the schema, or drifts, before anything is trained.

It also stops the run if the data does not fit the settings and no schema showed this before the
run.

No `from __future__ import annotations`: TFX reads the raw annotations.
"""

import json

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Schema
from tfx.utils import io_utils

from fareline.recorded.drift import drifted_in_report
from fareline.recorded.gate import parse_decisions
from monitoring.drift.compare import STOP
from pipeline.artifacts import DECISIONS_FILE, DRIFT_FILE, DataDecision, DataDrift
from pipeline.components.curated_schema import SCHEMA_FILE
from pipeline.data_gate.example_rows import rows_of_splits
from pipeline.data_gate.passed_data import data_set, note_passed
from pipeline.data_gate.uses import require_fitting
from schema.gate.decide import require_passing

_WORDS = {"previous": "the previous data", "serving": "the training data"}


@component
def DataGate(  # noqa: N802 - TFX names the component after the function
    decision: InputArtifact[DataDecision],
    drift: InputArtifact[DataDrift],
    examples: InputArtifact[Examples],
    schema: InputArtifact[Schema],
    uses: Parameter[str],
    passed_data: Parameter[str],
) -> None:
    """Fails with one line for each anomaly and each drift that is to stop the run.

    Otherwise it records that the data has passed, so that the next data is compared with it.

    Args:
        decision: From DataPolicy.
        drift: From DriftMonitor.
        examples: The data.
        schema: Schema that the data was compared with.
        uses: JSON of the uses of columns that could not be checked with a schema before the run.
        passed_data: Folder of the notes; empty: no note is written.
    """
    if uses_of_columns := json.loads(uses):
        contract = io_utils.parse_pbtxt_file(f"{schema.uri}/{SCHEMA_FILE}", schema_pb2.Schema())
        splits = artifact_utils.decode_split_names(examples.split_names)
        require_fitting(uses_of_columns, contract, rows_of_splits(examples.uri, splits))
    with fileio.open(f"{decision.uri}/{DECISIONS_FILE}", "r") as file:
        decisions = parse_decisions(file.read())
    with fileio.open(f"{drift.uri}/{DRIFT_FILE}", "r") as file:
        drifted = drifted_in_report(file.read())
    stopping = [
        f"{each.column}: {each.said}; compared with {_WORDS[each.against]}"
        for each in drifted
        if each.policy == STOP
    ]
    require_passing(decisions, stopping)
    if passed_data:
        note_passed(passed_data, data_set(examples))
