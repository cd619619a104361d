"""A network that begins with an earlier one's weights: what agrees is taken, the rest is said."""

import json
import types

import numpy as np
import pytest
import tensorflow as tf

from models.network import build_model
from models.signatures import name_variables
from models.warm_start import begin_with, table_rows
from preprocessing.features import parse_features

HYPERPARAMETERS = {
    "learning_rate": 0.003,
    "dropout": 0.2,
    "width": 8,
    "depth": 1,
    "embedding_size": 4,
}
FEATURES = {
    "numeric": {"fare": {}},
    "bucketized": {"miles": 4},
    "vocabulary": {"payment": {"size": 4, "oov_buckets": 2}},
}
EMBEDDINGS, WIDE = "embeddings/embeddings", "wide/embeddings"
OTHERS = ["hidden_0/kernel", "hidden_0/bias", "deep_logit/kernel", "deep_logit/bias"]


def network(seed, features=FEATURES, **changed):
    return build_model(parse_features(features), HYPERPARAMETERS | changed, seed=seed)


def values(model):
    return {name: v.numpy() for name, v in name_variables(model.trainable_variables).items()}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A network that was exported as `models.signatures` does it, less its graphs."""
    folder = tmp_path_factory.mktemp("earlier")
    model = network(1)
    for variable in model.trainable_variables:
        variable.assign(np.random.default_rng(1).normal(size=variable.shape))
    module = tf.Module()
    module.weights = {n: v.value for n, v in name_variables(model.variables).items()}
    module.table_rows = tf.Variable(json.dumps(table_rows(parse_features(FEATURES))))
    tf.saved_model.save(module, str(folder))
    (folder / "assets").mkdir(exist_ok=True)
    (folder / "assets" / "payment").write_bytes(b"cash\ncard\nother\n")
    return folder, values(model)


def begin(model, earlier, tmp_path, words=b"card\ncash\nother\n", features=FEATURES):
    (tmp_path / "payment").write_bytes(words)
    graph = types.SimpleNamespace(vocabulary_file_by_name=lambda name: str(tmp_path / name))
    return begin_with(model, str(earlier[0]), graph, parse_features(features))


def test_all_is_taken_and_words_keep_their_rows_where_they_stand_elsewhere(earlier, tmp_path):
    model = network(2)
    found = begin(model, earlier, tmp_path)
    assert found["left"] == {}
    assert set(found["taken"]) == {EMBEDDINGS, WIDE, *OTHERS}
    now, before = values(model), earlier[1]
    for name in OTHERS:
        assert np.array_equal(now[name], before[name]), name
    # Buckets: missing and 4. Words: missing, cash, card, other, and two that others are hashed to.
    rows = [0, 1, 2, 3, 4, 5, 7, 6, 8, 9, 10]
    for name in (EMBEDDINGS, WIDE):
        assert np.array_equal(now[name][: len(rows)], before[name][rows]), name


def test_a_new_word_begins_anew_and_is_counted(earlier, tmp_path):
    model = network(2)
    fresh = values(network(2))[EMBEDDINGS]
    found = begin(model, earlier, tmp_path, b"coin\ncash\n")
    assert found["left"] == {"payment_vocab_xf": "1 of 2 words are new"}
    table = values(model)[EMBEDDINGS]
    assert np.array_equal(table[6], fresh[6])
    assert np.array_equal(table[[7, 8, 9]], earlier[1][EMBEDDINGS][[6, 9, 10]])


@pytest.mark.parametrize(
    ("features", "changed", "left"),
    [
        ({}, {"width": 4}, {
            "hidden_0/kernel": "9 by 8 there, 9 by 4 here", "hidden_0/bias": "8 there, 4 here",
            "deep_logit/kernel": "8 by 1 there, 4 by 1 here",
        }),
        ({}, {"depth": 2}, {
            "hidden_1/kernel": "none of that name", "hidden_1/bias": "none of that name",
            "deep_logit/kernel": "8 by 1 there, 4 by 1 here",
        }),
        ({}, {"embedding_size": 2}, {
            EMBEDDINGS: "12 by 4 there, 12 by 2 here",
            "hidden_0/kernel": "9 by 8 there, 5 by 8 here",
        }),
        ({"bucketized": {"miles": 5}}, {}, {"miles_bucket_xf": "5 indices there, 6 here"}),
        ({"bucketized": {"hours": 4}}, {}, {"hours_bucket_xf": "no such category"}),
    ],
)  # fmt: skip
def test_what_does_not_agree_is_left_and_said(earlier, tmp_path, features, changed, left):
    model = network(2, FEATURES | features, **changed)
    fresh = values(network(2, FEATURES | features, **changed))
    found = begin(model, earlier, tmp_path, b"cash\ncard\nother\n", FEATURES | features)
    assert found["left"] == left
    now = values(model)
    assert set(found["taken"]) == set(now) - set(left)
    for name in set(left) & set(now):
        assert np.array_equal(now[name], fresh[name]), name
    if features:  # the words have theirs all the same, and the buckets begin anew
        own, _ = table_rows(parse_features(FEATURES | features))["payment_vocab_xf"]
        assert np.array_equal(now[WIDE][own : own + 6], earlier[1][WIDE][5:11])
        assert np.array_equal(now[WIDE][:own], fresh[WIDE][:own])


def test_a_model_that_names_no_weights_gives_none(tmp_path):
    module = tf.Module()
    module.weights = [tf.Variable([[1.0]])]  # as versions before 0.2 exported them
    tf.saved_model.save(module, str(tmp_path / "old"))
    found = begin(network(2), (tmp_path / "old",), tmp_path)
    assert found["taken"] == []
    assert set(found["left"]) >= {EMBEDDINGS, *OTHERS}
