"""Trees that are grown on numbers of any kind answer as XGBoost does, with no value seen twice."""

import numpy as np
import pytest
import tensorflow as tf

from models.boosting import Matrix, columns_of, grow
from models.heads import BinaryHead
from preprocessing.features import parse_features

pytest.importorskip("xgboost")

FEATURES = parse_features(
    {"numeric": {"fare": {}}, "vocabulary": {"company": {"size": 40, "oov_buckets": 1}}}
)
HYPERPARAMETERS = {"learning_rate": 0.3, "max_depth": 4, "min_child_weight": 1,
                   "subsample": 1.0, "colsample_bytree": 1.0}  # fmt: skip


def rows_of(random, count, companies):
    fares, company = random.normal(size=count), random.integers(0, companies, count)
    chance = 1 / (1 + np.exp(-2 * fares - (company % 3)))
    values = np.stack([fares, company], axis=1).astype(np.float32)
    return Matrix(values, (random.random(count) < chance).astype(np.float32))


def test_rows_between_and_beyond_the_training_values_are_no_mistake_of_the_trees():
    random = np.random.default_rng(5)
    # Of the watched rows almost each number, and some categories, are not among those learned from.
    data = rows_of(random, 300, companies=20), rows_of(random, 300, companies=42)
    grown = grow(data, FEATURES, BinaryHead(), HYPERPARAMETERS, 40, 40, seed=1)
    for rows in data:
        inputs = {
            name: tf.constant(rows.values[:, place, None])
            for place, name in enumerate(columns_of(FEATURES))
        }
        scores = grown.forest(inputs).numpy()[:, 0]
        loss = -np.mean(np.log(np.where(rows.target == 1, scores, 1 - scores)))
        split = "" if rows is data[0] else "val_"
        reported = grown.evaluations[f"{split}loss"][grown.rounds - 1]
        # Thresholds lie elsewhere for rows that were not learned from.
        assert loss == pytest.approx(reported, rel=1e-5 if rows is data[0] else 0.05)
