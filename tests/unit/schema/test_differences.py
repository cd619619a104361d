"""What differs between two schemas, in words; and a schema's text, edited in place."""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from cli.views.schema import hide_personal, unreadable_rows
from data.reading.batches import Batch
from data.reading.rows import BadRow
from data.reading.values import Fault
from data.sources.sample import Sample
from fareline.errors import UserMistake
from schema.gate.check import Finding
from schema.review.acceptance import choose_columns
from schema.review.bounds import Numbers, say_number_of_values, say_presence, say_shape
from schema.review.differences import compare_schemas, list_values
from schema.review.review import merge_columns, split_into_columns
from schema.review.statistics import count_empty_as_missing
from schema.review.text_edit import edit_schema_text, same_schema

TEXT = """\
# The contract.
default_environment: "TRAINING"
default_environment: "SERVING"

# US dollars.
feature {
  name: "fare"
  type: FLOAT
  presence { min_fraction: 1.0 min_count: 1 }  # every ride has one
  value_count { min: 1 max: 1 }
  float_domain { min: 0.0 max: 10000.0 }
}

# How it was paid.
feature {
  name: "payment"
  type: BYTES
  domain: "payments"
}

# How it was to be paid.
feature { name: "planned" type: BYTES domain: "payments" }

# Spelt as the City spells them.
string_domain {
  name: "payments"
  value: "Cash"  # coins
  value: "Card"
}
"""


def parse(text):
    return text_format.Parse(text, schema_pb2.Schema())


def differences(old, new, environments=""):
    """Between schemas with one column `c` each."""
    before, after = (parse(environments + f'feature {{ name: "c" {text} }}') for text in (old, new))
    return [(d.aspect, d.before, d.after, d.severity) for d in compare_schemas(before, after)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("type: INT", "type: BYTES", ("type", "INT", "BYTES", "breaking")),
        (
            "presence { min_fraction: 1.0 min_count: 1 }",
            "presence { min_fraction: 0.95 min_count: 1 }",
            ("presence", "in every row", "in at least 0.95 of the rows", "notable"),
        ),
        (
            "presence { min_count: 1 }",
            "presence { min_fraction: 0.5 min_count: 1 }",
            ("presence", "in at least 1 row", "in at least 0.5 of the rows", "informative"),
        ),
        (
            "value_count { min: 1 max: 1 }",
            "value_count { min: 1 max: 3 }",
            ("number of values", "exactly 1 value", "1 to 3 values", "breaking"),
        ),
        (
            "value_count { max: 1 }",
            "value_count { min: 1 max: 1 }",
            ("number of values", "at most 1 value", "exactly 1 value", "informative"),
        ),
        ("", "shape { dim { size: 2 } }", ("shape", "no fixed shape", "[2]", "breaking")),
        (
            "type: FLOAT float_domain { min: 0 max: 100 }",
            "type: FLOAT float_domain { min: -3.5 max: 100 }",
            ("range", "0 to 100", "-3.5 to 100", "notable"),
        ),
        (
            "type: INT int_domain { min: 0 max: 86400 }",
            "type: INT int_domain { min: 0 max: 3600 }",
            ("range", "0 to 86,400", "0 to 3,600", "informative"),
        ),
        (
            "type: FLOAT float_domain { min: 0 disallow_nan: true }",
            "type: FLOAT float_domain { min: 0 }",
            ("NaN", "not allowed", "allowed", "notable"),
        ),
        (
            'string_domain { value: "a" }',
            'string_domain { value: "a" value: "b" value: "c" }',
            ("values", "no such value", "'b', 'c'", "notable"),
        ),
        (
            'string_domain { value: "a" value: "b" }',
            'string_domain { value: "b" }',
            ("values", "'a'", "no such value", "informative"),
        ),
        ('string_domain { value: "a" }', "", ("values", "one of 'a'", "any", "notable")),
        (
            "distribution_constraints { min_domain_mass: 0.9 }",
            "distribution_constraints { min_domain_mass: 0.5 }",
            (
                "known values",
                "at least 90 % of the values",
                "at least 50 % of the values",
                "notable",
            ),
        ),
        (
            "",
            "drift_comparator { infinity_norm { threshold: 0.5 } }",
            (
                "drift_comparator",
                "not set",
                "drift_comparator { infinity_norm { threshold: 0.5 } }",
                "notable",
            ),
        ),
        (
            "type: INT presence { min_count: 1 }",
            "type: INT presence { min_count: 1 } lifecycle_stage: DEPRECATED",
            ("column", "INT, in at least 1 row", "no such column", "breaking"),
        ),
    ],
)
def test_each_difference_has_its_words(old, new, expected):
    assert differences(old, new) == [expected]


