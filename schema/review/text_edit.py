"""Writes a changed schema into the text of the old one: comments, order and layout stay.

Only the characters of the fields that differ are replaced, so that a review's diff shows the change
and nothing else. Called by `schema.review.review`. Imports tensorflow_metadata and no TensorFlow.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import schema_pb2

from fareline.errors import UserMistake
from schema.review.text_fields import TextField, find_fields

_NAMED = ("feature", "string_domain")  # lists whose entries are known by name
Edit = tuple[int, int, str]  # from, to, what comes there


def edit_schema_text(text: str, new: schema_pb2.Schema) -> str:
    """Returns the text with what differs from `new` changed, and nothing else.

    Args:
        text: A schema in protobuf text form, as `schema.curated.load_schema` reads it.
        new: What it is to mean. Columns and domains are known by name: their order is that of the
            text, what is new comes last. So it is with the values of a domain.

    Raises:
        UserMistake: The text is written in a way that cannot be edited piece by piece.
    """
    old = text_format.Parse(text, schema_pb2.Schema())
    fields = find_fields(text)
    edits = _edit_fields(text, fields, len(text), old, new, skip=_NAMED)
    for name in _NAMED:
        edits += _edit_named(text, [f for f in fields if f.name == name], name, old, new)
    for start, end, put in sorted(edits, key=lambda edit: edit[:2], reverse=True):
        text = text[:start] + put + text[end:]
    if not same_schema(text_format.Parse(text, schema_pb2.Schema()), new):
        raise UserMistake.explain(
            "the schema's text",
            "is written in a way that cannot be changed piece by piece",
            "expected each column as `feature { … }` and each domain as `string_domain { … }`",
            "change it by hand",
        )
    return text


def same_schema(one: schema_pb2.Schema, other: schema_pb2.Schema) -> bool:
    """Whether two schemas mean the same, whatever the order of columns and values."""
    return _in_order(one) == _in_order(other)


def _in_order(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    ordered = schema_pb2.Schema()
    ordered.CopyFrom(schema)
    for name in _NAMED:
        listed = sorted(getattr(schema, name), key=lambda entry: entry.name)
        del getattr(ordered, name)[:]
        getattr(ordered, name).extend(listed)
    for domain in ordered.string_domain:
        domain.value[:] = sorted(domain.value)
    return ordered


def _edit_named(
    text: str,
    fields: Sequence[TextField],
    name: str,
    old: schema_pb2.Schema,
    new: schema_pb2.Schema,
) -> list[Edit]:
    """Edits of `feature`s or `string_domain`s."""
    before = {entry.name: entry for entry in getattr(old, name)}
    after = {entry.name: entry for entry in getattr(new, name)}
    edits: list[Edit] = []
    for field, entry in zip(fields, getattr(old, name), strict=False):
        if entry.name not in after:
            edits.append(_removal_with_comment(text, field))
        elif entry != after[entry.name]:
            changed = after[entry.name]
            skip = ("value",) if name == "string_domain" else ()
            edits += _edit_fields(text, field.fields or (), field.close, entry, changed, skip)
            if skip:
                edits += _edit_values(text, field, entry.value, changed.value)
    added = [after[key] for key in after if key not in before]
    if added:
        at = _end_of_line(text, fields[-1].end) if fields else len(text)
        lead = "" if text[:at].endswith("\n") or not at else "\n"
        edits.append((at, at, lead + "".join(f"\n{print_block(name, e)}" for e in added)))
    return edits


def print_block(name: str, entry: Message) -> str:
    """A feature or a domain as `name { … }`, one line for each of its fields."""
    lines = [f"  {line}" for field, _ in _ordered(entry) for line in _printed(entry, field)]
    return "\n".join([f"{name} {{", *lines, "}"]) + "\n"


def _ordered(message: Message) -> list[tuple[FieldDescriptor, Any]]:
    """The fields that are set, the name and the type first."""
    first = ("name", "type")
    found = message.ListFields()
    return sorted(found, key=lambda f: first.index(f[0].name) if f[0].name in first else len(first))


def _edit_values(
    text: str, field: TextField, before: Sequence[str], after: Sequence[str]
) -> list[Edit]:
    """Edits of a domain's values: those gone are removed, those new come behind the others."""
    listed = [f for f in field.fields or () if f.name == "value"]
    edits = [
        _removal(text, f) for f, value in zip(listed, before, strict=False) if value not in after
    ]
    domain = schema_pb2.StringDomain(value=[value for value in after if value not in before])
    descriptor = schema_pb2.StringDomain.DESCRIPTOR.fields_by_name["value"]
    lines = _printed(domain, descriptor)
    return edits + _insertion(text, field.fields or (), field.close, lines)


