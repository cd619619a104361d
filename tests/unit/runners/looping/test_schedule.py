"""runners.looping.schedule: due times by their zone, at their very millisecond; new files."""

import datetime
import os

import pytest

from fareline.errors import UserMistake
from pipeline.settings.load import load_settings
from runners.looping.schedule import cause_of_data, digest_of_data, last_due_ms, next_due_ms


def ms(text):
    when = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)
    return round(when.timestamp() * 1000)


@pytest.mark.parametrize(
    ("cron", "now", "last", "after"),
    [
        ("0 6 * * *", "2026-03-05T06:00:00.000", "2026-03-05T06:00:00", "2026-03-06T06:00:00"),
        ("0 6 * * *", "2026-03-05T05:59:59.999", "2026-03-04T06:00:00", "2026-03-05T06:00:00"),
        ("0 6 * * *", "2026-03-05T06:00:00.001", "2026-03-05T06:00:00", "2026-03-06T06:00:00"),
        ("30 4 1 * *", "2026-03-05T00:00:00", "2026-03-01T04:30:00", "2026-04-01T04:30:00"),
        # Berlin is an hour ahead of UTC in winter and two in summer.
        (
            "TZ=Europe/Berlin 0 6 * * *",
            "2026-01-05T12:00:00",
            "2026-01-05T05:00:00",
            "2026-01-06T05:00:00",
        ),
        (
            "TZ=Europe/Berlin 0 6 * * *",
            "2026-03-28T12:00:00",
            "2026-03-28T05:00:00",
            "2026-03-29T04:00:00",
        ),
    ],
)
def test_a_schedule_counts_in_its_zone(cron, now, last, after):
    assert last_due_ms(cron, ms(now)) == ms(last)
    assert next_due_ms(cron, ms(now)) == ms(after)


def test_new_and_changed_files_are_new_data_and_others_are_not(tmp_path):
    folder = tmp_path / "trips"
    folder.mkdir()
    header = "fare,trip_miles,payment_type,tips\n"
    (folder / "a.csv").write_text(header + "12.5,3.1,Cash,1.0\n")
    changes = [
        f"data.source={{csv: {folder}}}",
        "schema=null",
        "features={numeric: {fare: {}}}",
        "evaluation.slices=[]",
        "evaluation.slice_thresholds={}",
    ]
    settings = load_settings(None, changes)
    first = digest_of_data(settings)
    assert digest_of_data(settings) == first
    (tmp_path / "beside.csv").write_text("x")
    assert digest_of_data(settings) == first
    (folder / "b.csv").write_text(header + "2.5,0.1,Cash,0.0\n")
    second = digest_of_data(settings)
    os.utime(folder / "b.csv", (1, 1))
    assert len({first, second, digest_of_data(settings)}) == 3
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(UserMistake):
        digest_of_data(settings)


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [("", "a", True), ("a", "a", False), ("a", "b", True), ("a", "", False)],
)
def test_data_that_cannot_be_read_is_no_new_data(before, now, new):
    assert bool(cause_of_data(before, now)) is new
