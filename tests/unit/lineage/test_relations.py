"""What is carried from step to step, as a table."""

import pytest

from lineage.facts.relations import (
    LEARNED,
    RELATIONS,
    baseline_distances,
    carry,
    judges,
    starts_as,
    strongest_first,
)


@pytest.mark.parametrize(
    ("carried", "keys", "output_type", "expected"),
    [
        # Rows and what is made of them.
        ("trained", ("examples",), "Examples", "trained"),
        ("trained", ("examples",), "TransformGraph", "transform"),
        ("trained", ("examples",), "TransformCache", "transform"),
        ("trained", ("examples",), "ExampleStatistics", "statistics"),
        ("trained", ("examples",), "HyperParameters", "tuned"),
        ("trained", ("examples",), "Model", "trained"),
        ("trained", ("rows",), "a type of a custom component", "trained"),
        # A graph computed from it encodes other rows.
        ("transform", ("analyzer_cache",), "TransformGraph", "transform"),
        ("transform", ("transform_graph",), "Examples", "transform"),
        ("transform", ("transform_graph",), "Model", "transform"),
        ("transform", ("transform_graph",), "HyperParameters", "tuned"),
        # Statistics lead to a schema, and a schema to everything.
        ("statistics", ("statistics",), "Schema", "schema"),
        ("statistics", ("statistics",), "Model", "statistics"),
        ("schema", ("schema",), "TransformGraph", "schema"),
        ("schema", ("schema",), "Model", "schema"),
        ("tuned", ("hyperparameters",), "Model", "tuned"),
        # Weights go on; the weakest link counts.
        ("itself", ("base_model",), "Model", "warm start"),
        ("trained", ("base_model",), "Model", "warm start"),
        ("warm start", ("base_model",), "Model", "warm start"),
        ("schema", ("base_model",), "Model", "schema"),
        # Judgements and copies are ends.
        ("trained", ("examples",), "ModelEvaluation", None),
        ("trained", ("model",), "ModelBlessing", None),
        ("itself", ("model",), "PushedModel", None),
        ("statistics", ("statistics",), "ExampleAnomalies", None),
        # A baseline is compared with, not learned from; a model of both names is not only that.
        ("itself", ("baseline_model",), "Model", None),
        ("trained", ("baseline_model", "base_model"), "Model", "warm start"),
        # What was only judged has nothing to carry on.
        ("evaluated", ("base_model",), "Model", None),
        ("baseline", ("base_model",), "Model", None),
    ],
)
def test_what_an_output_carries_of_an_input(carried, keys, output_type, expected):
    assert carry(carried, keys, output_type) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Examples", "trained"),
        ("Model", "itself"),
        ("Schema", "schema"),
        ("TransformGraph", "transform"),
        ("HyperParameters", "tuned"),
        ("ExampleStatistics", "statistics"),
        ("ModelBlessing", None),
        ("PushedModel", None),
        ("of a custom component", "trained"),
    ],
)
def test_what_an_artifact_carries_of_itself(kind, expected):
    assert starts_as(kind) == expected


def test_only_judgements_judge():
    assert judges(["ModelRun", "ModelEvaluation"])
    assert not judges(["Model", "PushedModel"])


def test_the_strongest_relation_comes_first():
    assert strongest_first({"baseline", "schema", "trained"}) == ["trained", "schema", "baseline"]
    assert set(RELATIONS) - LEARNED == {"evaluated", "baseline"}


def test_baselines_are_followed_with_their_distance_and_loops_end():
    compared_with = {1: [2], 2: [3, 4], 3: [1, 5], 9: [10]}
    assert baseline_distances([1], compared_with) == {2: 1, 3: 2, 4: 2, 5: 3}
    assert baseline_distances([1, 3], compared_with) == {2: 1, 5: 1, 4: 2}
    assert baseline_distances([], compared_with) == {}
