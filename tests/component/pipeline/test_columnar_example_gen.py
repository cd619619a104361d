"""ColumnarExampleGen against TFX's CsvExampleGen, and what it records and refuses."""

import collections
import datetime
import functools
import glob
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
import tensorflow as tf
from tfx import v1 as tfx
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from data.reading import pieces
from data.taxi import taxi_csv_path
from data.writing.quarantine import TooManyBadRows
from fareline import recorded
from fareline.recorded.data import source_files
from lineage.graph.graph import Graph
from lineage.store.open import open_store, sqlite_connection
from pipeline.components import columnar_example_gen, example_gen
from pipeline.components.columnar_example_gen import ColumnarExampleGen, pack_options
from pipeline.components.lookup import look_up_source
from pipeline.nodes.example_gen import build_example_gen, reading_options
from pipeline.settings.load import load_settings
from runners.beam.engine import run_beam_in_process
from runners.local.runner import LocalRunner

pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")
COLUMNAR = ["data.reader=columnar"]
SHARES = (("train", 8), ("validate", 2), ("eval", 5))


def read(folder, source, options=None, module=columnar_example_gen, below=None):
    """Runs an executor; returns the Examples."""
    run_beam_in_process()
    examples = standard_artifacts.Examples()
    examples.uri = str(folder / "ExampleGen" / "examples" / "1")
    splits = [tfx.proto.SplitConfig.Split(name=n, hash_buckets=share) for n, share in SHARES]
    base, pattern = (source, below or "*") if source.is_dir() else (source.parent, source.name)
    inputs = tfx.proto.Input(splits=[tfx.proto.Input.Split(name="all", pattern=pattern)])
    outputs = tfx.proto.Output(split_config=tfx.proto.SplitConfig(splits=splits))
    properties = {
        "input_base": str(base),
        "input_config": proto_utils.proto_to_json(inputs),
        "output_config": proto_utils.proto_to_json(outputs),
        "output_data_format": example_gen_pb2.FORMAT_TF_EXAMPLE,
        "output_file_format": example_gen_pb2.FORMAT_TFRECORDS_GZIP,
        "custom_config": proto_utils.proto_to_json(pack_options(options or {})),
    }
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=[], tmp_dir=str(folder / "tmp"), unique_id="1"
    )
    module.Executor(context).Do({}, {"examples": [examples]}, properties)
    return examples


def contents(examples, splits=("train", "validate", "eval")):
    """The examples of each split, as often as each is there, with their bytes in one order."""
    found = {}
    for split in splits:
        files = glob.glob(f"{examples.uri}/Split-{split}/*")
        assert files
        batches = tf.data.TFRecordDataset(files, "GZIP").batch(1000).as_numpy_iterator()
        found[split] = collections.Counter(
            tf.train.Example.FromString(record).SerializeToString(deterministic=True)
            for batch in batches
            for record in batch
        )
    return found


def total(found):
    return sum(found.values(), collections.Counter())


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    return read(tmp_path_factory.mktemp("stock"), taxi_csv_path(), module=example_gen)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return read(tmp_path_factory.mktemp("ours"), taxi_csv_path(), reading_options(load_settings()))


def test_the_taxi_examples_are_those_of_the_stock_component(ours, stock):
    found = contents(ours)
    assert total(found) == total(contents(stock))
    assert total(found).total() == 15_002
    rows = json.loads(ours.get_string_custom_property(recorded.SPLIT_ROWS))
    assert rows == {split: counted.total() for split, counted in found.items()}
    assert sum((found["train"] & found["eval"]).values()) == 0
    for name in ("payload_format", "file_format"):
        mine = ours.get_string_custom_property(name)
        assert mine == stock.get_string_custom_property(name) != ""
    assert ours.split_names == stock.split_names


@pytest.mark.parametrize(
    ("ending", "query"), [(".parquet", ""), (".jsonl", ""), (".parquet", 'SELECT * FROM "all"')]
)
def test_folders_that_say_columns(tmp_path, ending, query):
    for number, folder in enumerate(["year=2025/city=Bonn", "year=2026/city=K%C3%B6ln"]):
        (tmp_path / "t" / folder).mkdir(parents=True)
        path = tmp_path / "t" / folder / f"part{ending}"
        if ending == ".jsonl":
            path.write_text(f'{{"x": {number}}}\n' + '{"x": null, "tip": 1.5}\n' * number)
        else:
            columns = {"x": pa.array([number, *[None] * number]), "tip": [1.5] * (1 + number)}
            pyarrow.parquet.write_table(pa.table(columns), path)
    options = {"sql": {"query": query, "text_columns": [], "where": "sql"}} if query else {}
    examples = read(tmp_path, tmp_path / "t", options, below=f"year=*/city=*/*{ending}")
    rows = [tf.train.Example.FromString(each) for each in total(contents(examples)).elements()]
    found = sorted(
        (
            row.features.feature["year"].int64_list.value[0],
            row.features.feature["city"].bytes_list.value[0].decode(),
            *row.features.feature["x"].int64_list.value,
        )
        for row in rows
    )
    assert found == [(2025, "Bonn", 0), (2026, "Köln"), (2026, "Köln", 1)]


