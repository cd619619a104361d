"""`fareline init`: tables of strangers become settings that load, with every column's kind."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from cli.app import app
from data.reading.missing import without_spelled
from fareline.errors import UserMistake
from fareline.packages import CHECKOUT
from pipeline.settings.load import load_settings
from pipeline.source.check import check_request
from runners.own_data import Asked
from schema.curated import column_types, columns_in_environment, load_schema
from tests.forked import run_forked
from tests.tables.own_tables import own_tables

NAMES = sorted(own_tables())


def init(folder, *arguments):
    """The answer as JSON, of a command in this process."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(app, ["init", *map(str, arguments), "--json"])
    finally:
        os.chdir(here)
    if isinstance(done.exception, UserMistake):
        raise done.exception
    assert done.exit_code in (0, 3), done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Folder and answer for each table."""
    found = {}
    for name, table in own_tables().items():
        folder = tmp_path_factory.mktemp(name)
        table.write(folder)
        found[name] = folder, init(folder, f"{name}{table.ending}", "--label", table.label)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_task_and_positive_value_are_right(answers, name):
    table, (_, answer) = own_tables()[name], answers[name]
    assert answer["task"] == table.task
    if table.positive is not None:
        assert answer["values"][0] == table.positive


def test_kinds_are_right(answers):
    """At least 95 % of the columns, as the list by hand has them; and no leak is kept."""
    wrong, total = [], 0
    for name, table in own_tables().items():
        found = {c["name"]: c for c in answers[name][1]["columns"]}
        assert found[table.label]["kind"] == "label"
        for column, kind in table.kinds.items():
            total += 1
            if found[column]["kind"] != kind:
                wrong.append((name, column, found[column]["kind"], kind))
            assert kind != "leak" or not found[column]["is_feature"], (name, column)
    assert total > 200
    assert len(wrong) <= 0.05 * total, wrong


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_load_and_a_run_would_take_them(answers, name):
    folder, answer = answers[name]
    path = folder / f"{name}.yaml"
    settings = load_settings(path)
    assert list(check_request(settings, lambda: b"key").files) == [
        folder / f"{name}{own_tables()[name].ending}"
    ]
    kept = {column["name"] for column in answer["columns"] if column["is_feature"]}
    assert {column for _, column in settings.features.columns()} == kept
    lines = path.read_text().splitlines()
    assert len(lines) <= 60 + len(answer["columns"])
    contract = load_schema(folder / f"{name}.schema.pbtxt")
    types, served = column_types(contract), columns_in_environment(contract, "SERVING")
    personal = {c["name"] for c in answer["columns"] if c["kind"] == "personal"}
    assert set(types) == {c["name"] for c in answer["columns"]} - personal
    assert own_tables()[name].label not in served
    assert kept <= set(served)


def test_no_pipeline_is_named_as_the_data_pipeline_of_another():
    def name_of(data):
        return Asked(data, None, Path()).pipeline

    named = [name_of(f"{name}.csv") for name in ("sensor-data", "Sensor_Data_data", "data")]
    assert named == ["sensor", "sensor", "data"]


def test_every_feature_says_why(answers):
    folder, _ = answers["churn"]
    text = (folder / "churn.yaml").read_text()
    features = text.partition("features:")[2].partition("\nlabel:")[0]
    for line in features.splitlines():
        if line.startswith("    "):
            assert "# " in line, line
    assert "#   account_state: leak; predicts the label alone: AUC 1.0000 on 3,000 rows" in text


def test_spellings_of_missing_are_written_and_read(answers):
    found = {}
    for name in ("churn", "wine", "diabetes", "sensors", "survey"):
        source = yaml.safe_load((answers[name][0] / f"{name}.yaml").read_text())["data"]["source"]
        found[name] = source["missing"]
    assert found["churn"] == {"n/a": ["monthly_charge"]}
    assert found["wine"] == {"?": ["magnesium", "hue"]}
    assert found["diabetes"] == {"-999": ["bmi", "s5"]}
    assert found["sensors"] == {"9999": [f"sensor_{i:02d}" for i in (0, 6, 12, 18)]}
    assert found["survey"] == {" ": ["income"]}  # and NA is Namibia


def test_what_is_imbalanced_gets_weights_and_pr_auc(answers):
    clicks = load_settings(answers["clicks"][0] / "clicks.yaml")
    assert clicks.weighting.classes == "balanced"
    share = own_tables()["clicks"].frame["clicked"].mean()
    assert clicks.evaluation.thresholds.pr_auc.at_least == pytest.approx(share, abs=1e-4)
    assert load_settings(answers["sensors"][0] / "sensors.yaml").weighting.classes is None


def test_thresholds_are_answers_without_a_model(answers):
    frame = own_tables()["energy"].frame
    energy = load_settings(answers["energy"][0] / "energy.yaml").evaluation.thresholds
    assert energy.rmse.at_most == pytest.approx(frame["load_kw"].std(ddof=0), rel=1e-3)
    tickets = load_settings(answers["tickets"][0] / "tickets.yaml").evaluation.thresholds
    most = own_tables()["tickets"].frame["topic"].value_counts(normalize=True).max()
    assert tickets.accuracy.at_least == pytest.approx(most, abs=1e-3)


def test_the_dialect_is_found(answers):
    sources = {
        name: load_settings(answers[name][0] / f"{name}.yaml").data.source.csv_format
        for name in ("breast-cancer", "iris", "credit", "rentals", "wine")
    }
    assert (sources["breast-cancer"].separator, sources["breast-cancer"].decimal) == (";", ",")
    assert (sources["iris"].separator, sources["iris"].encoding) == ("\t", "windows-1252")
    assert (sources["credit"].separator, sources["credit"].encoding) == (";", "windows-1252")
    assert sources["rentals"].encoding == "utf-16"
    assert sources["wine"] is None


# A second time.


def test_nothing_is_overwritten_and_newer_data_shows_the_difference(answers, tmp_path):
    folder = tmp_path / "again"
    shutil.copytree(answers["churn"][0], folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    again = init(folder, "churn.csv", "--label", "churned")
    assert (again["written"], again["differences"]) == (False, [])
    frame = own_tables()["churn"].frame.copy()
    frame["plan"] = frame["plan"].replace("pro", "max")
    frame["region"] = "north"
    frame.loc[::2, "region"] = "south"
    frame.drop(columns="paperless").to_csv(folder / "churn.csv", index=False)
    newer = init(folder, "churn.csv", "--label", "churned")
    assert not newer["written"]
    told = "\n".join(newer["differences"])
    assert "settings: features.vocabulary.region.size: new, 2" in told
    assert "settings: features.vocabulary.paperless.size: 2 is not proposed any more" in told
    assert "schema: plan: BYTES, in all rows, one of basic, plus, pro would be" in told
    del before["churn.csv"]
    assert {name: (folder / name).read_bytes() for name in before} == before


# What cannot be done, as a user sees it.


def fareline(*arguments, folder):
    return run_forked(
        [sys.executable, "-m", "cli.app", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "NO_COLOR": "1", "COLUMNS": "200"},
    )


def test_without_a_label_candidates_are_named(answers):
    folder, _ = answers["churn"]
    ran = fareline("init", "churn.csv", folder=folder)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "fareline: churn.csv: no label was named; expected one of its columns; likely ones are "
        "churned, account_state, cancel_reason, paperless, support_calls. Hint: --label churned.\n"
    )


def test_the_table_and_what_to_type_next_are_printed(answers, tmp_path):
    shutil.copy(answers["fraud"][0] / "fraud.parquet", tmp_path)
    ran = fareline("init", "fraud.parquet", "--label", "is_fraud", "--yes", folder=tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0].split() == [
        "column", "kind", "sure", "distinct", "missing", "examples", "why"
    ]  # fmt: skip
    assert any(line.startswith("merchant_id") and "coded category" in line for line in lines)
    assert lines[-2:] == [
        "wrote fraud.yaml and fraud.schema.pbtxt",
        "Next: fareline run --config fraud.yaml --workspace fraud-workspace",
    ]


def test_on_a_terminal_it_asks_for_the_label_and_for_what_is_known_in_time(
    answers, tmp_path, monkeypatch
):
    shutil.copy(answers["churn"][0] / "churn.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli.init._is_terminal", lambda: True)
    done = CliRunner().invoke(app, ["init", "churn.csv"], input="\ny\n")
    assert done.exit_code == 0, done.output
    assert "Which is to be predicted? [churned]" in done.output
    assert "cancel_reason: missing values predict the label" in done.output
    columns = {column for _, column in load_settings(tmp_path / "churn.yaml").features.columns()}
    assert "cancel_reason" in columns  # as was answered
    (tmp_path / "churn.yaml").unlink()
    (tmp_path / "churn.schema.pbtxt").unlink()
    done = CliRunner().invoke(app, ["init", "churn.csv", "--label", "churned", "--yes"])
    assert "Which is" not in done.output
    columns = {column for _, column in load_settings(tmp_path / "churn.yaml").features.columns()}
    assert "cancel_reason" not in columns


def _write(folder, **columns):
    pd.DataFrame(columns).to_csv(folder / "t.csv", index=False)


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ({"a": [1, 2], "y": [1, 1]}, ("--label", "y"), "holds one value in 2 rows"),
        ({"a": [1, 2], "y": [0, 1]}, ("--label", "yy"), "Hint: did you mean y."),
        ({"a": ["x"] * 30, "y": [0, 1] * 15}, ("--label", "y"), "has no column to learn from"),
        ({"a": [1, 2], "y": [0, 1]}, ("--label", "y", "--name", "A b"), "--name: found A b"),
        ({"a": [1, 2], "y": [0, 1]}, ("--label", "y", "--keep", "b"), "--keep b: no such column"),
        ({"a": [], "y": []}, ("--label", "y"), "holds no row"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, columns, options, said):
    _write(tmp_path, **columns)
    with pytest.raises(UserMistake) as caught:
        init(tmp_path, "t.csv", *options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.json", b'[{"a": 1, "y": 0}]', "is a JSON document; expected a CSV file"),
        ("t.xlsx", b"PK\x03\x04...", "is a spreadsheet or a zip file"),
        ("t.csv", b"PK\x03\x04...", "is a spreadsheet or a zip file"),
        ("t.xls", b"\xd0\xcf\x11\xe0...", "is a spreadsheet;"),
        ("t.csv", b"\x1f\x8b\x08...", "is a packed file; expected a CSV file. Hint: name it"),
        ("t.csv.zst", b"\x28\xb5\x2f\xfd...", "is a packed file"),
        ("t.csv", b"PAR1...", "is a Parquet file; expected a CSV file. Hint: name it with"),
        ("t.db", b"SQLite format 3\0...", "is an SQLite database"),
    ],
)
def test_a_file_of_another_kind_is_told(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserMistake) as caught:
        init(tmp_path, name, "--label", "y")
    assert said in str(caught.value)


@pytest.mark.parametrize("address", ["gs://bucket/t.csv", "https://example.org/t.csv"])
def test_an_address_is_no_file(tmp_path, address):
    with pytest.raises(UserMistake, match=f"{address}: is an address; expected a file or folder"):
        init(tmp_path, address, "--label", "y")


def test_rows_that_cannot_be_read_are_told(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("a,y\n" + "1.5,0\n2.5,1\n1.5,1\n2.5,0\n" * 10 + "1\n1,2,3\n")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init", "t.csv", "--label", "y", "--output", str(tmp_path)])
    assert "2 more rows cannot be read, 4.76% of all: a run stops where" in done.output
    answer = init(tmp_path, "t.csv", "--label", "y")
    assert (answer["rows"], answer["unreadable_rows"]) == (40, 2)


def test_what_to_type_next_quotes_a_folder(tmp_path, monkeypatch):
    _write(tmp_path, a=np.arange(40) * 1.5, y=[0, 1] * 20)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my dir").mkdir()
    done = CliRunner().invoke(app, ["init", "t.csv", "--label", "y", "--output", "my dir"])
    assert "Next: fareline run --config 'my dir/t.yaml' --workspace t-workspace\n" in done.output


def test_a_query_over_files(answers, tmp_path):
    shutil.copy(answers["fraud"][0] / "fraud.parquet", tmp_path)
    answer = init(
        tmp_path, "fraud.parquet", "--label", "is_fraud", "--name", "asked",
        "--sql", "SELECT amount, currency, is_fraud FROM data WHERE amount > 10",
    )  # fmt: skip
    assert [column["kind"] for column in answer["columns"]] == ["number", "category", "label"]
    settings = load_settings(tmp_path / "asked.yaml")
    assert settings.data.source.sql.files == {"data": "fraud.parquet"}
    check_request(settings, lambda: b"key")


def test_spans_are_looked_at_by_their_latest(tmp_path):
    for span in (1, 2):
        (tmp_path / f"span-{span}").mkdir()
        rows = pd.DataFrame({"a": np.arange(40) * span * 1.5, "y": [0, 1] * 20})
        rows.to_csv(tmp_path / f"span-{span}" / "rows.csv", index=False)
    answer = init(tmp_path, "span-{SPAN}/*.csv", "--label", "y", "--name", "spans")
    assert answer["rows"] == 40
    assert load_settings(tmp_path / "spans.yaml").data.source.csv == "span-{SPAN}/*.csv"


def test_numbers_and_texts_that_spell_missing_become_null():
    import pyarrow as pa

    cells = pa.array([b"?", b" ? ", b"1", None, b"-999"], pa.binary())
    assert without_spelled(cells, ["?", "-999"]).to_pylist() == [None, None, b"1", None, None]
    numbers = pa.array([-999.0, 1.5, None])
    assert without_spelled(numbers, ["?", "-999"]).to_pylist() == [None, 1.5, None]
    lists = pa.array([[b"?"], [b"a"], [], None, [b"a", b"?"]], pa.large_list(pa.large_binary()))
    assert without_spelled(lists, ["?"]).to_pylist() == [None, [b"a"], [], None, [b"a", b"?"]]
