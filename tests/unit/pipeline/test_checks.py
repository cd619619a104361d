"""Rules between settings and schema: a broken one gives its exact line, a kept one gives none."""

import json

import pytest

from fareline.errors import SettingsError
from pipeline.rules.settings import (
    find_features_absent_in_serving,
    find_label_leaks,
    find_spans_without_pattern,
    find_unfit_types,
    find_unknown_columns,
    find_unknown_label_values,
    require_no_label_leak,
    require_sound_settings,
    required_columns,
)
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from schema.curated import (
    column_types,
    column_values,
    columns_in_environment,
    load_schema,
    schema_path,
)
from tests.told import without_origin

TYPES = {"fare": "float", "miles": "float", "hour": "int", "company": "bytes", "tips": "float"}
SERVING = ["fare", "miles", "hour", "company"]
FEATURES = {"numeric": "{fare: {}}", "categorical": "{hour: 24}"}


def settings(*overrides, **features):
    """The default settings with features of the few columns above."""
    kinds = ", ".join(f"{kind}: {columns}" for kind, columns in (features or FEATURES).items())
    return load_settings(
        DEFAULT_PATH,
        [f"features={{{kinds}}}", "evaluation.slices=[[hour], [company, hour]]", *overrides],
    )


def test_sound_settings_break_no_rule():
    sound = settings(
        numeric="{fare: {}, hour: {log: true}}",
        bucketized="{miles: 4, hour: 2}",
        vocabulary="{company: {size: 3, oov_buckets: 1}, hour: {size: 3, oov_buckets: 1}}",
        categorical="{hour: 24}",
    )
    require_sound_settings(sound, TYPES, SERVING)


def test_the_default_settings_are_sound():
    default = load_settings()
    contract = load_schema(schema_path(default.schema_, default.path.parent))
    require_sound_settings(
        default, column_types(contract), columns_in_environment(contract, "SERVING")
    )


# Rule: every column that the settings name is in the schema.


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            settings(numeric="{far: {}}"),
            "features.numeric.far: no column far in the schema; expected one of its columns. "
            "Hint: did you mean fare.",
        ),
        (
            settings("label.column=tip"),
            "label.column: no column tip in the schema; expected one of its columns. "
            "Hint: did you mean tips.",
        ),
        (
            settings("label.above.column=fares"),
            "label.above.column: no column fares in the schema; expected one of its columns. "
            "Hint: did you mean fare.",
        ),
        (
            settings("data.reader=columnar", "data.split_by.hash=[company, faer]"),
            "data.split_by.hash.1: no column faer in the schema; expected one of its columns. "
            "Hint: did you mean fare.",
        ),
        (
            settings("evaluation.slices=[[hour], [company, zebra]]"),
            "evaluation.slices.1: no column zebra in the schema; expected one of its columns. "
            "Hint: the schema has fare, miles, hour, company, tips.",
        ),
    ],
)
def test_unknown_column(changed, line):
    assert list(find_unknown_columns(changed, TYPES)) == [line]
    # The rules about known columns have nothing to say about an unknown one.
    with pytest.raises(SettingsError) as caught:
        require_sound_settings(changed, TYPES, SERVING)
    assert without_origin(caught.value) == line


# Rule: a kind of feature gets a type that it can take.


@pytest.mark.parametrize(
    ("kind", "columns", "found", "expected"),
    [
        ("numeric", "{company: {}}", "company is bytes", "int or float"),
        ("bucketized", "{company: 3}", "company is bytes", "int or float"),
        ("categorical", "{company: 3}", "company is bytes", "int"),
    ],
)
def test_unfit_type(kind, columns, found, expected):
    column = found.split()[0]
    assert list(find_unfit_types(settings(**{kind: columns}), TYPES)) == [
        f"features.{kind}.{column}: {found} in the schema; expected {expected}. "
        "Hint: use it as another kind of feature."
    ]


def test_whole_numbers_that_are_floats_are_categories_if_the_data_says_so():
    """2.0 as pandas writes a 2 in a column with gaps; DataGate refuses 2.5."""
    vocabulary = "{fare: {size: 2, oov_buckets: 1}}"
    changed = settings(vocabulary=vocabulary, categorical="{fare: 3, hour: 3}")
    assert list(find_unfit_types(changed, TYPES)) == []