def test_the_same_without_a_schema_in_many_pieces_and_from_many_files(ours, tmp_path, monkeypatch):
    header, *lines = taxi_csv_path().read_text().splitlines()
    source = tmp_path / "source"
    source.mkdir()
    for part in range(3):
        rows = "\n".join([header, *lines[part::3]])
        (source / f"{part}.csv").write_text(rows)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 200_000)
    blocks = pieces.iter_blocks
    monkeypatch.setattr(pieces, "iter_blocks", functools.partial(blocks, block_bytes=50_000))
    found = read(tmp_path, source)
    assert contents(found) == contents(ours)
    assert len(glob.glob(f"{found.uri}/Split-eval/data_tfrecord-*-of-00009.gz")) == 9
    files = source_files(_Recorded(found))
    assert [(Path(file.path).name, file.rows) for file in files] == [
        ("0.csv", 5001),
        ("1.csv", 5001),
        ("2.csv", 5000),
    ]


class _Recorded:
    def __init__(self, examples):
        text = examples.get_string_custom_property(recorded.SOURCE_FILES)
        self.properties = {recorded.SOURCE_FILES: text}


@pytest.mark.parametrize("module", [columnar_example_gen, example_gen])
def test_a_repeated_column_is_refused_where_nobody_has_looked_before(tmp_path, module):
    source = tmp_path / "t.csv"
    source.write_text("fare,hour,fare\n1,2,3\n")
    with pytest.raises(ValueError, match=r"t.csv: the header repeats 'fare'; expected each column"):
        read(tmp_path, source, module=module)


BAD = "fare,company\n1.5,a\nx,b\n2,c,d\n3,e\n"


def test_bad_rows_are_quarantined_counted_and_left_out(tmp_path):
    source = tmp_path / "t.csv"
    source.write_text(BAD)
    options = {"kinds": {"fare": "float", "company": "string"}, "max_bad_share": 0.5}
    examples = read(tmp_path, source, options)
    assert json.loads(examples.get_string_custom_property(recorded.QUARANTINED)) == {
        "not_a_number": 1,
        "wrong_number_of_fields": 1,
    }
    assert examples.get_string_custom_property(recorded.ROWS_READ) == "4"
    lines = (Path(examples.uri) / "quarantine.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "source": str(source),
            "line": 3,
            "reason": "not_a_number",
            "message": "fare: x: expected a number",
            "row": {"fare": "x", "company": "b"},
        },
        {
            "source": str(source),
            "line": 4,
            "reason": "wrong_number_of_fields",
            "message": "3 fields; expected 2",
            "row": "2,c,d",
        },
    ]
    assert total(contents(examples)).total() == 2


def test_too_many_bad_rows_stop_it_and_the_quarantine_stays(tmp_path):
    source = tmp_path / "t.csv"
    source.write_text(BAD)
    options = {"kinds": {"fare": "float", "company": "string"}, "max_bad_share": 0.4}
    with pytest.raises(TooManyBadRows) as error:
        read(tmp_path, source, options)
    quarantine = tmp_path / "ExampleGen" / "quarantine" / "1.jsonl"
    assert str(error.value) == (
        "ExampleGen: 2 of 4 rows cannot be read (50.00%: not_a_number 1, wrong_number_of_fields "
        f"1); expected at most 40.00%. Hint: see {quarantine}; data.max_bad_share sets the limit.\n"
        f"  {source}, line 3: fare: x: expected a number\n"
        f"  {source}, line 4: 3 fields; expected 2"
    )
    assert len(quarantine.read_text().splitlines()) == 2


