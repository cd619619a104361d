"""Where tests put their temporary folders."""

import os
from types import SimpleNamespace

import pytest

from tests import temporary
from tests.unit.project.test_needs import run_pytest

GIB = 1 << 30


@pytest.mark.parametrize(
    ("free", "available", "flags", "room"),
    [
        (8 * GIB, 8 * GIB, 0, True),
        (8 * GIB - 1, 99 * GIB, 0, False),
        (99 * GIB, 8 * GIB - 1, 0, False),
        (99 * GIB, 99 * GIB, os.ST_NOEXEC, False),
    ],
)
def test_memory_is_used_where_there_is_enough_of_it(
    tmp_path, monkeypatch, free, available, flags, room
):
    monkeypatch.setattr(temporary.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    memory = SimpleNamespace(available=available)
    monkeypatch.setattr(temporary.psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(temporary.os, "statvfs", lambda _: SimpleNamespace(f_flag=flags))
    assert temporary.has_room(tmp_path) is room
    assert not temporary.has_room(tmp_path / "there is none")


def test_what_a_test_run_leaves_is_where_it_was_told_and_goes_with_it(tmp_path):
    tests = "def test_it(tmp_path): (tmp_path / 'a').touch(); print(tmp_path)\n"
    folder = tmp_path / "temporary"
    folder.mkdir()
    policy = ("-o", "tmp_path_retention_policy=failed", "-s")
    code, said = run_pytest(tmp_path, tests, *policy, PYTEST_DEBUG_TEMPROOT=str(folder))
    assert code == 0, said
    assert f"{folder}/pytest-of-" in said
    assert [path for path in folder.rglob("*") if path.name == "a"] == []
