"""fareline predict on tiny models: the served model's answers, in order, whole or not at all."""

import csv
import dataclasses
import decimal
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from cli import app as cli
from data.reading.rows import Wanted
from data.reading.rows_file import open_rows
from data.writing.quarantine import TooManyBadRows
from fareline.errors import DataError, FarelineError, UserMistake
from runners.publishing import batch_prediction
from serving.model import outputs
from serving.model.batch import PredictionError
from serving.server.log_files import closed_files
from serving.versions.publish import publish
from tests.component.serving import models_for_tests

ROWS = 2500


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A serving folder of which the newest version, 7, answers y = 2 x."""
    folder = tmp_path_factory.mktemp("predict")
    old = models_for_tests.save_model(folder / "old", factor=3.0)
    good = models_for_tests.save_model(folder / "good")
    publish(old, str(folder / "serving"), version=3)
    publish(good, str(folder / "serving"), version=7)
    return folder / "serving"


def other_base(folder, change):
    model = models_for_tests.save_model(folder / "model", change)
    publish(model, str(folder / "serving"), version=1)
    return folder / "serving"


def predict(base, input_path, output, *arguments):
    """Runs the command with --json and returns its answer; an error is raised."""
    words = ["predict", "--json", "--model-dir", base, "--input", input_path, "--output", output]
    ran = CliRunner().invoke(cli.app, [str(word) for word in (*words, *arguments)])
    if isinstance(ran.exception, FarelineError):
        raise ran.exception
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def numbers():
    """What x is, row by row: floats of many sizes."""
    return np.random.default_rng(3).normal(0, 100, ROWS).round(3)


def write_csv(path, values, header="note,x,name"):
    lines = [header, *(f"n{i},{value},a" for i, value in enumerate(values))]
    path.write_text("\n".join(lines) + "\n")
    return path


def answers_of_the_signature(base, values):
    """The other way: the SavedModel's own signature on tf.Examples built by hand."""
    model = tf.saved_model.load(str(base / "7"))
    examples = [models_for_tests.make_example(float(value)) for value in values]
    return model.signatures["serving_default"](tf.constant(examples))["y"].numpy()[:, 0]


@pytest.mark.parametrize("batch_size", [1000, 4096])
def test_csv_to_csv_in_order_with_the_answers_of_the_served_model(base, tmp_path, batch_size):
    source = write_csv(tmp_path / "in.csv", numbers())
    found = predict(base, source, tmp_path / "out.csv", "--batch-size", batch_size)
    with open(tmp_path / "out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["note", "x", "name", "prediction", "model_version"]
    assert [row["note"] for row in rows] == [f"n{i}" for i in range(ROWS)]
    assert [row["x"] for row in rows] == [str(value) for value in numbers()]
    assert {row["model_version"] for row in rows} == {"7"}
    got = np.array([row["prediction"] for row in rows], np.float32)
    np.testing.assert_array_equal(got, answers_of_the_signature(base, numbers()))
    assert (found["rows"], found["predicted"], found["quarantined"]) == (ROWS, ROWS, 0)
    assert found["quarantine"] is None and found["rows_per_second"] > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_every_format_to_every_other_gives_the_same(base, tmp_path):
    values = [1.5, -2.25, 1000.125]
    write_csv(tmp_path / "in.csv", values)
    records = [{"note": f"n{i}", "x": x, "name": "a"} for i, x in enumerate(values)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    pyarrow.parquet.write_table(pa.Table.from_pylist(records), tmp_path / "in.parquet")
    wanted = [r | {"prediction": 2 * r["x"], "model_version": 7} for r in records]
    for source in ("csv", "jsonl", "parquet"):
        for target in ("csv", "jsonl", "parquet"):
            output = tmp_path / f"{source}.{target}"
            predict(base, tmp_path / f"in.{source}", output)
            if target == "csv":
                with open(output, newline="") as file:
                    got = [
                        row | {k: float(row[k]) for k in ("x", "prediction", "model_version")}
                        for row in csv.DictReader(file)
                    ]
            elif target == "jsonl":
                got = [json.loads(line) for line in output.read_text().splitlines()]
            else:
                got = pyarrow.parquet.read_table(output).to_pylist()
            order = dict.fromkeys(wanted[0])
            assert [{n: row[n] for n in order} for row in got] == wanted, (source, target)
            assert set(got[0]) == set(wanted[0])


def test_parquet_columns_of_every_type_are_written_to_every_format(base, tmp_path):
    columns = {
        "x": pa.array([decimal.Decimal("1.25"), decimal.Decimal("-3.00")]),
        "name": pa.array([["a", "b"], ["c"]]),
        "count": pa.array([True, False]),
        "price": pa.array([decimal.Decimal("0.10"), None]),
        "raw": pa.array([[b"\xff"], []]),
    }
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "in.parquet")
    for target in ("csv", "jsonl", "parquet"):
        predict(base, tmp_path / "in.parquet", tmp_path / f"out.{target}")
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "x,name,count,price,raw,prediction,model_version",
        '1.25,"[""a"", ""b""]",true,0.10,"[""\\\\xff""]",2.5,7',
        '-3.00,"[""c""]",false,,[],-6,7',
    ]
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert first == {"x": 1.25, "name": ["a", "b"], "count": True, "price": 0.1, "raw": ["\\xff"],
                     "prediction": 2.5, "model_version": 7}  # fmt: skip
    assert second["price"] is None and second["raw"] == []
    written = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert written.select(list(columns)).to_pydict() == pa.table(columns).to_pydict()


