"""Settings: a wrong file or `--set` gets one exact line per problem; a right one is read whole.

Expected lines are written out; `FILE` stands for the path as it was given.
"""

import re
from pathlib import Path

import pydantic
import pytest
import yaml

from fareline.errors import SettingsError
from fareline.yaml_text import load_yaml
from pipeline.rules.settings import require_sound_settings
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH, Settings
from schema.curated import column_types, columns_in_environment, load_schema, schema_path
from tests.told import without_origin

OTHER_SOURCES = dict.fromkeys(("csv", "files", "sql", "bigquery", "csv_format")) | {"missing": {}}
MINIMAL = """\
name: trips
task: binary
seed: 1
data:
  source: {csv: trips}
  splits: {train: 2, validate: 1, eval: 1}
schema: contract.pbtxt
features:
  numeric: {fare: {}}
label:
  column: tips
  above: {column: fare, times: 0.2}
tuning:
  trials: 1
  steps: 2
  search:
    learning_rate: [0.001, 0.01]
    dropout: [0.1, 0.4]
    width: [8]
    depth: [1]
    embedding_size: [4]
training: {steps: 4, batch_size: 8, evaluate_every: 2, patience: 1}
evaluation:
  thresholds: {auc: {at_least: 0.5}}
"""
TOP = (
    "name, pipeline, task, seed, data, schema, gate, drift, features, label, weighting, code, "
    "model, transform, tuning, training, evaluation, serving, feedback, monitoring, loop, push, "
    "card, metadata, beam, runners"
)
TASKS = "expected 'binary', 'multiclass' or 'regression'"
SECTION = "expected a section with settings of its own"
SEE = "Hint: see pipeline/configs/taxi.yaml"
# Of every task; which of them a task has is checked later, in words of its own.
METRICS = (
    "auc, pr_auc, accuracy, log_loss, macro_auc, micro_auc, macro_recall, rmse, mae, r2, "
    "calibration, example_count"
)
COPY = "Hint: copy pipeline/configs/taxi.yaml and change that"


def write(folder, text, name="mine.yaml"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path=DEFAULT_PATH, *overrides):
    with pytest.raises(SettingsError) as caught:
        load_settings(path, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(path), "FILE")


def told(path, *overrides):
    """The same without whom it blames, which is tested in test_blame.py."""
    return without_origin(refusal(path, *overrides).replace("FILE", str(DEFAULT_PATH)))


