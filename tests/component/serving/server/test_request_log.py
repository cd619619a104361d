"""serving.server.request_log: the share, what a line holds, the files, a disk that is full."""

import json
import types
import uuid

import numpy as np
import pytest
import tensorflow as tf

from fareline.digests import sha256_of_folder
from fareline.prediction_ids import milliseconds_of
from serving.model.columns import Column
from serving.server import log_files
from serving.server.log_files import LogFiles, closed_files
from serving.server.request_log import Asked, LogOptions, RequestLog, read_features
from tests.component.serving import models_for_tests

_SERVABLE = types.SimpleNamespace(name="taxi")
_SIGNATURE = types.SimpleNamespace(
    name="serving_default", examples_input="examples", columns={"x": Column("x", "float", True)}
)
_HOUR = 3600
_NOON = 1_767_268_800.0  # 2026-01-01T12:00:00Z


class Clock:
    def __init__(self, now=_NOON):
        self.now = now

    def __call__(self):
        return self.now


def open_log(folder, clock=None, **options):
    options = LogOptions(str(folder), **{"share": 1.0, **options})
    return RequestLog(options, clock or Clock())


def _note(log, count, signature=_SIGNATURE, **more):
    rows = [models_for_tests.make_example(float(x), tips=9.0) for x in range(count)]
    scores = np.arange(count, dtype=np.float32).reshape(-1, 1) / 10
    asked = Asked(7, np.array(rows, dtype=object), {"y": scores}, "grpc", **more)
    return log.note(_SERVABLE, signature, asked)


def _entries(folder):
    return [json.loads(line) for path in closed_files(folder) for line in path.open()]


def _logged(folder):
    return sorted(entry["features"]["x"] for entry in _entries(folder))


def test_the_share_is_kept_and_is_of_the_same_rows_each_time(tmp_path):
    for folder in ("one", "two"):
        log = open_log(tmp_path / folder, share=0.25)
        _note(log, 2000)
        log.close()
    chosen = _logged(tmp_path / "one")
    assert 400 < len(chosen) < 600
    assert chosen == _logged(tmp_path / "two")
    assert {entry["weight"] for entry in _entries(tmp_path / "one")} == {4.0}


def test_a_line_holds_the_columns_that_the_model_reads_and_what_it_answered(tmp_path):
    (tmp_path / "base" / "7").mkdir(parents=True)
    (tmp_path / "base" / "7" / "saved_model.pb").write_bytes(b"model")
    log = open_log(tmp_path / "log", base=str(tmp_path / "base"))
    noted = _note(log, 2)
    log.close()
    about = {
        "time": "2026-01-01T12:00:00.000+00:00",
        "model": "taxi",
        "version": 7,
        "sha256": sha256_of_folder(tmp_path / "base" / "7"),
        "protocol": "grpc",
        "weight": 1.0,
    }
    assert _entries(tmp_path / "log") == [
        {"id": f"{noted.request_id}-0", **about, "score": 0.0, "features": {"x": 0.0}},
        {"id": f"{noted.request_id}-1", **about, "score": 0.1, "features": {"x": 1.0}},
    ]


@pytest.mark.parametrize(
    ("pseudonym", "named"), [(None, "Ada"), (lambda value: value[::-1], "adA")]
)
def test_whom_a_row_is_about_is_written_as_in_training(tmp_path, pseudonym, named):
    log = open_log(tmp_path, entity="name", pseudonym=pseudonym, exclude=["name"])
    row = tf.train.Example.FromString(models_for_tests.make_example(1.0))
    row.features.feature["name"].bytes_list.value.append(b"Ada")
    log.note(_SERVABLE, _SIGNATURE, Asked(7, [row.SerializeToString()], {}, "grpc"))
    _note(log, 2, entities=["Ada", None])
    log.close()
    entries = _entries(tmp_path)
    assert [entry.get("entity") for entry in entries] == [named, named, None]
    assert entries[0]["score"] is None
    assert all(set(entry["features"]) == {"x"} for entry in entries)


