"""DriftMonitor and DataGate on real files: what is compared with what, and what comes of it."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as containers
from tfx.types import standard_artifacts

from fareline.errors import DataError
from pipeline.artifacts import DataDecision, DataDrift
from pipeline.components.data_gate import DataGate
from pipeline.components.drift_monitor import DriftMonitor
from pipeline.data_gate.passed_data import data_set
from schema.curated import schema_path
from schema.gate.anomalies import DataAnomalies
from serving.server.request_log import read_features

FEATURES = ["fare", "payment_type", "trip_miles", "trip_start_hour"]
ROWS = 1500


def trips(seed, fare=1.0, card=0.4, rows=ROWS):
    """Trips as columns, of which `tips` makes the label and `trip_seconds` is no feature."""
    random = np.random.default_rng(seed)
    by_card = random.random(rows) < card
    amounts = random.lognormal(2.3, 0.6, rows) * fare
    return {
        "fare": amounts,
        "tips": np.where(by_card, amounts * random.choice([0.1, 0.25], rows), 0),
        "trip_miles": random.lognormal(1, 1, rows),
        "trip_seconds": random.integers(60, 4000, rows),
        "trip_start_hour": random.integers(0, 24, rows),
        "payment_type": np.where(by_card, "Credit Card", "Cash"),
    }


def write_examples(folder, columns):
    """One TFRecord file for each of two splits."""
    rows = len(columns["fare"])
    for split, chosen in (("train", range(0, rows, 2)), ("eval", range(1, rows, 2))):
        (folder / f"Split-{split}").mkdir(parents=True)
        options = tf.io.TFRecordOptions(compression_type="GZIP")
        path = folder / f"Split-{split}" / "data_tfrecord-00000-of-00001.gz"
        with tf.io.TFRecordWriter(str(path), options) as writer:
            for row in chosen:
                writer.write(_example({name: values[row] for name, values in columns.items()}))


def _example(row):
    features = {}
    for name, value in row.items():
        if isinstance(value, str):
            feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        elif isinstance(value, np.integer):
            feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[int(value)]))
        else:
            feature = tf.train.Feature(float_list=tf.train.FloatList(value=[float(value)]))
        features[name] = feature
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


class Pipeline:
    """The two components over one folder of notes, as runs of one pipeline have it."""

    def __init__(self, folder, seed=0):
        self.folder = folder
        self.count = 0
        (folder / "schema").mkdir()
        contract = schema_path("taxi", folder).read_bytes()
        (folder / "schema" / "schema.pbtxt").write_bytes(contract)

    def make(self, kind, name):
        artifact = kind()
        artifact.uri = str(self.folder / name)
        return artifact

    def examples(self, name, columns, span=0, fingerprint=None):
        if not (self.folder / name).exists():
            write_examples(self.folder / name, columns)
        artifact = self.make(standard_artifacts.Examples, name)
        artifact.split_names = '["train", "eval"]'
        artifact.set_string_custom_property("span", str(span))
        artifact.set_string_custom_property("input_fingerprint", fingerprint or name)
        return artifact

    def compare(self, examples, more=None, **drift):
        """Executes DriftMonitor; returns its artifact and what its file says."""
        self.count += 1
        result = self.make(DataDrift, f"drift-{self.count}")
        rules = {
            "drift": {
                "default": "warn", "columns": {}, "false_alarms": None, "least_change": None,
                "least_new": None, "serving_sample": None, **drift,
            },
            "features": FEATURES,
            "names": ["payment_type", "trip_start_hour"],
            "label": {"column": "tips", "above": {"column": "fare", "times": 0.2}},
            "task": "binary",
            "private": ["payment_type"] if drift.get("serving_sample") else [],
            "unlogged": ["payment_type"],
            **(more or {}),
        }  # fmt: skip
        DriftMonitor.EXECUTOR_SPEC.executor_class().Do(
            {
                "examples": [examples],
                "schema": [self.make(standard_artifacts.Schema, "schema")],
            },
            {"drift": [result]},
            {"rules": json.dumps(rules), "passed_data": str(self.folder / "passed")},
        )
        with open(f"{result.uri}/drift.json") as file:
            return result, json.load(file)

    def gate(self, examples, drift):
        decision = self.make(DataDecision, "decision")
        (self.folder / "decision").mkdir(exist_ok=True)
        (self.folder / "decision" / "decisions.json").write_text("[]")
        DataGate.EXECUTOR_SPEC.executor_class().Do(
            {
                "decision": [decision],
                "drift": [drift],
                "examples": [examples],
                "schema": [self.make(standard_artifacts.Schema, "schema")],
            },
            {},
            {"uses": "[]", "passed_data": str(self.folder / "passed")},
        )

    def run(self, examples, **drift):
        artifact, content = self.compare(examples, **drift)
        self.gate(examples, artifact)
        return artifact, content


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(tmp_path)


@pytest.mark.parametrize("kind", ["string", "int"])
def test_span_and_fingerprint_are_read_as_a_local_run_and_a_cluster_hand_them_on(kind):
    examples = standard_artifacts.Examples()
    examples.uri, examples.split_names = "gs://bucket/examples", '["train"]'
    setter = getattr(examples, f"set_{kind}_custom_property")
    setter("span", {"string": "3", "int": 3}[kind])
    assert data_set(examples).identity == "gs://bucket/examples"
    examples.set_string_custom_property("input_fingerprint", "fp")
    # A container gets it as JSON, by way of TFX's own functions.
    handed = containers.to_runtime_artifact(examples, {})
    handed.type.instance_schema = compiler_utils.get_artifact_schema(standard_artifacts.Examples)
    sent = containers.pipeline_pb2.ArtifactList(artifacts=[handed])
    [received] = containers.parse_raw_artifact_dict({"examples": sent})["examples"]
    for each in (examples, received):
        assert (data_set(each).span, data_set(each).identity) == (3, "fp")
    # Of two files of one size and one second TFX's fingerprint is the same, the digest is not.
    examples.set_string_custom_property("data_sha256", "ab" * 32)
    assert data_set(examples).identity == "ab" * 32


def test_a_window_is_compared_with_none_of_its_own_rows(pipeline):
    def window(name, *spans):
        examples = pipeline.examples(name, trips(sum(spans), rows=40), span=max(spans))
        listed = [{"span": span, "version": 0} for span in sorted(spans)]
        examples.set_string_custom_property("spans", json.dumps(listed))
        return examples

    found = []
    for spans in ((1, 2), (2, 3), (3, 4), (6, 7)):
        _, content = pipeline.run(window(str(spans), *spans))
        found.append((content["reference"] or {}).get("span"))
    assert found == [None, None, 2, 4]


def counts(drift):
    return tuple(drift.get_int_custom_property(name) for name in ("stops", "retunes", "warns"))


def test_the_first_data_has_nothing_to_be_compared_with(pipeline):
    drift, content = pipeline.run(pipeline.examples("first", trips(1)))
    assert (content["reference"], content["drifted"], "previous" in content) == (None, [], False)
    assert drift.get_string_custom_property("reference") == ""
    assert counts(drift) == (0, 0, 0)


def test_with_nothing_to_compare_no_row_is_read(pipeline):
    examples = pipeline.examples("first", trips(1, rows=10))
    for path in (pipeline.folder / "first").glob("*/*"):
        path.write_bytes(b"no TFRecord")
    _, content = pipeline.compare(examples)
    assert "previous" not in content
    pipeline.run(pipeline.examples("second", trips(2, rows=10)))
    with pytest.raises(DataError, match="damaged behind 0 unpacked bytes"):
        pipeline.compare(examples)


def test_the_same_distribution_has_not_drifted_and_all_measures_are_kept(pipeline):
    pipeline.run(pipeline.examples("first", trips(1), span=1))
    drift, content = pipeline.run(pipeline.examples("second", trips(2), span=2))
    assert (counts(drift), content["drifted"]) == ((0, 0, 0), [])
    assert content["reference"]["span"] == drift.get_int_custom_property("reference_span") == 1
    assert drift.get_string_custom_property("reference").endswith("/first")
    assert content["previous"]["reference_rows"] == content["previous"]["batch_rows"] == ROWS
    by_name = {column["name"]: column for column in content["previous"]["columns"]}
    assert set(by_name) == {*trips(1, rows=2), "(label)"}
    assert {name: column["kind"] for name, column in by_name.items()} == {
        "fare": "number", "tips": "number", "trip_miles": "number", "trip_seconds": "number",
        "trip_start_hour": "category", "payment_type": "category", "(label)": "category",
    }  # fmt: skip
    policies = {name for name, column in by_name.items() if column["policy"] == "record"}
    assert policies == {"tips", "trip_seconds"}  # neither feature nor label
    [rate] = by_name["(label)"]["measures"]
    first, second = (label_rate(trips(seed)) for seed in (1, 2))
    assert rate["value"] == pytest.approx(abs(first - second), abs=1e-9)


def label_rate(columns):
    return (columns["tips"] > 0.2 * columns["fare"]).mean()


def test_a_shifted_distribution_is_counted_by_its_policy_and_said_in_plain_units(pipeline):
    pipeline.run(pipeline.examples("first", trips(1)))
    shifted = trips(2, fare=1.3, card=0.55)
    drift, content = pipeline.run(
        pipeline.examples("second", shifted),
        columns={"fare": {"policy": "retune", "distance": None}},
    )
    assert counts(drift)[:2] == (0, 1)
    by_column = {(d["column"], d["policy"]): d["said"] for d in content["drifted"]}
    assert ("fare", "retune") in by_column and ("payment_type", "warn") in by_column
    first = trips(1)
    share = [(c["payment_type"] == "Cash").mean() for c in (first, shifted)]
    words = "{:.1%} -> {:.1%}".format(*share).replace("%", " %")
    assert f"share of Cash {words}" in by_column["payment_type", "warn"] or (
        "share of Credit Card" in by_column["payment_type", "warn"]
    )
    reasons = drift.get_string_custom_property("retune_reasons").splitlines()
    assert reasons and all(line.startswith("fare: share up to ") for line in reasons)


def test_policy_stop_stops_at_the_gate_and_such_data_is_no_reference(pipeline):
    pipeline.run(pipeline.examples("first", trips(1), span=1))
    bad = pipeline.examples("second", trips(2, fare=1.5), span=2)
    drift, content = pipeline.compare(bad, columns={"fare": {"policy": "stop", "distance": None}})
    assert counts(drift)[0] == 1
    [said] = [d["said"] for d in content["drifted"] if d["policy"] == "stop"]
    with pytest.raises(DataAnomalies) as caught:
        pipeline.gate(bad, drift)
    assert str(caught.value) == (
        "the data has drifted: 1 difference with policy stop; expected none. Hint: look at the "
        "data; if it is right, set drift.columns.COLUMN.policy to warn.\n"
        f"  fare: {said}; compared with the previous data"
    )
    _, content = pipeline.compare(pipeline.examples("third", trips(3), span=3))
    assert content["reference"]["span"] == 1


def test_the_previous_span_is_the_highest_below_and_still_there(pipeline):
    for span in (1, 4, 3):
        pipeline.run(pipeline.examples(f"span-{span}", trips(span, rows=40), span=span))

    def reference(span, name="other"):
        examples = pipeline.examples(name, trips(9, rows=40), span=span)
        return (pipeline.compare(examples)[1]["reference"] or {}).get("uri", "").split("/")[-1]

    assert [reference(span) for span in (0, 2, 4, 9)] == ["", "span-1", "span-3", "span-4"]
    # Of the same span only what is other data: here a corrected version, where none is below.
    assert reference(1) == "span-1"
    assert reference(1, "span-1") == ""
    (pipeline.folder / "span-4").rename(pipeline.folder / "gone")
    assert reference(9) == "span-3"


def test_a_fixed_threshold_holds_whatever_the_size_of_the_batch(pipeline):
    pipeline.run(pipeline.examples("first", trips(1)))
    examples = pipeline.examples("second", trips(2))
    for distance, expected in ((0.5, 0), (1e-9, 1)):
        columns = {"fare": {"policy": "stop", "distance": distance}}
        drift, _ = pipeline.compare(examples, columns=columns)
        assert counts(drift)[0] == expected


def logged(asked, names):
    """Lines as `fareline serve --log-share` writes them, for requests of these columns."""
    kept = {name: asked[name] for name in names}
    for row in range(len(asked["fare"])):
        example = _example({name: values[row] for name, values in kept.items()})
        head = {"time": "2026-11-26T12:00:00Z", "model": "taxi", "version": 1, "protocol": "grpc"}
        yield json.dumps({**head, "features": read_features(example, names)}) + "\n"


@pytest.mark.parametrize("form", ["log", "csv"])
def test_requests_are_compared_with_training_and_need_no_label(pipeline, tmp_path, form):
    names = ("fare", "trip_miles", "trip_start_hour")
    asked = {n: v.round(2) for n, v in trips(5, fare=1.4).items() if n in names}
    sample = tmp_path / ("requests.jsonl" if form == "log" else "requests.csv")
    if form == "log":
        sample.write_text("".join(logged(asked, names)))
    else:
        pd.DataFrame(asked).to_csv(sample, index=False)
    drift, content = pipeline.compare(
        pipeline.examples("first", trips(1)), default="retune", serving_sample=str(sample)
    )
    compared = {column["name"] for column in content["serving"]["columns"]}
    assert compared == set(names)  # payment_type is never logged
    # No search mends it; and what was asked as it was trained has not drifted.
    assert {(d["against"], d["column"], d["policy"]) for d in content["drifted"]} == {
        ("serving", "fare", "warn")
    }
    assert counts(drift) == (0, 0, 1)


def test_the_same_decimals_are_the_same_numbers(pipeline, tmp_path):
    """In 64 bits 12.6 is another number than in the 32 that an Example has."""
    columns = {name: values for name, values in trips(1).items() if name != "payment_type"}
    columns["fare"] = (columns["fare"] * 4).round() / 40
    sample = tmp_path / "requests.csv"
    pd.DataFrame({"fare": columns["fare"]}).to_csv(sample, index=False)
    columns["payment_type"] = trips(1)["payment_type"]
    _, content = pipeline.compare(
        pipeline.examples("first", columns), {"features": ["fare"]}, serving_sample=str(sample)
    )
    [fare] = content["serving"]["columns"]
    assert fare["measures"][0]["value"] == 0


def test_no_value_is_written_of_what_is_private_or_nobodys_feature(pipeline):
    first, second = trips(1), trips(2, card=0.9)
    for columns, street in ((first, "Elm Street"), (second, "Oak Street")):
        columns["address"] = np.full(ROWS, street)
    pipeline.run(pipeline.examples("first", first))
    _, content = pipeline.compare(
        pipeline.examples("second", second), {"private": ["payment_type"]}
    )
    said = {d["column"]: d["said"] for d in content["drifted"]}
    assert {"address", "payment_type"} <= set(said)
    assert said["payment_type"].startswith("share of a value ")
    text = json.dumps(content)
    assert [word in text for word in ("Street", "Cash", "Credit")] == [False, False, False]


def test_a_number_that_is_predicted_is_judged_as_a_column(pipeline):
    pipeline.run(pipeline.examples("first", trips(1)))
    task = {"task": "regression", "label": {"column": "tips"}}
    _, content = pipeline.compare(
        pipeline.examples("second", trips(2, card=0.7)), task, default="stop"
    )
    by_name = {column["name"]: column for column in content["previous"]["columns"]}
    assert "(label)" not in by_name
    assert (by_name["tips"]["policy"], by_name["trip_seconds"]["policy"]) == ("stop", "record")
    assert "tips" in {d["column"] for d in content["drifted"]}


def test_a_serving_sample_without_rows_is_an_error(pipeline, tmp_path):
    sample = tmp_path / "requests.jsonl"
    sample.write_text("\n")
    with pytest.raises(Exception, match=r"requests\.jsonl: has no row that can be read"):
        pipeline.compare(pipeline.examples("first", trips(1)), serving_sample=str(sample))
    sample.unlink()
    with pytest.raises(Exception, match=r"drift\.serving_sample: .*requests\.jsonl: no such file"):
        pipeline.compare(pipeline.examples("first", trips(1)), serving_sample=str(sample))
