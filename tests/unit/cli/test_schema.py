"""`fareline schema`: planted faults by their exact lines, and a change from proposal to history."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import yaml
from typer.testing import CliRunner

from cli.app import app
from data.generate.generate import Plan, Shifts, generate
from data.taxi import taxi_csv_path
from fareline.errors import FarelineError
from runners import contract
from schema import curated
from schema.review.statistics import describe_columns
from tests.stores.writer import StoreWriter, artifact

ROWS = 400
SERVING = ("--environment", "SERVING")
TYPES = curated.column_types(curated.load_schema(curated.schema_path("taxi", Path())))


@pytest.fixture(scope="module")
def trips():
    """The first rows of the taxi data."""
    return pd.read_csv(taxi_csv_path(), nrows=ROWS, dtype={"dropoff_census_tract": "Int64"})


@pytest.fixture
def fareline(tmp_path, monkeypatch):
    """Calls `fareline schema` in a folder with a copy of the taxi schema, `s.pbtxt`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    text = curated.schema_path("taxi", tmp_path).read_text(encoding="utf-8")
    (tmp_path / "s.pbtxt").write_text(text, encoding="utf-8")

    def call(command, *arguments, code=0, schema="./s.pbtxt"):
        named = [] if schema is None else ["--schema", schema]
        ran = CliRunner().invoke(app, ["schema", command, *arguments, *named])
        assert ran.exit_code == code, (ran.output, ran.exception)
        return ran.stdout

    return call


@pytest.fixture
def mistake(fareline):
    """Calls it with a mistake; returns the line that the user reads."""

    def call(*arguments):
        named = () if arguments[0] == "infer" else ("--schema", "./s.pbtxt")
        ran = CliRunner().invoke(app, ["schema", *arguments, *named])
        assert isinstance(ran.exception, FarelineError), ran.output
        assert ran.exception.exit_code == 2
        assert "\n" not in str(ran.exception)
        return str(ran.exception)

    return call


def write(frame, name="trips.csv"):
    frame.to_csv(name, index=False)
    return name


# Planted faults.


def retype(frame):
    hours = frame["trip_start_hour"].astype(str)
    return frame.assign(trip_start_hour=hours.where(frame.index >= 3, hours + "h"))


def of_rows(column, rows, value):
    return lambda frame: frame.assign(**{column: frame[column].where(frame.index >= rows, value)})


@pytest.mark.parametrize(
    ("plant", "environment", "line"),
    [
        (
            of_rows("payment_type", 5, "Bitcoin"),
            (),
            "payment_type: Examples contain values missing from the schema: Bitcoin (~1%); the "
            "schema says BYTES, one of Cash, Credit Card, Dispute, No Charge, Pcard and 2 more; "
            "for example 'Bitcoin'; in 5 of 400 rows",
        ),
        (
            lambda frame: frame.drop(columns="trip_miles"),
            (),
            "trip_miles: Column is completely missing; the schema says in every row; "
            "in 400 of 400 rows",
        ),
        (
            retype,
            (),
            "trip_start_hour: Expected data of type: INT but got STRING; the schema says INT, "
            "0 to 23; for example '{hour}h'; in 3 of 400 rows",
        ),
        (
            lambda frame: frame,
            SERVING,
            "tips: New column tips found in data but not in the environment SERVING in the "
            "schema; the schema says not in SERVING; for example '0'; in 400 of 400 rows",
        ),
        (
            lambda frame: frame.drop(columns="tips"),
            (),
            "tips: Column is completely missing; the schema says in every row; in 400 of 400 rows",
        ),
        (
            of_rows("fare", 3, -3.5),
            (),
            "fare: Unexpectedly low values: -3.5<0(upto six significant digits); the schema says "
            "FLOAT, 0 to 10000; for example '-3.5'; in 3 of 400 rows",
        ),
        (
            of_rows("pickup_latitude", ROWS, None),
            (),
            "pickup_latitude: The feature was not present in any examples; the schema says in at "
            "least 0.95 of the rows; in 400 of 400 rows",
        ),
        (
            lambda frame: frame.assign(extra="x"),
            (),
            "extra: New column (column in data but not in schema); the schema says no such "
            "column; for example 'x'; in 400 of 400 rows",
        ),
    ],
)
def test_check_says_what_was_planted_in_one_line(
    fareline, trips, tmp_path, plant, environment, line
):
    said = fareline("check", write(plant(trips)), *environment, code=3).splitlines()
    where = f"{tmp_path}/s.pbtxt in {'SERVING' if environment else 'TRAINING'}"
    assert said == [
        line.format(hour=trips["trip_start_hour"][0]),
        f"trips.csv, 400 rows: 1 anomaly by {where}",
    ]


