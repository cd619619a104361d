"""A change of a schema as a file for a person to read, correct and accept.

YAML: what the change is against, and for each column what differs, in words, and what the column
becomes, in the schema's own language. Called by `cli.schema`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from fareline.errors import UserMistake
from fareline.files import write_text
from schema.review.differences import Difference
from schema.review.text_edit import print_block

_HEADER = """\
# What the data would change in the schema. Read it; correct what a column becomes, or remove
# columns that are to stay as they are (`becomes: null` takes one out of the schema). A domain that
# several columns share stands with the first of them. Then:
#
#   fareline schema accept {name} --reason "why"
#
# It is refused once the schema is not the one that this was written against.
"""
_KEYS = ("schema", "sha256", "data", "columns")


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A change that waits for a decision.

    Attributes:
        schema: The file that it is a change of.
        sha256: SHA-256 of that file when this was written.
        data: Description of the data, for a reader.
        columns: Column to its feature and domain as they would be; None: to be taken out.
    """

    schema: str
    sha256: str
    data: str
    columns: Mapping[str, schema_pb2.Schema | None]


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    )


_Dumper.add_representer(str, _represent_text)


def write_proposal(path: Path, proposal: Proposal, differences: Sequence[Difference]) -> None:
    """Writes the file, beside first, then by its name.

    Raises:
        NotWritten: The file cannot be written.
    """
    columns = {}
    for name, part in proposal.columns.items():
        said = [
            f"{d.severity}: {d.aspect}: {d.before} -> {d.after}"
            for d in differences
            if d.column == name
        ]
        columns[name] = {"differences": said, "becomes": part and _print(part)}
    content = dict(
        zip(_KEYS, (proposal.schema, proposal.sha256, proposal.data, columns), strict=True)
    )
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    write_text(path, _HEADER.format(name=path) + "\n" + text)


def _print(part: schema_pb2.Schema) -> str:
    blocks = [print_block("feature", feature) for feature in part.feature]
    return "".join([*blocks, *(print_block("string_domain", d) for d in part.string_domain)])


def read_proposal(path: Path) -> Proposal:
    """Reads the file, as a person may have changed it.

    Raises:
        UserMistake: The text is not a proposal, or gives a column another name.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(path, f"cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise _wrong(path, f"not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict) or not set(_KEYS) <= set(content):
        raise _wrong(path, f"lacks {' or '.join(_KEYS)}")
    columns = content["columns"]
    if not isinstance(columns, dict) or not columns:
        raise _wrong(path, "holds no column")
    parts = {str(name): _parse(path, str(name), told) for name, told in columns.items()}
    return Proposal(*(str(content[key]) for key in _KEYS[:3]), parts)


def _parse(path: Path, name: str, told: Any) -> schema_pb2.Schema | None:
    where = f"{path}, column {name!r}"
    if not isinstance(told, dict) or "becomes" not in told:
        raise _wrong(where, "does not say what it becomes")
    if told["becomes"] is None:
        return None
    try:
        part = text_format.Parse(str(told["becomes"]), schema_pb2.Schema())
    except text_format.ParseError as error:
        raise _wrong(where, " ".join(str(error).split()).rstrip(".")) from error
    allowed = [f.domain for f in part.feature if f.HasField("domain")]
    if (
        [f.name for f in part.feature] != [name]
        or any(field.name not in ("feature", "string_domain") for field, _ in part.ListFields())
        or any(domain.name not in allowed for domain in part.string_domain)
    ):
        raise _wrong(where, "becomes something else than one feature of that name and its domain")
    return part


def _wrong(where: object, found: str) -> UserMistake:
    return UserMistake.explain(
        str(where),
        found,
        "expected a proposal as `fareline schema propose` writes it",
        "correct it, or write it anew",
    )
