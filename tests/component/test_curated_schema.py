"""The contract as an artifact of its own, and the data gate on real anomaly files."""

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import standard_artifacts

from fareline.digests import sha256_of_file
from fareline.errors import UserMistake
from pipeline.components.curated_schema import CuratedSchema, copy_schema
from pipeline.components.data_gate import DataGate
from schema.anomalies import DataAnomalies
from schema.curated import schema_path


def execute(component, inputs, outputs, parameters):
    component.EXECUTOR_SPEC.executor_class().Do(inputs, outputs, parameters)


def test_schema_is_copied_and_its_hash_recorded(tmp_path):
    source = schema_path("taxi", tmp_path)
    artifact = standard_artifacts.Schema()
    artifact.uri = str(tmp_path / "schema")
    parameters = {"source": "taxi", "sha256": sha256_of_file(source)}
    execute(CuratedSchema, {}, {"schema": [artifact]}, parameters)
    assert (tmp_path / "schema" / "schema.pbtxt").read_bytes() == source.read_bytes()
    assert artifact.get_string_custom_property("sha256") == sha256_of_file(source)
    assert artifact.get_string_custom_property("source") == "taxi"


def test_another_schema_than_the_pipeline_was_built_with_is_refused(tmp_path):
    source = tmp_path / "mine.pbtxt"
    source.write_text('feature { name: "fare" type: FLOAT }')
    with pytest.raises(UserMistake) as caught:
        copy_schema(str(source), "0" * 64, tmp_path / "target")
    assert str(caught.value) == (
        f"{source}: found SHA-256 {sha256_of_file(source)[:12]}…; expected 000000000000…, as when "
        "the pipeline was built. Hint: build the image and the pipeline from the same sources."
    )
    assert not (tmp_path / "target").exists()


def write_anomalies(tmp_path, **by_split):
    artifact = standard_artifacts.ExampleAnomalies()
    artifact.uri = str(tmp_path)
    artifact.split_names = '["eval", "train"]'
    for split in ("train", "eval"):
        folder = tmp_path / f"Split-{split}"
        folder.mkdir()
        proto = by_split.get(split, anomalies_pb2.Anomalies())
        (folder / "SchemaDiff.pb").write_bytes(proto.SerializeToString())
    return artifact


def test_gate_lets_clean_data_pass(tmp_path):
    execute(DataGate, {"anomalies": [write_anomalies(tmp_path)]}, {}, {})


def test_gate_stops_at_an_anomaly_of_any_split(tmp_path):
    anomalies = anomalies_pb2.Anomalies()
    reason = anomalies.anomaly_info["payment_type"].reason.add()
    reason.type = anomalies_pb2.AnomalyInfo.ENUM_TYPE_UNEXPECTED_STRING_VALUES
    reason.description = "Examples contain values missing from the schema: Bitcoin (~1%)."
    artifact = write_anomalies(tmp_path, eval=anomalies)
    with pytest.raises(DataAnomalies) as caught:
        execute(DataGate, {"anomalies": [artifact]}, {}, {})
    assert str(caught.value) == (
        "the data breaks the schema: 1 anomaly; expected none. Hint: correct the data, or review "
        "the schema if the data is right.\n"
        "  payment_type: Examples contain values missing from the schema: Bitcoin (~1%). "
        "(ENUM_TYPE_UNEXPECTED_STRING_VALUES; in eval)"
    )