# One wrong value, given with --set on the default settings.


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (
            "trainin.steps=3",
            f"trainin: unknown setting; did you mean training? expected one of {TOP}.",
        ),
        ("schema_=taxi", f"schema_: unknown setting; did you mean schema? expected one of {TOP}."),
        ("pipeline=half", "pipeline: found 'half'; expected 'whole', 'data' or 'training'."),
        ("zebra=3", f"zebra: unknown setting; expected one of {TOP}."),
        (
            "training.step=3",
            "training.step: unknown setting; did you mean steps? "
            "expected one of steps, batch_size, evaluate_every, patience, warm_start.",
        ),
        (
            "data.source.cvs=trips",
            "data.source.cvs: unknown setting; did you mean csv? "
            "expected one of dataset, csv, files, sql, bigquery, csv_format, missing.",
        ),
        (
            "data.splits.validate_=3",
            "data.splits.validate_: unknown setting; did you mean validate? "
            "expected one of train, validate, eval, more.",
        ),
        (
            "features.nummeric={fare: {}}",
            "features.nummeric: unknown setting; did you mean numeric? "
            "expected one of numeric, bucketized, vocabulary, categorical.",
        ),
        (
            "features.numeric.fare.logg=true",
            "features.numeric.fare.logg: unknown setting; did you mean log? expected one of log.",
        ),
        (
            "features.vocabulary.company.sise=3",
            "features.vocabulary.company.sise: unknown setting; did you mean size? "
            "expected one of size, oov_buckets.",
        ),
        (
            "evaluation.thresholds.acu.at_least=0.9",
            "evaluation.thresholds.acu: unknown setting; did you mean auc? "
            f"expected one of {METRICS}.",
        ),
        (
            "evaluation.thresholds.auc.at_lest=0.9",
            "evaluation.thresholds.auc.at_lest: unknown setting; did you mean at_least? "
            "expected one of at_least, at_most, at_most_below_baseline.",
        ),
        (
            "serving.latency=3",
            "serving.latency: unknown setting; did you mean latency_ms? expected one of "
            "examples, load_seconds, rpc_seconds, tolerance, latency_ms, memory_mb, size_mb, "
            "log_exclude.",
        ),
        (
            "card.intended=demo",
            "card.intended: unknown setting; did you mean intended_use? expected one of title, "
            "owner, intended_use, out_of_scope, data, considerations, license.",
        ),
    ],
)
def test_unknown_setting_names_the_nearest_and_the_known(override, line):
    assert told(DEFAULT_PATH, override) == line


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("name=5", "name: found 5; expected a text."),
        ("seed=x", "seed: found 'x'; expected a whole number."),
        ("seed=true", "seed: found True; expected a whole number."),
        ("data=5", f"data: found 5; {SECTION}."),
        ("data.source=null", f"data.source: found None; {SECTION}."),
        ("data.source.csv=5", "data.source.csv: found 5; expected a text."),
        ("data.max_bad_share=2", "data.max_bad_share: found 2; expected at most 1."),
        (
            "data.splits.more={Hold out: 1}",
            "data.splits.more.Hold out.[key]: found 'Hold out'; expected lower-case letters, "
            "digits and hyphens, not first a hyphen.",
        ),
        (
            "data.splits.more={eval: 1}",
            "data.splits.more: found {'eval': 1}; expected names other than eval.",
        ),
        (
            "data.split_by={hash: [company], time: trip_start_timestamp}",
            "data.split_by: found {'hash': ['company'], 'time': 'trip_start_timestamp'}; expected "
            "exactly one of hash and time.",
        ),
        ("schema=5", "schema: found 5; expected a text."),
        ("features.numeric=fare", f"features.numeric: found 'fare'; {SECTION}."),
        ("features.numeric.fare=null", f"features.numeric.fare: found None; {SECTION}."),
        (
            "features.numeric.fare.log=much",
            "features.numeric.fare.log: found 'much'; expected true or false.",
        ),
        (
            "features.bucketized.fare=2.5",
            "features.bucketized.fare: found 2.5; expected a whole number.",
        ),
        (
            "features.bucketized.fare='40'",
            "features.bucketized.fare: found '40'; expected a whole number.",
        ),
        ("label.above=fare", f"label.above: found 'fare'; {SECTION}."),
        ("label.above.times=x", "label.above.times: found 'x'; expected a number."),
        ("label.above.times=true", "label.above.times: found True; expected a number."),
        ("transform.statistics=3", "transform.statistics: found 3; expected true or false."),
        (
            "tuning.policy=sometimes",
            "tuning.policy: found 'sometimes'; expected 'always', 'on_drift' or 'never'.",
        ),
        (
            "tuning.policy=never",
            "tuning.hyperparameters: found None; expected learning_rate, dropout, width, depth, "
            "embedding_size with tuning.policy never.",
        ),
        (
            "tuning.hyperparameters={learning_rate: 0.01, dropout: 0, width: 8, depth: 1, "
            "embedding_size: 4}",
            "tuning.hyperparameters: found {'learning_rate': 0.01, 'dropout': 0, 'width': 8, "
            "'depth'...; expected null with tuning.policy always, which searches for them.",
        ),
        (
            "tuning={policy: never, trials: 1, steps: 1, search: {learning_rate: [0.001, 0.01], "
            "dropout: [0, 1], width: [8], depth: [1], embedding_size: [4]}, hyperparameters: "
            "{learning_rate: 2, dropout: 1, width: 1.5, depth: 0, embedding_size: null, deep: 1}}",
            "tuning.hyperparameters.learning_rate: found 2; expected at most 1.\n"
            "tuning.hyperparameters.dropout: found 1; expected less than 1.\n"
            "tuning.hyperparameters.width: found 1.5; expected a whole number.\n"
            "tuning.hyperparameters.depth: found 0; expected at least 1.\n"
            "tuning.hyperparameters.embedding_size: found None; expected a whole number.\n"
            "tuning.hyperparameters.deep: unknown setting; did you mean depth? expected one "
            "of learning_rate, dropout, width, depth, embedding_size.",
        ),
        (
            "tuning.search.dropout=0.1",
            "tuning.search.dropout: found 0.1; expected a list [low, high].",
        ),
        ("tuning.search.dropout=[a, 1]", "tuning.search.dropout.0: found 'a'; expected a number."),
        ("tuning.search.width=32", "tuning.search.width: found 32; expected a list."),
        (
            "tuning.search.width=[32, x]",
            "tuning.search.width.1: found 'x'; expected a whole number.",
        ),
        ("training.steps=640.0", "training.steps: found 640.0; expected a whole number."),
        ("training.steps=", "training.steps: found None; expected a whole number."),
        (
            "evaluation.slices=[trip_start_hour]",
            "evaluation.slices.0: found 'trip_start_hour'; expected a list.",
        ),
        (
            "evaluation.thresholds.auc=0.9",
            f"evaluation.thresholds.auc: found 0.9; {SECTION}.",
        ),
        (
            "evaluation.thresholds.auc.at_most=true",
            "evaluation.thresholds.auc.at_most: found True; expected a number.",
        ),
        ("serving.size_mb=big", "serving.size_mb: found 'big'; expected a number."),
        ("push.destination=5", "push.destination: found 5; expected a text."),
    ],
)
def test_wrong_type(override, line):
    assert told(DEFAULT_PATH, override) == line


