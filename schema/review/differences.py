"""Differences between two schemas by column, in plain words, with their severity.

The rule of severity: *breaking* is what those who read the column must follow (its type, how many
values it has, its shape, where it is to be found, whether it is there at all); *notable* is a
contract that lets more through than before; *informative* one that lets less through, or allows
what today's data does not make use of. Called by `schema.review.review` and `cli.schema`.
Imports tensorflow_metadata and no TensorFlow.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.review.bounds import Numbers, numbers_of, say_number_of_values, say_presence, say_shape

BREAKING, NOTABLE, INFORMATIVE = "breaking", "notable", "informative"
SEVERITIES = (BREAKING, NOTABLE, INFORMATIVE)
SCHEMA = "(schema)"  # stands for the column where a difference concerns no single one
NO_COLUMN, NO_VALUE = "no such column", "no such value"
_SHOWN_VALUES = 5
_IN_WORDS = frozenset(
    {
        "name", "type", "presence", "value_count", "value_counts", "shape", "domain",
        "string_domain", "int_domain", "float_domain", "distribution_constraints",
        "in_environment", "not_in_environment", "lifecycle_stage",
    }
)  # fmt: skip
Domains = dict[str, list[str]]


@dataclasses.dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Attributes:
        column: Column, or `(schema)` for what concerns no single one.
        aspect: Aspect: `column`, `type`, `presence`, `number of values`, `shape`, `values`,
            `range`, `environments`, or the name of another field of the schema.
        before: Value in the older schema, in words.
        after: Value in the newer schema or in the data.
        severity: `breaking`, `notable` or `informative`.
    """

    column: str
    aspect: str
    before: str
    after: str
    severity: str

    def __str__(self) -> str:
        return f"{self.column}: {self.aspect}: {self.before} -> {self.after}"


def compare_schemas(before: schema_pb2.Schema, after: schema_pb2.Schema) -> list[Difference]:
    """Lists what differs, the breaking first, then in the order of the columns."""
    found = [*_compare_columns(before, after), *_compare_rest(before, after)]
    return sort_by_severity(found)


def sort_by_severity(found: Sequence[Difference]) -> list[Difference]:
    """The breaking first; the order is kept otherwise."""
    return sorted(found, key=lambda difference: SEVERITIES.index(difference.severity))


def _compare_columns(before: schema_pb2.Schema, after: schema_pb2.Schema) -> Iterator[Difference]:
    old, new = ({f.name: f for f in schema.feature} for schema in (before, after))
    old_domains, new_domains = domains_of(before), domains_of(after)
    for name in dict.fromkeys([*old, *new]):
        if _is_there(old.get(name)) and not _is_there(new.get(name)):
            said = f"{_type(old[name])}, {say_presence(old[name])}"
            yield Difference(name, "column", said, NO_COLUMN, BREAKING)
        elif not _is_there(old.get(name)) and _is_there(new.get(name)):
            said = describe_column(new[name], new_domains)
            yield Difference(name, "column", NO_COLUMN, said, NOTABLE)
        elif name in old and name in new:
            yield from _compare_column(old[name], new[name])
            texts = text_domain(old[name], old_domains), text_domain(new[name], new_domains)
            yield from _compare_values(name, *texts)
            yield from _compare_environments(before, old[name], after, new[name])
            yield from _compare_other_fields(name, old[name], new[name])


def _is_there(feature: schema_pb2.Feature | None) -> bool:
    """Whether a column is expected; TFDV does not look for those that are deprecated."""
    return feature is not None and feature.lifecycle_stage != schema_pb2.DEPRECATED


def describe_column(feature: schema_pb2.Feature, domains: Domains) -> str:
    """A column in one line, such as `FLOAT, in every row, exactly 1 value, 0 to 1,000`."""
    parts = [_type(feature), say_presence(feature), say_number_of_values(feature)]
    if feature.HasField("shape"):
        parts.append(say_shape(feature))
    numbers, texts = numbers_of(feature), text_domain(feature, domains)
    if numbers.is_bounded:
        parts.append(numbers.say())
    if texts is not None:
        parts.append(f"one of {list_values(texts)}")
    return ", ".join(parts)


def _compare_column(old: schema_pb2.Feature, new: schema_pb2.Feature) -> Iterator[Difference]:
    name = old.name
    if old.type != new.type:
        yield Difference(name, "type", _type(old), _type(new), BREAKING)
    was, now = old.presence, new.presence
    if (was.min_fraction, was.min_count) != (now.min_fraction, now.min_count):
        lower = now.min_fraction < was.min_fraction or now.min_count < was.min_count
        said = say_presence(old), say_presence(new)
        yield Difference(name, "presence", *said, NOTABLE if lower else INFORMATIVE)
    if (old.value_count, old.value_counts) != (new.value_count, new.value_counts):
        severity = BREAKING if _takes_more(old.value_count, new.value_count) else INFORMATIVE
        if old.value_counts != new.value_counts:
            severity = BREAKING
        said = say_number_of_values(old), say_number_of_values(new)
        yield Difference(name, "number of values", *said, severity)
    if old.shape != new.shape or old.HasField("shape") != new.HasField("shape"):
        yield Difference(name, "shape", say_shape(old), say_shape(new), BREAKING)
    if schema_pb2.BYTES not in (old.type, new.type):
        yield from _compare_numbers(name, numbers_of(old), numbers_of(new))
    was, now = (f.distribution_constraints.min_domain_mass for f in (old, new))
    if was != now:
        said = (f"at least {mass * 100:.4g} % of the values" for mass in (was, now))
        yield Difference(name, "known values", *said, NOTABLE if now < was else INFORMATIVE)


