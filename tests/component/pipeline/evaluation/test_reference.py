"""`evaluation.reference: boosting`: the same as scikit-learn by hand, from examples on disk."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import roc_auc_score

from fareline.errors import UserMistake
from fareline.recorded.evaluation import Reference, VerdictRecord
from lineage.answers.why.view import reference_lines
from pipeline.evaluation.reference import Rule, measure_boosting

SETTINGS = {
    "features": {
        "numeric": {"a": {}}, "bucketized": {"a": 4}, "vocabulary": {"c": {"size": 3}},
        "categorical": {"k": 4},
    },
    "label": {"column": "y"},
    "task": "binary",
    "seed": 3,
}  # fmt: skip
SETTINGS["features"]["vocabulary"]["c"]["oov_buckets"] = 1
N = 400


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    a, c, k = random.normal(size=N), random.integers(0, 3, N), random.integers(0, 4, N)
    score = a + (c == 1) - 0.5 * (k == 2) + random.normal(0, 0.5, N)
    return a.astype(np.float32), c, k, score.astype(np.float32)


def write(path, rows, label):
    with tf.io.TFRecordWriter(str(path), "GZIP") as file:
        for i, (a, c, k, _) in enumerate(zip(*rows, strict=True)):
            feature = {
                "c": tf.train.Feature(bytes_list={"value": [b"abc"[c : c + 1]]}),
                "k": tf.train.Feature(int64_list={"value": [k]}),
            }
            if i % 10:  # each tenth has a gap
                feature["a"] = tf.train.Feature(float_list={"value": [a]})
            feature["y"] = label(i)
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            file.write(example.SerializeToString())
    return [str(path)]


def inputs(rows):
    a, c, k, _ = rows
    a = np.where(np.arange(N) % 10 == 0, np.nan, a.astype(float))
    order = {value: place for place, value in enumerate(dict.fromkeys(c))}
    places = {value: place for place, value in enumerate(dict.fromkeys(k))}
    return np.stack([a, [order[v] for v in c], [places[v] for v in k]], axis=1)


def test_two_classes(tmp_path, rows):
    truth = (rows[3] > 0).astype(int)
    label = lambda i: tf.train.Feature(int64_list={"value": [truth[i]]})  # noqa: E731
    files = write(tmp_path / "rows.gz", rows, label)
    count, found = measure_boosting(files, files, Rule.read(SETTINGS))
    model = HistGradientBoostingClassifier(categorical_features=[1, 2], random_state=3)
    scores = model.fit(inputs(rows), truth).predict_proba(inputs(rows))[:, 1]
    assert count == N
    assert found["auc"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)
    assert found["accuracy"] == pytest.approx(((scores > 0.5) == truth).mean(), abs=1e-9)


def test_a_number_and_rows_without_one(tmp_path, rows):
    def label(i):
        values = [] if i < 50 else [rows[3][i]]
        return tf.train.Feature(float_list={"value": values})

    files = write(tmp_path / "rows.gz", rows, label)
    settings = SETTINGS | {"task": "regression", "label": {"column": "y", "other": "drop"}}
    count, found = measure_boosting(files, files, Rule.read(settings))
    model = HistGradientBoostingRegressor(categorical_features=[1, 2], random_state=3)
    x, y = inputs(rows)[50:], rows[3][50:].astype(float)
    # Its codes are numbered by the rows that have a label, or not: the trees are the same.
    answers = model.fit(x, y).predict(x)
    assert count == N - 50
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((answers - y) ** 2)), rel=1e-6)


def test_classes_in_words(tmp_path, rows):
    names = np.array(["low", "middle", "high"])[np.digitize(rows[3], [-0.5, 0.8])]
    label = lambda i: tf.train.Feature(bytes_list={"value": [names[i].encode()]})  # noqa: E731
    files = write(tmp_path / "rows.gz", rows, label)
    classes = ["low", "middle", "high"]
    settings = SETTINGS | {"task": "multiclass", "label": {"column": "y", "classes": classes}}
    _, found = measure_boosting(files, files, Rule.read(settings))
    model = HistGradientBoostingClassifier(categorical_features=[1, 2], random_state=3)
    truth = [classes.index(name) for name in names]
    assert found["accuracy"] == pytest.approx(
        model.fit(inputs(rows), truth).score(inputs(rows), truth), abs=1e-9
    )


def test_one_label_is_a_mistake(tmp_path, rows):
    label = lambda i: tf.train.Feature(int64_list={"value": [1]})  # noqa: E731
    files = write(tmp_path / "rows.gz", rows, label)
    with pytest.raises(UserMistake, match="rows to learn from hold 1 label"):
        measure_boosting(files, files, Rule.read(SETTINGS))


def test_it_is_said_beside_the_model():
    reference = Reference("boosting", 8000, {"auc": 0.956, "r2": None}, {"auc": 0.955})
    record = VerdictRecord(reference=reference)
    [line] = reference_lines(record.to_json())
    assert line.strip() == (
        "· gradient boosting on the same split, from 8,000 rows: auc 0.9560 (the model: 0.9550), "
        "r2 undefined (the model: undefined)"
    )
    assert list(reference_lines(VerdictRecord().to_json())) == []