def test_a_header_in_another_order_is_fine_and_one_with_other_columns_is_not(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.csv").write_text("x,y\n1,a\n")
    (source / "b.csv").write_text("y,x\nb,2\n")
    found = total(contents(read(tmp_path, source)))
    values = [tf.train.Example.FromString(each).features.feature for each in found]
    assert sorted((v["x"].int64_list.value[0], v["y"].bytes_list.value[0]) for v in values) == [
        (1, b"a"),
        (2, b"b"),
    ]
    (source / "b.csv").write_text("y,z\nb,2\n")
    with pytest.raises(ValueError, match=r"b.csv: its columns differ from those of .*a.csv by 'x'"):
        read(tmp_path, source)


def test_splits_by_time_hold_the_past_and_the_newest(tmp_path):
    source = tmp_path / "t.csv"
    source.write_text("t,x\n" + "".join(f"{t},{t % 3}\n" for t in range(100)))
    found = contents(read(tmp_path, source, {"time": "t", "starts": [70, 80]}))
    times = {
        split: sorted(
            tf.train.Example.FromString(each).features.feature["t"].int64_list.value[0]
            for each in counted
        )
        for split, counted in found.items()
    }
    assert times == {
        "train": [*range(70)],
        "validate": [*range(70, 80)],
        "eval": [*range(80, 100)],
    }


@pytest.mark.parametrize("starts", [[], ["2024-03-11", "2024-03-21T12:00:00"]])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_splits_by_time_take_days_written_as_texts(tmp_path, ending, starts):
    days = [str(datetime.date(2024, 1, 1) + datetime.timedelta(day)) for day in range(100)]
    source = tmp_path / f"t{ending}"
    if ending == ".csv":
        source.write_text("t,x\n" + "".join(f"{day},1\n" for day in days))
    else:
        pyarrow.parquet.write_table(pa.table({"t": days, "x": [1] * 100}), source)
    examples = read(tmp_path, source, {"time": "t", "starts": starts})
    rows = {"train": 70, "validate": 11, "eval": 19} if starts else None
    rows = rows or {"train": 53, "validate": 14, "eval": 33}
    assert json.loads(examples.get_string_custom_property(recorded.SPLIT_ROWS)) == rows
    begin = json.loads(examples.get_string_custom_property(recorded.SPLIT_STARTS))
    assert begin["validate"][:10] == days[rows["train"]]


@pytest.mark.parametrize(
    ("kind", "ending", "starts"),
    [
        ("float", ".csv", []),
        ("float", ".csv", [70.0, 80.0]),
        ("float", ".parquet", []),
        ("float", ".tfrecord", [70.0, 80.0]),
        ("int", ".tfrecord", []),
    ],
)
def test_splits_by_time_are_the_same_of_every_kind_and_format(tmp_path, kind, ending, starts):
    times = [*range(100), None]
    source = tmp_path / f"t{ending}"
    if ending == ".csv":
        source.write_text("t,x\n" + "".join(f"{'' if t is None else t},1\n" for t in times))
    elif ending == ".parquet":
        arrow = pa.int64() if kind == "int" else pa.float64()
        pyarrow.parquet.write_table(pa.table({"t": pa.array(times, arrow)}), source)
    else:
        with tf.io.TFRecordWriter(str(source)) as writer:
            for time in times:
                example = tf.train.Example()
                if time is not None:
                    of = "float_list" if kind == "float" else "int64_list"
                    getattr(example.features.feature["t"], of).value.append(time)
                writer.write(example.SerializeToString())
    examples = read(tmp_path, source, {"time": "t", "starts": starts, "kinds": {"t": kind}})
    # By shares the 54 oldest of 101 rows are trained on, the one without a time among them.
    rows = {"train": 71, "validate": 10, "eval": 20} if starts else None
    rows = rows or {"train": 54, "validate": 13, "eval": 34}
    assert json.loads(examples.get_string_custom_property(recorded.SPLIT_ROWS)) == rows


def test_splits_by_time_and_shares_are_cut_where_the_data_says(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_BYTES", 2_000)
    blocks = pieces.iter_blocks
    monkeypatch.setattr(pieces, "iter_blocks", functools.partial(blocks, block_bytes=500))
    source = tmp_path / "t.csv"
    # Four rows of each time, dealt out over the file; what is set apart counts for nothing.
    rows = "".join(f"{t},{t % 3}\n" for t in [*range(1_500)] * 4)
    source.write_text("t,x\n" + rows + "1,many,fields\n" * 500)
    options = {"time": "t", "kinds": {"t": "int", "x": "int"}, "max_bad_share": 0.1}
    examples = read(tmp_path, source, options)
    starts = json.loads(examples.get_string_custom_property(recorded.SPLIT_STARTS))
    assert starts == {"validate": 800, "eval": 1_000}  # 8 and 10 of 15
    times = {
        split: collections.Counter(
            tf.train.Example.FromString(each).features.feature["t"].int64_list.value[0]
            for each in counted.elements()
        )
        for split, counted in contents(examples).items()
    }
    expected = {"train": range(800), "validate": range(800, 1_000), "eval": range(1_000, 1_500)}
    assert times == {split: dict.fromkeys(found, 4) for split, found in expected.items()}
    assert len(glob.glob(f"{examples.uri}/Split-eval/*")) > 10
    source.write_text("t,x\n1,2\n")
    with pytest.raises(ValueError, match="1 rows have 1 different times, and .* would be empty"):
        read(tmp_path, source, options)


def test_tfx_driver_gives_span_version_and_a_cache_hit(tmp_path):
    for name in ("span-01/v1", "span-02/v1", "span-02/v2"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "t.csv").write_text(f"a,b\n1,{name}\n")
    run_beam_in_process()

    def run(name):
        component = ColumnarExampleGen(
            input_base=str(tmp_path / "data"),
            input_config=tfx.proto.Input(
                splits=[tfx.proto.Input.Split(name="all", pattern="span-{SPAN:2}/v{VERSION}/*")]
            ),
        ).with_id("ExampleGen")
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="reading",
            pipeline_root=str(tmp_path / "root"),
            components=[component],
            metadata_connection_config=sqlite_connection(tmp_path / "metadata.db"),
            enable_cache=True,
        )
        [result] = LocalRunner(pipeline, name).run()
        assert result.error is None
        return result.state.value

    assert [run("run-1"), run("run-2")] == ["executed", "cached"]
    [examples] = Graph(open_store(tmp_path / "metadata.db")).artifacts_of_type("Examples")
    assert (examples.properties["span"], examples.properties["version"]) == (2, 2)
    assert examples.properties["input_fingerprint"].startswith("split:all,num_files:1")
    [file] = source_files(examples)
    assert file.path.endswith("span-02/v2/t.csv") and file.rows == 1


def test_a_folder_that_is_renamed_makes_another_fingerprint(tmp_path):
    """TFX's is of numbers, sizes and times of files, which stay as they are."""
    for year in ("2024", "2025"):
        (tmp_path / "data" / f"year={year}").mkdir(parents=True)
        (tmp_path / "data" / f"year={year}" / "t.csv").write_text("a\n1\n")

    def look_up(pattern):
        config = tfx.proto.Input(splits=[tfx.proto.Input.Split(name="all", pattern=pattern)])
        return look_up_source(str(tmp_path / "data"), proto_utils.proto_to_json(config), "")

    before, flat = look_up("year=*/*.csv"), look_up("*/*.csv")
    assert look_up("year=*/*.csv") == before
    (tmp_path / "data" / "year=2025").rename(tmp_path / "data" / "year=2026")
    after = look_up("year=*/*.csv")
    assert after["input_fingerprint"] != before["input_fingerprint"]
    first, folders = before["input_fingerprint"].split("\n")
    assert first == flat["input_fingerprint"] and folders.startswith("folders:")


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_it_compiles_with_the_check_before_the_cache(tmp_path, suffix):
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image="image:1", use_pipeline_spec_2_1=True
        ),
        output_dir=str(tmp_path),
        output_filename=f"pipeline{suffix}",
    )
    component = build_example_gen(load_settings(overrides=COLUMNAR), "gs://bucket/data", "*.csv")
    runner.run(
        tfx.dsl.Pipeline(
            pipeline_name="tiny",
            pipeline_root="gs://bucket/root",
            components=[component.with_id("ExampleGen")],
        ),
        write_out=True,
    )
    text = (tmp_path / f"pipeline{suffix}").read_text()
    assert "pipeline.components.columnar_example_gen.Executor" in text
    assert "tfx.orchestration.kubeflow.v2.file_based_example_gen.driver" in text


