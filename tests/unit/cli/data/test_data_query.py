"""`fareline data query`: examples by conditions, held against pandas over the same rows."""

import json

import pandas as pd
import pytest
import tensorflow as tf
from ml_metadata.proto import metadata_store_pb2 as mlmd
from typer.testing import CliRunner

from cli.app import app
from data.example_query import ExampleQuery
from data.taxi import taxi_csv_path
from fareline.errors import UserMistake
from tests.stores.writer import StoreWriter, artifact

SPLITS = {"train": 2_000, "eval": 1_000}
EXAMPLE = "expected SQL over the features, such as: payment_type = 'Cash' and trip_miles > 10"


def feature(values):
    if all(isinstance(value, int) for value in values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    if all(isinstance(value, float) for value in values):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    encoded = [v if isinstance(v, bytes) else v.encode() for v in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))


def write(path, rows):
    """Rows of feature name to list of values; a feature that is left out is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for row in rows:
            features = {name: feature(values) for name, values in row.items()}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    return str(path)


@pytest.fixture(scope="module")
def trips():
    """Split to trips; company and dropoff_census_tract are missing in many of them."""
    rows = pd.read_csv(taxi_csv_path()).sample(3_000, random_state=11)
    rows = rows[["payment_type", "trip_miles", "company", "trip_start_hour", "tips"]]
    return {"train": rows[:2_000], "eval": rows[2_000:]}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, trips):
    """A store with two runs: the first has the trips, the second failed before it read any."""
    folder = tmp_path_factory.mktemp("data_query")
    for split, rows in trips.items():
        for shard in range(2):
            examples = [
                {name: [value] for name, value in row.items() if not pd.isna(value)}
                for row in rows[shard::2].to_dict("records")
            ]
            write(folder / "examples" / f"Split-{split}" / f"data-{shard}.gz", examples)
    writer = StoreWriter(folder / "metadata.db")
    examples = artifact(folder / "examples", span=3, split_names='["train", "eval"]')
    writer.add_execution("taxi", "run-1", "ExampleGen", outputs={"examples": [examples]})
    schema = artifact(folder / "schema")
    ids = [("examples", writer.artifact_ids[0])]
    writer.add_execution("taxi", "run-1", "SchemaGen", inputs=ids, outputs={"schema": [schema]})
    writer.add_execution("taxi", "run-2", "ExampleGen", state=mlmd.Execution.FAILED)
    return folder


@pytest.fixture
def ask(workspace):
    return lambda *words: CliRunner().invoke(
        app, ["data", "query", *words, "--workspace", str(workspace)]
    )


@pytest.mark.parametrize(
    ("condition", "as_pandas"),
    [
        (
            "payment_type = 'Cash' and trip_miles > 10",
            lambda t: (t.payment_type == "Cash") & (t.trip_miles > 10),
        ),
        ("company is null", lambda t: t.company.isna()),
        # A comparison with a missing value is neither true nor false, as SQL has it.
        ("company != 'Flash Cab'", lambda t: t.company.notna() & (t.company != "Flash Cab")),
        ("trip_start_hour in (0, 23)", lambda t: t.trip_start_hour.isin([0, 23])),
        (
            "company like 'Taxi%' or tips = 0",
            lambda t: t.company.str.startswith("Taxi", na=False) | (t.tips == 0),
        ),
    ],
)
def test_counts_are_those_of_pandas(ask, trips, condition, as_pandas):
    ran = ask(condition, "--json", "--limit", "2")
    assert ran.exit_code == 0, ran.output
    [answer] = json.loads(ran.stdout)["artifacts"]
    assert answer["artifact"] == "Examples:1"
    assert answer["made_by"] == "ExampleGen@run-1"
    for split, rows in trips.items():
        found = answer["splits"][split]
        assert (found["count"], found["of"]) == (as_pandas(rows).sum(), len(rows))
        assert len(found["examples"]) == min(2, found["count"])


def test_the_examples_shown_meet_the_condition_and_have_all_their_features(ask, trips):
    ran = ask("company is null and trip_miles > 5", "--split", "eval", "--json")
    [answer] = json.loads(ran.stdout)["artifacts"]
    assert list(answer["splits"]) == ["eval"]
    shown = answer["splits"]["eval"]["examples"]
    assert len(shown) == 5
    # In the order of the files: every second trip first.
    rows = trips["eval"][::2]
    first = rows[rows.company.isna() & (rows.trip_miles > 5)].iloc[0]
    assert shown[0] == {
        "company": None,
        "payment_type": first.payment_type,
        "trip_miles": pytest.approx(first.trip_miles, rel=1e-6),
        "trip_start_hour": first.trip_start_hour,
        "tips": pytest.approx(first.tips, rel=1e-6),
    }


def test_a_reader_gets_the_artifact_the_share_and_a_table(ask, trips):
    ran = ask("trip_start_hour = 3", "--split", "train", "--limit", "1")
    count = (trips["train"].trip_start_hour == 3).sum()
    lines = [line.rstrip() for line in ran.stdout.splitlines()]
    assert lines[:2] == [
        "Examples:1, made by ExampleGen@run-1, span 3",
        f"train: {count} of 2,000 examples ({count / 2_000:.2%})",
    ]
    assert "  trip_start_hour  3" in lines


def test_the_artifact_or_the_run_can_be_named(ask):
    for words in (("--run", "run-1"), ("--artifact", "Examples:1")):
        ran = ask("true", "--limit", "0", "--json", *words)
        [answer] = json.loads(ran.stdout)["artifacts"]
        assert {name: split["count"] for name, split in answer["splits"].items()} == SPLITS


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["trip_mile > 10"],
            f"the condition: 'trip_mile' is not a feature of these examples; {EXAMPLE}. "
            "Hint: did you mean trip_miles.",
        ),
        (
            ["zzz > 10"],
            f"the condition: 'zzz' is not a feature of these examples; {EXAMPLE}. Hint: they have "
            "company, payment_type, tips, trip_miles, trip_start_hour.",
        ),
        (
            ["trip_miles >"],
            f"the condition: syntax error at end of input; {EXAMPLE}. "
            "Hint: DuckDB's documentation describes expressions.",
        ),
        (
            ["true; drop table examples"],
            f"the condition: Expected a single SELECT statement; {EXAMPLE}. "
            "Hint: DuckDB's documentation describes expressions.",
        ),
        (
            ["tips > (select count(*) from read_csv('/etc/passwd'))"],
            'the condition: Cannot access file "/etc/passwd" - file system operations are '
            f"disabled by configuration; {EXAMPLE}. "
            "Hint: DuckDB's documentation describes expressions.",
        ),
        (
            ["true", "--split", "test"],
            "--split: test is none of Examples:1; expected train, eval. "
            "Hint: name one of them, or leave it out.",
        ),
        (
            ["true", "--run", "run-2"],
            "run-2: has no Examples; expected a run that read data. Hint: name another.",
        ),
        (
            ["true", "--artifact", "Schema:2"],
            "Schema:2: is a Schema; expected Examples. Hint: `fareline lineage show RUN`.",
        ),
        (
            ["true", "--artifact", "Examples:1", "--run", "run-1"],
            "--run and --artifact: were given both; expected one of them. Hint: leave one out.",
        ),
    ],
)
def test_mistakes(ask, words, line):
    ran = ask(*words)
    assert isinstance(ran.exception, UserMistake)
    assert str(ran.exception) == line


def test_examples_whose_files_are_gone(tmp_path):
    writer = StoreWriter(tmp_path / "metadata.db")
    gone = artifact(tmp_path / "gone", split_names='["train"]')
    writer.add_execution("taxi", "run-1", "ExampleGen", outputs={"examples": [gone]})
    ran = CliRunner().invoke(app, ["data", "query", "true", "--workspace", str(tmp_path)])
    assert str(ran.exception) == (
        f"Examples:1: has no file in {tmp_path / 'gone' / 'Split-train'}; expected Examples with "
        "files on this machine. Hint: `fareline lineage verify` says what else is gone; "
        "`fareline run` makes it anew."
    )


def test_a_feature_that_no_example_of_a_batch_has_is_missing_in_what_is_shown(tmp_path):
    rows = [[{"a": [1], "b": [2.5]}], [{"a": [2]}], [{"a": [3], "c": ["x"]}]]
    for shard, examples in enumerate(rows):
        write(tmp_path / "examples" / "Split-train" / f"data-{shard}.gz", examples)
    write(tmp_path / "examples" / "Split-eval" / "data-0.gz", [{"d": [4]}])
    writer = StoreWriter(tmp_path / "metadata.db")
    examples = artifact(tmp_path / "examples", split_names='["train", "eval"]')
    writer.add_execution("taxi", "run-1", "ExampleGen", outputs={"examples": [examples]})
    asked = ["data", "query", "1 = 1", "--workspace", str(tmp_path)]
    ran = CliRunner().invoke(app, asked)
    assert ran.exit_code == 0, ran.output
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert ["a", "1", "2", "3"] in lines and ["b", "2.5", "·", "·"] in lines
    assert ["c", "·", "·", "x"] in lines and ["d", "4"] in lines
    [asked] = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["artifacts"]
    assert asked["splits"]["train"]["examples"] == [
        {"a": 1, "b": 2.5, "c": None, "d": None},
        {"a": 2, "b": None, "c": None, "d": None},
        {"a": 3, "b": None, "c": "x", "d": None},
    ]


def test_lists_are_lists_in_every_example_and_bytes_stay_bytes(tmp_path):
    """A feature turns out to be a list in the last file, when the first one was read already."""
    first = write(tmp_path / "1.gz", [{"tags": ["a"], "raw": ["x"]}, {"tags": ["d"]}])
    second = write(tmp_path / "2.gz", [{"tags": ["b", "c"], "raw": [b"\xff"], "n": [7]}])
    splits = {"train": [first], "eval": [second]}
    found = ExampleQuery("len(tags) >= 1").ask(splits, 1)
    assert {split: (answer.count, answer.of) for split, answer in found.items()} == {
        "train": (2, 2),
        "eval": (1, 1),
    }
    assert found["train"].first == [{"tags": ["a"], "raw": "x", "n": None}]
    assert found["eval"].first == [{"tags": ["b", "c"], "raw": b"\xff", "n": 7}]
    found = ExampleQuery("list_contains(tags, 'c')").ask(splits, 1)
    assert [answer.count for answer in found.values()] == [0, 1]


def test_a_feature_that_only_later_examples_have_can_be_asked_for(tmp_path):
    splits = {
        "train": [write(tmp_path / "1.gz", [{"a": [1]}])],
        "eval": [write(tmp_path / "2.gz", [{"a": [1], "n": [7]}, {"n": [8]}, {"a": []}])],
    }
    found = ExampleQuery("n > 7").ask(splits, 9)
    assert [answer.count for answer in found.values()] == [0, 1]
    assert found["eval"].first == [{"a": None, "n": 8}]
    # Present without a value is missing too.
    assert ExampleQuery("a is null").ask(splits, 0)["eval"].count == 2