@pytest.mark.parametrize(
    ("override", "line"),
    [
        (
            "name=Chicago",
            "name: found 'Chicago'; expected lower-case letters, digits and hyphens, "
            "not first a hyphen.",
        ),
        (
            "name=taxi-data",
            "name: found 'taxi-data'; expected a name without -data at its end, since taxi-data is "
            "the data pipeline of settings with the name taxi.",
        ),
        ("task=multi", f"task: found 'multi'; {TASKS}."),
        ("seed=-1", "seed: found -1; expected at least 0."),
        ("seed=4294967296", "seed: found 4294967296; expected less than 4294967296."),
        (
            "data.source.dataset=boston",
            "data.source.dataset: found 'boston'; expected 'chicago_taxi'.",
        ),
        ("data.splits.train=0", "data.splits.train: found 0; expected at least 1."),
        ("features={}", "features: found {}; expected at least one feature."),
        ("features.bucketized.fare=1", "features.bucketized.fare: found 1; expected at least 2."),
        (
            "features.categorical.trip_start_hour=0",
            "features.categorical.trip_start_hour: found 0; expected at least 1.",
        ),
        ("label.above.times=-1", "label.above.times: found -1; expected at least 0."),
        ("label.above.times=.nan", "label.above.times: found nan; expected a finite number."),
        (
            "tuning.search.learning_rate=[0.01, 0.001]",
            "tuning.search.learning_rate: found [0.01, 0.001]; "
            "expected [low, high] with 1e-08 <= low < high <= 1.",
        ),
        (
            "tuning.search.dropout=[0, 1.5]",
            "tuning.search.dropout: found [0, 1.5]; "
            "expected [low, high] with 0 <= low < high <= 1.",
        ),
        (
            "tuning.search.dropout=[0.1, 0.2, 0.3]",
            "tuning.search.dropout: found [0.1, 0.2, 0.3]; expected a list of at most 2.",
        ),
        ("tuning.search.width=[]", "tuning.search.width: found []; expected a list of at least 1."),
        ("tuning.search.width=[0]", "tuning.search.width.0: found 0; expected at least 1."),
        ("evaluation.slices=[[]]", "evaluation.slices.0: found []; expected a list of at least 1."),
        (
            "evaluation.thresholds.auc.at_least=1.5",
            "evaluation.thresholds.auc.at_least: found 1.5; expected at most 1.",
        ),
        (
            "evaluation.thresholds.pr_auc.at_least=-0.1",
            "evaluation.thresholds.pr_auc.at_least: found -0.1; expected at least 0.",
        ),
        (
            "evaluation.thresholds.accuracy.at_most=2",
            "evaluation.thresholds.accuracy.at_most: found 2; expected at most 1.",
        ),
        (
            "evaluation.thresholds.auc.at_most_below_baseline=-0.01",
            "evaluation.thresholds.auc.at_most_below_baseline: found -0.01; expected at least 0.",
        ),
        (
            "evaluation.thresholds.calibration={at_least: 1.2, at_most: 0.8}",
            "evaluation.thresholds.calibration: found {'at_least': 1.2, 'at_most': 0.8}; "
            "expected at_least not above at_most.",
        ),
        (
            "evaluation.thresholds.auc={}",
            "evaluation.thresholds.auc: found {}; "
            "expected at_least, at_most or at_most_below_baseline.",
        ),
        (
            "evaluation.thresholds={}",
            "evaluation.thresholds: found {}; expected a threshold for at least one of "
            f"{METRICS}.",
        ),
        (
            "data.source={csv: /trips, dataset: chicago_taxi}",
            "data.source: found {'csv': '/trips', 'dataset': 'chicago_taxi'}; "
            "expected exactly one of dataset, csv, files, sql and bigquery.",
        ),
        (
            "serving.latency_ms.batch_1.p95=0",
            "serving.latency_ms.batch_1.p95: found 0; expected more than 0.",
        ),
        ("serving.examples=0", "serving.examples: found 0; expected at least 1."),
        (
            f"task={'x' * 80}",
            f"task: found '{'x' * 56}...; {TASKS}.",
        ),
    ],
)
def test_out_of_range(override, line):
    assert told(DEFAULT_PATH, override) == line


@pytest.mark.parametrize(
    ("override", "read", "value"),
    [
        ("seed=4294967295", lambda s: s.seed, 4294967295),
        ("label.above.times=0", lambda s: s.label.above.times, 0.0),
        ("features.bucketized.fare=2", lambda s: s.features.bucketized["fare"], 2),
        ("evaluation.thresholds.auc.at_least=1", lambda s: s.evaluation.thresholds.auc.at_least, 1),
        (
            "evaluation.thresholds.calibration.at_most=2",
            lambda s: s.evaluation.thresholds.calibration.at_most,
            2.0,
        ),
        # YAML 1.1 reads 1e-3 as a text; whoever writes it means a number.
        (
            "tuning.search.learning_rate=[1e-3, 1e-2]",
            lambda s: s.tuning.search.learning_rate,
            (0.001, 0.01),
        ),
        ("tuning.search.dropout=[0, 1]", lambda s: s.tuning.search.dropout, (0.0, 1.0)),
        ("schema=null", lambda s: s.schema_, None),
    ],
)
def test_the_edges_of_the_ranges_are_allowed(override, read, value):
    assert read(load_settings(DEFAULT_PATH, [override])) == value


