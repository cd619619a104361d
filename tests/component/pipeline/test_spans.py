"""ExampleGen over spans, one or a window of several: what it reads, what the store knows of it."""

import glob

import pytest
import tensorflow as tf
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline

from data.sources.csv import check_csv_source
from data.sources.spans import resolve_spans
from fareline.recorded.data import source_files, spans_of
from lineage.answers.impact.origin import find_origin
from lineage.graph.graph import Graph
from lineage.store.open import open_store_in_place
from pipeline.nodes.example_gen import build_example_gen
from pipeline.settings.load import load_settings
from runners.beam.engine import run_beam_in_process
from runners.local.runner import LocalRunner
from runners.progress import NodeState

PATTERN = "span-{SPAN}/version-{VERSION}/*.csv"
# Spans 1, 2, 4 and 5; of 4 there are two versions. In span 1, every x is a whole number.
FILES = {
    "span-1/version-1/a.csv": [1, 2, 3],
    "span-2/version-1/a.csv": [10.5, 11.5],
    "span-2/version-1/b.csv": [12],
    "span-4/version-1/a.csv": [99],
    "span-4/version-2/a.csv": [20, 21, 22.5],
    "span-5/version-1/a.csv": [30],
}


@pytest.fixture(scope="module")
def spans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spans")
    for name, values in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{x},row of {x}\n" for x in values)
        (folder / name).write_text("x,text\n" + rows)
    return folder


@pytest.fixture(scope="module")
def ingest(spans, tmp_path_factory):
    """Runs ExampleGen alone; returns the Examples and the graph of the store."""
    root = tmp_path_factory.mktemp("root")
    run_beam_in_process()
    count = iter(range(100))

    def ingest(span, window, reader):
        settings = load_settings(
            overrides=[
                f"data.source.csv={spans}/{PATTERN}",
                f"data.reader={reader}",
                "schema=null",
            ]
        )
        found = resolve_spans(f"{spans}/{PATTERN}", span, window)
        source = check_csv_source(spans / PATTERN, ["x"], True, found)
        example_gen = build_example_gen(
            settings, str(source.input_base), source.pattern, source.span_range
        ).with_id("ExampleGen")
        runner = LocalRunner(
            Pipeline(
                pipeline_name="spans",
                pipeline_root=str(root),
                components=[example_gen],
                enable_cache=True,
                metadata_connection_config=sqlite_metadata_connection_config(
                    str(root / "metadata.db")
                ),
            ),
            f"run-{next(count)}",
        )
        [result] = runner.run()
        assert result.state in (NodeState.EXECUTED, NodeState.CACHED), result.error
        graph = Graph(open_store_in_place(str(root / "metadata.db"), {}))
        return max(graph.artifacts_of_type("Examples"), key=lambda a: a.id), graph, result.state

    return ingest


def values(examples):
    files = glob.glob(f"{examples.uri}/Split-*/*")
    found = []
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        # Of a column that has a fraction anywhere in the window, every value is a float.
        found += example.features.feature["x"].float_list.value
    return sorted(found)


@pytest.mark.parametrize("reader", ["columnar", "csv_example_gen"])
def test_a_window_is_read_as_one_and_every_span_of_it_is_known(ingest, spans, reader):
    examples, graph, _ = ingest(4, 3, reader)
    assert values(examples) == [1, 2, 3, 10.5, 11.5, 12, 20, 21, 22.5]
    assert spans_of(examples) == [(1, 1), (2, 1), (4, 2)]
    assert (examples.properties["span"], examples.properties["version"]) == (4, 2)
    read = [name for name in FILES if name[:6] in ("span-1", "span-2") or "version-2" in name]
    assert [file.path for file in source_files(examples)] == [f"{spans}/{n}" for n in read]
    for number in (1, 2, 4):
        assert examples in find_origin(graph, f"span:{number}").starts
    assert examples in find_origin(graph, "span:4/version:2").starts


def test_one_span_is_read_as_tfx_reads_it(ingest):
    examples, graph, _ = ingest(2, 1, "columnar")
    assert values(examples) == [10.5, 11.5, 12]
    assert spans_of(examples) == [(2, 1)]
    assert "spans" not in examples.properties
    assert examples in find_origin(graph, "span:2").starts
    assert examples not in find_origin(graph, "span:1").starts


def test_the_latest_window_is_cached_until_a_new_version_is_there(ingest, spans):
    examples, _, state = ingest(None, 2, "columnar")
    assert state is NodeState.EXECUTED
    assert spans_of(examples) == [(4, 2), (5, 1)]
    _, _, state = ingest(None, 2, "columnar")
    assert state is NodeState.CACHED
    newer = spans / "span-5" / "version-2"
    newer.mkdir()
    (newer / "a.csv").write_text("x,text\n31.5,new\n")
    examples, _, state = ingest(None, 2, "columnar")
    assert state is NodeState.EXECUTED
    assert values(examples) == [20, 21, 22.5, 31.5]
    assert spans_of(examples) == [(4, 2), (5, 2)]