def test_what_is_no_prediction_is_not_logged(tmp_path):
    log = open_log(tmp_path)
    other = types.SimpleNamespace(**{**vars(_SIGNATURE), "name": "transform_features"})
    assert _note(log, 2, signature=other) is None
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_a_row_that_cannot_be_read_costs_a_line_and_no_other(tmp_path):
    told = []
    log = open_log(tmp_path, tell=told.append)
    log.note(_SERVABLE, _SIGNATURE, Asked(7, [b"no example"], {}, "grpc"))
    _note(log, 3)
    log.close()
    assert _logged(tmp_path) == [0.0, 1.0, 2.0]
    assert [line.partition(" (")[0] for line in told] == ["request log: 1 entries lost"]


def test_a_full_file_gives_way_to_a_new_one_and_old_ones_go(tmp_path):
    log = open_log(tmp_path, file_bytes=4000, kept_files=8)
    for _ in range(100):
        _note(log, 10)
    log.close()
    files = closed_files(tmp_path)
    assert len(files) == len(list(tmp_path.iterdir())) == 8
    assert all(path.stat().st_size <= 4000 for path in files)
    assert _entries(tmp_path)[-1]["features"]["x"] == 9.0


def test_a_file_closes_when_its_hour_is_over(tmp_path):
    clock = Clock()
    files = LogFiles(str(tmp_path), clock=clock)
    files.write(b"one\n")
    clock.now += _HOUR - 1
    files.write(b"two\n")
    assert (closed_files(tmp_path), files.seconds_left()) == ([], 1.0)
    clock.now += 1
    files.close_if_over()
    files.write(b"three\n")
    clock.now -= 2 * _HOUR  # a clock that was set back
    files.write(b"four\n")
    files.close()
    assert sorted(path.read_bytes() for path in closed_files(tmp_path)) == [
        b"four\n",
        b"one\ntwo\n",
        b"three\n",
    ]
    assert [path.name[:25] for path in closed_files(tmp_path)] == [
        f"predictions-2026-01-01T{hour}" for hour in (11, 12, 13)
    ]


def test_what_a_killed_writer_left_is_closed_and_of_a_killed_job_removed(tmp_path):
    living = LogFiles(str(tmp_path))
    living.write(b"living\n")
    (tmp_path / "predictions-1.jsonl.open").write_bytes(b'whole\n{"cut')
    (tmp_path / "predictions-2.jsonl.open").write_bytes(b"")
    (tmp_path / "predictions-3.jsonl.job").write_bytes(b"job\n")
    LogFiles(str(tmp_path))
    assert [path.read_bytes() for path in closed_files(tmp_path)] == [b'whole\n{"cut']
    assert len(list(tmp_path.iterdir())) == 2
    living.close()
    assert len(closed_files(tmp_path)) == 2


@pytest.mark.parametrize("discard", [True, False])
def test_a_job_is_logged_whole_or_not_at_all(tmp_path, discard):
    log = open_log(tmp_path, is_job=True, file_bytes=100)
    for _ in range(50):
        _note(log, 10)
    assert closed_files(tmp_path) == []
    log.close(discard=discard)
    assert len(list(tmp_path.iterdir())) == (0 if discard else 1)
    assert len(_entries(tmp_path)) == (0 if discard else 500)


def test_a_log_that_cannot_be_written_loses_lines_and_says_so(tmp_path, monkeypatch):
    told = []
    log = open_log(tmp_path, tell=told.append)
    (tmp_path / "full.open").symlink_to("/dev/full")
    full = open(tmp_path / "full.open", "wb", buffering=0)  # noqa: SIM115 - the log closes it
    monkeypatch.setattr(LogFiles, "_open", lambda self: full)
    monkeypatch.setattr(log_files, "_close_by_name", lambda path: None)
    _note(log, 3)
    log.close()
    assert told == ["request log: 3 entries lost (the disk is full, or too slow)"]


def test_ids_sort_by_time_also_where_the_clock_is_set_back(tmp_path):
    clock = Clock()
    log = open_log(tmp_path, clock)
    made = [_note(log, 1).request_id for _ in range(100)]
    clock.now -= _HOUR
    made += [_note(log, 1).request_id for _ in range(100)]
    log.close()
    assert made == sorted(set(made))
    assert {uuid.UUID(each).version for each in made} == {7}
    assert {milliseconds_of(each) for each in made} == {int(_NOON * 1000)}


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, {"x": 12.6}),
        ({"nan": float("nan")}, {"x": 12.6, "nan": None}),
    ],
)
def test_values_are_plain_json(more, found):
    row = models_for_tests.make_example(12.6, **more)
    assert read_features(row, {"x", "nan"}) == found
