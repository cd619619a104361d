"""Names made of column names: usable, distinct, and unchanged where they can be."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.features import parse_features
from preprocessing.labels import parse_label
from preprocessing.names import file_name, transformed_stem

NAMES = ["a", "pay type", "pay-type", "pay--type", "pay_type", "x.y", "x_y", "x/y", "x-y", "Größe"]
NAMES += ["A", "1st", "-", "..", "", "/", "//", "z" * 300, "z" * 301, "日本", "ü", "ä", " a", "a "]
NAMES += [file_name(name) for name in NAMES] + [transformed_stem(name) for name in NAMES]
ANY = st.text(st.sampled_from("aA1 _-./\\{}'\"ä🚕"), max_size=6) | st.sampled_from(NAMES)


def test_plain_names_stay():
    for name in ("payment_type", "pickup-hour", "PULocationID", "1st"):
        assert file_name(name) == transformed_stem(name) == name
    assert transformed_stem("Größe in {cm}") == "Größe in {cm}"
    assert file_name("pay type") == "pay-type-08d3be2ca96e"
    assert transformed_stem("x/y") == "x-y-bd3c9047d681"


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.sets(ANY, min_size=2, max_size=8))
def test_each_column_has_names_of_its_own_that_files_and_keras_take(columns):
    files = {file_name(column) for column in columns}
    stems = {transformed_stem(column) for column in columns}
    assert len(files) == len(stems) == len(columns)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", name) for name in files)
    assert not any("/" in stem for stem in stems)
    # TensorFlow Transform makes one of many, and so would `x--y` and `x-y` be one file.
    assert not any("--" in name for name in files)


def test_a_label_never_has_the_name_of_a_feature():
    kinds = {"numeric": {}, "bucketized": 3, "vocabulary": {"size": 1, "oov_buckets": 1}}
    kinds["categorical"] = 3
    features = parse_features({kind: {"tip": value} for kind, value in kinds.items()})
    outputs = {f.output for f in (*features.numeric, *features.categories)}
    for column in ("tip_scaled", "tip_bucket", "tip_vocab", "tip_category", "tip_weight", "tip"):
        label = parse_label({"column": column, "other": "drop"})
        assert label.output != label.weight_output
        assert not outputs & {label.output, label.weight_output}
    assert parse_label({"column": "tip"}).output == "tip_xf"
