"""DriftMonitor: compares the data with the previous data and with prediction requests.

It always succeeds, so that its findings are in the store if DataGate stops the run afterwards. No
`from __future__ import annotations`: TFX reads the raw annotations.
"""

import dataclasses
import json

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import Examples, Schema
from tfx.utils import io_utils

from fareline.recorded import DRIFTED, REFERENCE, REFERENCE_SPAN, RETUNE_REASONS
from fareline.recorded.drift import Drifted, drifted_text
from monitoring.drift.compare import RETUNE, STOP, WARN, compare
from monitoring.drift.report import Comparison, dump
from pipeline.artifacts import DRIFT_FILE, RETUNES, STOPS, WARNS, DataDrift
from pipeline.components.curated_schema import SCHEMA_FILE
from pipeline.data_gate.passed_data import DataSet, data_set, find_previous
from pipeline.data_gate.samples import Task, sample_examples, sample_requests


@component
def DriftMonitor(  # noqa: N802 - TFX names the component after the function
    examples: InputArtifact[Examples],
    schema: InputArtifact[Schema],
    drift: OutputArtifact[DataDrift],
    rules: Parameter[str],
    passed_data: Parameter[str],
) -> None:
    """Writes every measure of every column, and counts what has drifted.

    The data alone determines the reference, so the result for the same data comes from the cache,
    even if other data has passed the gate meanwhile.

    Args:
        examples: The data.
        schema: Says which numbers are categories.
        drift: Written.
        rules: JSON of the settings `drift`, `label` and `task`, of the features and which of them
            name things, of the columns that are private or in no log of requests, and of a
            fingerprint of the code that compares.
        passed_data: Folder of the notes on data that has passed the gate.
    """
    task = Task.from_settings(json.loads(rules))
    contract = io_utils.parse_pbtxt_file(f"{schema.uri}/{SCHEMA_FILE}", schema_pb2.Schema())
    current = data_set(examples)
    previous = find_previous(passed_data, current)
    comparisons = _compare_all(current, previous, task, contract)
    drifted = [
        Drifted(against, column.name, column.policy, said)
        for against, comparison in comparisons.items()
        for column in comparison.drifted()
        for said in column.say()
    ]
    reference_of = dataclasses.asdict(previous) if previous else None
    content = {name: comparison.to_dict() for name, comparison in comparisons.items()}
    fileio.makedirs(drift.uri)
    with fileio.open(f"{drift.uri}/{DRIFT_FILE}", "w") as file:
        listed = [dataclasses.asdict(each) for each in drifted]
        file.write(dump({REFERENCE: reference_of, DRIFTED: listed, **content}))
    drift.set_string_custom_property(REFERENCE, previous.uri if previous else "")
    drift.set_int_custom_property(REFERENCE_SPAN, previous.span if previous else 0)
    for name, policy in ((STOPS, STOP), (RETUNES, RETUNE), (WARNS, WARN)):
        columns = {(each.against, each.column) for each in drifted if each.policy == policy}
        drift.set_int_custom_property(name, len(columns))
    reasons = [f"{d.column}: {d.said}" for d in drifted if d.policy == RETUNE]
    drift.set_string_custom_property(RETUNE_REASONS, "\n".join(reasons))
    drift.set_string_custom_property(DRIFTED, drifted_text(drifted))


def _compare_all(
    current: DataSet, previous: DataSet | None, task: Task, contract: schema_pb2.Schema
) -> dict[str, Comparison]:
    """Compares the data with all that there is to compare it with; with nothing, reads no row."""
    if previous is None and not task.serving_sample:
        return {}
    categories = task.categories(contract)
    batch = sample_examples(current, task)
    comparisons = {}
    if previous is not None:
        reference = sample_examples(previous, task)
        comparisons["previous"] = compare(reference, batch, task.rules(), categories)
    if task.serving_sample:
        requests = sample_requests(task, contract)
        trained = task.features_of(batch)
        comparisons["serving"] = compare(trained, requests, task.serving_rules(), categories)
    return {
        name: comparison.without_values(task.unnamed(comparison))
        for name, comparison in comparisons.items()
    }