# Stores.


@pytest.mark.parametrize(
    ("uri", "kept"),
    [
        ("mysql://me@db.example/runs", "mysql://me@db.example/runs"),
        ("mysql://me@localhost:3306/runs", "mysql://me@localhost/runs"),
        ("postgresql://me@db:5433/my-runs", "postgresql://me@db:5433/my-runs"),
    ],
)
def test_a_server_for_the_runs(uri, kept):
    assert load_settings(DEFAULT_PATH, [f"metadata.store={uri}"]).metadata.store == kept


@pytest.mark.parametrize(
    ("uri", "line"),
    [
        (
            "sqlite:/tmp/metadata.db",
            "found 'sqlite:/tmp/metadata.db'; expected mysql://… or postgresql://…; null is the "
            "workspace's own file.",
        ),
        (
            "mysql://me:s3cret@db/runs",
            "found 'mysql://me:***@db/runs'; it holds a password; expected sqlite:PATH, "
            "mysql://USER@HOST[:PORT]/DATABASE or postgresql://USER@HOST[:PORT]/DATABASE. Hint: "
            "set MYSQL_PWD in the environment instead: a URI ends up in logs, shell histories and "
            "the store.",
        ),
        (
            "redis://me@db/runs",
            "found 'redis://me@db/runs'; unknown scheme redis; expected sqlite:PATH, "
            "mysql://USER@HOST[:PORT]/DATABASE or postgresql://USER@HOST[:PORT]/DATABASE. Hint: "
            "check for a typing mistake; docs/stores.md has examples.",
        ),
    ],
)
def test_a_store_that_runs_cannot_have(uri, line):
    with pytest.raises(SettingsError) as caught:
        load_settings(DEFAULT_PATH, [f"metadata.store={uri}", "training.steps=0"])
    lines = str(caught.value).splitlines()
    assert lines == [
        "--set training.steps: found 0; expected at least 1.",
        f"--set metadata.store: {line}",
    ]


# Files.


def test_a_key_that_is_no_text_with_a_list_behind_it():
    with pytest.raises(SettingsError) as caught:
        load_settings(DEFAULT_PATH, ["evaluation.slice_thresholds={no: []}"])
    where = "--set evaluation.slice_thresholds: evaluation.slice_thresholds.0"
    assert str(caught.value).splitlines() == [
        f"{where}: found []; {SECTION}.",
        f"{where}.[key]: found False; expected a text.",
    ]


def test_several_problems_at_once_in_the_order_of_the_file(tmp_path):
    path = write(
        tmp_path,
        """\
seed: x
nam: trips
evaluation: {thresholds: {auc: {at_least: 1.5, at_lest: 1}}}
training: {patience: 0, stepz: 3, steps: 0, batch_size: 8}
data: {source: {dataset: chicago_taxi}, splits: {train: 1, validate: 1, eval: 1}}
task: regressio
features: {numeric: {fare: {lo: 1}}}
""",
    )
    assert refusal(path).splitlines() == [
        "FILE: seed: found 'x'; expected a whole number.",
        f"FILE: nam: unknown setting; did you mean name? expected one of {TOP}.",
        "FILE: evaluation.thresholds.auc.at_least: found 1.5; expected at most 1.",
        "FILE: evaluation.thresholds.auc.at_lest: unknown setting; did you mean at_least? "
        "expected one of at_least, at_most, at_most_below_baseline.",
        "FILE: training.patience: found 0; expected at least 1.",
        "FILE: training.stepz: unknown setting; did you mean steps? "
        "expected one of steps, batch_size, evaluate_every, patience, warm_start.",
        "FILE: training.steps: found 0; expected at least 1.",
        f"FILE: task: found 'regressio'; {TASKS}.",
        "FILE: features.numeric.fare.lo: unknown setting; did you mean log? expected one of log.",
        f"FILE: name: missing; expected a value. {SEE}.",
        f"FILE: label: missing; expected a value. {SEE}.",
    ]


def test_missing_sections_are_named_whole(tmp_path):
    assert refusal(write(tmp_path, "{}")).splitlines() == [
        f"FILE: {name}: missing; expected a value. {SEE}."
        for name in ("name", "data", "features", "label")
    ]


def test_a_missing_end_of_a_range(tmp_path):
    path = write(tmp_path, MINIMAL.replace("[0.1, 0.4]", "[0.1]"))
    assert refusal(path) == f"FILE: tuning.search.dropout.1: missing; expected a value. {SEE}."