def test_json_lines_keep_all_their_keys(base, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"x": 1, "deep": {"a": [1]}}\n{"x": 2, "late": "é"}\n')
    predict(base, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    first, second = (tmp_path / "out.jsonl").read_text().splitlines()
    assert first == '{"x": 1, "deep": {"a": [1]}, "prediction": 2.0, "model_version": 7}'
    assert second == '{"x": 2, "late": "é", "prediction": 4.0, "model_version": 7}'


def test_bad_rows_are_quarantined_and_counted_and_the_rest_is_predicted(base, tmp_path):
    values = [*numbers(), "much", 1.0]
    source = write_csv(tmp_path / "in.csv", values)
    with open(source, "a") as file:
        file.write("short\n\nn,2.0,b\n")
    found = predict(base, source, tmp_path / "out.csv")
    assert found["reasons"] == {"not_a_number": 1, "wrong_number_of_fields": 1}
    assert (found["rows"], found["predicted"], found["blank_lines"]) == (ROWS + 4, ROWS + 2, 1)
    lines = (tmp_path / "out.csv.quarantine.jsonl").read_text().splitlines()
    first, second = map(json.loads, lines)
    assert first == {
        "source": str(source),
        "line": ROWS + 2,
        "reason": "not_a_number",
        "message": "x: much: expected a number",
        "row": {"note": f"n{ROWS}", "x": "much", "name": "a"},
    }
    assert (second["line"], second["row"]) == (ROWS + 4, "short")
    predicted = (tmp_path / "out.csv").read_text().splitlines()
    assert len(predicted) == 1 + ROWS + 2
    # A quarantine of before would lie about the next run.
    predict(base, write_csv(source, [1.0]), tmp_path / "out.csv")
    assert not (tmp_path / "out.csv.quarantine.jsonl").exists()


def test_too_many_bad_rows_leave_the_output_of_before_and_show_the_first_five(base, tmp_path):
    source = write_csv(tmp_path / "in.csv", [1.0] * 100 + ["x"] * 7)
    (tmp_path / "out.csv").write_text("before")
    with pytest.raises(TooManyBadRows) as caught:
        predict(base, source, tmp_path / "out.csv")
    first, *lines = str(caught.value).split("\n")
    assert caught.value.exit_code == 2
    assert first == (
        f"{source}: 7 of 107 rows cannot be read (6.54%: not_a_number 7); expected at most "
        f"0.10%; no prediction was written. Hint: see {tmp_path}/out.csv.quarantine.jsonl; "
        "--max-bad-share sets the limit."
    )
    assert lines == [f"  {source}, line {102 + i}: x: x: expected a number" for i in range(5)]
    assert (tmp_path / "out.csv").read_text() == "before"
    assert len((tmp_path / "out.csv.quarantine.jsonl").read_text().splitlines()) == 7
    found = predict(base, source, tmp_path / "out.csv", "--max-bad-share", 0.1)
    assert found["predicted"] == 100


def test_what_is_logged_is_what_was_written_with_its_id(base, tmp_path):
    source = write_csv(tmp_path / "in.csv", numbers())
    log = ("--log-share", 0.5, "--workspace", tmp_path / "ws")
    predict(base, source, tmp_path / "out.jsonl", "--batch-size", 1000, *log)
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").open()]
    [file] = closed_files(tmp_path / "ws" / "serving_logs")
    logged = [json.loads(line) for line in file.open()]
    assert 0.45 * ROWS < len(logged) < 0.55 * ROWS
    assert [(e["id"], e["score"], e["features"]["x"]) for e in logged] == [
        (row["prediction_id"], row["prediction"], pytest.approx(row["x"], rel=1e-7))
        for row in written
        if row["prediction_id"] is not None
    ]
    assert {(e["model"], e["version"], e["protocol"], e["weight"]) for e in logged} == {
        (base.name, 7, "batch", 2.0)
    }


def test_a_job_that_fails_leaves_no_log(base, tmp_path):
    source = write_csv(tmp_path / "in.csv", [1.0] * 100 + ["x"] * 7)
    with pytest.raises(TooManyBadRows):
        predict(
            base, source, tmp_path / "out.csv", "--log-share", 1, "--workspace", tmp_path / "ws"
        )
    assert list((tmp_path / "ws" / "serving_logs").iterdir()) == []


def test_the_wrong_file_is_not_read_to_its_end(base, tmp_path, monkeypatch):
    monkeypatch.setattr(batch_prediction, "_HOPELESS_ROWS", 10)
    lines = '{"x": "text"}\n' * 20_000
    (tmp_path / "in.jsonl").write_text(lines)
    with pytest.raises(TooManyBadRows, match="8,192 of 8,192 rows cannot be read"):
        predict(base, tmp_path / "in.jsonl", tmp_path / "out.csv")


@pytest.mark.parametrize("bad_first", [True, False])
@pytest.mark.parametrize("bad", [5_500, 8_000, 16_000])
def test_every_row_is_written_or_the_command_fails(base, tmp_path, monkeypatch, bad, bad_first):
    """Whatever limit is given, and wherever the bad rows are, in batches of 8,192 lines."""
    monkeypatch.setattr(batch_prediction, "_HOPELESS_ROWS", 4_000)
    rows = 18_000
    lines = [*['{"x": "text"}\n'] * bad, *['{"x": 1}\n'] * (rows - bad)]
    (tmp_path / "in.jsonl").write_text("".join(lines if bad_first else reversed(lines)))
    for limit in (0.2, 0.4, 0.6, 0.95, 1.0):
        output = tmp_path / f"{limit}.jsonl"
        asked = (base, tmp_path / "in.jsonl", output, "--max-bad-share", limit)
        if bad <= limit * rows and not (limit < 0.5 and bad_first):
            found = predict(*asked)
            assert (found["rows"], found["predicted"]) == (rows, rows - bad)
            assert len(output.read_text().splitlines()) == rows - bad
            assert len((tmp_path / f"{output.name}.quarantine.jsonl").open().readlines()) == bad
            continue
        with pytest.raises(TooManyBadRows):
            predict(*asked)
        assert not output.exists()


def test_what_is_given_up_is_counted_with_the_good_rows_of_its_batch(base, tmp_path, monkeypatch):
    monkeypatch.setattr(batch_prediction, "_HOPELESS_ROWS", 10)
    # 30 % of the rows are bad, and so is every row that is known before the good ones are answered.
    lines = [*['{"x": "text"}\n'] * 30, *['{"x": 1}\n'] * 70]
    (tmp_path / "in.jsonl").write_text("".join(lines))
    found = predict(base, tmp_path / "in.jsonl", tmp_path / "out.jsonl", "--max-bad-share", 0.3)
    assert (found["rows"], found["predicted"], found["quarantined"]) == (100, 70, 30)


@pytest.mark.parametrize(
    ("content", "output", "message"),
    [
        ("x,prediction\n1,2\n", "out.csv", "has a column 'prediction' already"),
        ("x\n1\n", "out.txt", "ends in .txt; expected a file that ends in .csv"),
        ("x\n1\n", "no/out.csv", "its folder is not there"),
        ("x\n1\n", "in.csv", "is the input; expected a file of its own"),
        ("x\n", "out.csv", "has no row to predict"),
        ("y\n1\n", "out.csv", "lacks the column 'x'"),
        ("name;x\na;1\n", "out.csv", "a semicolon looks like its separator"),
        ("name\tx\na\t1\n", "out.csv", "a tab looks like its separator"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    base, tmp_path, content, output, message
):
    (tmp_path / "in.csv").write_text(content)
    with pytest.raises(UserMistake, match=message) as caught:
        predict(base, tmp_path / "in.csv", tmp_path / output)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["in.csv"]
    assert (tmp_path / "in.csv").read_text() == content


class _Sevens:
    """Answers 7 to each row."""

    version = 3

    def predict(self, examples):
        return {"y": np.full((len(examples), 1), 7.0)}


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_our_columns_make_way_for_those_that_the_model_reads(tmp_path, ending):
    """A feature may be named as one of ours; a column that is only passed through may not."""
    names = ["prediction", "model_version", "prediction_id", "fareline_prediction"]
    source, output = tmp_path / "in.csv", tmp_path / f"out{ending}"
    source.write_text(f"{','.join(names)}\n1,2,3,4\n")
    wanted = Wanted(dict.fromkeys(names, "int"))
    job = batch_prediction.Job(source, output, frozenset(names), 9, 0.0, lambda *_: ["id"])
    batch_prediction.predict_file(job, open_rows(source, wanted), _Sevens(), lambda rows: None)
    added = {"fareline_fareline_prediction": "float", "fareline_model_version": "int"}
    added["fareline_prediction_id"] = "string"
    [found] = open_rows(output, Wanted(dict.fromkeys(names, "int") | added))
    assert found.source.schema.names == [*names, *added]
    values = [found.features[name].to_pylist() for name in [*names, *added]]
    assert values == [[1], [2], [3], [4], [7.0], [3], [b"id"]]
    with pytest.raises(UserMistake, match="has a column 'model_version' already"):
        less = dataclasses.replace(job, columns=frozenset(["prediction", "fareline_prediction"]))
        batch_prediction.predict_file(less, open_rows(source, wanted), _Sevens(), lambda rows: None)


@pytest.mark.parametrize(
    ("name", "content", "hint"),
    [
        ("in.csv", "nmae,z\na,1\n", "name 'name' for 'nmae'"),
        ("in.csv", "7,8\n1,2\n", "it has 7, 8"),
        ("in.jsonl", '{"nmae": "a"}\n', "name 'name' for 'nmae'"),
    ],
)
def test_a_file_without_any_column_of_the_model_is_refused(tmp_path, name, content, hint):
    """Of a model that requires none: every row would get the answer to an empty one."""
    model = models_for_tests.save_model(tmp_path / "model", optional=True)
    publish(model, str(tmp_path / "serving"), version=1)
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match="has none of the columns that the model reads") as caught:
        predict(tmp_path / "serving", tmp_path / name, tmp_path / "out.csv")
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert "expected some of count, name, x. Hint: " in str(caught.value)
    assert hint in str(caught.value)
    assert not (tmp_path / "out.csv").exists()


def test_an_interrupt_leaves_nothing_behind(base, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("serving.model.batch.BatchPredictor.predict", interrupt)
    source = write_csv(tmp_path / "in.csv", [1.0])
    ran = CliRunner().invoke(
        cli.app,
        ["predict", "--model-dir", str(base), "--input", str(source), "--output",
         str(tmp_path / "out.csv")],
    )  # fmt: skip
    assert ran.exit_code == 130
    assert [p.name for p in tmp_path.iterdir()] == ["in.csv"]


def test_answers_of_other_shapes_and_types(tmp_path):
    source = write_csv(tmp_path / "in.csv", [1.0, 2.0])
    predict(other_base(tmp_path / "text", "text"), source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "n0,1.0,a,2.000000,1"
    with pytest.raises(PredictionError, match=r"output 'y' is of shape \[1\]; expected one answer"):
        predict(other_base(tmp_path / "summed", "summed"), source, tmp_path / "out2.csv")
    assert not (tmp_path / "out2.csv").exists()


def test_several_outputs_and_several_values_have_columns_of_their_own():
    named = outputs.name_outputs(
        {"p": np.array([[0.25, 0.75], [1, 0]], np.float32), "c": np.array([b"x", b"y"], object)}
    )
    assert {name: array.to_pylist() for name, array in named.items()} == {
        "prediction_p": [[0.25, 0.75], [1.0, 0.0]],
        "prediction_c": ["x", "y"],
    }


def test_the_schema_is_asked_before_the_model_is_loaded(tmp_path):
    """The model is no model at all: whoever loaded it would say so."""
    version = tmp_path / "workspace" / "serving" / "chicago-taxi" / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_text("no model")
    (tmp_path / "in.csv").write_text("far,trip_miles\n1,2\n")
    words = ["predict", "--workspace", tmp_path / "workspace", "--input", tmp_path / "in.csv",
             "--output", tmp_path / "out.csv"]  # fmt: skip
    ran = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert isinstance(ran.exception, UserMistake)
    assert "lacks the columns 'fare', 'payment_type'" in str(ran.exception)
    assert "did you mean 'far'" in str(ran.exception)


def test_a_model_of_another_schema_is_refused(tmp_path, base):
    workspace = tmp_path / "workspace" / "serving"
    workspace.mkdir(parents=True)
    (workspace / "chicago-taxi").symlink_to(base)
    header = ["fare", "trip_miles", "payment_type", "trip_start_timestamp", "trip_start_month",
              "trip_start_day", "trip_start_hour"]  # fmt: skip
    (tmp_path / "in.csv").write_text(",".join(header) + "\n1,1,Cash,1400000000,1,1,1\n")
    words = ["predict", "--workspace", tmp_path / "workspace", "--input", tmp_path / "in.csv",
             "--output", tmp_path / "out.csv"]  # fmt: skip
    ran = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert isinstance(ran.exception, UserMistake), ran.output
    assert "reads 'count' as int, and the schema's SERVING environment has it as nothing" in str(
        ran.exception
    )


def test_progress_says_rows_and_rate(monkeypatch):
    clock = iter([0.0, 4.0, 11.0, 12.0])
    monkeypatch.setattr(batch_prediction.time, "monotonic", lambda: next(clock))
    said = []
    progress = batch_prediction.Progress(said.append, 10.0)
    for rows in (1000, 22_000, 23_000):
        progress.update(rows)
    assert said == ["22,000 rows, 2,000 rows/s"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_file_without_a_column_of_the_model_is_refused(base, tmp_path, suffix):
    source = tmp_path / f"in{suffix}"
    if suffix == ".csv":
        source.write_text("note,X\na,1\n")
    elif suffix == ".jsonl":
        source.write_text('{"note": "a", "X": 1}\n')
    else:
        pyarrow.parquet.write_table(pa.table({"note": ["a"], "X": [1.0]}), source)
    with pytest.raises(FarelineError, match="none of the columns that the model reads|lacks"):
        predict(base, source, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
