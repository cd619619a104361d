"""One column of TFDV's statistics as plain numbers."""

import math
from collections.abc import Iterable
from typing import Any

from lineage.facts.payload_contents import missing_share, name_of
from report.run.document import Bin, ColumnStats

__all__ = ["column_stats", "kind_of", "name_of"]

_TYPES = ("INT", "FLOAT", "STRING", "BYTES", "STRUCT")
_QUANTILES = 1  # of `Histogram.HistogramType`
_SHOWN_VALUES = 20
_LONGEST = 200


def kind_of(feature: Any) -> str:
    """The type of a column, as TFDV names it."""
    return _TYPES[feature.type] if 0 <= feature.type < len(_TYPES) else "?"


def column_stats(feature: Any, dataset: Any) -> ColumnStats:
    """Reads a column of a split.

    Args:
        feature: `FeatureNameStatistics`.
        dataset: `DatasetFeatureStatistics` that it is in.
    """
    rows = int(dataset.num_examples)
    kind = feature.WhichOneof("stats")
    if kind is None:
        return ColumnStats(missing=0.0, count=0)
    stats = getattr(feature, kind)
    common = {
        "missing": missing_share(feature, rows),
        "count": int(stats.common_stats.tot_num_values or stats.common_stats.num_non_missing),
    }
    if kind == "num_stats" and common["missing"] < 1:  # without a value TFDV has 0 for all figures
        return _numbers(stats, rows, common)
    if kind == "string_stats":
        return _texts(stats, common)
    return ColumnStats(**common)


def _numbers(stats: Any, rows: int, common: dict[str, Any]) -> ColumnStats:
    by_kind = {histogram.type: histogram.buckets for histogram in stats.histograms}
    buckets = by_kind.get(_QUANTILES, ())
    quantiles = [b.low_value for b in buckets[:1]] + [b.high_value for b in buckets]
    return ColumnStats(
        **common,
        zeros=stats.num_zeros / rows if rows else 0.0,
        mean=_finite(stats.mean),
        deviation=_finite(stats.std_dev),
        low=_finite(stats.min),
        median=_finite(stats.median),
        high=_finite(stats.max),
        quantiles=[value for value in quantiles if math.isfinite(value)],
        bins=list(_bins(by_kind.get(0, ()))),
    )


def _bins(buckets: Iterable[Any]) -> Iterable[Bin]:
    for bucket in buckets:
        if math.isfinite(bucket.low_value) and math.isfinite(bucket.high_value):
            yield Bin(bucket.low_value, bucket.high_value, bucket.sample_count)


def _texts(stats: Any, common: dict[str, Any]) -> ColumnStats:
    # All that was kept, where TFDV keeps more in the histogram of ranks than at the top.
    ranked = [(b.label, b.sample_count) for b in stats.rank_histogram.buckets]
    top = [(value.value, value.frequency) for value in stats.top_values]
    values = sorted(ranked or top, key=lambda pair: (-pair[1], pair[0]))
    return ColumnStats(
        **common,
        distinct=int(stats.unique),
        top=[(value[:_LONGEST], count) for value, count in values[:_SHOWN_VALUES]],
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
