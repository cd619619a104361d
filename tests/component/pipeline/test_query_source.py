"""A query as the source: over files through ColumnarExampleGen, or compiled for BigQuery."""

import json
import os
import shutil

import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml
from tfx.orchestration.pipeline import Pipeline

from data.sources.local_query import LocalQuery
from data.splitting.hash import Splitting
from data.taxi import taxi_csv_path
from fareline import recorded
from fareline.digests import sha256_of_file
from fareline.errors import DataError, SettingsError
from fareline.recorded.data import source_files
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from pipeline.components.lookup import look_up_source
from pipeline.ingest import beam_query as query_reading
from pipeline.ingest.beam_files import Reading, open_source
from pipeline.nodes.example_gen import build_example_gen, reading_options
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from pipeline.source.check import check_request
from runners.beam.engine import run_beam_in_process
from runners.local.runner import LocalRunner
from runners.provenance import write_settings
from runners.submit.compilation import compile_spec
from runners.submit.submission import needed_uploads
from tests.component.pipeline.test_columnar_example_gen import contents, read, total
from tests.told import without_origin

pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")
# One text for DuckDB and for BigQuery: names of two parts, functions that both have.
QUERY = """SELECT t.*
FROM taxi.trips AS t
JOIN taxi.companies AS c ON COALESCE(t.company, '') = COALESCE(c.company, '')
WHERE c.trips >= 1000 AND t.fare IS NOT NULL"""


def no_key():
    raise AssertionError("these settings need no key")


