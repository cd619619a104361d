"""The network, its search and its export, on a few hundred real trips.

The transform graph and the transformed examples are made once by the real preprocessing_fn.
"""

import importlib.util
import json
import random
import shutil
import types

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.coders.example_proto_coder import ExampleProtoCoder
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils
from tfx.components.trainer import executor as trainer_executor
from tfx.components.tuner import executor as tuner_executor
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from data.taxi import taxi_csv_path
from models import trainer, tuner
from models.heads import BinaryHead
from models.hyperparameters import read_hyperparameters, search_space
from models.input_data import read_batches, survey_labels
from models.network import build_model
from models.signatures import export_model
from models.warm_start import begin_with
from pipeline import user_code
from pipeline.settings.load import load_settings
from preprocessing.features import parse_features
from preprocessing.labels import Flag
from preprocessing.transform import preprocessing_fn
from schema.curated import load_schema, schema_path

ROWS = 400
HYPERPARAMETERS = {
    "learning_rate": 0.003,
    "dropout": 0.2,
    "width": 16,
    "depth": 2,
    "embedding_size": 4,
}


@pytest.fixture(scope="module")
def settings():
    return load_settings(
        overrides=[
            "training.steps=6",
            "training.evaluate_every=3",
            "training.batch_size=64",
            "tuning.trials=2",
            "tuning.steps=3",
        ]
    )


@pytest.fixture(scope="module")
def config(settings):
    return settings.section("task", "features", "label", "training", "tuning", "seed")


@pytest.fixture(scope="module")
def raw(settings):
    """Raw rows by the curated schema, as lists of zero or one value, and their feature spec."""
    spec = schema_utils.schema_as_feature_spec(
        load_schema(schema_path("taxi", settings.path.parent))
    ).feature_spec
    trips = pd.read_csv(taxi_csv_path()).sample(ROWS, random_state=1)
    convert = {tf.int64: int, tf.float32: float, tf.string: str}
    rows = [
        {n: [] if pd.isna(row[n]) else [convert[s.dtype](row[n])] for n, s in spec.items()}
        for row in trips.to_dict("records")
    ]
    return spec, rows


@pytest.fixture(scope="module")
def transformed(raw, config, tmp_path_factory):
    return transform(raw, config, tmp_path_factory.mktemp("transformed"))