@pytest.mark.parametrize(
    ("content", "found", "expected"),
    [
        ("", "the file is empty", "expected sections of settings"),
        ("# nothing but a comment\n", "the file is empty", "expected sections of settings"),
        ("- name\n- task\n", "found a list", "expected sections of settings"),
        ("name", "found a single value", "expected sections of settings"),
        (
            "name: a\ndata: [\n",
            "expected the node content, but found '<stream end>' in line 3",
            "expected YAML in UTF-8",
        ),
        ("seed: !!int ''\n", "string index out of range", "expected YAML in UTF-8"),
        ("seed: 2026-13-45\n", "month must be in 1..12", "expected YAML in UTF-8"),
        ("? {a: 1}\n: 1\n", "found unhashable key in line 1", "expected YAML in UTF-8"),
        (
            "name: a\n\tseed: 1\n",
            "found character '\\t' that cannot start any token in line 2",
            "expected YAML in UTF-8",
        ),
        (
            b"name: caf\xe9\n",
            "'utf-8' codec can't decode byte 0xe9 in position 9: invalid continuation byte",
            "expected YAML in UTF-8",
        ),
        (
            "name: !!python/object/apply:os.getcwd []\n",
            "could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object/apply:os.getcwd' in line 1",
            "expected YAML in UTF-8",
        ),
    ],
)
def test_a_file_that_is_no_settings_file(tmp_path, content, found, expected):
    assert refusal(write(tmp_path, content)) == f"FILE: {found}; {expected}. {COPY}."


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("name: a\nname: b\n", "'name' again in line 2"),
        ("features:\n  numeric: {a: {}}\n  numeric: {b: {}}\n", "'numeric' again in line 3"),
        ("features: {numeric: {a: {}, b: {}, a: {}}}\n", "'a' again in line 1"),
        ('name: a\n"name": b\n', "'name' again in line 2"),
        ("data:\n- {a: 1, a: 2}\n", "'a' again in line 2"),
    ],
)
def test_a_key_that_stands_twice(tmp_path, content, found):
    said = f"FILE: found {found}; expected each setting once. Hint: join the two."
    assert refusal(write(tmp_path, content)) == said


def test_a_key_that_stands_twice_in_a_set():
    with pytest.raises(SettingsError, match="--set training.*: found 'steps' again; expected each"):
        load_settings(overrides=["training={steps: 1, steps: 2}"])


def test_a_merge_may_repeat_what_it_brings():
    assert load_yaml("a: &a {x: 1, y: 1}\nb: {<<: *a, x: 2}\nc: {<<: *a, x: 3}\nd: *a") == {
        "a": {"x": 1, "y": 1}, "b": {"x": 2, "y": 1}, "c": {"x": 3, "y": 1}, "d": {"x": 1, "y": 1}
    }  # fmt: skip


def test_a_key_that_is_no_text(tmp_path):
    path = write(tmp_path, MINIMAL + "5: x\n")
    assert refusal(path) == "FILE: 5: found 5; expected a text."


def test_a_file_that_cannot_be_read(tmp_path):
    assert refusal(tmp_path / "absent.yaml") == (
        f"FILE: cannot be read (No such file or directory); expected a settings file. {COPY}."
    )
    assert refusal(tmp_path) == (
        f"FILE: cannot be read (Is a directory); expected a settings file. {COPY}."
    )


def test_a_minimal_file_takes_the_defaults(tmp_path):
    path = write(tmp_path, MINIMAL)
    settings = load_settings(path)
    assert settings.path == path
    assert settings.section("serving", "push", "transform") == {
        "serving": {
            "examples": 32,
            "load_seconds": 60.0,
            "rpc_seconds": 10.0,
            "tolerance": 1e-4,
            "latency_ms": {
                "batch_1": {"p50": 100.0, "p95": 400.0, "p99": 1000.0},
                "batch_32": {"p50": 200.0, "p95": 800.0, "p99": 2000.0},
            },
            "memory_mb": 2048.0,
            "size_mb": 512.0,
            "log_exclude": [],
        },
        "push": {
            "destination": None,
            "keep_versions": None,
            "vertex": None,
            "destinations": ["folder"],
            "when": [],
        },
        "transform": {"statistics": False},
    }
    assert settings.evaluation.slices == []


def test_yaml_anchors(tmp_path):
    text = MINIMAL.replace("width: [8]", "width: &one [8]").replace("depth: [1]", "depth: *one")
    search = load_settings(write(tmp_path, text)).tuning.search
    assert (search.width, search.depth) == ([8], [8])


# --set.


def test_set_changes_a_nested_value_and_nothing_else():
    changed = load_settings(DEFAULT_PATH, ["training.steps=50"]).model_dump()
    default = load_settings(DEFAULT_PATH).model_dump()
    assert changed.pop("training") == default.pop("training") | {"steps": 50}
    assert changed == default


def test_set_takes_lists_and_sections():
    settings = load_settings(
        DEFAULT_PATH,
        [
            "tuning.search.width=[16, 24]",
            "evaluation.slices=[[company, trip_start_day]]",
            "features={categorical: {trip_start_day: 8}}",
            "evaluation.thresholds.calibration.at_least=0.9",
            "label.column=a=b",
        ],
    )
    assert settings.tuning.search.width == [16, 24]
    assert settings.evaluation.slices == [["company", "trip_start_day"]]
    assert list(settings.features.columns()) == [
        ("features.categorical.trip_start_day", "trip_start_day")
    ]
    assert [name for name, _ in settings.evaluation.thresholds.items()] == ["auc", "calibration"]
    assert settings.label.column == "a=b"


