"""Planted personal values are nowhere in what a run leaves: every byte of it is looked through."""

import logging
import sqlite3

import pytest
import tensorflow as tf
from tfx.components import ExampleValidator, SchemaGen, StatisticsGen
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline

from data.privacy import key_id, pseudonym
from pipeline.nodes.example_gen import build_example_gen
from pipeline.settings.load import load_settings
from runners.beam.engine import run_beam_in_process
from runners.local.runner import LocalRunner
from runners.pii_key import KEY_VARIABLE
from runners.progress import NodeState
from tests.left_files import everything_below

pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")
KEY = "a key that is known to nobody but us 42"
ROWS = 400
# What no artifact may hold; each is found by its own text alone.
MAILS = [f"planted.mail{i}@example.org" for i in range(ROWS)]
CARDS = [f"0411122{i:09d}" for i in range(ROWS)]
NAMES = [f"Plantedname{i}" for i in range(ROWS)]
BAD = ["Quarantinedname1", "Quarantinedname2", "Quarantinedname3"]
PLANTED = [*MAILS, *CARDS, *(card.lstrip("0") for card in CARDS), *NAMES, *BAD, KEY]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    lines = [f"{i % 17},{MAILS[i]},{CARDS[i]},{NAMES[i]},x" for i in range(ROWS)]
    lines += [
        f"1,{MAILS[0]},{CARDS[0]},{BAD[0]},x,one field too many",
        f"{BAD[1]},{MAILS[1]},{CARDS[1]},{NAMES[1]},x",  # shifted into a column of numbers
        f"2,{MAILS[2]},{CARDS[2]},{BAD[2]}\udcff,x",  # no UTF-8, in a personal column
    ]
    text = "number,mail,card,name,plain\n" + "\n".join(lines) + "\n"
    (folder / "schema.pbtxt").write_text(
        'feature {name: "number" type: INT} feature {name: "card" type: BYTES} '
        'feature {name: "plain" type: BYTES}'
    )
    (folder / "rows.csv").write_bytes(text.encode(errors="surrogateescape"))
    return folder


@pytest.fixture
def run(source, tmp_path, monkeypatch, caplog):
    """Runs the data half of a pipeline; everything that it leaves is in `tmp_path`."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    run_beam_in_process()

    def run(max_bad_share=0.1):
        settings = load_settings(
            overrides=[
                f"data.source.csv={source}",
                "data.reader=columnar",
                f"data.max_bad_share={max_bad_share}",
                f"schema={source}/schema.pbtxt",
                "data.columns={mail: {pii: true}, name: {pii: true}, "
                "card: {pii: true, pseudonymize: true}}",
            ]
        )
        example_gen = build_example_gen(
            settings, str(source), "*.csv", pii_key_id=key_id(KEY.encode())
        ).with_id("ExampleGen")
        statistics = StatisticsGen(examples=example_gen.outputs["examples"])
        schema = SchemaGen(statistics=statistics.outputs["statistics"])
        validator = ExampleValidator(
            statistics=statistics.outputs["statistics"], schema=schema.outputs["schema"]
        )
        runner = LocalRunner(
            Pipeline(
                pipeline_name="private",
                pipeline_root=str(tmp_path / "root"),
                components=[example_gen, statistics, schema, validator],
                metadata_connection_config=sqlite_metadata_connection_config(
                    str(tmp_path / "metadata.db")
                ),
            ),
            "run-1",
        )
        results = {result.name: result for result in runner.run()}
        (tmp_path / "log").write_text(caplog.text, encoding="utf-8")
        return results

    return run


def leaks(folder):
    return [
        (str(path.relative_to(folder)), planted)
        for path, content in everything_below(folder)
        for planted in PLANTED
        if planted.encode() in content
    ]


def test_no_planted_value_is_in_anything_that_a_run_leaves(run, tmp_path):
    results = run()
    assert {result.state for result in results.values()} == {NodeState.EXECUTED}, results
    assert leaks(tmp_path) == []
    # The search looks where it should: what is not personal is found in each of them.
    [quarantine] = tmp_path.rglob("quarantine.jsonl")
    assert quarantine.read_text().count("withheld: the row has personal columns") >= 3
    examples = b"".join(c for p, c in everything_below(tmp_path) if "data_tfrecord" in p.name)
    assert examples.count(b"plain") == ROWS
    assert b"plain" in b"".join(
        c for p, c in everything_below(tmp_path) if p.name == "FeatureStats.pb"
    )
    with sqlite3.connect(tmp_path / "metadata.db") as store:
        [texts] = store.execute(
            "SELECT group_concat(string_value) FROM ExecutionProperty"
        ).fetchall()
    assert "pseudonymized" in texts[0]
    assert key_id(KEY.encode()) in texts[0]
    assert len((tmp_path / "log").read_text()) > 1_000


def test_pseudonyms_stand_where_they_were_asked_for(run, tmp_path):
    run()
    files = [str(path) for path in tmp_path.rglob("data_tfrecord*.gz") if "Split-" in str(path)]
    records = list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
    features = [tf.train.Example.FromString(record).features.feature for record in records]
    assert all(set(each) == {"number", "card", "plain"} for each in features)
    found = sorted(each["card"].bytes_list.value[0] for each in features)
    assert found == sorted(pseudonym(card.encode(), KEY.encode()) for card in CARDS)


def test_nor_in_what_a_run_leaves_that_stops_at_bad_rows(run, tmp_path):
    results = run(max_bad_share=0.001)
    assert results["ExampleGen"].state is NodeState.FAILED
    message = str(results["ExampleGen"].error)
    assert "3 of 403 rows cannot be read" in message
    assert not [planted for planted in PLANTED if planted in message]
    assert leaks(tmp_path) == []
    assert list(tmp_path.rglob("quarantine/*.jsonl"))


def test_without_the_key_nothing_is_read(run, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE)
    results = run()
    assert results["ExampleGen"].state is NodeState.FAILED
    assert "FARELINE_PII_KEY: is not set" in str(results["ExampleGen"].error)