def transform(raw, config, folder):
    """Folders as TFX lays them out: `graph` and `examples`, a gzipped TFRecord."""
    spec, rows = raw
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    with tft_beam.Context(temp_dir=str(folder / "tmp")):
        (data, out), transform_fn = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, config)
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "graph"))
    metadata_io.write_metadata(metadata, str(folder / "graph" / "metadata"))  # as TFX does
    coder = ExampleProtoCoder(out.schema)
    path = str(folder / "examples.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for row in data:
            writer.write(coder.encode(row))
    return types.SimpleNamespace(graph=str(folder / "graph"), examples=path, rows=data)


def fn_args(config, transformed, folder, **more):
    return types.SimpleNamespace(
        custom_config=config,
        transform_graph_path=transformed.graph,
        train_files=[transformed.examples],
        eval_files=[transformed.examples],
        working_dir=str(folder / "work"),
        serving_model_dir=str(folder / "model"),
        model_run_dir=str(folder / "run"),
        **more,
    )


def encode(spec, row, without=()):
    """A serialized tf.Example of a raw row, as a client would send it."""
    kinds = {tf.int64: "int64_list", tf.float32: "float_list", tf.string: "bytes_list"}
    example = tf.train.Example()
    for name, values in row.items():
        if name not in without and values:
            values = [v.encode() if isinstance(v, str) else v for v in values]
            getattr(example.features.feature[name], kinds[spec[name].dtype]).value.extend(values)
    return example.SerializeToString()


def test_network_reads_every_feature_and_answers_probabilities(config, transformed):
    features = parse_features(config["features"])
    keras.utils.set_random_seed(1)
    model = build_model(features, HYPERPARAMETERS)
    outputs = {f.output for f in (*features.numeric, *features.categories)}
    assert {tensor.name for tensor in model.inputs} == outputs
    batches = read_batches(
        [transformed.examples], tft.TFTransformOutput(transformed.graph), "tips_xf", 64
    )
    inputs, labels = next(iter(batches))
    answers = model(inputs).numpy()
    assert answers.shape == labels.shape == (64, 1)
    assert ((answers > 0) & (answers < 1)).all()


def test_every_feature_moves_the_answer_and_none_reads_another_ones_row(config):
    """The shared table gives each index of each feature a row of its own."""
    features = parse_features(config["features"])
    model = build_model(features, HYPERPARAMETERS)
    count = sum(f.index_count for f in features.categories)
    model.get_layer("wide").set_weights([np.arange(count, dtype=np.float32)[:, None]])
    names = [tensor.name for tensor in model.inputs]
    wide = keras.Model(model.inputs, model.get_layer("wide").output)
    highest = {f.output: np.array([[f.index_count - 1]]) for f in features.categories}
    numbers = {f.output: np.zeros((1, 1), np.float32) for f in features.numeric}
    rows = wide({name: (highest | numbers)[name] for name in names}).numpy().ravel()
    assert rows.tolist() == (np.cumsum([f.index_count for f in features.categories]) - 1).tolist()


def test_one_training_step_changes_all_weights_and_the_seed_repeats_it(config, transformed):
    def train_once(seed):
        keras.utils.set_random_seed(seed)
        model = build_model(parse_features(config["features"]), HYPERPARAMETERS)
        before = [w.numpy().copy() for w in model.trainable_variables]
        graph = tft.TFTransformOutput(transformed.graph)
        data = read_batches([transformed.examples], graph, "tips_xf", 64, shuffle_seed=seed)
        model.fit(data.take(1), verbose=0)
        return before, [w.numpy() for w in model.trainable_variables]

    before, after = train_once(3)
    assert all((b != a).any() for b, a in zip(before, after, strict=True))
    _, again = train_once(3)
    for one, other in zip(after, again, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)  # sums of threads may differ in order
    _, otherwise = train_once(4)
    assert any((one != other).any() for one, other in zip(after, otherwise, strict=True))


def test_with_a_seed_of_its_own_nothing_is_drawn_that_others_draw_from(config, transformed):
    graph = tft.TFTransformOutput(transformed.graph)
    data = read_batches([transformed.examples], graph, "tips_xf", 64)
    trained = []
    for others in (1, 2):  # as where a thread of another node has drawn something
        random.seed(others)
        before = random.getstate()
        model = build_model(parse_features(config["features"]), HYPERPARAMETERS, seed=7)
        assert random.getstate() == before
        model.fit(data.take(3), verbose=0)
        trained.append([w.numpy() for w in model.trainable_variables])
    for one, other in zip(*trained, strict=True):
        assert one.tobytes() == other.tobytes()
    another = build_model(parse_features(config["features"]), HYPERPARAMETERS, seed=8)
    first = build_model(parse_features(config["features"]), HYPERPARAMETERS, seed=7)
    kernels = [[w.numpy() for w in m.trainable_variables if w.path.endswith("kernel")]
               for m in (first, another)]  # fmt: skip
    assert len(kernels[0]) > 1
    assert not any(np.array_equal(*pair) for pair in zip(*kernels, strict=True))


def test_shuffling_keeps_every_row_and_changes_the_order(transformed):
    graph = tft.TFTransformOutput(transformed.graph)

    def fares(**how):
        batches = read_batches([transformed.examples], graph, "tips_xf", 32, **how)
        return [x for inputs, _ in batches for x in inputs["fare_scaled_xf"].numpy().ravel()]

    plain, shuffled = fares(), fares(shuffle_seed=5)
    assert len(plain) == ROWS
    assert plain == fares()
    assert plain != shuffled == fares(shuffle_seed=5)
    assert sorted(plain) == sorted(shuffled)


def test_trainer_exports_what_it_trained_and_reports_it(config, transformed, tmp_path):
    space = search_space(config["tuning"]["search"])
    args = fn_args(config, transformed, tmp_path, train_steps=6, hyperparameters=space.get_config())
    trainer.run_fn(args)
    signatures = tf.saved_model.load(args.serving_model_dir).signatures
    assert set(signatures) == {"serving_default", "transform_features"}
    report = json.loads((tmp_path / "run" / "training.json").read_text())
    assert report["hyperparameters"] == space.values
    assert len(report["evaluations"]["val_auc"]) == 2  # 6 steps, evaluated every 3
    assert list((tmp_path / "run").rglob("events.out.tfevents.*"))

    model = build_model(parse_features(config["features"]), space.values)
    graph = tft.TFTransformOutput(transformed.graph)
    begun = begin_with(model, args.serving_model_dir, graph, parse_features(config["features"]))
    assert begun["left"] == {}
    assert len(begun["taken"]) == len(model.trainable_variables)


@pytest.mark.parametrize(
    ("steps", "every", "epochs", "batches"),
    [
        (640, 32, 20, 32),
        (50, 32, 2, 25),
        (6, 3, 2, 3),
        (5, 100, 1, 5),
        (7, 3, 3, 2),
        (31, 31, 1, 31),
    ],
)
def test_training_takes_the_steps_that_were_asked_for(
    config, transformed, steps, every, epochs, batches
):
    assert trainer.divide_steps(steps, every) == (epochs, batches)
    assert steps - epochs < epochs * batches <= steps
    model = build_model(parse_features(config["features"]), HYPERPARAMETERS, batches)
    graph = tft.TFTransformOutput(transformed.graph)
    data = read_batches([transformed.examples], graph, "tips_xf", 64)
    trainer.fit(model, (data, data), min(epochs, 2), batches, BinaryHead().early_stopping(5))
    assert int(model.optimizer.iterations) == min(epochs, 2) * batches


def test_served_signature_equals_offline_transform_and_model(config, transformed, raw, tmp_path):
    spec, rows = raw
    keras.utils.set_random_seed(1)
    model = build_model(parse_features(config["features"]), HYPERPARAMETERS)
    graph = tft.TFTransformOutput(transformed.graph)
    model.fit(read_batches([transformed.examples], graph, "tips_xf", 64), verbose=0)
    export_model(model, graph, "tips", str(tmp_path))

    names = [tensor.name for tensor in model.inputs]
    offline = {n: np.array([row[n] for row in transformed.rows]) for n in names}
    expected = model.predict(offline, verbose=0)
    requests = [encode(spec, row, without=["tips"]) for row in rows]
    signatures = tf.saved_model.load(str(tmp_path)).signatures
    got = signatures["serving_default"](examples=tf.constant(requests))["probability"].numpy()
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert np.ptp(expected) > 0.01  # not all the same, or the comparison would say nothing

    # As TensorFlow Serving runs it: a session, which finds a variable by name and no other way.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        signature = loaded.signature_def["serving_default"]
        fed = {signature.inputs["examples"].name: requests}
        in_session = session.run(signature.outputs["probability"].name, fed)
    np.testing.assert_allclose(in_session, expected, atol=1e-5)

    labelled = tf.constant([encode(spec, row) for row in rows])
    features = signatures["transform_features"](examples=labelled)
    for name in [*names, "tips_xf"]:
        by_beam = np.array([row[name] for row in transformed.rows])
        np.testing.assert_allclose(features[name].numpy(), by_beam, atol=1e-5, err_msg=name)


def test_a_request_with_nothing_in_it_is_answered(config, transformed, tmp_path):
    model = build_model(parse_features(config["features"]), HYPERPARAMETERS)
    export_model(model, tft.TFTransformOutput(transformed.graph), "tips", str(tmp_path))
    serve = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    answer = serve(examples=tf.constant([b"", b""]))["probability"].numpy()
    assert answer.shape == (2, 1)
    assert np.isfinite(answer).all()


def test_early_stopping_gives_back_the_best_weights(config, transformed):
    keras.utils.set_random_seed(1)
    model = build_model(parse_features(config["features"]), HYPERPARAMETERS)
    graph = tft.TFTransformOutput(transformed.graph)
    data = read_batches([transformed.examples], graph, "tips_xf", 64)
    # Labels turned round for validation: learning makes it worse from the first step on.
    turned = data.map(lambda inputs, label: (inputs, 1 - label))
    stopping = BinaryHead().early_stopping(patience=2)
    history = trainer.fit(model, (data, turned), 50, 1, stopping).history["val_auc"]
    assert len(history) < 50
    best = model.evaluate(turned, verbose=0, return_dict=True)["auc"]
    assert best == pytest.approx(max(history), abs=1e-6)


def test_tuner_searches_the_declared_space_with_its_budget(config, transformed, tmp_path):
    args = fn_args(config, transformed, tmp_path, train_steps=3)
    result = tuner.tuner_fn(args)
    result.tuner.search(**result.fit_kwargs)
    trials = list(result.tuner.oracle.trials.values())
    assert len(trials) == config["tuning"]["trials"]
    search = config["tuning"]["search"]
    for trial in trials:
        values = trial.hyperparameters.values
        assert set(values) == set(search)
        for name in ("learning_rate", "dropout"):
            assert search[name][0] <= values[name] <= search[name][1]
        for name in ("width", "depth", "embedding_size"):
            assert values[name] in search[name]
    assert trials[0].hyperparameters.values != trials[1].hyperparameters.values
    best = result.tuner.get_best_hyperparameters()[0]
    scores = {t.score: t.hyperparameters.values for t in trials}
    assert best.values == scores[max(scores)]
    assert read_hyperparameters(best.get_config()).values == best.values


TREES = pytest.mark.skipif(
    importlib.util.find_spec("xgboost") is None, reason="XGBoost is an extra"
)
LABELS = {
    "binary": {"column": "tips", "above": {"column": "fare", "times": 0.2}},
    "multiclass": {"column": "payment_type", "classes": ["Cash", "Credit Card"], "other": "class"},
    "regression": {"column": "fare", "log": True},
}


@pytest.fixture(scope="module")
def kinds_config(settings):
    """For one transform graph: the numbers, a bucket and a vocabulary of many categories."""
    config = settings.section("task", "features", "label", "training", "tuning", "seed")
    features = {
        "numeric": {"trip_miles": {"log": True}, "trip_seconds": {"log": True}},
        "bucketized": {"trip_miles": 10},
        "vocabulary": {"company": {"size": 60, "oov_buckets": 4}},
        "categorical": {"trip_start_hour": 24},
    }
    return config | {"features": features}


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("linear", "multiclass"),
        *(pytest.param("boosted_trees", task, marks=TREES) for task in LABELS),
    ],
)
def test_every_other_kind_is_searched_trained_and_exported(kind, task, kinds_config, raw, tmp_path):
    spec, rows = raw
    config = kinds_config | {"task": task, "label": LABELS[task], "model": {"kind": kind}}
    here = transform(raw, config, tmp_path)
    search = load_settings(overrides=[f"model.kind={kind}"]).search_section()
    config = config | {"tuning": {"trials": 2, "search": search["search"]}}
    result = tuner.tuner_fn(fn_args(config, here, tmp_path, train_steps=2))
    result.tuner.search(**result.fit_kwargs)
    trials = list(result.tuner.oracle.trials.values())
    assert {frozenset(t.hyperparameters.values) for t in trials} == {frozenset(search["search"])}
    assert trials[0].hyperparameters.values != trials[1].hyperparameters.values
    best = result.tuner.get_best_hyperparameters()[0]

    args = fn_args(config, here, tmp_path, train_steps=6, hyperparameters=best.get_config())
    trainer.run_fn(args)
    report = json.loads((tmp_path / "run" / "training.json").read_text())
    assert report["hyperparameters"] == best.values
    watched = report["evaluations"][report["monitor"]]
    assert watched[report["best"]] == {"max": max, "min": min}[report["mode"]](watched)

    serve = tf.saved_model.load(args.serving_model_dir).signatures["serving_default"]
    column = LABELS[task]["column"]
    requests = [encode(spec, row, without=[column]) for row in rows]
    together = serve(examples=tf.constant(requests))
    for name, answers in together.items():
        alone = [serve(examples=tf.constant([each]))[name].numpy() for each in requests[:20]]
        if answers.dtype == tf.string:
            assert (np.concatenate(alone) == answers.numpy()[:20]).all()
        else:
            # Sums of a batch and of a row may differ in the last bits.
            np.testing.assert_allclose(
                np.concatenate(alone), answers.numpy()[:20], rtol=1e-5, atol=1e-6
            )
            assert np.ptp(answers.numpy()) > 1e-3


