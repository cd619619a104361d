"""Slices of the prediction log: by columns, in buckets, and by functions of the user's own."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from fareline.errors import UserMistake
from fareline.start import offer_packages
from monitoring.live.rows import Rows
from pipeline.evaluation.own_slices import resolve
from pipeline.settings.load import load_settings
from runners.watching.slices import slicer

JUDGING = """
def shift(row): return None if row["hour"] is None else "night" if row["hour"] < 6 else "day"
def payer(row): return row["pay"].lower()
def tipped(row): return "yes" if row["tips"] else "no"
def broken(row):
    return str(row["hour"] / 0)
def number(row): return 3
def kind(row): return {b"Cash": "c"}[row["pay"]]
"""
ROWS = Rows(
    {
        "hour": pa.array([3, None, 7, 23], pa.int64()),
        "pay": pa.array([b"Cash", b"Cash", b"Card", b"Cash"], pa.large_binary()),
    },
    *(np.zeros(4) for _ in range(3)),
)


@pytest.fixture
def masks(tmp_path):
    """Finds the rows of each slice, with the functions above."""
    (tmp_path / "watchcode").mkdir()
    (tmp_path / "watchcode" / "__init__.py").write_text("")
    (tmp_path / "watchcode" / "judge.py").write_text(JUDGING)
    names = ("shift", "payer", "tipped", "broken", "number", "kind")
    own = ", ".join(f"{name}: watchcode.judge.{name}" for name in names)

    def find(slices):
        code = [f"code.folder={tmp_path}", f"code.slices={{{own}}}"]
        settings = load_settings(overrides=[*code, f"evaluation.slices={slices}"])
        return {name: rows.tolist() for name, rows in slicer(settings)(ROWS).items()}

    yield find
    offer_packages((), "")
    for name in [name for name in sys.modules if name.partition(".")[0] == "watchcode"]:
        del sys.modules[name]
    resolve.cache_clear()


def test_slices_by_columns_by_functions_and_by_both(masks):
    hours = "{column: hour, boundaries: [6]}"
    assert masks(f"[[{hours}], [shift], [payer, shift], [absent]]") == {
        "hour=below 6": [True, False, False, False],
        "hour=6 or more": [False, False, True, True],
        "shift=night": [True, False, False, False],
        "shift=day": [False, False, True, True],
        "payer=cash, shift=night": [True, False, False, False],
        "payer=card, shift=day": [False, False, True, False],
        "payer=cash, shift=day": [False, False, False, True],
    }


def test_a_function_that_needs_a_column_which_is_not_logged_gives_no_slices(masks):
    assert list(masks("[[tipped], [pay]]")) == ["pay=Card", "pay=Cash"]


def test_a_function_that_fails_is_named_with_its_line(masks, tmp_path):
    file = tmp_path / "watchcode" / "judge.py"
    with pytest.raises(UserMistake) as failure:
        masks("[[broken]]")
    assert str(failure.value) == (
        f"code.slices.broken: {file}:6: ZeroDivisionError: division by zero; expected the name of "
        "a slice, or None. Hint: correct that line."
    )
    with pytest.raises(UserMistake, match=r"judge\.py:8: KeyError: 'Cash'; expected the name"):
        masks("[[kind]]")
    with pytest.raises(UserMistake, match=r"judge\.py:7: number returned 3, a int; expected a te"):
        masks("[[number]]")