def test_the_same_has_no_difference():
    assert compare_schemas(parse(TEXT), parse(TEXT)) == []


def test_environments_of_a_column_are_those_that_both_schemas_know():
    both = 'default_environment: "TRAINING" default_environment: "SERVING" '
    assert differences("", 'not_in_environment: "SERVING"', both) == [
        ("environments", "in SERVING and TRAINING", "in TRAINING", "breaking")
    ]


def test_an_environment_of_the_schema_is_one_difference_and_not_one_per_column():
    after = parse(TEXT + 'default_environment: "TEST"\n')
    assert [str(d) for d in compare_schemas(parse(TEXT), after)] == [
        "(schema): environments: SERVING and TRAINING -> SERVING and TEST and TRAINING"
    ]


def test_columns_come_and_go_and_the_breaking_ones_are_first():
    after = parse(TEXT)
    del after.feature[0]
    after.feature.add(name="extra", type=schema_pb2.INT).presence.min_fraction = 1
    found = compare_schemas(parse(TEXT), after)
    assert [(d.column, d.before, d.after, d.severity) for d in found] == [
        ("fare", "FLOAT, in every row", "no such column", "breaking"),
        ("extra", "no such column", "INT, in every row, any number of values", "notable"),
    ]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (Numbers(), "any number"),
        (Numbers(0, None), "0 or more"),
        (Numbers(None, 1e6), "1,000,000 or less"),
        (Numbers(-1, 17043999999), "-1 to 17,043,999,999"),
    ],
)
def test_bounds_in_words(numbers, words):
    assert numbers.say() == words


def test_wider_is_what_lets_a_number_through_that_the_other_does_not():
    assert Numbers(0, 10).is_wider_than(Numbers(1, 20))
    assert not Numbers(0, 10).is_wider_than(Numbers(0, 10))
    assert not Numbers(5, 6).is_wider_than(Numbers())
    assert Numbers().is_wider_than(Numbers(None, 6))


def test_a_share_that_is_nearly_one_is_not_said_to_be_one():
    feature = schema_pb2.Feature(presence=schema_pb2.FeaturePresence(min_fraction=0.9996))
    assert say_presence(feature) == "in at least 0.9996 of the rows"
    assert say_presence(schema_pb2.Feature()) == "may be missing"
    assert say_number_of_values(schema_pb2.Feature()) == "any number of values"
    assert say_shape(schema_pb2.Feature(shape=schema_pb2.FixedShape())) == "[]"


def test_long_lists_are_cut():
    assert list_values("abcdefg") == "'a', 'b', 'c', 'd', 'e' and 2 more"


# The text.


def test_an_edit_changes_its_lines_and_no_other():
    new = parse(TEXT)
    new.feature[0].float_domain.min = -5
    new.feature[0].presence.min_fraction = 0.5
    new.string_domain[0].value.append("App")
    edited = edit_schema_text(TEXT, new)
    assert edited == (
        TEXT.replace("min: 0.0 max", "min: -5.0 max")
        .replace("min_fraction: 1.0", "min_fraction: 0.5")
        .replace('  value: "Card"\n', '  value: "Card"\n  value: "App"\n')
    )


def test_a_value_and_a_column_go_with_their_comments():
    new = parse(TEXT)
    new.string_domain[0].value[:] = ["Card"]
    del new.feature[0]
    edited = edit_schema_text(TEXT, new)
    assert edited.startswith(
        '# The contract.\ndefault_environment: "TRAINING"\ndefault_environment: "SERVING"\n\n'
        '# How it was paid.\nfeature {\n  name: "payment"\n'
    )
    assert "coins" not in edited
    assert "US dollars" not in edited
    assert "# Spelt as the City spells them." in edited


def test_a_new_column_comes_behind_the_others_and_one_line_stays_one_line():
    new = parse(TEXT)
    new.feature[2].presence.min_count = 1
    new.feature.add(name="extra", type=schema_pb2.INT)
    edited = edit_schema_text(TEXT, new)
    line = 'feature { name: "planned" type: BYTES domain: "payments"'
    assert f"{line} presence {{ min_count: 1 }} }}\n" in edited
    assert '\nfeature {\n  name: "extra"\n  type: INT\n}\n\n# Spelt as' in edited
    assert same_schema(parse(edited), new)