@pytest.mark.parametrize(
    ("column", "starts", "said"),
    [
        ("company", "{}", None),
        ("company", "{validate: 2024-01-01, eval: 2024-02-01}", None),
        ("company", "{validate: 1, eval: 2}", "company is bytes in the schema; expected int or "),
        ("fare", "{validate: 1, eval: 2}", None),
        ("fare", "{validate: 2024-01-01, eval: 2024-02-01}", "fare is float in the schema; expec"),
    ],
)
def test_starts_of_a_split_by_time_are_of_the_type_of_the_column(column, starts, said):
    changed = settings(f"data.split_by={{time: {column}, starts: {starts}}}")
    found = list(find_unfit_types(changed, TYPES))
    assert len(found) == (said is not None)
    assert all(line.startswith(f"data.split_by.time: {said}") for line in found)


def test_the_label_rule_compares_numbers():
    changed = settings("label={column: company, above: {column: company, times: 1}}")
    lines = list(find_unfit_types(changed, TYPES))
    assert lines == [
        f"{where}: company is bytes in the schema; expected int or float. "
        "Hint: name values as the column holds them, or another column."
        for where in ("label.column", "label.above.column")
    ]


@pytest.mark.parametrize(
    ("task", "label", "line"),
    [
        (
            "multiclass",
            "{column: hour, classes: [a, b]}",
            "label.classes.0: hour is int in the schema; expected bytes. ",
        ),
        (
            "multiclass",
            "{column: company, classes: [1, 2]}",
            "label.classes.0: company is bytes in the schema; expected int. ",
        ),
        (
            "binary",
            "{column: fare, positive: 1}",
            "label.positive: fare is float in the schema; expected int. ",
        ),
        (
            "binary",
            "{column: company}",
            "label.column: company is bytes in the schema; expected int or float. ",
        ),
        (
            "regression",
            "{column: company}",
            "label.column: company is bytes in the schema; expected int or float. ",
        ),
    ],
)
def test_the_values_of_a_label_are_of_the_columns_type(task, label, line):
    changed = settings(f"task={task}", f"label={label}", numeric="{miles: {}}")
    assert list(find_unfit_types(changed, TYPES)) == [
        f"{line}Hint: name values as the column holds them, or another column."
    ]


# Rule: the values of a label are such as the schema allows.


@pytest.mark.parametrize(
    ("task", "label", "values", "lines"),
    [
        ("binary", "{column: company, positive: yess}", ["no", "yes"],
         ["label.positive: found 'yess', which the schema does not allow in company; expected one "
          "of no, yes. Hint: did you mean yes."]),
        ("binary", "{column: company, positive: 'yes', negative: q}", ["no", "yes"],
         ["label.negative: found 'q', which the schema does not allow in company; expected one "
          "of no, yes. Hint: correct the value, or the schema."]),
        ("multiclass", "{column: company, classes: [a, B]}", ["a", "b"],
         ["label.classes.1: found 'B', which the schema does not allow in company; expected one "
          "of a, b. Hint: did you mean b."]),
        ("multiclass", "{column: company, classes: [a, b]}", ["a", "b", "c"], []),
        ("binary", "{column: company, positive: x}", None, []),  # the schema names no values
        ("binary", "{column: hour, positive: 1}", ["no"], []),
    ],
)  # fmt: skip
def test_the_values_of_a_label_are_such_as_the_schema_allows(task, label, values, lines):
    changed = settings(f"task={task}", f"label={label}", numeric="{miles: {}}")
    known = {} if values is None else {"company": values}
    assert list(find_unknown_label_values(changed, known)) == lines


@pytest.mark.parametrize(
    ("feature", "values"),
    [
        ('string_domain {value: "a" value: "b"}', ("a", "b")),
        ('domain: "shared"', ("s",)),
        ('string_domain {value: "a"} distribution_constraints {min_domain_mass: 1}', ("a",)),
        ('string_domain {value: "a"} distribution_constraints {min_domain_mass: 0.9}', None),
        ("string_domain {}", None),
        ('domain: "none"', None),
        ("", None),
    ],
)
def test_the_only_values_of_a_column(tmp_path, feature, values):
    path = tmp_path / "schema.pbtxt"
    path.write_text(
        f'string_domain {{name: "shared" value: "s"}} feature {{name: "x" type: BYTES {feature}}}'
    )
    assert column_values(load_schema(path)).get("x") == values


# Rule: the column that makes the label is no feature.


@pytest.mark.parametrize(
    ("task", "label", "features"),
    [
        (
            "multiclass",
            "{column: company, classes: [a, b]}",
            {"vocabulary": "company: {size: 3, oov_buckets: 1}"},
        ),
        ("regression", "{column: fare}", {"numeric": "fare: {}"}),
        ("binary", "{column: hour}", {"categorical": "hour: 24"}),
    ],
)
def test_label_leak_of_every_task(task, label, features):
    features = {kind: f"{{{columns}}}" for kind, columns in features.items()}
    changed = settings(f"task={task}", f"label={label}", **features)
    [line] = find_label_leaks(changed)
    assert "makes the label; expected a column that is known when a prediction is asked" in line
    with pytest.raises(SettingsError):
        require_no_label_leak(changed)


