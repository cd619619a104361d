"""Statistics of rows, and TFDV's results: anomalies, an inferred schema, an update.

TFDV does the work. Called by `cli.schema`. Imports TFDV, and with it TensorFlow and
Beam, inside the functions only: that takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

TRAINING, SERVING = "TRAINING", "SERVING"
_TYPES = {
    statistics_pb2.FeatureNameStatistics.INT: schema_pb2.INT,
    statistics_pb2.FeatureNameStatistics.FLOAT: schema_pb2.FLOAT,
    statistics_pb2.FeatureNameStatistics.STRING: schema_pb2.BYTES,
    statistics_pb2.FeatureNameStatistics.BYTES: schema_pb2.BYTES,
}
_DOMAINS_OF_TYPES = {
    "int_domain": schema_pb2.INT, "float_domain": schema_pb2.FLOAT,
    "domain": schema_pb2.BYTES, "string_domain": schema_pb2.BYTES,
}  # fmt: skip


def make_statistics(batches: Iterable[Mapping[str, pa.Array]]) -> DatasetFeatureStatisticsList:
    """Makes the statistics that StatisticsGen makes, in this process and without Beam.

    Args:
        batches: Columns by name: int64, float64 (taken as float32, as an example has it) or
            large_binary, where null is missing; large_lists of these, where an empty one is
            missing as well; or nulls. The same columns in each batch.
    """
    import tensorflow_data_validation as tfdv
    from tensorflow_data_validation.statistics import stats_impl

    options = tfdv.StatsOptions()
    generators = stats_impl.get_generators(options, in_memory=True)
    sums = None
    for columns in batches:
        lists = [_as_lists(array) for array in columns.values()]
        batch = pa.RecordBatch.from_arrays(lists, list(columns))
        parts = stats_impl.generate_partial_statistics_in_memory(batch, options, generators)
        if sums is None:
            sums = parts
        else:
            pairs = zip(generators, sums, parts, strict=True)
            sums = [generator.merge_accumulators(pair) for generator, *pair in pairs]
    if sums is None:
        return statistics_pb2.DatasetFeatureStatisticsList()
    return stats_impl.extract_statistics_output(sums, generators)


def _as_lists(array: pa.Array) -> pa.Array:
    """Each value as a list; what is missing as no list at all."""
    if pa.types.is_null(array.type):
        return array
    if pa.types.is_large_list(array.type):
        return pc.if_else(pc.equal(pc.list_value_length(array), 0), None, array)
    if pa.types.is_floating(array.type):
        array = array.cast(pa.float32(), safe=False)
    valid = array.is_valid()
    ends = pc.cumulative_sum(valid.cast(pa.int64()))
    starts = pc.subtract(ends, valid.cast(pa.int64()))
    offsets = pa.concat_arrays([pc.if_else(valid, starts, None), ends[-1:] if len(ends) else
                                pa.array([0], pa.int64())])  # fmt: skip
    return pa.LargeListArray.from_arrays(offsets, array.drop_null())


def count_empty_as_missing(statistics: DatasetFeatureStatisticsList) -> None:
    """Counts rows with an empty list as rows without the column, where statistics tell how many.

    ExampleGens write an empty cell as a feature with no value in it, which TFDV counts as present:
    a column without a single value would pass as one of zeros. No more is needed to tell where no
    row has more than one value, as in all data from tables: each value is a row then.
    """
    for dataset in statistics.datasets:
        for feature in dataset.features:
            kind = feature.WhichOneof("stats")
            common = getattr(feature, kind).common_stats if kind else None
            if common is None or common.max_num_values > 1 or common.presence_and_valency_stats:
                continue
            rows = common.num_non_missing + common.num_missing
            common.num_non_missing = common.tot_num_values
            common.num_missing = rows - common.tot_num_values
            common.min_num_values = common.max_num_values


def find_anomalies(
    statistics: DatasetFeatureStatisticsList, contract: schema_pb2.Schema, environment: str
) -> anomalies_pb2.Anomalies:
    """TFDV's findings in the data, compared with the contract in one of its environments.

    A contract without environments, such as an inferred one, is that of all of them.
    """
    import tensorflow_data_validation as tfdv

    if not contract.default_environment:
        environment = None
    return tfdv.validate_statistics(statistics, contract, environment=environment)


def infer(splits: Sequence[DatasetFeatureStatisticsList]) -> schema_pb2.Schema:
    """Infers a schema of all splits, as SchemaGen does without shapes."""
    import tensorflow_data_validation as tfdv

    inferred = tfdv.infer_schema(splits[0], infer_feature_shape=False)
    for statistics in splits[1:]:
        inferred = tfdv.update_schema(inferred, statistics)
    return inferred


def update(
    contract: schema_pb2.Schema,
    splits: Sequence[DatasetFeatureStatisticsList],
    environment: str = TRAINING,
) -> schema_pb2.Schema:
    """Returns the narrowest contract that the data keeps.

    TFDV's own update, save for three things: a column of another type gets that type, which TFDV
    would deprecate; a column that the environment does not have is not missed; and one that it has
    not, and that is there, is let in. What only people set (comparators, annotations,
    environments, bounds that hold) stays.
    """
    import tensorflow_data_validation as tfdv

    updated = schema_pb2.Schema()
    updated.CopyFrom(contract)
    for statistics in splits:
        _adopt_types(updated, statistics)
        updated = tfdv.update_schema(updated, statistics)
    there = {
        _name(feature)
        for statistics in splits
        for feature in statistics.datasets[0].features
        if _common(feature) is not None and _common(feature).num_non_missing
    }
    was = {feature.name: feature for feature in contract.feature}
    for feature in updated.feature:
        if feature.name not in was or not contract.default_environment:
            continue
        expected = {*contract.default_environment, *feature.in_environment}
        if environment in expected - {*feature.not_in_environment}:
            continue
        if feature.name not in there:
            feature.CopyFrom(was[feature.name])
            continue
        feature.not_in_environment[:] = [e for e in feature.not_in_environment if e != environment]
        if environment not in expected:
            feature.in_environment.append(environment)
    return updated


def _adopt_types(schema: schema_pb2.Schema, statistics: DatasetFeatureStatisticsList) -> None:
    """Gives columns the types that the data has; bounds on numbers stay bounds on numbers."""
    found = {_name(feature): feature for feature in statistics.datasets[0].features}
    for feature in schema.feature:
        seen = found.get(feature.name)
        if seen is None or _common(seen) is None or not _common(seen).tot_num_values:
            continue
        kind = _TYPES.get(seen.type)
        if kind is None or kind == feature.type:
            continue
        feature.type = kind
        bounds = feature.WhichOneof("domain_info")
        if bounds is None or _DOMAINS_OF_TYPES.get(bounds) == kind:
            continue
        numbers = [
            (end, getattr(getattr(feature, bounds), end))
            for end in ("min", "max")
            if bounds in ("int_domain", "float_domain") and getattr(feature, bounds).HasField(end)
        ]
        feature.ClearField(bounds)
        feature.ClearField("distribution_constraints")
        for end, number in numbers:
            if kind == schema_pb2.FLOAT:
                setattr(feature.float_domain, end, number)
            elif kind == schema_pb2.INT and number == int(number):
                setattr(feature.int_domain, end, int(number))


def _name(feature: statistics_pb2.FeatureNameStatistics) -> str:
    return feature.name or ".".join(feature.path.step)


def _common(
    feature: statistics_pb2.FeatureNameStatistics,
) -> statistics_pb2.CommonStatistics | None:
    kind = feature.WhichOneof("stats")
    return getattr(feature, kind).common_stats if kind else None


def has_rows_of(column: str, splits: Sequence[DatasetFeatureStatisticsList]) -> bool:
    """Whether the data has a column of that name, be it without a value."""
    return any(_name(f) == column for s in splits for d in s.datasets for f in d.features)


def count_rows(splits: Sequence[DatasetFeatureStatisticsList]) -> int:
    """Number of rows of the statistics."""
    return sum(int(dataset.num_examples) for s in splits for dataset in s.datasets)


def describe_columns(
    statistics: DatasetFeatureStatisticsList,
) -> dict[str, tuple[float, float | None, float | None, int | None]]:
    """Column to the share of rows that have it, least and greatest number, how many texts."""
    told = {}
    for feature in statistics.datasets[0].features:
        common = _common(feature)
        rows = common.num_non_missing + common.num_missing if common is not None else 0
        share = common.num_non_missing / rows if rows else 0.0
        low = high = distinct = None
        if share and feature.WhichOneof("stats") == "num_stats":
            number = int if feature.type == statistics_pb2.FeatureNameStatistics.INT else float
            low, high = number(feature.num_stats.min), number(feature.num_stats.max)
        elif share and feature.WhichOneof("stats") == "string_stats":
            distinct = int(feature.string_stats.unique)
        told[_name(feature)] = share, low, high, distinct
    return told
