"""What is said of a source before a run, or before it is sent to a cluster."""

import pyarrow.csv
import pyarrow.parquet
import pytest

from data.taxi import taxi_csv_path
from fareline.errors import DataError
from pipeline.settings.load import load_settings
from pipeline.source.check import check_request
from pipeline.source.warnings import source_warnings

LOOKS = (
    "warning: column contact looks like e-mail addresses; "
    "data.columns.contact says what becomes of it"
)


def no_key():
    raise AssertionError("these settings need no key")


def settings(*overrides):
    return load_settings(overrides=overrides)


def write_rows(path):
    """Taxi rows with a column that looks personal."""
    header, *lines = taxi_csv_path().read_text().splitlines()[:9]
    rows = [f"{line},p{i}@example.org" for i, line in enumerate(lines)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f"{header},contact", *rows]) + "\n")


def test_a_run_and_a_check_warn_of_the_same(tmp_path):
    write_rows(tmp_path / "rows.csv")
    found = settings(f"data.source.csv={tmp_path}/rows.csv")
    assert source_warnings(found) == [LOOKS]
    assert check_request(found, no_key).notes == (LOOKS,)
    for said in ("{contact: {pii: true}}", "{contact: {pii: false}}"):
        known = settings(f"data.source.csv={tmp_path}/rows.csv", f"data.columns={said}")
        assert source_warnings(known) == []
        assert check_request(known, no_key).notes == ()


def test_so_they_do_of_files_of_other_formats(tmp_path):
    write_rows(tmp_path / "csv" / "rows.csv")
    table = pyarrow.csv.read_csv(tmp_path / "csv" / "rows.csv")
    (tmp_path / "files").mkdir()
    pyarrow.parquet.write_table(table, tmp_path / "files" / "a.parquet")
    (tmp_path / "files" / "_generated.json").write_text("{}")
    found = settings("data.source.dataset=null", f"data.source.files={tmp_path}/files")
    assert source_warnings(found) == [LOOKS]
    assert check_request(found, no_key).notes == (LOOKS,)


def test_gaps_between_spans_are_said(tmp_path):
    for span in (1, 2, 4):
        write_rows(tmp_path / f"span-{span}" / "rows.csv")
    pattern = f"{tmp_path}/span-{{SPAN}}/*.csv"
    known = (f"data.source.csv={pattern}", "data.columns={contact: {pii: true}}")
    gap = f"warning: {pattern}: there is no span 3 among 1 to 2, 4"
    assert source_warnings(settings(*known)) == [gap]
    # A run says what it reads; with the latest span alone nothing is missing.
    assert check_request(settings(*known), no_key).notes == ()
    assert check_request(settings(*known, "data.window=2"), no_key).notes == (
        "spans 2, 4 are read; there is no span 3 among them",
    )
    dates = tmp_path / "days" / "2016-01-05" / "rows.csv"
    write_rows(dates)
    by_date = f"data.source.csv={tmp_path}/days/{{YYYY}}-{{MM}}-{{DD}}/*.csv"
    assert source_warnings(settings(by_date, known[1])) == []


def test_what_lies_elsewhere_is_not_warned_of(tmp_path):
    assert source_warnings(settings()) == []
    assert source_warnings(settings(f"data.source.csv={tmp_path}/gone.csv")) == []
    assert source_warnings(settings(f"data.source.csv={tmp_path}/gone/{{SPAN}}/*.csv")) == []
    with pytest.raises(DataError, match="names something twice"):
        source_warnings(settings(f"data.source.csv={tmp_path}/{{SPAN}}/{{SPAN}}.csv"))