def test_label_leak():
    changed = settings(numeric="{tips: {}}", bucketized="{tips: 3, fare: 3}")
    lines = [
        f"features.{kind}.tips: tips makes the label; expected a column that is known when a "
        "prediction is asked for. Hint: remove it from the features."
        for kind in ("numeric", "bucketized")
    ]
    assert list(find_label_leaks(changed)) == lines
    # Not said a second time by the rule about SERVING.
    assert list(find_features_absent_in_serving(changed, TYPES, SERVING)) == []


# Rule: a feature is there when a prediction is asked for.


def test_feature_absent_in_serving():
    changed = settings(numeric="{fare: {}, miles: {}}")
    assert list(find_features_absent_in_serving(changed, TYPES, ["fare", "hour"])) == [
        "features.numeric.miles: miles is not in the SERVING environment of the schema; expected "
        "a column that requests carry. Hint: remove it, or correct the schema."
    ]


def test_all_problems_at_once_each_with_the_file():
    changed = settings(numeric="{far: {}, tips: {}, miles: {}}", categorical="{company: 2}")
    with pytest.raises(SettingsError) as caught:
        require_sound_settings(changed, TYPES, ["fare", "hour", "company"])
    assert caught.value.exit_code == 2
    assert [line.split(";")[0] for line in without_origin(caught.value).splitlines()] == [
        "features.numeric.far: no column far in the schema",
        "features.categorical.company: company is bytes in the schema",
        "features.numeric.tips: tips makes the label",
        "features.numeric.miles: miles is not in the SERVING environment of the schema",
    ]


def test_required_columns_are_those_named_anywhere_each_once():
    named = settings(
        "label.above.column=miles", numeric="{fare: {}}", bucketized="{fare: 3, hour: 2}"
    )
    assert required_columns(named) == ["fare", "hour", "tips", "miles", "company"]


def test_a_label_leak_is_found_without_a_schema():
    require_no_label_leak(settings())
    with pytest.raises(SettingsError) as caught:
        require_no_label_leak(settings(bucketized="{tips: 5}"))
    assert without_origin(caught.value) == (
        "features.bucketized.tips: tips makes the label; expected a column that "
        "is known when a prediction is asked for. Hint: remove it from the features."
    )


# Rule: a column has a name that fits into one line of text.


@pytest.mark.parametrize(
    ("name", "where", "found"),
    [("a\\nb", "a\\nb", "'a\\nb'"), ("a\\0", "a\\x00", "'a\\x00'"), ("", "", "an empty name")],
)
def test_names_that_no_line_holds_are_refused(name, where, found):
    with pytest.raises(SettingsError) as caught:
        require_no_label_leak(settings(numeric=f'{{"{name}": {{}}}}'))
    assert without_origin(caught.value) == (
        f"features.numeric.{where}: found {found}; expected the name of a column, "
        "without line ends and NUL. Hint: rename the column in the data."
    )


@pytest.mark.parametrize("name", ["x/y", "pay type", "Größe", "a,b", "{x}", "1st", "class", "'"])
def test_any_other_name_is_none_of_our_business(name):
    quoted = json.dumps(name)
    odd = settings(numeric=f"{{{quoted}: {{}}}}")
    label = settings(f"label={{column: {quoted}, above: null}}", f"evaluation.slices=[[{quoted}]]")
    for each in (odd, label):
        require_no_label_leak(each)
        assert name in required_columns(each)


# Rule: a span or a window is asked of a source that has spans.


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("{csv: trips}", "write for example csv: trips/span-{SPAN}/*.csv"),
        ("{sql: {query: select 1, files: {t: t.csv}}}", "put the condition into the query"),
        ("{bigquery: {query: select 1}}", "put the condition into the query"),
    ],
)
def test_spans_of_a_source_that_has_none(source, hint):
    given = settings(f"data.source={source}", "data.span=3", "data.window=2")
    assert list(find_spans_without_pattern(given)) == [
        f"data.{name}, and data.source has no spans; expected a source with {{SPAN}} or a date in "
        f"its path. Hint: {hint}, or leave it out."
        for name in ("span: found 3", "window: found 2")
    ]
    named = settings("data.source={csv: 'trips/span-{SPAN}/*.csv'}", "data.span=3")
    assert list(find_spans_without_pattern(named)) == []