def _takes_more(old: schema_pb2.ValueCount, new: schema_pb2.ValueCount) -> bool:
    return new.min < old.min or (old.max > 0 and not 0 < new.max <= old.max)


def _compare_numbers(name: str, old: Numbers, new: Numbers) -> Iterator[Difference]:
    if (old.low, old.high) != (new.low, new.high):
        severity = NOTABLE if new.is_wider_than(old) else INFORMATIVE
        yield Difference(name, "range", old.say(), new.say(), severity)
    for what, was, now in (("NaN", old.nan, new.nan), ("infinity", old.inf, new.inf)):
        if was != now:
            said = ("allowed" if allowed else "not allowed" for allowed in (was, now))
            yield Difference(name, what, *said, NOTABLE if now else INFORMATIVE)


def _compare_values(
    name: str, old: Sequence[str] | None, new: Sequence[str] | None
) -> Iterator[Difference]:
    if old is None and new is None:
        return
    if old is None or new is None:
        said = ("any" if t is None else f"one of {list_values(t)}" for t in (old, new))
        yield Difference(name, "values", *said, NOTABLE if new is None else INFORMATIVE)
        return
    if added := [value for value in new if value not in old]:
        yield Difference(name, "values", NO_VALUE, list_values(added), NOTABLE)
    if gone := [value for value in old if value not in new]:
        yield Difference(name, "values", list_values(gone), NO_VALUE, INFORMATIVE)


def _compare_environments(
    before: schema_pb2.Schema,
    old: schema_pb2.Feature,
    after: schema_pb2.Schema,
    new: schema_pb2.Feature,
) -> Iterator[Difference]:
    was, now = environments_of(old, before), environments_of(new, after)
    # An environment that only one of the schemas knows is no matter of this column.
    known = set(before.default_environment) & set(after.default_environment)
    known.update([*old.in_environment, *old.not_in_environment])
    known.update([*new.in_environment, *new.not_in_environment])
    if was & known != now & known:
        said = (f"in {' and '.join(sorted(where)) or 'none'}" for where in (was, now))
        yield Difference(old.name, "environments", *said, BREAKING)


def environments_of(feature: schema_pb2.Feature, schema: schema_pb2.Schema) -> set[str]:
    """The environments in which a column is expected."""
    return {*schema.default_environment, *feature.in_environment} - {*feature.not_in_environment}


def _compare_other_fields(
    name: str, old: schema_pb2.Feature, new: schema_pb2.Feature
) -> Iterator[Difference]:
    """Whatever has no words of its own is still a difference: as the schema writes it."""
    for field in old.DESCRIPTOR.fields:
        if field.name not in _IN_WORDS:
            yield from _compare_field(name, field.name, old, new)
    for field in ("int_domain", "float_domain"):
        rest = []
        for feature in (old, new):
            left = schema_pb2.Feature()
            if feature.HasField(field):
                getattr(left, field).CopyFrom(getattr(feature, field))
                for bound in ("min", "max", "disallow_nan", "disallow_inf"):
                    if bound in left.int_domain.DESCRIPTOR.fields_by_name or field[0] == "f":
                        getattr(left, field).ClearField(bound)
            if not getattr(left, field).ListFields():
                left.ClearField(field)
            rest.append(left)
        yield from _compare_field(name, field, *rest)
    if old.lifecycle_stage != new.lifecycle_stage:
        stages = (schema_pb2.LifecycleStage.Name(f.lifecycle_stage) for f in (old, new))
        yield Difference(name, "lifecycle stage", *stages, NOTABLE)


def _compare_field(where: str, field: str, old: Message, new: Message) -> Iterator[Difference]:
    said = [_print_field(message, field) for message in (old, new)]
    if said[0] != said[1]:
        yield Difference(where, field, *said, NOTABLE)


def _print_field(message: Message, field: str) -> str:
    one = type(message)()
    one.CopyFrom(message)
    for other, _ in message.ListFields():
        if other.name != field:
            one.ClearField(other.name)
    return text_format.MessageToString(one, as_one_line=True, as_utf8=True).strip() or "not set"


def _compare_rest(before: schema_pb2.Schema, after: schema_pb2.Schema) -> Iterator[Difference]:
    was, now = set(before.default_environment), set(after.default_environment)
    if was != now:
        said = (" and ".join(sorted(names)) or "none" for names in (was, now))
        yield Difference(SCHEMA, "environments", *said, BREAKING)
    for field in before.DESCRIPTOR.fields:
        if field.name not in ("feature", "string_domain", "default_environment"):
            yield from _compare_field(SCHEMA, field.name, before, after)


def domains_of(schema: schema_pb2.Schema) -> Domains:
    """Values of the domains that columns share, by name."""
    return {domain.name: list(domain.value) for domain in schema.string_domain}


def text_domain(feature: schema_pb2.Feature, domains: Domains) -> list[str] | None:
    """The texts that a column may hold; None where any may be."""
    if feature.HasField("string_domain"):
        return list(feature.string_domain.value)
    return domains.get(feature.domain) if feature.HasField("domain") else None


def list_values(values: Sequence[str]) -> str:
    """Some of the values, and how many more there are."""
    shown = ", ".join(repr(value) for value in values[:_SHOWN_VALUES])
    more = len(values) - _SHOWN_VALUES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _type(feature: schema_pb2.Feature) -> str:
    return schema_pb2.FeatureType.Name(feature.type)
