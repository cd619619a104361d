"""DataPolicy and DataGate on real files of anomalies, schemas and examples."""

import json
from pathlib import Path

import pandas as pd
import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.types import standard_artifacts

from pipeline.artifacts import DataDecision, DataDrift
from pipeline.components.data_gate import DataGate
from pipeline.components.data_policy import DataPolicy
from pipeline.data_gate.uses import UnfitColumnsError
from schema.curated import schema_path
from schema.gate.anomalies import DataAnomalies

KIND = "ENUM_TYPE_UNEXPECTED_STRING_VALUES"
IGNORE = {
    "action": "ignore", "column": "payment_type", "kind": KIND, "reason": "a trial",
    "until": "2026-11-30",
}  # fmt: skip


def execute(component, inputs, outputs, parameters):
    component.EXECUTOR_SPEC.executor_class().Do(inputs, outputs, parameters)


@pytest.fixture
def artifacts(tmp_path):
    """Anomalies of the eval split, where 3 of 40 trips were paid by Bitcoin; and its schema."""
    payments = pd.Series(["Cash"] * 37 + ["Bitcoin"] * 3).sample(frac=1, random_state=5)
    for split, values in (("train", ["Cash"] * 5), ("eval", payments)):
        folder = tmp_path / "examples" / f"Split-{split}"
        folder.mkdir(parents=True)
        options = tf.io.TFRecordOptions(compression_type="GZIP")
        with tf.io.TFRecordWriter(str(folder / "data-0.gz"), options) as writer:
            for value in values:
                feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
                features = tf.train.Features(feature={"payment_type": feature})
                writer.write(tf.train.Example(features=features).SerializeToString())
    found = anomalies_pb2.Anomalies()
    reason = found.anomaly_info["payment_type"].reason.add()
    reason.type = anomalies_pb2.AnomalyInfo.Type.Value(KIND)
    reason.description = "Examples contain values missing from the schema: Bitcoin (~7%)."
    for split, proto in (("train", anomalies_pb2.Anomalies()), ("eval", found)):
        folder = tmp_path / "anomalies" / f"Split-{split}"
        folder.mkdir(parents=True)
        (folder / "SchemaDiff.pb").write_bytes(proto.SerializeToString())
    (tmp_path / "schema").mkdir()
    contract = schema_path("taxi", tmp_path).read_bytes()
    (tmp_path / "schema" / "schema.pbtxt").write_bytes(contract)

    def made(kind, name):
        artifact = kind()
        artifact.uri = str(tmp_path / name)
        return artifact

    inputs = {
        "anomalies": [made(standard_artifacts.ExampleAnomalies, "anomalies")],
        "schema": [made(standard_artifacts.Schema, "schema")],
        "examples": [made(standard_artifacts.Examples, "examples")],
    }
    for key in ("anomalies", "examples"):
        inputs[key][0].split_names = '["train", "eval"]'
    return inputs, made(DataDecision, "decision")


def decide(artifacts, rules=(), default="stop", today="2026-11-26", **coverage):
    inputs, decision = artifacts
    demands = ("min_examples", "min_label_examples", "min_slice_examples")
    policy = json.dumps(
        {
            "default": default,
            "rules": list(rules),
            "coverage": {name: coverage.get(name, {}) for name in demands},
            "label": {"column": "payment_type", "positive": "Cash", "other": "drop"},
            "task": "binary",
            "slices": [[["payment_type", []]]],
        }
    )
    execute(DataPolicy, inputs, {"decision": [decision]}, {"policy": policy, "today": today})
    return decision, json.loads(decision.get_string_custom_property("decisions"))


def gate(decision, uses=()):
    """Of data that has not drifted, in an inferred schema where there are uses."""
    folder = Path(decision.uri).parent
    drift, examples = DataDrift(), standard_artifacts.Examples()
    drift.uri, examples.uri = str(folder), str(folder / "examples")
    examples.split_names = '["train", "eval"]'
    (folder / "drift.json").write_text('{"drifted": []}')
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / "schema")
    inputs = {"decision": [decision], "drift": [drift], "examples": [examples], "schema": [schema]}
    told = {"uses": json.dumps(uses), "passed_data": str(folder / "passed")}
    execute(DataGate, inputs, {}, told)