def test_serving_rows_without_the_label_keep_the_schema_in_serving_only(fareline, trips, tmp_path):
    data = write(trips.drop(columns="tips"))
    assert fareline("check", data, *SERVING) == (
        f"trips.csv, 400 rows: keeps {tmp_path}/s.pbtxt in SERVING\n"
    )
    answer = json.loads(fareline("check", data, "--json", code=3))
    assert [(a["column"], a["kind"], a["rows"]) for a in answer["anomalies"]] == [
        ("tips", "SCHEMA_MISSING_COLUMN", 400)
    ]


def test_parquet_and_tfrecord_are_read_as_well(fareline, trips, tmp_path):
    bad = of_rows("fare", 3, -3.5)(trips)
    bad.to_parquet("trips.parquet")
    with tf.io.TFRecordWriter("trips.tfrecord") as writer:
        for row in bad.to_dict("records"):
            example = tf.train.Example()
            for name, value in row.items():
                if pd.isna(value):
                    continue
                feature = example.features.feature[name]
                if isinstance(value, str):
                    feature.bytes_list.value.append(value.encode())
                elif TYPES[name] == "float":
                    feature.float_list.value.append(value)
                else:
                    feature.int64_list.value.append(int(value))
            writer.write(example.SerializeToString())
    for name in ("trips.parquet", "trips.tfrecord"):
        answer = json.loads(fareline("check", name, "--json", code=3))
        found = [(a["column"], a["rows"], a["example"]) for a in answer["anomalies"]]
        assert (answer["rows"], found) == (400, [("fare", 3, "-3.5")]), name


def test_broken_rows_are_counted_as_they_were_made(fareline):
    plan = Plan(rows=2000, shifts=Shifts(broken_rows=0.02))
    broken = generate(plan, Path("broken"), taxi_csv_path())["broken_rows"]
    answer = json.loads(fareline("check", "broken", "--json", code=3))
    unreadable = broken["wrong_number_of_fields"] + broken["not_utf8"]
    assert answer["rows"] == 2000 - unreadable
    found = {a["column"]: (a["kind"], a["rows"]) for a in answer["anomalies"]}
    assert found == {
        "fare": ("UNEXPECTED_DATA_TYPE", broken["not_a_number"]),
        "trip_seconds": ("UNEXPECTED_DATA_TYPE", broken["out_of_range"]),
        "(data set)": ("UNREADABLE_ROWS", None),
    }
    [said] = [a["found"] for a in answer["anomalies"] if a["column"] == "(data set)"]
    assert said.startswith(f"{unreadable} of 2,000 rows cannot be read, the first in line ")


def test_statistics_are_those_that_pandas_computes(fareline, trips):
    settings = contract.read_settings(None)
    sample = contract.read_rows(Path(write(trips)), None, settings)
    told = describe_columns(contract.statistics_of(sample))
    assert set(told) == set(trips.columns)
    for name, (share, low, high, distinct) in told.items():
        column = trips[name]
        assert share == pytest.approx(column.notna().mean(), abs=1e-9), name
        if column.dtype == object:
            assert distinct == column.nunique(), name
        elif share:
            numbers = column.dropna().to_numpy(np.float64)
            assert low == pytest.approx(numbers.min(), rel=1e-6), name
            assert high == pytest.approx(numbers.max(), rel=1e-6), name


# From a difference to the history.


@pytest.fixture
def changed(fareline, trips):
    """Data with a new payment, negative fares and one more column."""
    frame = of_rows("payment_type", 5, "Bitcoin")(of_rows("fare", 3, -3.5)(trips))
    return write(frame.assign(extra=1), "changed.csv")


def test_diff_says_what_the_data_would_change(fareline, trips, changed):
    answer = json.loads(fareline("diff", changed, "--json", code=3))
    found = [tuple(d.values()) for d in answer["differences"] if d["severity"] != "informative"]
    assert found == [
        ("fare", "range", "0 to 10,000", "-3.5 to 10,000", "notable"),
        ("payment_type", "values", "no such value", "'Bitcoin'", "notable"),
        ("extra", "column", "no such column", "INT, in every row, exactly 1 value", "notable"),
    ]
    assert (answer["rows"], answer["unreviewed"]) == (400, 3)
    said = fareline("diff", write(trips))
    assert said.splitlines()[-1] == "The data keeps the schema: nothing to review."