def test_the_last_set_wins():
    assert load_settings(DEFAULT_PATH, ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    "override", ["training.steps", "=5", ".seed=5", "seed.=5", "data..x=1", ""]
)
def test_set_without_key_and_value(override):
    assert refusal(DEFAULT_PATH, override) == (
        f"--set {override}: found no KEY=VALUE; expected a dotted key and a value. "
        "Hint: write for example --set training.steps=50."
    )


@pytest.mark.parametrize("value", ["[32", "2026-13-45", "!!int ''", "[" * 2000])
def test_set_with_a_value_that_is_no_yaml(value):
    assert refusal(DEFAULT_PATH, f"tuning.search.width={value}") == (
        f"--set tuning.search.width={value}: found {value!r}; expected a YAML value. "
        "Hint: quote the value."
    )


def test_set_through_a_value_that_is_no_section():
    assert refusal(DEFAULT_PATH, "training.steps.x=5") == (
        "--set training.steps.x=5: steps is a single value; expected a section. "
        "Hint: set steps as a whole."
    )
    assert refusal(DEFAULT_PATH, "evaluation.slices.0=[company]") == (
        "--set evaluation.slices.0=[company]: slices is a list; expected a section. "
        "Hint: set slices as a whole."
    )


def test_set_of_a_csv_replaces_the_dataset(tmp_path):
    source = load_settings(DEFAULT_PATH, [f"data.source.csv={tmp_path}"]).data.source
    assert (source.csv, source.dataset) == (str(tmp_path), None)
    back = [f"data.source.csv={tmp_path}", "data.source.dataset=chicago_taxi"]
    source = load_settings(DEFAULT_PATH, back).data.source
    assert (source.csv, source.dataset) == (None, "chicago_taxi")


# Paths: those of the file start at the file, those of --set where it was typed.


def test_set_of_another_file_keeps_how_files_are_written(tmp_path):
    source = "source: {csv: trips, csv_format: {separator: ;}, missing: {'?': all}}"
    path = write(tmp_path, MINIMAL.replace("source: {csv: trips}", source))
    for override in ("data.source.csv=other", "data.source.csv_format.decimal=','"):
        found = load_settings(path, [override]).data.source
        assert (found.csv_format.separator, found.missing) == (";", {"?": "all"})
        assert found.csv is not None
    other = load_settings(path, ["data.source.files=x.parquet"]).data.source
    assert (other.csv, other.csv_format, other.missing) == (None, None, {})


@pytest.mark.parametrize("value", ["trips", "trips.csv", "./a/trips.csv", "../trips"])
def test_paths_in_the_file_start_at_its_folder(tmp_path, monkeypatch, value):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "there", MINIMAL.replace("csv: trips", f"csv: {value}"))
    settings = load_settings(Path("there/mine.yaml"))
    assert settings.data.source.csv == value
    assert settings.resolve(settings.data.source.csv) == tmp_path / "there" / value
    # Where the command is later does not matter.
    monkeypatch.chdir("/")
    assert settings.resolve(value) == tmp_path / "there" / value


@pytest.mark.parametrize("value", ["trips", "trips.csv", "a/trips.csv", "../trips"])
@pytest.mark.parametrize(
    "override",
    [
        "data.source.csv={}",
        "data.source={{csv: {}}}",
        "data={{source: {{csv: {}}}, splits: {{train: 1, validate: 1, eval: 1}}}}",
    ],
)
def test_paths_of_set_start_where_it_was_typed(tmp_path, monkeypatch, override, value):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(DEFAULT_PATH, [override.format(value)])
    assert settings.resolve(settings.data.source.csv) == tmp_path / value


def test_set_of_the_other_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(DEFAULT_PATH, ["push.destination=out", "schema=mine.pbtxt"])
    assert settings.push.destination == str(tmp_path / "out")
    assert settings.schema_ == str(tmp_path / "mine.pbtxt")


@pytest.mark.parametrize(
    "override", ["schema=taxi", "push.destination=gs://bucket/out", "push.destination=/srv/models"]
)
def test_set_leaves_names_uris_and_absolute_paths(override):
    settings = load_settings(DEFAULT_PATH, [override])
    _, _, value = override.partition("=")
    assert value in (settings.schema_, settings.push.destination)


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings(DEFAULT_PATH, ["data.source.csv=~/trips"])
    assert settings.resolve(settings.data.source.csv) == tmp_path / "trips"
    mine = load_settings(write(tmp_path, MINIMAL.replace("csv: trips", "csv: ~/trips")))
    assert mine.resolve(mine.data.source.csv) == tmp_path / "trips"


# What is loaded.