def _edit_fields(
    text: str,
    fields: Sequence[TextField],
    close: int,
    old: Message,
    new: Message,
    skip: Iterable[str] = (),
) -> list[Edit]:
    """Edits of the fields of one message that differ."""
    edits: list[Edit] = []
    added: list[str] = []
    for field in old.DESCRIPTOR.fields:
        if field.name in skip or _values(old, field) == _values(new, field):
            continue
        there = [f for f in fields if f.name == field.name]
        is_one_block = len(there) == 1 and there[0].fields is not None
        if is_one_block and _values(new, field) and field.label != field.LABEL_REPEATED:
            inner = getattr(old, field.name), getattr(new, field.name)
            edits += _edit_fields(text, there[0].fields or (), there[0].close, *inner)
            continue
        lines = _printed(new, field)
        for index, each in enumerate(there):
            if index < len(lines):
                edits.append((each.start, each.end, lines[index]))
            else:
                edits.append(_removal(text, each))
        if there:
            edits += _insertion(text, there, close, lines[len(there) :])
        else:
            added += lines
    return edits + _insertion(text, fields, close, added)


def _values(message: Message, field: FieldDescriptor) -> list[Any]:
    if field.label == field.LABEL_REPEATED:
        return list(getattr(message, field.name))
    return [getattr(message, field.name)] if message.HasField(field.name) else []


def _printed(message: Message, field: FieldDescriptor) -> list[str]:
    """A field of a message as text, one line for each of its values."""
    lines = []
    for value in _values(message, field):
        one = type(message)()
        if field.label == field.LABEL_REPEATED:
            getattr(one, field.name).append(value)
        elif field.message_type is not None:
            getattr(one, field.name).CopyFrom(value)
            getattr(one, field.name).SetInParent()
        else:
            setattr(one, field.name, value)
        lines.append(text_format.MessageToString(one, as_one_line=True, as_utf8=True).strip())
    return lines


def _insertion(
    text: str, fields: Sequence[TextField], close: int, lines: Sequence[str]
) -> list[Edit]:
    """Puts lines behind the last field of a message."""
    if not lines:
        return []
    begin = text.rfind("\n", 0, close) + 1
    if text[begin:close].strip() and close < len(text):  # all in one line
        at = fields[-1].end if fields else close
        return [(at, at, "".join(f" {line}" for line in lines) + ("" if fields else " "))]
    if fields:
        column = fields[-1].start - text.rfind("\n", 0, fields[-1].start) - 1
        indent, at = " " * column, _end_of_line(text, fields[-1].end)
    else:
        indent, at = (text[begin:close] + "  ") * (close < len(text)), begin
    lead = "" if text[:at].endswith("\n") or not at else "\n"
    return [(at, at, lead + "".join(f"{indent}{line}\n" for line in lines))]


def _removal(text: str, field: TextField) -> Edit:
    """Takes a field away: with its line, if nothing else than a comment is in it."""
    begin = text.rfind("\n", 0, field.start) + 1
    end = _end_of_line(text, field.end)
    if not text[begin : field.start].strip() and (end > field.end or end == len(text)):
        return begin, end, ""
    rest = len(text[field.end :]) - len(text[field.end :].lstrip(" ,;"))
    return field.start, field.end + rest, ""


def _removal_with_comment(text: str, field: TextField) -> Edit:
    """Takes a block away, with the comment that stands directly above it and one empty line."""
    begin, end, _ = _removal(text, field)
    while begin:
        line = text.rfind("\n", 0, begin - 1) + 1
        if not text[line:begin].lstrip().startswith("#"):
            break
        begin = line
    if text[:begin].endswith("\n\n") and (text[end:].startswith("\n") or end == len(text)):
        begin -= 1
    return begin, end, ""


def _end_of_line(text: str, start: int) -> int:
    """Behind the line end that follows, if nothing but blanks and a comment is before it."""
    end = text.find("\n", start)
    end = len(text) if end < 0 else end + 1
    rest = text[start:end].strip(" \t\r\n,;")
    return end if not rest or rest.startswith("#") else start