def test_a_proposal_is_accepted_in_parts_and_recorded(fareline, mistake, tmp_path, changed):
    before = (tmp_path / "s.pbtxt").read_text()
    assert fareline("propose", changed) == "fare, payment_type, extra: schema-proposal.yaml\n"
    proposal = yaml.safe_load((tmp_path / "schema-proposal.yaml").read_text())
    assert proposal["columns"]["fare"]["differences"] == [
        "notable: range: 0 to 10,000 -> -3.5 to 10,000"
    ]
    accept = ("accept", "schema-proposal.yaml", "--reason")
    assert fareline(*accept, "payments by app", "--only", "payment_type") == (
        "payment_type: values: no such value -> 'Bitcoin'\n"
        f"Version 2 of {tmp_path}/s.pbtxt: payments by app\n"
    )
    after = (tmp_path / "s.pbtxt").read_text()
    last = '  value: "Unknown"\n'
    assert after == before.replace(last, f'{last}  value: "Bitcoin"\n')
    assert (tmp_path / "history" / "s-1.pbtxt").read_text() == before
    assert (tmp_path / "history" / "s-2.pbtxt").read_text() == after
    log = json.loads(fareline("log", "--json"))
    assert log["recorded"] is True
    assert [(v["version"], v["columns"], v["reason"]) for v in log["versions"]] == [
        (1, [], "as it was before its first recorded change"),
        (2, ["payment_type"], "payments by app"),
    ]
    assert log["versions"][1]["previous"] == log["versions"][0]["sha256"]
    older = json.loads(fareline("diff", "--at", "1", "--json"))
    assert [tuple(d.values()) for d in older["differences"]] == [
        ("payment_type", "values", "no such value", "'Bitcoin'", "notable")
    ]
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []
    assert "was written against SHA-256 " in mistake(*accept, "again")


def test_all_that_is_proposed_makes_the_data_keep_the_schema(fareline, tmp_path, changed):
    fareline("propose", changed)
    fareline("accept", "schema-proposal.yaml", "--reason", "all")
    assert fareline("check", changed).endswith("in TRAINING\n")
    assert "# US dollars, before tips" in (tmp_path / "s.pbtxt").read_text()


def test_a_change_by_hand_is_told_and_recorded(fareline, tmp_path, changed):
    fareline("propose", changed)
    fareline("accept", "schema-proposal.yaml", "--reason", "x", "--only", "fare")
    text = (tmp_path / "s.pbtxt").read_text().replace("max: 86400", "max: 86401")
    (tmp_path / "s.pbtxt").write_text(text)
    assert "The file is not version 2 any more: it was changed by hand (" in fareline("log")
    fareline("propose", changed)
    fareline("accept", "schema-proposal.yaml", "--reason", "y", "--only", "extra")
    reasons = [v["reason"] for v in json.loads(fareline("log", "--json"))["versions"]]
    assert reasons[1:] == ["x", "changed by hand, without a review", "y"]


def test_diff_looks_at_the_latest_run(fareline, trips, tmp_path):
    """At the statistics that SchemaGen read."""
    data = write(of_rows("fare", 3, -3.5)(trips))
    settings = contract.read_settings(None)
    sample = contract.read_rows(tmp_path / data, None, settings)
    split = tmp_path / "statistics" / "Split-train"
    split.mkdir(parents=True)
    statistics = contract.statistics_of(sample)
    (split / "FeatureStats.pb").write_bytes(statistics.SerializeToString())
    (tmp_path / "workspace").mkdir()
    writer = StoreWriter(tmp_path / "workspace" / "metadata.db")
    made = [artifact(tmp_path / "statistics")]
    writer.add_execution(settings.name, "run-1", "StatisticsGen", outputs={"statistics": made})
    inputs = [("statistics", writer.artifact_ids[0])]
    made = [artifact(tmp_path / "inferred")]
    writer.add_execution(
        settings.name, "run-1", "SchemaGen", inputs=inputs, outputs={"schema": made}
    )
    answer = json.loads(fareline("diff", "--json", code=3))
    assert answer["data"].endswith(" of run run-1")
    assert ("fare", "range") in [(d["column"], d["aspect"]) for d in answer["differences"]]


# A first schema.


