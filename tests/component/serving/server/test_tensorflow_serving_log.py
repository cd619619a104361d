"""serving.server.tensorflow_serving_log: PredictionLogs as TensorFlow Serving writes them."""

import json

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from fareline.errors import DataError
from fareline.prediction_ids import IdMaker, is_prediction_id, milliseconds_of
from serving.server.log_files import closed_files
from serving.server.tensorflow_serving_log import Taking, take_up
from tests.component.serving import models_for_tests

SECONDS = 1_767_268_800  # 2026-01-01T12:00:00Z


def example(x, prediction_id=None):
    row = tf.train.Example.FromString(models_for_tests.make_example(x, tips=9.0))
    row.features.feature["cab"].bytes_list.value.append(b"cab-7")
    if prediction_id is not None:
        row.features.feature["prediction_id"].bytes_list.value.append(prediction_id.encode())
    return row.SerializeToString()


def record(*rows, seconds=SECONDS, rate=0.5):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.name = "taxi"
    log.predict_log.request.inputs["examples"].CopyFrom(tf.make_tensor_proto(list(rows)))
    log.predict_log.response.model_spec.name = "taxi"
    log.predict_log.response.model_spec.version.value = 7
    scores = tf.make_tensor_proto([[i / 10] for i, _ in enumerate(rows)], tf.float32)
    log.predict_log.response.outputs["y"].CopyFrom(scores)
    log.log_metadata.timestamp_secs = seconds
    log.log_metadata.sampling_config.sampling_rate = rate
    return log.SerializeToString()


def write(path, *records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in records:
            writer.write(each)
    return str(path)


def taking(folder):
    return Taking(str(folder), {"x"}, lambda version: f"digest of {version}", "cab")


def entries(folder):
    return [json.loads(line) for path in closed_files(folder) for line in path.open()]


def test_rows_are_as_if_they_had_been_served_here(tmp_path):
    own = IdMaker(lambda: (SECONDS + 5) * 1_000_000_000).make()
    path = write(tmp_path / "log", record(example(1.5, own), example(2.5)))
    assert take_up(path, taking(tmp_path / "logs")).rows == 2
    first, second = entries(tmp_path / "logs")
    assert first == {
        "id": own,
        "time": "2026-01-01T12:00:05.000+00:00",
        "model": "taxi",
        "version": 7,
        "sha256": "digest of 7",
        "protocol": "tensorflow_serving",
        "weight": 2.0,
        "score": 0.0,
        "features": {"x": 1.5},
        "entity": "cab-7",
    }
    assert is_prediction_id(second["id"])
    assert milliseconds_of(second["id"]) == SECONDS * 1000
    assert (second["time"], second["score"]) == ("2026-01-01T12:00:00.000+00:00", 0.1)


def test_the_same_file_gives_the_same_ids_and_equal_records_ids_of_their_own(tmp_path):
    same = record(example(1.0))
    path = write(tmp_path / "log", same, same)
    for folder in ("one", "two"):
        take_up(path, taking(tmp_path / folder))
    one, two = (entries(tmp_path / folder) for folder in ("one", "two"))
    assert one == two
    assert len({entry["id"] for entry in one}) == 2


def test_what_is_no_prediction_is_counted_and_the_rest_is_taken_up(tmp_path):
    other = prediction_log_pb2.PredictionLog()
    other.classify_log.request.model_spec.name = "taxi"
    records = [record(example(1.0)), b"\xff\xff", other.SerializeToString(),
               record(example(1.0), seconds=0), record(example(2.0))]  # fmt: skip
    path = write(tmp_path / "log", *records)
    with open(path, "r+b") as file:
        file.truncate(file.seek(0, 2) - 3)
    taken = take_up(path, taking(tmp_path / "logs"))
    assert (taken.rows, taken.skipped) == (
        1,
        {"cut": 1, "no_message": 1, "no_prediction": 1, "no_time": 1},
    )
    assert len(entries(tmp_path / "logs")) == 1


@pytest.mark.parametrize(
    ("content", "found"),
    [(None, "no such file"), (b"not a TFRecord at all", "is not a TFRecord file")],
)
def test_a_file_of_another_kind_is_refused_and_adds_nothing(tmp_path, content, found):
    path = tmp_path / "log"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=found):
        take_up(str(path), taking(tmp_path / "logs"))
    assert list((tmp_path / "logs").iterdir()) == []
