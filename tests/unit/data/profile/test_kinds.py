"""What a column is, by its name and its values: single columns, each with its trap."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data.profile.dialect import find_csv_format
from data.profile.facts import facts_of_cells, facts_of_values
from data.profile.kinds import judge
from data.profile.leaks import auc, power_of, sample_rows
from data.profile.spellings import spelled_numbers
from data.profile.target import find_target
from data.profile.times import share_of_times
from data.reading.csv_header import COMMAS

N = 2_000
R = np.random.default_rng(0)


def facts(name, values):
    cells = ["" if value is None else str(value) for value in values]
    array = pa.array([cell.encode() or None for cell in cells], pa.binary())
    return facts_of_cells(name, pa.chunked_array([array]), COMMAS)


COLUMNS = [
    ("salary", R.integers(20, 99, N) * 1000, "number"),
    ("days_left", R.integers(0, 400, N), "number"),
    ("shoe", R.integers(36, 48, N), "number"),
    ("model_year", R.integers(1990, 2020, N), "number"),
    ("x", R.poisson(1, N), "number"),
    ("x", R.choice([0, 1, 2], N, p=[0.5, 0.02, 0.48]), "coded category"),
    ("zip", R.choice([10115, 20095, 80331], N), "coded category"),
    ("location", R.choice(R.integers(10_000, 99_999, 90), N), "coded category"),
    ("branch_id", R.integers(1, 40, N), "coded category"),
    ("type", R.choice([1, 2, 5], N), "coded category"),
    ("x", [f"{i:05d}" for i in R.integers(0, 900, N)], "coded category"),
    ("order_id", R.permutation(N), "identifier"),
    ("x", [f"{i:x}" for i in R.integers(2**40, 2**60, N)], "identifier"),
    ("customer_id", R.integers(0, 1500, N), "identifier"),
    ("plan", R.choice(["a", "b"], N), "category"),
    ("country", R.choice(["DE", "FR", "NA", "IT", "ES", "PL", "AT"], N), "category"),
    ("flag", R.choice(["Y", "N"], N), "boolean"),
    ("flag", R.choice([0, 1], N), "boolean"),
    ("note", [f"word {i} and {i % 7}" for i in R.integers(0, 10**6, N)], "text of many values"),
    ("x", ["2024-01-31", "2024-02-01 10:00:00"] * (N // 2), "time"),
    ("created_at", R.integers(1_600_000_000, 1_700_000_000, N), "time"),
    ("x", R.choice([20240131, 20240201, 20240302], N), "time"),
    ("ip", [f"10.0.{a}.{b}" for a, b in R.integers(0, 255, (N, 2))], "personal"),
    ("contact", [f"u{i}@example.org" for i in range(N)], "personal"),
    ("last_name", [f"N{i}" for i in range(N)], "personal"),
    ("product_name", [f"P{i}" for i in R.integers(0, 300, N)], "category"),
    ("x", ["v1"] * N, "constant"),
    ("x", [None] * N, "constant"),
    ("x", ["1.5", "NaN", "?", "n/a"] * (N // 4), "number"),  # one number, and gaps
]


@pytest.mark.parametrize(("name", "values", "kind"), COLUMNS)
def test_kinds(name, values, kind):
    found = judge(facts(name, values), {})
    assert found.kind == kind, found


def test_columns_of_a_family_are_measurements():
    one = facts("v_3", R.integers(1, 9, N))
    assert judge(one, {}).kind == "coded category"
    assert judge(one, {"v_": 64}).kind == "number"


@pytest.mark.parametrize(
    ("values", "spelled"),
    [
        ([-999, *range(100)], ["-999"]),
        ([-999, -9999, *range(100)], ["-999", "-9999"]),
        ([99, *range(90)], []),  # near the others
        ([9999, *range(90)], ["9999"]),
        ([-1, *range(90)], ["-1"]),
        ([-1, *range(-5, 90)], []),
        ([0, *range(1, 90)], []),
        ([-999, 1, 2, 3], ["-999"]),  # too far to be one of few
        ([9999, 0, 1], ["9999"]),
        ([99, 1, 2, 3], []),  # may be one of the answers
        ([-9, 1, 2, 3], []),
        ([999, 500, 700], []),
        ([-999, 5], []),
    ],
)
def test_numbers_that_spell_missing_stand_apart_and_are_frequent(values, spelled):
    found = facts("x", [*np.repeat(values, 5), *([values[0], values[1]] * 60)])
    assert sorted(found.spellings, key=float, reverse=True) == spelled


def test_a_rare_end_is_a_value():
    values, counts = np.arange(101.0), np.full(101, 50)
    values[0], counts[0] = -999, 1
    assert spelled_numbers(values, counts) == []


def test_texts_that_spell_missing():
    found = facts("x", ["a", "b"] * 20 + ["NA", "", " ", "None", "?"])
    assert found.spellings == {"NA": 1, " ": 1, "?": 1}  # None may be one of the texts
    numbers = facts("x", ["1.5", "2.5"] * 20 + ["None", "unknown"])
    assert (numbers.spellings, numbers.type) == ({"None": 1, "unknown": 1}, "float")
    days = facts("x", [f"2024-01-{d:02d}" for d in range(1, 29)] + ["1900-01-01"] * 9)
    assert days.spellings == {"1900-01-01": 9}


def test_typed_columns_are_what_the_file_says():
    times = pd.Series(pd.date_range("2024-01-01", periods=N, freq="h"))
    found = facts_of_values("x", pa.chunked_array([pa.array(times)]))
    assert judge(found, {}).kind == "time"
    large = pa.array(np.arange(N, dtype=np.uint64) * 2 + 2**63)
    found = facts_of_values("x", pa.chunked_array([large]))
    assert (found.type, found.low) == ("float", 2.0**63)
    lists = facts_of_values("x", pa.chunked_array([pa.array([[1, 2]] * 3)]))
    assert judge(lists, {}).kind == "of no use"
    single = facts_of_values("x", pa.chunked_array([pa.array([[1], [], None, [4]])]))
    assert single.array.to_pylist() == [1, None, None, 4]


# Leaks.


def test_auc_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    labels, scores = R.integers(0, 2, N), np.round(R.normal(size=N), 1)
    assert auc(labels.astype(float), scores) == pytest.approx(roc_auc_score(labels, scores), 1e-12)


@pytest.mark.parametrize(
    ("make", "is_leak"),
    [
        (lambda y: y * 2.5 + 1, True),
        (lambda y: np.where(y > 0.5, "left", "stayed"), True),
        (lambda y: np.where(y > 0.5, R.choice(["a", "b"], N), "c"), True),
        (lambda y: -y + R.normal(0, 0.05, N), True),
        (lambda y: np.where(R.random(N) < 0.2, 1 - y, y), False),
        (lambda y: [f"id{i}" for i in range(N)], False),  # each value once: nothing is learned
        (lambda y: R.normal(size=N), False),
    ],
)
def test_a_leak_tells_the_label_of_rows_that_it_was_not_learned_from(make, is_leak):
    label = R.integers(0, 2, N).astype(float)
    target = find_target(facts("y", label.astype(int)))
    power = power_of(facts("x", make(label)), target, sample_rows(N))
    assert (power > 0.99) == is_leak, power


def test_a_leak_of_a_number():
    label = R.normal(50, 10, N)
    target = find_target(facts("y", label))
    assert power_of(facts("x", label * 1.2 + R.normal(0, 0.1, N)), target, sample_rows(N)) > 0.99
    assert power_of(facts("x", label + R.normal(0, 10, N)), target, sample_rows(N)) < 0.9


# Tasks.


@pytest.mark.parametrize(
    ("name", "values", "task", "first"),
    [
        ("y", ["no", "yes"], "binary", "yes"),
        ("y", ["False", "True"], "binary", "True"),
        ("y", [0, 1], "binary", 1),
        ("y", [-1, 1], "binary", 1),
        ("y", ["good", "bad", "good"], "binary", "bad"),
        ("y", [1, 1, 2], "binary", 2),
        ("y", [1.0, 0.0], "binary", 1),
        ("grade", [1, 2, 3], "multiclass", 1),
        ("kind", ["a", "b", "c"], "multiclass", "a"),
        ("rooms", [1, 2, 3, 4], "regression", None),
        ("y", [1.5, 2.5, 3.5], "regression", None),
        ("y", range(100), "regression", None),
    ],
)
def test_tasks(name, values, task, first):
    target = find_target(facts(name, list(values) * 60))
    assert target.task == task
    if first is not None:
        assert target.values[0] == first
        assert type(target.values[0]) is type(first)


# Dialects.


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "iso-8859-1"])
def test_dialects(tmp_path, separator, encoding):
    rows = [["größe", "näme"], ["1.5", '"a, b; c"'], ["2.25", "d\u00a0e"]]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(map(separator.join, rows)), encoding=encoding)
    found = find_csv_format(path)
    assert (found.separator, found.decimal) == (separator, ".")
    read = path.read_bytes().decode(found.encoding).removeprefix("\ufeff")
    assert read == path.read_bytes().decode(encoding).removeprefix("\ufeff")


def test_times_are_told_from_numbers():
    days = ["2024-01-31", "31.01.24", "01/31/24", "Jan 5, 2024", "31/12/2024 10:05", "2024-01"]
    days += ["1/2/24", "12/5/24", "31/1/24 9:05"]
    assert share_of_times(days) == 1
    assert share_of_times(["1.2.34", "12-2024", "2024", "99.99.99", "2024-13-01"]) == 0