def test_settings_do_not_change_after_loading():
    settings = load_settings()
    for section, name in [
        (settings, "seed"),
        (settings.training, "steps"),
        (settings.evaluation.thresholds.auc, "at_least"),
    ]:
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            setattr(section, name, 0)
    assert (settings.seed, settings.training.steps) == (20, 640)


def test_section_gives_json_types_under_the_names_of_the_file():
    settings = load_settings()
    assert settings.section("label", "seed") == {
        "label": {"column": "tips", "above": {"column": "fare", "times": 0.2}},
        "seed": 20,
    }
    assert settings.section("tuning")["tuning"]["search"]["learning_rate"] == [0.001, 0.01]
    assert settings.section("data", "schema") == {
        "data": {
            "source": OTHER_SOURCES | {"dataset": "chicago_taxi"},
            "span": None,
            "window": 1,
            "reader": "columnar",
            "splits": {"train": 8, "validate": 2, "eval": 5, "more": {}},
            "split_by": None,
            "max_bad_share": 0.001,
            "columns": {},
            "sample": None,
            "prepared": "latest",
        },
        "schema": "taxi",
    }
    with pytest.raises(KeyError, match="trainin"):
        settings.section("trainin")


def test_shares_of_the_splits_keep_their_order():
    assert load_settings().data.splits.shares() == [("train", 8), ("validate", 2), ("eval", 5)]


def test_every_value_of_the_default_file_is_read():
    in_file = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
    in_file["data"]["source"] |= OTHER_SOURCES
    read = load_settings().model_dump(mode="json", by_alias=True)
    for bounds in read["evaluation"]["thresholds"].values():
        if bounds:
            bounds.pop("at_most")
    read["evaluation"]["thresholds"] = {
        name: bounds for name, bounds in read["evaluation"]["thresholds"].items() if bounds
    }
    assert read == in_file


def known_settings(model=Settings):
    """The names of all settings, those of entries such as a feature's `log` included."""
    for name, field in model.model_fields.items():
        yield field.alias or name
        for part in _models_in(field.annotation):
            yield from known_settings(part)


def _models_in(annotation):
    if hasattr(annotation, "model_fields"):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def test_every_setting_stands_in_the_default_file_or_in_the_page_about_tasks():
    pages = (DEFAULT_PATH, DEFAULT_PATH.parents[2] / "docs" / "tasks.md")
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    known = set(known_settings())
    assert {"name", "csv", "validate", "oov_buckets", "log", "times", "at_most", "size_mb"} <= known
    assert [name for name in sorted(known) if not re.search(rf"\b{name}\b", text)] == []


def test_a_metric_of_which_more_is_not_better_has_no_baseline_threshold():
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides=["evaluation.thresholds.calibration.at_most_below_baseline=0.1"])
    assert str(caught.value) == (
        "--set evaluation.thresholds.calibration.at_most_below_baseline: unknown "
        "setting; expected one of at_least, at_most."
    )


# Labels: each task has its rules.


@pytest.mark.parametrize(
    ("task", "label", "line"),
    [
        (
            "regression",
            "{column: fare, classes: [1, 2]}",
            "label: found {'column': 'fare', 'classes': [1, 2]}; classes is not for task "
            "regression; expected column and some of log, other.",
        ),
        (
            "multiclass",
            "{column: paid}",
            "label: found {'column': 'paid'}; expected classes, a list of the column's values.",
        ),
        (
            "multiclass",
            "{column: paid, classes: [cash]}",
            "label.classes: found ['cash']; expected a list of at least 2.",
        ),
        (
            "multiclass",
            "{column: paid, classes: [cash, cash]}",
            "label.classes: found ['cash', 'cash']; expected every class once.",
        ),
        (
            "multiclass",
            "{column: paid, classes: [cash, 2]}",
            "label.classes: found ['cash', 2]; expected either texts or whole numbers.",
        ),
        (
            "multiclass",
            "{column: paid, classes: [a, other], other: class}",
            "label: found {'column': 'paid', 'classes': ['a', 'other'], 'other': 'c...; other: "
            "class makes a class other; expected no other of that name.",
        ),
        (
            "binary",
            "{column: paid, positive: yes}",
            "label.positive: found True; expected a text or a whole number. "
            "Hint: put yes and no in quotes.",
        ),
        (
            "binary",
            "{column: paid, negative: a}",
            "label: found {'column': 'paid', 'negative': 'a'}; expected positive beside negative.",
        ),
        (
            "binary",
            "{column: paid, positive: a, negative: 2}",
            "label: found {'column': 'paid', 'positive': 'a', 'negative': 2}; "
            "expected positive and negative both texts or both whole numbers.",
        ),
        (
            "binary",
            "{column: paid, positive: a, negative: a}",
            "label: found {'column': 'paid', 'positive': 'a', 'negative': 'a'}; "
            "expected two values, positive and negative.",
        ),
        (
            "binary",
            "{column: paid, positive: a, other: class}",
            "label: found {'column': 'paid', 'positive': 'a', 'other': 'class'}; "
            "other: class is not for task binary; expected drop or error.",
        ),
        (
            "binary",
            "{column: t, above: {column: f, times: 1}, log: true}",
            "label: found {'column': 't', 'above': {'column': 'f', 'times': 1}, 'lo...; "
            "log is not for task binary; expected column and some of above, positive, negative, "
            "other.",
        ),
        (
            "binary",
            "{column: t, above: {column: f, times: 1}, other: drop}",
            "label: found {'column': 't', 'above': {'column': 'f', 'times': 1}, 'ot...; "
            "expected above without positive, negative and other.",
        ),
    ],
)
def test_a_label_that_is_none_for_the_task(task, label, line):
    assert told(DEFAULT_PATH, f"task={task}", f"label={label}") == line


