"""Finds and reads the curated schemas: the contract that a pipeline's data must keep.

Called by `pipeline` (which schema drives ExampleValidator, Transform and serving) and by `runners`.
Must stay light: it reads a schema with `tensorflow_metadata` alone, never `tensorflow` or
`tensorflow_data_validation`, and imports that inside the functions, so that `import schema.curated`
costs nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fareline.errors import SettingsError, UserMistake
from fareline.kinds import STRING
from fareline.near import near_names

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

SCHEMA_FILE_NAME = "schema.pbtxt"

_PACKAGED_DIR = Path(__file__).resolve().parent
_TYPE_NAMES = {"INT": "int", "FLOAT": "float", "BYTES": "bytes"}


def is_packaged_name(name_or_path: str) -> bool:
    """Whether a setting names a curated schema of this package, rather than a file."""
    return "/" not in name_or_path and not Path(name_or_path).suffix


def schema_path(name_or_path: str, base_dir: Path) -> Path:
    """Returns the file that a setting such as `taxi` or `my/schema.pbtxt` means.

    Args:
        name_or_path: A bare name is a curated schema of this package, `schema/<name>/schema.pbtxt`;
            anything with a slash or a suffix is a file.
        base_dir: The folder that a relative file path starts from.

    Returns:
        The path of an existing file.

    Raises:
        SettingsError: No curated schema has that name, or there is no such file.
    """
    if not is_packaged_name(name_or_path):
        path = base_dir / os.path.expanduser(name_or_path)
        if path.is_file():
            return path
        raise SettingsError.explain(
            f"schema {name_or_path!r}",
            f"there is no file {path}",
            "expected a schema in protobuf text form",
            f"give a path relative to {base_dir}, or a packaged name ({_known_names_text()})",
        )
    path = _PACKAGED_DIR / name_or_path / SCHEMA_FILE_NAME
    if name_or_path and path.is_file():
        return path
    raise SettingsError.explain(
        f"schema {name_or_path!r}",
        "there is no curated schema of that name",
        f"expected one of {_known_names_text()}, or a path",
        _nearest_name_hint(name_or_path),
    )


def load_schema(path: Path) -> schema_pb2.Schema:
    """Reads a schema in protobuf text form.

    Args:
        path: The `.pbtxt` file.

    Returns:
        The parsed schema; it holds at least one feature.

    Raises:
        UserMistake: The file cannot be read, is not a schema (the message names the line), or holds
            no feature.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    expected = "expected a tensorflow_metadata Schema in protobuf text form"
    try:
        schema = text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except text_format.ParseError as err:
        raise UserMistake.explain(
            f"{path}, line {err.GetLine()}",
            _one_line(err),
            expected,
            "correct that line; schema/taxi/schema.pbtxt is a complete example",
        ) from err
    except UnicodeDecodeError as err:
        raise UserMistake.explain(
            str(path), "not UTF-8 text", expected, "give the .pbtxt file, not a binary schema"
        ) from err
    except OSError as err:
        raise UserMistake.explain(
            str(path),
            f"cannot be read ({err.strerror})",
            expected,
            "check the path and its permissions",
        ) from err
    if not schema.feature:
        raise UserMistake.explain(
            str(path), "holds no feature", expected, "start from what SchemaGen inferred"
        )
    return schema


def column_types(schema: schema_pb2.Schema) -> dict[str, str]:
    """Returns each column's type, in the schema's order.

    Args:
        schema: The contract.

    Returns:
        Column name to `'int'` (int64), `'float'` (float32) or `'bytes'`.

    Raises:
        UserMistake: A column has another type, such as STRUCT, or none.
    """
    from tensorflow_metadata.proto.v0 import schema_pb2

    types = {}
    for feature in schema.feature:
        declared = schema_pb2.FeatureType.Name(feature.type)
        if declared not in _TYPE_NAMES:
            raise UserMistake.explain(
                f"schema, column {feature.name!r}",
                f"its type is {declared}",
                "expected INT, FLOAT or BYTES",
                "flatten nested data into plain columns, and state a type for each",
            )
        types[feature.name] = _TYPE_NAMES[declared]
    return types


def column_values(schema: schema_pb2.Schema) -> dict[str, tuple[str, ...]]:
    """Column to the only texts that it may hold; columns that may hold others are not there.

    Args:
        schema: The contract.
    """
    shared = {domain.name: domain for domain in schema.string_domain}
    values = {}
    for feature in schema.feature:
        named = shared.get(feature.domain) if feature.HasField("domain") else None
        domain = feature.string_domain if feature.HasField("string_domain") else named
        if domain is None or not domain.value:
            continue
        limits = feature.distribution_constraints
        if not limits.HasField("min_domain_mass") or limits.min_domain_mass >= 1:
            values[feature.name] = tuple(domain.value)
    return values


def column_kinds(schema: schema_pb2.Schema) -> dict[str, str]:
    """Column to what a tf.Example holds of it: `'int'`, `'float'` or `'string'`.

    Raises:
        UserMistake: See `column_types`.
    """
    types = column_types(schema)
    return {name: {"bytes": STRING}.get(kind, kind) for name, kind in types.items()}


def columns_in_environment(schema: schema_pb2.Schema, env: str) -> list[str]:
    """Returns the columns that data of an environment must have, in the schema's order.

    Args:
        schema: The contract.
        env: An environment that the schema names, such as `'TRAINING'` or `'SERVING'`.

    Returns:
        Column names; for SERVING, all but the label.

    Raises:
        UserMistake: The schema names no such environment; an inferred schema names none at all.

    Source:
        TFDV's `Schema::IsFeatureInEnvironment`: exclusion wins, then inclusion, then the default.
    """
    known = set(schema.default_environment)
    for feature in schema.feature:
        known.update(feature.in_environment, feature.not_in_environment)
    if env not in known:
        near = near_names(env.upper(), known)
        hint = f'add `default_environment: "{env}"` to the schema'
        raise UserMistake.explain(
            f"schema environment {env!r}",
            "the schema does not name it",
            f"expected {' or '.join(sorted(known)) or 'a schema with environments'}",
            f"did you mean {near[0]}" if near else hint,
        )
    by_default = env in schema.default_environment
    return [
        feature.name
        for feature in schema.feature
        if env not in feature.not_in_environment and (by_default or env in feature.in_environment)
    ]


def _known_names() -> list[str]:
    return sorted(path.parent.name for path in _PACKAGED_DIR.glob(f"*/{SCHEMA_FILE_NAME}"))


def _known_names_text() -> str:
    return ", ".join(_known_names())


def _nearest_name_hint(name: str) -> str:
    nearest = near_names(name, _known_names())
    if nearest:
        return f"the nearest is {nearest[0]!r}"
    return "a file needs a slash or a suffix, such as ./schema.pbtxt"


def _one_line(err: Exception) -> str:
    """The parser's message without its `line:column : ` prefix and its line breaks."""
    text = " ".join(str(err).split())
    return text.split(" : ", 1)[-1].rstrip(".")
