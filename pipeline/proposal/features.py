"""Chooses the kind and size of each column's feature, and the columns to slice by.

Called by `pipeline.proposal.text`.
"""

from collections.abc import Sequence

import numpy as np

from data.profile.kinds import BOOLEAN, CATEGORY, CODED, NUMBER, is_int_like
from data.profile.profile import Column, Profile
from fareline.kinds import STRING
from pipeline.proposal.thresholds import rows_to_judge

_MOST_ENTRIES = 1_000  # of a vocabulary
_BUCKETS_FROM_ROWS = 2_000
_MOST_BUCKETIZED = 60  # columns
_MOST_SLICES = 3
_LEAST_ROWS = 50  # of a slice, as evaluation.min_slice_examples has it

NUMERIC, VOCABULARY, CATEGORICAL = "numeric", "vocabulary", "categorical"


def propose_feature(column: Column) -> tuple[str, str]:
    """The section of `features`, and what stands there behind the column, as YAML in one line."""
    facts, kind = column.facts, column.judgement.kind
    if kind == NUMBER:
        return NUMERIC, "{log: true}" if _has_tail(column) else "{}"
    assert kind in (CATEGORY, CODED, BOOLEAN), kind
    if facts.type != STRING and facts.low >= 0 and facts.high < min(200, 2 * facts.distinct):
        return CATEGORICAL, str(int(facts.high) + 1)
    size = min(facts.distinct, _MOST_ENTRIES)
    hashed = 10 if facts.distinct > _MOST_ENTRIES else 1
    return VOCABULARY, f"{{size: {size}, oov_buckets: {hashed}}}"


def kind_in_schema(column: Column) -> str:
    """`int`, `float` or `string`: whole numbers that are categories are read as such."""
    facts = column.facts
    if facts.is_number and column.judgement.kind != NUMBER and is_int_like(facts):
        return "int"
    return facts.type


def _has_tail(column: Column) -> bool:
    """Whether the logarithm tells more: nothing below 0, and a few far above the rest."""
    if column.facts.low is None or column.facts.low < 0:
        return False
    values = column.facts.numbers()
    middle, high = np.quantile(values[~np.isnan(values)], (0.5, 0.995))
    return bool(middle > 0 and high > 10 * middle)


def propose_buckets(profile: Profile) -> list[str]:
    """Numbers that are put into quantile buckets as well, where rows are enough to learn from."""
    numbers = profile.of_kind(NUMBER)
    if profile.target.labelled < _BUCKETS_FROM_ROWS or len(numbers) > _MOST_BUCKETIZED:
        return []
    return [column.facts.name for column in numbers if column.facts.distinct > 20]


def propose_slices(profile: Profile) -> list[tuple[str, str]]:
    """Pairs of (column, its evidence): 2 to 20 values, of which two have rows enough."""
    share = rows_to_judge(profile.target) / max(profile.rows, 1)
    found = []
    for column in profile.of_kind(CATEGORY, BOOLEAN, CODED):
        facts = column.facts
        enough = [count for count in facts.counts.values() if count * share >= _LEAST_ROWS]
        if 2 <= facts.distinct <= 20 and len(enough) >= 2:
            found.append((facts.name, f"{len(enough)} of {facts.distinct} values have rows enough"))
    return found[:_MOST_SLICES]


def features(profile: Profile) -> Sequence[Column]:
    """The columns that a model learns from."""
    return [column for column in profile.columns if column.judgement.is_feature]
