"""`fareline data`: the answers, for people and as JSON, and the mistakes."""

import json

import pytest
from typer.testing import CliRunner

from cli.app import app
from data.taxi import taxi_csv_path


@pytest.fixture
def fareline(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return lambda *arguments: CliRunner().invoke(app, ["data", *arguments])


def test_generate_says_what_it_made(fareline, tmp_path):
    ran = fareline(
        "generate", "--rows", "3000", "--shards", "2", "--broken-rows", "0.01", "-o", "rows"
    )
    assert ran.exit_code == 0, ran.output
    first, second = ran.stdout.splitlines()
    assert first == "3,000 rows in 2 files: rows"
    assert second.startswith("broken: ")
    assert " wrong_number_of_fields, " in second
    assert sorted(path.name for path in (tmp_path / "rows").glob("*.csv")) == [
        "trips-00000-of-00002.csv",
        "trips-00001-of-00002.csv",
    ]


def test_generate_takes_every_option_to_the_rows(fareline, tmp_path):
    options = {"drift": 0.1, "missing": 0.2, "new-categories": 0.3, "imbalance": 0.4}
    given = [part for name, share in options.items() for part in (f"--{name}", str(share))]
    ran = fareline(
        "generate",
        "--rows",
        "10",
        "--seed",
        "7",
        "--format",
        "parquet",
        *given,
        "-o",
        "rows",
        "--json",
    )
    answer = json.loads(ran.stdout)
    expected = {name.replace("-", "_"): share for name, share in options.items()}
    assert answer["options"] == expected | {"broken_rows": 0.0}
    assert (answer["folder"], answer["rows"], answer["seed"]) == ("rows", 10, 7)
    assert [file["path"] for file in answer["files"]] == ["trips-00000-of-00001.parquet"]
    assert json.loads((tmp_path / "rows" / "_generated.json").read_text()) == {
        name: value for name, value in answer.items() if name != "folder"
    }


def test_spans_are_listed_with_their_rows(fareline):
    ran = fareline("spans", "--by", "year", "-o", "spans")
    assert ran.exit_code == 0, ran.output
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert lines[:5] == [
        ["span", "version", "period", "begin", "rows"],
        ["1", "1", "2013", "2013-01-01", "4,388"],
        ["2", "1", "2014", "2014-01-01", "5,145"],
        ["3", "1", "2015", "2015-01-01", "4,636"],
        ["4", "1", "2016", "2016-01-01", "833"],
    ]
    assert ran.stdout.splitlines()[5] == (
        "15,002 rows in 4 spans; the source is spans/span-{SPAN}/version-{VERSION}/*.csv"
    )


def test_spans_of_generated_rows_as_json(fareline, tmp_path):
    fareline("generate", "--rows", "2000", "--shards", "3", "-o", "rows")
    ran = fareline(
        "spans", "--by", "quarter", "--from", "rows", "--layout", "date", "-o", "spans", "--json"
    )
    answer = json.loads(ran.stdout)
    assert answer["rows"] == sum(span["rows"] for span in answer["spans"]) == 2000
    assert answer["pattern"] == "{YYYY}-{MM}-{DD}/version-{VERSION}/*.csv"
    for span in answer["spans"]:
        assert (tmp_path / "spans" / span["path"]).read_bytes().count(b"\n") - 1 == span["rows"]


def test_mistakes_are_one_line(fareline, capsys):
    from fareline.errors import DataError

    ran = fareline("spans", "--by", "year", "--column", "when", "-o", "spans")
    assert isinstance(ran.exception, DataError)
    assert ran.exception.exit_code == 2
    assert "lacks the required column 'when'" in str(ran.exception)
    ran = fareline("generate", "--rows", "2", "--shards", "3", "-o", "rows")
    assert str(ran.exception) == (
        "--shards: found 3 shards for 2 rows; expected at least one row for each. Hint: ask for "
        "fewer shards."
    )
    assert fareline("generate", "--rows", "0", "-o", "rows").exit_code == 2
    assert fareline("generate", "--rows", "1", "--missing", "1.5", "-o", "rows").exit_code == 2


def test_sample_writes_the_taxi_data_once(fareline, tmp_path):
    ran = fareline("sample", "-o", "trips.csv")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout == "15,002 rows, 1,922,812 bytes: trips.csv\n"
    assert (tmp_path / "trips.csv").read_bytes() == taxi_csv_path().read_bytes()
    again = fareline("sample", "-o", "trips.csv")
    assert str(again.exception) == (
        "trips.csv: already exists; expected a new file. Hint: name another place with -o."
    )
    as_json = json.loads(fareline("sample", "-o", "more.csv", "--json").stdout)
    assert as_json == {"output": "more.csv", "rows": 15002, "bytes": 1922812}