def test_infer_writes_a_schema_that_its_data_keeps(fareline, mistake, trips, tmp_path):
    data = write(trips)
    assert fareline("infer", data, "-o", "first.pbtxt", schema=None) == (
        "18 columns of 400 rows: first.pbtxt\n"
        "SERVING has all but tips. Bounds are for you to set: read it column by column.\n"
    )
    fareline("check", data, schema="./first.pbtxt")
    fareline("check", write(trips.drop(columns="tips")), *SERVING, schema="./first.pbtxt")
    text = (tmp_path / "first.pbtxt").read_text()
    low, high = trips["fare"].min(), trips["fare"].max()
    assert f"# Seen in 100 % of the rows, from {low:g} to {high:g}.\nfeature {{\n" in text
    assert mistake("infer", data, "-o", "first.pbtxt") == (
        "first.pbtxt: already exists; expected a new file. Hint: name another --output; "
        "`fareline schema diff DATA` compares with one that is there."
    )


# Mistakes: one line, exit code 2, and TFDV is not even loaded.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("diff",), "metadata.db: no such file; expected a metadata store. Hint: run `fareline "
         "run` first, or name another --workspace."),
        (("check", "none.csv"), "none.csv: there is no such file; expected a file that ends in "),
        (("check", "broken.parquet"), "broken.parquet: cannot be read ("),
        (
            ("check", "trips.csv", "--environment", "PRODUCTION"),
            "schema environment 'PRODUCTION': the schema does not name it; expected SERVING or "
            'TRAINING. Hint: add `default_environment: "PRODUCTION"` to the schema.',
        ),
        (("diff", "--at", "9"), "there is none; expected a recorded version. Hint: nothing was "
         "accepted yet."),
        (("diff", "trips.csv", "--at", "1"), "--at: 1; expected DATA or --at, not both."),
        (("accept", "p.yaml"), "schema accept: without a reason; expected --reason TEXT. "),
        (("accept", "p.yaml", "--reason", "x"), "p.yaml: cannot be read (No such file or "),
        (("infer", "trips.csv", "--label", "what"), "trips.csv: has no column 'what', the label; "),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(mistake, trips, tmp_path, monkeypatch, arguments, message):
    write(trips.head(5))
    (tmp_path / "broken.parquet").write_text("no parquet")
    monkeypatch.setattr(contract, "load_tfdv", None)
    assert message in mistake(*arguments)


def test_only_names_a_column_of_the_proposal(fareline, mistake, changed):
    fareline("propose", changed)
    said = mistake("accept", "schema-proposal.yaml", "--reason", "x", "--only", "fares")
    assert said == (
        "--only fares: schema-proposal.yaml does not change that column; expected one of fare, "
        "payment_type, extra. Hint: name another column, or leave it out."
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            b"1,2\n",
            r"200 of 600 rows cannot be read, the first in line 402 \(2 fields; expected 19",
        ),
        (
            b"\xe9" + b"," * 18 + b"\n",
            "cannot be read, .*: expected UTF-8.* convert the file to UTF",
        ),
    ],
    ids=["fields", "encoding"],
)
def test_too_many_unreadable_rows_are_said_by_every_command(
    fareline, mistake, trips, tmp_path, line, said
):
    data = Path(write(trips))
    columns = len(trips.columns)
    line = line.replace(b"," * 18, b"," * (columns - 1))
    data.write_bytes(data.read_bytes() + 200 * line)
    said = said.replace("19", str(columns))
    for words in (("infer", "--output", "new.pbtxt"), ("diff",), ("propose",)):
        found = mistake(words[0], str(data), *words[1:])
        assert re.search(said, found) and "at most 0.1 % of the rows" in found
    assert not (tmp_path / "new.pbtxt").exists()
    assert not (tmp_path / "schema-proposal.yaml").exists()
    answer = json.loads(fareline("check", str(data), "--json", code=3))
    kinds = {each["kind"] for each in answer["anomalies"]}
    assert "UNREADABLE_ROWS" in kinds


def test_few_unreadable_rows_are_left_out_by_every_command(fareline, trips, tmp_path, capfd):
    data = Path(write(pd.concat([trips] * 3)))
    data.write_bytes(data.read_bytes() + b"1,2\n")
    for words in (("infer", "--output", "new.pbtxt"), ("diff",), ("propose",), ("check",)):
        schema = None if words[0] == "infer" else "./s.pbtxt"
        ran = CliRunner().invoke(
            app,
            [
                "schema",
                words[0],
                str(data),
                *words[1:],
                *(["--schema", schema] * (schema is not None)),
            ],
        )
        assert ran.exit_code in (0, 3), ran.output
        assert "1 of 1,201 rows cannot be read" in capfd.readouterr().err + ran.output
