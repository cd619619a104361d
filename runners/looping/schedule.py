"""Triggers of a loop without a person: the schedule, and new data."""

import contextlib
import datetime
import hashlib
import os
import zoneinfo
from typing import TYPE_CHECKING

from lineage.text.times import clock
from monitoring.live.decision import CRON, NEW_DATA, Cause
from pipeline.settings.running.cron import ZONE
from pipeline.source.check import check_request
from runners.pii_key import read_pii_key

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings


def last_due_ms(cron: str, now_ms: int) -> int:
    """When a schedule was due last, milliseconds since 1970; now, if it is due now.

    Args:
        cron: Five fields, with `TZ=ZONE` before them or not; else UTC.
        now_ms: Milliseconds since 1970.
    """
    return _due_ms(cron, now_ms, True)


def next_due_ms(cron: str, now_ms: int) -> int:
    """When it will be due next, after now."""
    return _due_ms(cron, now_ms, False)


def _due_ms(cron: str, now_ms: int, is_last: bool) -> int:
    from croniter import croniter

    zone: datetime.tzinfo = datetime.timezone.utc
    if cron.startswith(ZONE):
        named, _, cron = cron.partition(" ")
        zone = zoneinfo.ZoneInfo(named.removeprefix(ZONE))
    now = datetime.datetime.fromtimestamp(now_ms // 1000, zone)
    if is_last:  # what is due at this very second counts, and nothing of the next
        found = croniter(cron, now + datetime.timedelta(seconds=1)).get_prev(datetime.datetime)
    else:
        found = croniter(cron, now).get_next(datetime.datetime)
    return round(found.timestamp() * 1000)


def cause_of_cron(cron: str | None, done_ms: int, now_ms: int) -> tuple[list[Cause], int]:
    """Whether a retraining is due; times that were missed count as one.

    Args:
        cron: The schedule.
        done_ms: Time up to which the schedule is handled; 0: the schedule is new.
        now_ms: Milliseconds since 1970.

    Returns:
        The cause, and up to when it is done with once that is carried out.
    """
    if cron is None or done_ms == 0:
        return [], now_ms
    due_ms = last_due_ms(cron, now_ms)
    if due_ms <= done_ms:
        return [], now_ms
    return [Cause(CRON, f"{cron}: due at {clock(due_ms)}")], now_ms


def digest_of_data(settings: "Settings") -> str:
    """Digest of names, sizes and times of the files that a run would read now.

    Raises:
        UserMistake: A run would refuse them, or there are none.
    """
    source = check_request(settings, read_pii_key)
    told = hashlib.sha256()
    for path in sorted(map(str, source.files)):
        told.update(path.encode())
        with contextlib.suppress(OSError):  # of a bucket the name has to do
            found = os.stat(path)
            told.update(f"\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return told.hexdigest()


def cause_of_data(before: str, digest: str) -> list[Cause]:
    """Whether there is data that no run of this loop has read; empty digests are none."""
    if not digest or digest == before:
        return []
    said = "the files of data.source have changed" if before else "there is no model of them yet"
    return [Cause(NEW_DATA, said)]
