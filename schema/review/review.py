"""The review of a schema: what today's data would change in it, and a change that was decided on.

Plain functions over protos and text. Called by `cli.schema`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tensorflow_metadata.proto.v0 import schema_pb2

from schema.review.differences import (
    INFORMATIVE,
    NO_COLUMN,
    Difference,
    compare_schemas,
    domains_of,
    list_values,
    sort_by_severity,
    text_domain,
)
from schema.review.statistics import TRAINING, has_rows_of, infer, update

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList


@dataclasses.dataclass(frozen=True)
class Review:
    """The changes that data suggests for a contract.

    Attributes:
        updated: The contract that the data would keep.
        differences: The changes; also, as informative, allowed values that the data does not have.
    """

    updated: schema_pb2.Schema
    differences: Sequence[Difference]

    @property
    def unreviewed(self) -> list[Difference]:
        """Those that need a decision: all but the informative ones."""
        return [each for each in self.differences if each.severity != INFORMATIVE]


def review_data(
    contract: schema_pb2.Schema,
    splits: Sequence[DatasetFeatureStatisticsList],
    environment: str = TRAINING,
) -> Review:
    """Compares the statistics of data with the contract.

    What only people set, such as ranges, comparators and environments, is no difference as long as
    the data keeps it.

    Args:
        contract: The curated schema.
        splits: Statistics of each split.
        environment: Environment of the data.
    """
    updated = update(contract, splits, environment)
    found = [
        dataclasses.replace(each, after="no value in any row")
        if each.after == NO_COLUMN and has_rows_of(each.column, splits)
        else each
        for each in compare_schemas(contract, updated)
    ]
    return Review(updated, sort_by_severity([*found, *_find_unused(contract, infer(splits))]))


def _find_unused(contract: schema_pb2.Schema, inferred: schema_pb2.Schema) -> list[Difference]:
    """Values of domains that the data does not hold, and those that it holds besides."""
    found = []
    seen = {feature.name: feature for feature in inferred.feature}
    listed_by, seen_by = domains_of(contract), domains_of(inferred)
    for feature in contract.feature:
        listed = text_domain(feature, listed_by)
        there = text_domain(seen[feature.name], seen_by) if feature.name in seen else None
        if listed is None or there is None:
            continue
        if absent := [value for value in listed if value not in there]:
            said = list_values(absent), "not in the data"
            found.append(Difference(feature.name, "values", *said, INFORMATIVE))
        mass = feature.distribution_constraints.min_domain_mass
        others = [value for value in there if value not in listed]
        if others and feature.HasField("distribution_constraints") and mass < 1:
            before = f"at least {mass * 100:.4g} % of the values among {len(listed)}"
            after = f"others as well: {list_values(others)}"
            found.append(Difference(feature.name, "values", before, after, INFORMATIVE))
    return found


def split_into_columns(
    contract: schema_pb2.Schema, updated: schema_pb2.Schema
) -> dict[str, schema_pb2.Schema]:
    """The change by column: each with its feature and its domain as they would be.

    A domain comes along only if it changes, and once: with the first of the columns that share it.

    Returns:
        Columns that differ, in the order of the contract, those new last.
    """
    before, after = _by_column(contract), _by_column(updated)
    changed = {name: part for name, part in after.items() if before.get(name) != part}
    told = {domain.name: domain for domain in contract.string_domain}
    for part in changed.values():
        new = [d for d in part.string_domain if told.get(d.name) != d]
        told |= {domain.name: domain for domain in new}
        del part.string_domain[:]
        part.string_domain.extend(new)
    return changed


def _by_column(schema: schema_pb2.Schema) -> dict[str, schema_pb2.Schema]:
    domains = {domain.name: domain for domain in schema.string_domain}
    parts = {}
    for feature in schema.feature:
        parts[feature.name] = schema_pb2.Schema(feature=[feature])
        if feature.HasField("domain") and feature.domain in domains:
            parts[feature.name].string_domain.append(domains[feature.domain])
    return parts


def merge_columns(
    contract: schema_pb2.Schema, columns: Mapping[str, schema_pb2.Schema | None]
) -> schema_pb2.Schema:
    """The contract with some of its columns, and their domains, replaced.

    Args:
        contract: The schema as it is.
        columns: From `split_into_columns`; None takes a column away.
    """
    merged = schema_pb2.Schema()
    merged.CopyFrom(contract)
    for name, part in columns.items():
        index = next((i for i, f in enumerate(merged.feature) if f.name == name), None)
        if part is None:
            if index is not None:
                del merged.feature[index]
            continue
        (merged.feature.add() if index is None else merged.feature[index]).CopyFrom(part.feature[0])
        for domain in part.string_domain:
            same = [d for d in merged.string_domain if d.name == domain.name]
            (same[0] if same else merged.string_domain.add()).CopyFrom(domain)
    return merged
