"""The curated schemas are found by name or path, read with one-line errors, without TensorFlow."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from fareline.errors import SettingsError, UserMistake
from fareline.packages import CHECKOUT
from schema import curated


def parse(text):
    return text_format.Parse(text, schema_pb2.Schema())


def test_bare_name_means_the_packaged_schema(tmp_path):
    assert curated.schema_path("taxi", tmp_path) == CHECKOUT / "schema/taxi/schema.pbtxt"


@pytest.mark.parametrize("setting", ["mine.pbtxt", "./mine.pbtxt", "sub/mine"])
def test_slash_or_suffix_means_a_file_relative_to_the_settings(tmp_path, setting):
    (tmp_path / "sub").mkdir()
    (tmp_path / setting).write_text('feature { name: "a" type: INT }')
    assert curated.schema_path(setting, tmp_path) == tmp_path / setting


def test_absolute_path_stays_itself(tmp_path):
    file = tmp_path / "mine.pbtxt"
    file.write_text("")
    assert curated.schema_path(str(file), Path("elsewhere")) == file


def test_unknown_name_names_the_known_and_the_nearest(tmp_path):
    with pytest.raises(SettingsError) as caught:
        curated.schema_path("taxy", tmp_path)
    assert str(caught.value) == (
        "schema 'taxy': there is no curated schema of that name; "
        "expected one of taxi, or a path. Hint: the nearest is 'taxi'."
    )


@pytest.mark.parametrize("name", ["weather", ""])
def test_unknown_name_with_nothing_near_says_how_to_give_a_file(tmp_path, name):
    with pytest.raises(SettingsError) as caught:
        curated.schema_path(name, tmp_path)
    assert str(caught.value) == (
        f"schema {name!r}: there is no curated schema of that name; "
        "expected one of taxi, or a path. "
        "Hint: a file needs a slash or a suffix, such as ./schema.pbtxt."
    )


def test_missing_file_is_the_users_mistake(tmp_path):
    with pytest.raises(SettingsError) as caught:
        curated.schema_path("mine.pbtxt", tmp_path)
    assert str(caught.value) == (
        f"schema 'mine.pbtxt': there is no file {tmp_path / 'mine.pbtxt'}; "
        "expected a schema in protobuf text form. "
        f"Hint: give a path relative to {tmp_path}, or a packaged name (taxi)."
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ('feature {\n  name: "a"\n  typ: INT\n}\n', 3, 'has no field named "typ"'),
        ('feature {\n  name: "a"\n  type: INTEGER\n}\n', 3, "has no value named INTEGER"),
        ('feature {\n  name: "a"\n  type: INT\n', 3, 'Expected "}"'),
    ],
)
def test_parse_error_is_one_line_with_file_and_line_number(tmp_path, text, line, part):
    file = tmp_path / "mine.pbtxt"
    file.write_text(text)
    with pytest.raises(UserMistake) as caught:
        curated.load_schema(file)
    message = str(caught.value)
    assert message.startswith(f"{file}, line {line}: ")
    assert part in message
    assert message.endswith(
        "; expected a tensorflow_metadata Schema in protobuf text form. "
        "Hint: correct that line; schema/taxi/schema.pbtxt is a complete example."
    )
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "found", "hint"),
    [
        (b"# nothing\n", "holds no feature", "start from what SchemaGen inferred"),
        (b"\xff\xfe", "not UTF-8 text", "give the .pbtxt file, not a binary schema"),
    ],
)
def test_file_that_is_no_schema_is_one_line(tmp_path, content, found, hint):
    file = tmp_path / "mine.pbtxt"
    file.write_bytes(content)
    with pytest.raises(UserMistake) as caught:
        curated.load_schema(file)
    assert str(caught.value) == (
        f"{file}: {found}; expected a tensorflow_metadata Schema in protobuf text form. "
        f"Hint: {hint}."
    )


def test_unreadable_file_is_one_line(tmp_path):
    with pytest.raises(UserMistake) as caught:
        curated.load_schema(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: cannot be read (Is a directory); expected a tensorflow_metadata Schema in "
        "protobuf text form. Hint: check the path and its permissions."
    )


def test_column_types_in_the_schemas_order():
    schema = parse(
        'feature { name: "c" type: BYTES } feature { name: "a" type: INT } '
        'feature { name: "b" type: FLOAT }'
    )
    assert list(curated.column_types(schema).items()) == [
        ("c", "bytes"),
        ("a", "int"),
        ("b", "float"),
    ]


@pytest.mark.parametrize(("text", "declared"), [("type: STRUCT", "STRUCT"), ("", "TYPE_UNKNOWN")])
def test_column_of_another_type_is_refused(text, declared):
    with pytest.raises(UserMistake) as caught:
        curated.column_types(parse(f'feature {{ name: "a" {text} }}'))
    assert str(caught.value) == (
        f"schema, column 'a': its type is {declared}; expected INT, FLOAT or BYTES. "
        "Hint: flatten nested data into plain columns, and state a type for each."
    )


def test_environments_exclude_then_include_then_default():
    schema = parse(
        'default_environment: "TRAINING" default_environment: "SERVING" '
        'feature { name: "plain" } '
        'feature { name: "label" not_in_environment: "SERVING" } '
        'feature { name: "audit" in_environment: "AUDIT" }'
    )
    assert curated.columns_in_environment(schema, "TRAINING") == ["plain", "label", "audit"]
    assert curated.columns_in_environment(schema, "SERVING") == ["plain", "audit"]
    assert curated.columns_in_environment(schema, "AUDIT") == ["audit"]


def test_unknown_environment_names_the_known():
    schema = parse('default_environment: "TRAINING" default_environment: "SERVING"')
    with pytest.raises(UserMistake) as caught:
        curated.columns_in_environment(schema, "serving")
    assert str(caught.value) == (
        "schema environment 'serving': the schema does not name it; expected SERVING or TRAINING. "
        "Hint: did you mean SERVING."
    )
    with pytest.raises(UserMistake, match="TRAINNG.*Hint: did you mean TRAINING"):
        curated.columns_in_environment(schema, "TRAINNG")
    with pytest.raises(UserMistake, match='Hint: add `default_environment: "STAGE"` to the schema'):
        curated.columns_in_environment(schema, "STAGE")


def test_inferred_schema_has_no_environments():
    with pytest.raises(UserMistake, match="expected a schema with environments"):
        curated.columns_in_environment(parse('feature { name: "a" }'), "SERVING")


def test_import_is_light_and_loading_needs_no_tensorflow():
    script = (
        "import sys; from pathlib import Path; from schema import curated\n"
        "assert not any(m.startswith('tensorflow') for m in sys.modules), 'on import'\n"
        "schema = curated.load_schema(curated.schema_path('taxi', Path('.')))\n"
        "curated.column_types(schema); curated.columns_in_environment(schema, 'SERVING')\n"
        "heavy = {'tensorflow', 'tensorflow_data_validation', 'tfx', 'apache_beam', 'pandas'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True, timeout=60)
