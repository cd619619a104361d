"""serving.server.request_log: the share, the files, a disk that does not keep up."""

import json
import types

import numpy as np
import pytest

from serving.model.columns import Column
from serving.server.request_log import LOG_FILE, RequestLog, read_features
from tests.component.serving import models_for_tests

_SERVABLE = types.SimpleNamespace(name="taxi", version=7)
_SIGNATURE = types.SimpleNamespace(
    examples_input="examples", columns={"x": Column("x", "float", True)}
)


def _note(log, count):
    rows = [models_for_tests.make_example(float(x), tips=9.0) for x in range(count)]
    log.note(_SERVABLE, _SIGNATURE, {"examples": np.array(rows, dtype=object)}, "grpc")


def _logged(folder):
    lines = [line for path in folder.iterdir() for line in path.read_text().splitlines()]
    return sorted(json.loads(line)["features"]["x"] for line in lines)


def test_the_share_is_kept_and_is_of_the_same_rows_each_time(tmp_path):
    for folder in ("one", "two"):
        log = RequestLog(str(tmp_path / folder), 0.25)
        _note(log, 2000)
        log.close()
    chosen = _logged(tmp_path / "one")
    assert 400 < len(chosen) < 600
    assert chosen == _logged(tmp_path / "two")


def test_only_columns_that_the_model_reads_are_written(tmp_path):
    log = RequestLog(str(tmp_path), 1.0)
    _note(log, 2)
    log.close()
    lines = (tmp_path / LOG_FILE).read_text().splitlines()
    assert [json.loads(line)["features"] for line in lines] == [{"x": 0.0}, {"x": 1.0}]
    assert json.loads(lines[0])["version"] == 7


def test_a_row_that_cannot_be_read_costs_a_line_and_no_other(tmp_path):
    told = []
    log = RequestLog(str(tmp_path), 1.0, tell=told.append)
    log.note(_SERVABLE, _SIGNATURE, {"examples": np.array([b"no example"], object)}, "grpc")
    _note(log, 3)
    log.close()
    assert _logged(tmp_path) == [0.0, 1.0, 2.0]
    assert [line.partition(" (")[0] for line in told] == ["request log: 1 entries lost"]


def test_a_full_file_gives_way_to_a_new_one_and_old_ones_go(tmp_path):
    log = RequestLog(str(tmp_path), 1.0, file_bytes=4000)
    _note(log, 1000)
    log.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [LOG_FILE, *(f"{LOG_FILE}.{n}" for n in range(1, 9))]
    assert all(path.stat().st_size <= 4000 for path in tmp_path.iterdir())
    assert 999.0 in _logged(tmp_path)


def test_a_log_that_cannot_be_written_loses_lines_and_says_so(tmp_path):
    told = []
    (tmp_path / LOG_FILE).symlink_to("/dev/full")
    log = RequestLog(str(tmp_path), 1.0, tell=told.append)
    _note(log, 3)
    log.close()
    assert told == ["request log: 1 entries lost (the disk is full, or too slow)"]


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