def read_trips():
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    return pyarrow.csv.read_csv(taxi_csv_path(), convert_options=options)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The taxi trips in two Parquet files, and companies with their trips in a CSV file."""
    folder = tmp_path_factory.mktemp("tables")
    trips = read_trips()
    (folder / "trips").mkdir()
    pyarrow.parquet.write_table(trips[:8000], folder / "trips" / "a.parquet")
    pyarrow.parquet.write_table(trips[8000:], folder / "trips" / "b.parquet")
    counted = {}
    for name in trips["company"].to_pylist():
        counted[name] = counted.get(name, 0) + 1
    lines = [f'"{name or ""}",{count}' for name, count in counted.items()]
    (folder / "companies.csv").write_text("\n".join(["company,trips", *lines]) + "\n")
    return folder


def settings_of(folder, source, *overrides):
    values = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
    values["data"] |= {"source": source, "reader": "columnar"}
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_settings(path, overrides)


def local(folder, query=QUERY, *overrides):
    files = {"taxi.trips": "trips/*.parquet", "taxi.companies": "companies.csv"}
    return settings_of(folder, {"sql": {"query": query, "files": files}}, *overrides)


@pytest.fixture
def ingest(tmp_path):
    """Runs ExampleGen alone, on one store; returns the Examples, and what became of the node."""
    run_beam_in_process()
    count = iter(range(100))

    def ingest(settings):
        source = check_request(settings, no_key)
        node = build_example_gen(settings, str(source.input_base), source.pattern)
        pipeline = Pipeline(
            pipeline_name="queries",
            pipeline_root=str(tmp_path / "root"),
            components=[node.with_id("ExampleGen")],
            enable_cache=True,
            metadata_connection_config=sqlite_connection(tmp_path / "metadata.db"),
        )
        [result] = LocalRunner(pipeline, f"run-{next(count)}").run()
        assert result.error is None
        graph = Graph(open_store(tmp_path / "metadata.db"))
        found = max(graph.artifacts_of_type("Examples"), key=lambda a: a.id)
        return found, result.state.value

    return ingest


def test_the_rows_of_a_query_are_those_of_the_file(tmp_path):
    """The same trips, from Parquet by a query and from CSV by the reader of files."""
    folder = tmp_path / "trips"
    folder.mkdir()
    pyarrow.parquet.write_table(read_trips(), folder / "t.parquet")
    of_csv = read(tmp_path / "csv", taxi_csv_path(), reading_options(load_settings()))
    query = 'SELECT * FROM "all"'  # as the split is named that `read` makes
    settings = settings_of(tmp_path, {"sql": {"query": query, "files": {"all": "trips"}}})
    of_query = read(tmp_path / "sql", folder / "t.parquet", reading_options(settings))
    assert contents(of_query) == contents(of_csv)
    assert total(contents(of_query)).total() == 15_002


def test_what_was_asked_and_what_it_was_asked_of_is_recorded(tables, ingest):
    examples, state = ingest(local(tables))
    assert state == "executed"
    assert examples.properties[recorded.SOURCE_QUERY] == QUERY
    assert [file.to_json() for file in source_files(examples)] == [
        {
            "path": str(tables / name),
            "bytes": (tables / name).stat().st_size,
            "sha256": sha256_of_file(tables / name),
            "rows": rows,
            "table": table,
        }
        for name, rows, table in (
            ("companies.csv", 62, "taxi.companies"),
            ("trips/a.parquet", 8000, "taxi.trips"),
            ("trips/b.parquet", 7002, "taxi.trips"),
        )
    ]
    # The same, counted by Arrow: trips of the companies that have a thousand or more.
    trips = read_trips()
    names = trips["company"].to_pylist()
    large = {name for name in set(names) if names.count(name) >= 1000}
    expected = sum(
        name in large and fare is not None
        for name, fare in zip(names, trips["fare"].to_pylist(), strict=True)
    )
    assert 0 < expected < 15_002
    assert total(contents(examples)).total() == expected
    assert examples.properties[recorded.ROWS_READ] == str(expected)
    assert examples.properties["input_fingerprint"].startswith("split:taxi.companies,num_files:1,")
    assert "\nsplit:taxi.trips,num_files:2," in examples.properties["input_fingerprint"]


def test_another_query_and_another_file_are_read_anew_and_nothing_else(tmp_path, ingest):
    (tmp_path / "t.csv").write_text("fare,x\n1,2\n3,4\n5,6\n")

    def settings(query, *overrides):
        files = {"t": "t.csv"}
        made = settings_of(tmp_path, {"sql": {"query": query, "files": files}}, *overrides)
        return made.model_copy(update={"schema_": None})

    query = "SELECT fare FROM t WHERE x > 2"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.source.query.required_columns", lambda settings: ["fare"])
        assert ingest(settings(query))[1] == "executed"
        assert ingest(settings(query, "training.steps=3"))[1] == "cached"
        assert ingest(settings("SELECT fare FROM t WHERE x > 4"))[1] == "executed"
        assert ingest(settings(query))[1] == "cached"
        (tmp_path / "t.csv").write_text("fare,x\n1,2\n3,4\n5,6\n7,8\n")
        examples, state = ingest(settings(query))
    assert state == "executed"
    assert total(contents(examples)).total() == 3


def test_the_settings_that_a_run_records_name_its_files(tables):
    written = yaml.safe_load(write_settings(local(tables)))["data"]["source"]
    assert written["sql"] == {
        "query": QUERY,
        "files": {
            "taxi.trips": str(tables / "trips/*.parquet"),
            "taxi.companies": str(tables / "companies.csv"),
        },
    }


# In a cluster.


def spec(settings, runner):
    text = compile_spec(settings, runner).text
    return yaml.safe_load(text) if runner == "kubeflow" else json.loads(text)["pipelineSpec"]


def given(found, node, key):
    return found["root"]["dag"]["tasks"][node]["inputs"]["parameters"][key]


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_files_of_a_query_are_below_the_data_path(tables, runner):
    found = spec(local(tables), runner)
    node = "Lookup" if runner == "kubeflow" else "ExampleGen"
    config = json.loads(given(found, node, "input_config")["runtimeValue"]["constant"])
    assert config["splits"] == [
        {"name": "taxi.companies", "pattern": "companies.csv"},
        {"name": "taxi.trips", "pattern": "trips/*.parquet"},
    ]
    assert given(found, node, "input_base") == {"componentInputParameter": "data_path"}
    settings = local(tables)
    section = getattr(settings.runners, runner)
    assert sorted(upload.uri for upload in needed_uploads(settings, section)) == [
        "gs://example-bucket/chicago-taxi/data/companies.csv",
        "gs://example-bucket/chicago-taxi/data/trips/a.parquet",
        "gs://example-bucket/chicago-taxi/data/trips/b.parquet",
    ]


def test_files_elsewhere_are_copied_to_where_the_query_is_answered(tables, tmp_path, monkeypatch):
    """As in a step: DuckDB reads copies, and what is recorded are the URIs."""

    def here(uri):
        return uri.replace("gs://bucket", str(tables))

    monkeypatch.setattr(query_reading.fileio, "copy", lambda a, b: shutil.copy(here(a), b))
    monkeypatch.setattr(query_reading, "open_source", lambda path: open_source(here(path)))
    query = LocalQuery("SELECT fare FROM t", {"t": ["gs://bucket/trips/a.parquet"]})
    dirs = [str(tmp_path / name) for name in ("train", "eval")]
    for folder in dirs:
        os.makedirs(folder)
    splitting = Splitting([("train", 1), ("eval", 1)])
    query_reading._read(query, Reading({}, splitting, dirs, str(tmp_path)))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["rows"] == sum(report["splits"].values()) == 8000
    assert [(file["path"], file["rows"]) for file in report["files"]] == [
        ("gs://bucket/trips/a.parquet", 8000)
    ]


# BigQuery.


def in_bigquery(folder, **more):
    return settings_of(folder, {"bigquery": {"query": QUERY, **more}})


@pytest.mark.parametrize("runner", ["kubeflow", "vertex"])
def test_one_query_text_is_compiled_for_bigquery_and_runs_on_files(tables, ingest, runner):
    files = {"taxi.trips": "trips/*.parquet", "taxi.companies": "companies.csv"}
    settings = in_bigquery(tables, project="data-project", files=files)
    found = spec(settings, runner)
    config = json.loads(given(found, "ExampleGen", "input_config")["runtimeValue"]["constant"])
    assert config["splits"] == [{"name": "single_split", "pattern": QUERY}]
    output = json.loads(given(found, "ExampleGen", "output_config")["runtimeValue"]["constant"])
    assert output["split_config"]["splits"] == [
        {"name": "train", "hash_buckets": 8},
        {"name": "validate", "hash_buckets": 2},
        {"name": "eval", "hash_buckets": 5},
    ]
    container = found["deploymentSpec"]["executors"]["ExampleGen_executor"]["container"]
    assert (
        "tfx.extensions.google_cloud_big_query.example_gen.executor.Executor" in container["args"]
    )
    assert "--project=data-project" in container["args"]
    root = "gs://example-bucket/chicago-taxi/artifacts"
    assert f"--temp_location={root}/bigquery" in container["args"]
    assert "lifecycle" not in container  # no check before the cache: so there is no cache
    assert "cachingOptions" not in found["root"]["dag"]["tasks"]["ExampleGen"]
    assert "data_path" not in found["root"]["inputDefinitions"]["parameters"]
    assert needed_uploads(settings, getattr(settings.runners, runner)) == []
    if runner == "vertex":
        examples, _ = ingest(settings)
        assert contents(examples) == contents(ingest(local(tables))[0])


def test_a_query_may_be_said_to_return_the_same_rows_always(tables):
    found = spec(in_bigquery(tables, cache=True), "vertex")
    assert found["root"]["dag"]["tasks"]["ExampleGen"]["cachingOptions"] == {"enableCache": True}
    container = found["deploymentSpec"]["executors"]["ExampleGen_executor"]["container"]
    assert "--project=example-project" in container["args"]  # the job's, where none is named


def test_a_span_is_written_into_the_query(tables):
    query = "SELECT * FROM taxi.trips WHERE day = @span_yyyymmdd_utc"
    settings = settings_of(tables, {"bigquery": {"query": query}}, "data.span=16801")
    config = json.loads(
        given(spec(settings, "vertex"), "ExampleGen", "input_config")["runtimeValue"]["constant"]
    )
    assert config["splits"][0]["pattern"] == "SELECT * FROM taxi.trips WHERE day = '20160101'"
    with pytest.raises(SettingsError) as caught:
        spec(settings_of(tables, {"bigquery": {"query": query}}), "vertex")
    assert str(caught.value).partition(": ")[2] == (
        "data.span: not set, and data.source.bigquery.query names a span; expected days since "
        "1970-01-01, since BigQuery has no latest span. Hint: add --set data.span=N."
    )


@pytest.mark.parametrize(
    ("runner", "more", "overrides", "said"),
    [
        (
            "kubeflow",
            {},
            [],
            "data.source.bigquery.project: missing; expected the project that pays for the query, "
            "since runners.kubeflow names none. Hint: set it to the id of a project.",
        ),
        (
            "vertex",
            {"project": "other-project"},
            ["runners.vertex.beam=dataflow"],
            "data.source.bigquery.project: found other-project; expected example-project, since "
            "Beam has one project for the query and for Dataflow. Hint: leave it out, or set "
            "runners.vertex.beam: in_container.",
        ),
        (
            "vertex",
            {},
            ["data.split_by={hash: [company]}"],
            "data.split_by: TFX's BigQueryExampleGen splits by a hash of the whole row; expected "
            "null with data.source.bigquery. Hint: leave it out.",
        ),
        (
            "vertex",
            {},
            ["data.columns={taxi_id: {pii: true}}"],
            "data.columns.taxi_id: TFX's BigQueryExampleGen leaves no column out; expected none "
            "that is personal with data.source.bigquery. Hint: leave it out of the query.",
        ),
    ],
)
def test_what_bigquery_cannot_do_is_said_before_anything_is_compiled(
    tables, runner, more, overrides, said
):
    settings = settings_of(tables, {"bigquery": {"query": QUERY, **more}}, *overrides)
    with pytest.raises(SettingsError) as caught:
        spec(settings, runner)
    assert without_origin(str(caught.value).removeprefix(f"{settings.path}: ")) == said


def test_a_run_here_does_not_ask_bigquery(tables):
    with pytest.raises(DataError) as caught:
        check_request(in_bigquery(tables), no_key)
    assert str(caught.value) == (
        "data.source.bigquery: a run on this machine does not ask BigQuery; expected files that "
        "stand for its tables, in data.source.bigquery.files. Hint: name some there, or send the "
        "pipeline to a cluster with `fareline submit`."
    )
    query = "SELECT * FROM t WHERE d = @span_yyyymmdd_utc"
    files = {"t": "companies.csv"}
    settings = settings_of(tables, {"bigquery": {"query": query, "files": files}})
    with pytest.raises(DataError, match="names a span"):
        check_request(settings, no_key)


def test_lookup_has_nothing_to_look_up_in_bigquery():
    assert look_up_source("", "{}", "") == {
        "resolved_input_config": "{}",
        "input_fingerprint": "",
        "span": "",
        "version": "",
    }