def test_an_anomaly_is_recorded_with_its_rows_and_stops_the_run(artifacts):
    decision, [found] = decide(artifacts)
    assert (found["action"], found["by"], found["splits"]) == ("stop", "gate.default", ["eval"])
    assert (found["rows"], found["example"]) == (3, "Bitcoin")
    assert decision.get_int_custom_property("stops") == 1
    assert decision.get_int_custom_property("anomalies") == 1
    with open(f"{decision.uri}/decisions.json") as file:
        assert json.load(file) == [found]
    with pytest.raises(DataAnomalies) as caught:
        gate(decision)
    assert str(caught.value).splitlines()[1] == (
        "  payment_type: Examples contain values missing from the schema: Bitcoin (~7%); the "
        "schema says BYTES, one of Cash, Credit Card, Dispute, No Charge, Pcard and 2 more; for "
        f"example 'Bitcoin'; 3 rows ({KIND}; in eval)"
    )


def test_a_warning_and_an_ignore_let_it_pass_and_stay_recorded(artifacts):
    decision, [found] = decide(artifacts, default="warn")
    assert (found["action"], decision.get_int_custom_property("stops")) == ("warn", 0)
    gate(decision)
    decision, [found] = decide(artifacts, [IGNORE])
    assert (found["action"], found["reason"], found["rows"]) == ("ignore", "a trial", 3)
    gate(decision)


def test_an_ignore_that_has_ended_stops_the_run_and_says_so(artifacts):
    decision, [found] = decide(artifacts, [IGNORE], today="2026-12-01")
    assert found["action"] == "stop"
    with pytest.raises(
        DataAnomalies, match=r"gate\.rules\.0 \(ignore: a trial\) ended on 2026-11-30"
    ):
        gate(decision)


def test_clean_data_passes_and_its_rows_are_not_read(artifacts, tmp_path):
    (tmp_path / "anomalies" / "Split-eval" / "SchemaDiff.pb").write_bytes(b"")
    for file in (tmp_path / "examples").rglob("*.gz"):
        file.unlink()
    decision, found = decide(artifacts)
    assert found == []
    gate(decision)


def test_a_run_that_knows_no_day_asks_the_clock(artifacts):
    for until, action in (("2020-01-01", "stop"), ("9999-01-01", "ignore")):
        _, [found] = decide(artifacts, [IGNORE | {"until": until}], today="")
        assert found["action"] == action


def test_too_few_examples_are_an_anomaly_like_others(artifacts, tmp_path):
    (tmp_path / "anomalies" / "Split-eval" / "SchemaDiff.pb").write_bytes(b"")
    few = {"min_examples": {"train": 6, "eval": 40}, "min_label_examples": {"eval": 4}}
    decision, found = decide(artifacts, **few, min_slice_examples={"eval": 5, "train": 5})
    assert [(each["column"], each["kind"], each["rows"]) for each in found] == [
        ("payment_type", "TOO_FEW_EXAMPLES_OF_LABEL", 3),
        ("payment_type=Bitcoin", "TOO_FEW_EXAMPLES_OF_SLICE", 3),
        ("(data set)", "TOO_FEW_EXAMPLES", 5),
    ]
    with pytest.raises(DataAnomalies) as caught:
        gate(decision)
    assert str(caught.value).splitlines()[1:] == [
        "  payment_type: 3 examples of label 0; gate.coverage says at least 4; 3 rows "
        "(TOO_FEW_EXAMPLES_OF_LABEL; in eval)",
        "  payment_type=Bitcoin: 3 examples of payment_type=Bitcoin; gate.coverage says at least "
        "5; 3 rows (TOO_FEW_EXAMPLES_OF_SLICE; in eval)",
        "  (data set): 5 examples; gate.coverage says at least 6; 5 rows "
        "(TOO_FEW_EXAMPLES; in train)",
    ]
    rule = {"action": "warn", "column": None, "kind": "TOO_FEW_EXAMPLES_OF_SLICE"}
    rules = [rule | {"reason": None, "until": None}]
    decision, [found] = decide(artifacts, rules, min_slice_examples={"eval": 5})
    assert found["action"] == "warn"
    gate(decision)


def test_columns_that_are_not_what_the_settings_use_them_as_stop_the_run(artifacts):
    use = {"setting": "features.numeric.payment_type", "column": "payment_type", "hint": "drop it"}
    decision, _ = decide(artifacts, default="ignore")
    gate(decision, [use | {"fit": ["bytes"]}])
    with pytest.raises(UnfitColumnsError) as caught:
        gate(decision, [use | {"fit": ["int", "float"]}])
    assert str(caught.value) == (
        "features.numeric.payment_type: payment_type is bytes in the data, such as 'Cash'; "
        "expected int or float. Hint: leave cells without a number empty or name their text in "
        "data.source.missing, or drop it."
    )