@pytest.fixture
def artifacts(transformed, tmp_path):
    """Transform's outputs as TFX hands them to Tuner and Trainer."""
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path / "examples")
    examples.split_names = '["train", "validate"]'
    examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)
    for split in ("train", "validate"):
        (tmp_path / "examples" / f"Split-{split}").mkdir(parents=True)
        shutil.copy(transformed.examples, tmp_path / "examples" / f"Split-{split}" / "data.gz")
    graph = standard_artifacts.TransformGraph()
    graph.uri = transformed.graph
    return {"examples": [examples], "transform_graph": [graph]}


def output(artifact, folder):
    artifact.uri = str(folder)
    folder.mkdir()
    return [artifact]


def arguments(config, steps, **more):
    return {
        "train_args": json.dumps({"splits": ["train"], "num_steps": steps}),
        "eval_args": json.dumps({"splits": ["validate"]}),
        "custom_config": json.dumps(config),
        **more,
    }


def test_the_executors_of_tuner_and_trainer_work_together(config, artifacts, tmp_path):
    """TFX's own executors, by the dotted paths that the pipeline names."""
    context = BaseExecutor.Context(tmp_dir=str(tmp_path / "tmp"), unique_id="1")
    best = output(standard_artifacts.HyperParameters(), tmp_path / "best")
    results = output(standard_artifacts.TunerResults(), tmp_path / "results")
    tuner_executor.Executor(context).Do(
        artifacts,
        {"best_hyperparameters": best, "tuner_results": results},
        arguments(config, 3, tuner_fn=user_code.TUNER_FN, tune_args=None),
    )
    tried = json.loads((tmp_path / "results" / "tuner_results.json").read_text())
    assert len(tried) == config["tuning"]["trials"]

    model = output(standard_artifacts.Model(), tmp_path / "model")
    model_run = output(standard_artifacts.ModelRun(), tmp_path / "model_run")
    trainer_executor.GenericExecutor(context).Do(
        artifacts | {"hyperparameters": best},
        {"model": model, "model_run": model_run},
        arguments(config, 6, run_fn=user_code.RUN_FN),
    )
    assert (tmp_path / "model" / "Format-Serving" / "saved_model.pb").is_file()
    report = json.loads((tmp_path / "model_run" / "training.json").read_text())
    best_score = max(trial["score"] for trial in tried)
    [winner] = [trial for trial in tried if trial["score"] == best_score][:1]
    assert report["hyperparameters"] == {name: winner[name] for name in config["tuning"]["search"]}


def test_a_label_that_preprocessing_has_not_returned_is_named(transformed):
    graph = tft.TFTransformOutput(transformed.graph)
    start = r"^preprocessing_fn: has not returned "
    with pytest.raises(ValueError, match=start + "tip_xf; expected .*, tips_xf") as raised:
        read_batches([transformed.examples], graph, "tip_xf", 64)
    assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match=start + "tip_weight_xf; "):
        read_batches([transformed.examples], graph, "tips_xf", 64, weight="tip_weight_xf")
    with pytest.raises(ValueError, match=start + "fares_xf; "):
        survey_labels([transformed.examples], graph, Flag("fares"))
