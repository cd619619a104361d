"""Names, sizes and order of features, as the network and the transform rely on them."""

from preprocessing.features import Categories, Numeric, parse_features

SETTINGS = {
    "numeric": {"miles": {"log": True}, "fare": {}},
    "bucketized": {"fare": 40},
    "vocabulary": {"company": {"size": 60, "oov_buckets": 4}},
    "categorical": {"hour": 24},
}


def test_kinds_and_order_do_not_hang_on_the_order_of_lines():
    features = parse_features(SETTINGS)
    assert features.numeric == (Numeric("fare", log=False), Numeric("miles", log=True))
    assert features.categories == (
        Categories("fare", "bucket", 40, 0),
        Categories("company", "vocab", 60, 4),
        Categories("hour", "category", 24, 1),
    )
    backwards = {key: dict(reversed(SETTINGS[key].items())) for key in reversed(SETTINGS)}
    assert parse_features(backwards) == features


def test_a_column_of_two_kinds_is_one_raw_column_and_two_outputs():
    features = parse_features(SETTINGS)
    assert features.columns == ("fare", "miles", "company", "hour")
    outputs = [f.output for f in (*features.numeric, *features.categories)]
    assert outputs == [
        "fare_scaled_xf",
        "miles_scaled_xf",
        "fare_bucket_xf",
        "company_vocab_xf",
        "hour_category_xf",
    ]


def test_index_count_leaves_room_for_missing_and_outside():
    counts = [feature.index_count for feature in parse_features(SETTINGS).categories]
    assert counts == [1 + 40, 1 + 60 + 4, 1 + 24 + 1]


def test_absent_sections_are_empty():
    assert parse_features({"numeric": None}).columns == ()