def test_only_what_is_set_of_a_label_goes_into_the_cache_key():
    assert load_settings().section("task", "label") == {
        "task": "binary",
        "label": {"column": "tips", "above": {"column": "fare", "times": 0.2}},
    }


@pytest.mark.parametrize("name", ["taxi_payment", "taxi_fare"])
def test_the_other_settings_files_are_sound(name):
    settings = load_settings(DEFAULT_PATH.with_name(f"{name}.yaml"))
    contract = load_schema(schema_path(settings.schema_, settings.path.parent))
    require_sound_settings(
        settings, column_types(contract), columns_in_environment(contract, "SERVING")
    )
    # No leak by another name: what is only known afterwards.
    assert {"tips", "payment_type"} & {c for _, c in settings.features.columns()} == set()


def test_splits_by_time_name_where_all_but_the_oldest_start():
    def load(starts, more="{}"):
        return load_settings(
            overrides=[
                "data.reader=columnar",
                f"data.split_by={{time: trip_start_timestamp, starts: {starts}}}",
                f"data.splits.more={more}",
            ]
        ).data

    assert load("{eval: 9, validate: 5}").ordered_shares() == [
        ("train", 8),
        ("validate", 2),
        ("eval", 5),
    ]
    found = load("{train: 3, eval: 9, validate: 5}", "{old: 1}").ordered_shares()
    assert [name for name, _ in found] == ["old", "train", "validate", "eval"]
    by_shares = [name for name, _ in load("{}", "{old: 1}").ordered_shares()]
    assert by_shares == ["train", "validate", "old", "eval"]
    with pytest.raises(
        SettingsError,
        match=r"all but one, the oldest, of train, validate and eval; or none, for splits by their",
    ):
        load("{eval: 9}")
    with pytest.raises(SettingsError, match=r"expected no two splits to start at the same value"):
        load("{eval: 9, validate: 9}")
    days = load("{eval: 2024-02-01 06:00:00, validate: '2024-01-31T23:30-01:00'}")
    assert days.split_by.starts == {
        "eval": "2024-02-01T06:00:00",
        "validate": "2024-02-01T00:30:00",
    }
    assert [name for name, _ in days.ordered_shares()] == ["train", "validate", "eval"]
    with pytest.raises(SettingsError, match=r"starts that are all numbers, or all days and times"):
        load("{eval: 2024-02-01, validate: 5}")
    for wrong in ("soon", "true", "01.02.2024", "[1]", "null", ".nan"):
        with pytest.raises(SettingsError, match=r"starts\.eval.*expected|expected.*number"):
            load(f"{{eval: {wrong}, validate: 5}}")
    # Rows without a time are the oldest split's, and no model is chosen or judged by those.
    for starts, oldest in (
        ("{train: 3, validate: 5}", "eval"),
        ("{train: 3, eval: 5}", "validate"),
    ):
        with pytest.raises(
            SettingsError,
            match=rf"data: .*expected split_by.starts to name {oldest}, since the oldest rows, and "
            "those without a time, are for train or for none",
        ):
            load(starts)


def test_a_query_is_split_by_time_at_given_times_alone():
    query = {"query": "select 1", "files": {"t": "t.csv"}}
    by_time = ["data.reader=columnar", "data.split_by={time: trip_start_timestamp}"]
    for source in (f"data.source.sql={query}", f"data.source.bigquery={query}"):
        with pytest.raises(
            SettingsError,
            match=r"expected split_by.starts where a query is split by time: the query runs once",
        ):
            load_settings(overrides=[source, *by_time])
        given = "data.split_by.starts={validate: 5, eval: 9}"
        assert load_settings(overrides=[source, *by_time, given]).data.split_by.starts


def test_the_stock_reader_reads_csv_and_hashes_whole_rows():
    with pytest.raises(SettingsError, match=r"expected source.csv with reader csv_example_gen"):
        load_settings(overrides=["data.source.files=x.parquet", "data.reader=csv_example_gen"])
    with pytest.raises(SettingsError, match=r"expected reader columnar where sample is set"):
        load_settings(overrides=["data.sample=9", "data.reader=csv_example_gen"])
    with pytest.raises(SettingsError, match=r"expected reader columnar where split_by is set"):
        load_settings(overrides=["data.split_by={hash: [company]}", "data.reader=csv_example_gen"])