def test_the_stock_component_stays_selectable(tmp_path):
    settings = load_settings(overrides=["data.reader=csv_example_gen"])
    assert isinstance(build_example_gen(settings, str(tmp_path), "*"), example_gen.CsvExampleGen)


@pytest.mark.parametrize("query", ["", 'SELECT * FROM "all"'])
def test_a_sample_is_the_same_rows_in_their_splits_from_any_pieces(tmp_path, monkeypatch, query):
    rows = [f"{number % 400},{number % 7}" for number in range(1000)]
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a.csv").write_text("\n".join(["x,y", *rows, ""]))
    options = {"kinds": {"x": "int", "y": "int"}, "sample": {"rows": 90, "seed": 20}}
    if query:
        options["sql"] = {"query": query, "text_columns": [], "where": "sql"}
    whole = contents(read(tmp_path / "whole", tmp_path / "t", {"kinds": options["kinds"]}))
    one = read(tmp_path / "one", tmp_path / "t", options)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 2_000)
    blocks = pieces.iter_blocks
    monkeypatch.setattr(pieces, "iter_blocks", functools.partial(blocks, block_bytes=500))
    many = read(tmp_path / "many", tmp_path / "t", options)
    assert contents(many) == contents(one)
    assert total(contents(one)).total() == 90
    assert all(found <= whole[split] for split, found in contents(one).items())
    assert one.get_string_custom_property(recorded.SAMPLE) == "90"
    assert one.get_string_custom_property(recorded.ROWS_READ) == "1000"


def test_a_sample_is_part_of_the_cache_key():
    options = [reading_options(load_settings(overrides=[f"data.sample={n}"])) for n in (5, 6)]
    assert options[0]["sample"] == {"rows": 5, "seed": 20}
    assert options[0] != options[1]
    assert "sample" not in reading_options(load_settings())