def test_line_ends_stay():
    new = parse(TEXT)
    new.feature[0].float_domain.max = 5
    windows = TEXT.replace("\n", "\r\n")
    assert edit_schema_text(windows, new) == windows.replace("max: 10000.0", "max: 5.0")


# A change by columns.


def test_a_domain_that_columns_share_is_stated_once_and_only_if_it_changes():
    new = parse(TEXT)
    new.feature[1].presence.min_count = 1
    assert not split_into_columns(parse(TEXT), new)["payment"].string_domain
    new.string_domain[0].value.append("App")
    parts = split_into_columns(parse(TEXT), new)
    assert list(parts) == ["payment", "planned"]
    assert [list(part.string_domain[0].value) for part in parts.values() if part.string_domain] == [
        ["Cash", "Card", "App"]
    ]
    assert same_schema(merge_columns(parse(TEXT), parts), new)


def test_each_of_the_columns_that_share_a_domain_can_be_accepted_alone():
    new = parse(TEXT)
    new.string_domain[0].value.append("App")
    parts = split_into_columns(parse(TEXT), new)
    chosen = choose_columns(parts, ["planned"], "the difference")
    assert list(chosen) == ["planned"]
    assert same_schema(merge_columns(parse(TEXT), chosen), new)


def test_values_of_personal_columns_are_not_shown():
    found = [
        Finding(name, "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "Values: Ann", "BYTES", 1, "Ann")
        for name in ("driver", "payment")
    ]
    assert [each.say(2) for each in hide_personal(found, ["driver"])] == [
        "driver: ENUM_TYPE_UNEXPECTED_STRING_VALUES (values are not shown); the schema says BYTES; "
        "in 1 of 2 rows",
        "payment: Values: Ann; the schema says BYTES; for example 'Ann'; in 1 of 2 rows",
    ]


def test_rows_that_cannot_be_read_are_an_anomaly_above_the_share_of_a_run(capsys):
    bad = [BadRow(7, Fault("not_utf8", "not UTF-8"), "")]
    sample = Sample([Batch("a.csv", {}, 99, ())], bad, {}, {}, True)
    assert unreadable_rows(sample, 0.01) == []
    assert capsys.readouterr().err == (
        "fareline: 1 of 100 rows cannot be read, the first in line 7 (not UTF-8); left out, as a "
        "run would\n"
    )
    [found] = unreadable_rows(sample, 0.001)
    assert found.say(99) == (
        "(data set): 1 of 100 rows cannot be read, the first in line 7 (not UTF-8); the schema "
        "says at most 0.1 % of the rows (data.max_bad_share)"
    )


def test_a_column_taken_out_is_no_mistake_when_it_is_not_there():
    assert same_schema(merge_columns(parse(TEXT), {"nothing": None}), parse(TEXT))
    assert [f.name for f in merge_columns(parse(TEXT), {"fare": None}).feature] == [
        "payment",
        "planned",
    ]


def test_a_text_that_cannot_be_edited_is_refused():
    listed = 'feature [{ name: "a" type: INT }, { name: "b" type: INT }]\n'
    new = parse(listed)
    new.feature[1].type = schema_pb2.FLOAT
    with pytest.raises(UserMistake) as caught:
        edit_schema_text(listed, new)
    assert str(caught.value) == (
        "the schema's text: is written in a way that cannot be changed piece by piece; expected "
        "each column as `feature { … }` and each domain as `string_domain { … }`. "
        "Hint: change it by hand."
    )


def test_rows_with_no_value_in_a_column_count_as_missing():
    """As ExampleGen writes empty cells: present, without a value; TFDV reads a column of zeros."""
    dataset = statistics_pb2.DatasetFeatureStatistics(num_examples=10)
    common = dataset.features.add(name="a").num_stats.common_stats
    common.num_non_missing, common.tot_num_values, common.max_num_values = 10, 4, 1
    several = dataset.features.add(name="b").num_stats.common_stats
    several.num_non_missing, several.tot_num_values, several.max_num_values = 10, 12, 2
    statistics = statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])
    count_empty_as_missing(statistics)
    told = [f.num_stats.common_stats for f in statistics.datasets[0].features]
    assert [(c.num_non_missing, c.num_missing) for c in told] == [(4, 6), (10, 0)]
