"""Which files a pattern of ExampleGen reads, as far as the store says."""

import json

import pytest

from lineage.facts.source_patterns import pattern_matches, patterns_of


@pytest.mark.parametrize(
    ("pattern", "path", "span", "version", "expected"),
    [
        ("/data/trips.csv", "/data/trips.csv", None, None, True),
        ("/data/trips.csv", "/data/other.csv", None, None, False),
        ("/data/trips.csv", "trips.csv", None, None, True),
        ("/data/*", "/data/trips.csv", None, None, True),
        ("/data/*", "/data/deeper/trips.csv", None, None, False),
        ("/data/*", "trips.csv", None, None, False),  # a name alone says nothing here
        ("/data/train/*.csv", "/data", None, None, True),  # a folder that holds what is read
        ("/data/train/*.csv", "/data/eval", None, None, False),
        ("/data/span-{SPAN}/*", "/data/span-3/a.csv", 3, None, True),
        ("/data/span-{SPAN}/*", "/data/span-4/a.csv", 3, None, False),
        ("/data/span-{SPAN:3}/v{VERSION}/*", "/data/span-003/v2/a.csv", 3, 2, True),
        ("/data/span-{SPAN:3}/v{VERSION}/*", "/data/span-003/v1/a.csv", 3, 2, False),
        ("/data/span-{SPAN}/*", "/data/span-7/a.csv", None, None, True),  # not said which
        ("/data/{YYYY}-{MM}-{DD}/*", "/data/1970-02-01/a.csv", 31, None, True),
        ("/data/{YYYY}-{MM}-{DD}/*", "/data/1970-02-02/a.csv", 31, None, False),
        ("gs://bucket/data/*", "gs://bucket/data/a.csv", None, None, True),
    ],
)
def test_paths_and_patterns(pattern, path, span, version, expected):
    assert pattern_matches(pattern, path, span, version) is expected


def test_every_split_has_its_pattern():
    config = json.dumps(
        {"splits": [{"name": "a", "pattern": "a/*"}, {"name": "b", "pattern": "b"}]}
    )
    assert patterns_of({"input_base": "/data/", "input_config": config}) == ["/data/a/*", "/data/b"]
    assert patterns_of({"input_base": "/data"}) == ["/data/*"]
    assert patterns_of({"input_base": "/data", "input_config": "no JSON"}) == ["/data/*"]
    assert patterns_of({}) == []
