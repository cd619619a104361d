"""Drift: changes of the data beyond those that chance and the size of a batch explain.

Two samples are divided anew a thousand times, by chance, into one of the size of the reference and
one of the size of the batch. What differs then differs by chance alone. A measure has drifted when
it stands out from these divisions so far that, over all measures of all columns together, no more
than a given share of unchanged batches would be called drifted; and when its effect, a share of the
rows, is at least as large as the least relevant change. A fixed threshold is right for one size of
batches only: L-infinity of 0.01 is passed by every unchanged batch of 1,000 taxi trips.

Whole rows are moved, so that columns that go together, such as the six of where a trip began, count
about once. Called by the drift node and `benchmarks.drift`. Must not import TFX.

Source: Westfall and Young, Resampling-Based Multiple Testing, 1993: the largest standardised
statistic of a permutation.
"""

import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from monitoring.drift.coded_rows import CATEGORY, CodedColumn, code_columns
from monitoring.drift.measures import (
    BY_LABEL,
    DISTANCES,
    JENSEN_SHANNON,
    NEW_VALUES,
    SHIFT,
    Measured,
    measure_column,
)
from monitoring.drift.report import LABEL, ColumnDrift, Comparison, Measure
from monitoring.drift.samples import Sample

RECORD, WARN, RETUNE, STOP = POLICIES = ("record", "warn", "retune", "stop")
_CHUNK = 128  # divisions at a time, fewer where there are many values
_CHUNK_COUNTS = 2**21  # of values in divisions at a time: 16 MB
_MOST_LABELS = 10  # classes; a label of more is hardly ever a class
_MOST_BY_LABEL = 1000  # values of a column; each is rare then, and by label rarer still
_LEAST_DIVISIONS = 50  # before a mean and a spread are believed
_ROUNDING = 1e-12  # far below the share that one row is


@dataclasses.dataclass(frozen=True)
class Rule:
    """The consequences of a column's drift.

    Attributes:
        policy: One of POLICIES; what is only recorded raises no alarm, and makes none dearer.
        distance: A fixed threshold of its distance; None: calibrated.
    """

    policy: str = WARN
    distance: float | None = None


@dataclasses.dataclass(frozen=True)
class Rules:
    """Rules for drift.

    Attributes:
        default: Default of columns that `columns` lacks.
        columns: By name.
        false_alarms: Share of unchanged batches that may raise any alarm.
        least_change: Share of the rows below which a change is ignored.
        least_new: Lowest relevant share of rows with values that the reference lacks.
        draws: Divisions by chance.
        hasty: Whether to stop as soon as it is clear that nothing has drifted. What has drifted is
            the same; thresholds and chances of the rest are then rough.
        shifts: Whether numbers are also compared by `shift`.
    """

    default: Rule = Rule()
    columns: Mapping[str, Rule] = dataclasses.field(default_factory=dict)
    false_alarms: float = 0.01
    least_change: float = 0.03
    least_new: float = 0.01
    draws: int = 1000
    hasty: bool = False
    shifts: bool = False

    def of(self, column: str) -> Rule:
        """The rule of a column."""
        return self.columns.get(column, self.default)

    def least(self, measure: str) -> float:
        """The smallest effect of a measure that counts."""
        return self.least_new if measure == NEW_VALUES else self.least_change


def compare(
    reference: Sample,
    batch: Sample,
    rules: Rules,
    categories: Collection[str] = (),
    seed: int = 0,
) -> Comparison:
    """Measures every column of two samples and says which have drifted.

    Args:
        reference: At least one row. A column LABEL is taken for the label.
        batch: At least one row.
        rules: Rules for drift.
        categories: Columns of numbers that name things, such as an hour; texts do so always.
        seed: Seed of the divisions.

    Returns:
        Every measure of every column, with its threshold at these numbers of rows.
    """
    coded = _with_label(list(code_columns(reference, batch, {*categories, LABEL})))
    if not coded:
        return Comparison(reference.rows, batch.rows, ())
    measured = _measure_divisions(coded, (reference.rows, batch.rows), rules, seed)
    standing_out, mean, spread = _standing_out(measured, rules)
    largest = standing_out[_family(measured, rules)].max(0, initial=-np.inf)
    bound = _upper_bound(largest[1:], rules.false_alarms)
    columns = {column.name: column for column in coded}
    judged: dict[str, list[Measure]] = {name: [] for name in columns}
    for index, ((name, _), each) in enumerate(measured.items()):
        as_large = int((largest[1:] >= standing_out[index, 0]).sum())
        chance = (1 + as_large) / len(largest)
        threshold = float(mean[index] + bound * spread[index])
        judged[name].append(_judge(columns[name], each, rules, threshold, chance))
    return Comparison(
        reference_rows=reference.rows,
        batch_rows=batch.rows,
        columns=tuple(
            ColumnDrift(name, column.kind, rules.of(name).policy, tuple(judged[name]))
            for name, column in columns.items()
        ),
    )


def _with_label(coded: list[CodedColumn]) -> list[CodedColumn]:
    """The categories are counted by label as well, if there is one of a few classes."""
    labels = [column for column in coded if column.name == LABEL]
    if not labels or not 1 < len(labels[0].names) <= _MOST_LABELS:
        return coded
    return [
        dataclasses.replace(column, label=labels[0])
        if column.kind == CATEGORY and column.name != LABEL and len(column.names) <= _MOST_BY_LABEL
        else column
        for column in coded
    ]


_Divided = Mapping[tuple[str, str], Measured]  # by column and name of the measure


def _standing_out(measured: _Divided, rules: Rules) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far each measure is above its mean, in its spreads, [measures, divisions]; both of it.

    What has too small an effect stands out by nothing.
    """
    scores = np.array([each.score for each in measured.values()])
    effects = np.array([each.effect for each in measured.values()])
    by_chance = scores[:, 1:] if scores.shape[1] > 1 else scores
    # Without any spread, whatever is above the mean is far above.
    mean, spread = by_chance.mean(1), np.maximum(by_chance.std(1), 1e-9)
    large = effects >= np.array([[rules.least(name)] for _, name in measured])
    return np.where(large, (scores - mean[:, None]) / spread[:, None], -np.inf), mean, spread


def _family(measured: _Divided, rules: Rules) -> np.ndarray:
    """Which measures are judged together, bool [measures]."""
    calibrated = [not _is_fixed(rules, column, name) for column, name in measured]
    alarming = [rules.of(column).policy != RECORD for column, _ in measured]
    return np.array(calibrated) & (alarming if any(alarming) else True)


def _nothing_can_drift(measured: _Divided, rules: Rules) -> bool:
    """Whether more divisions would change no verdict about what alarms."""
    family = _family(measured, rules)
    effects = [each.effect[0] >= rules.least(name) for (_, name), each in measured.items()]
    if not (family & effects).any():
        return True
    divisions = len(next(iter(measured.values())).score) - 1
    if divisions < _LEAST_DIVISIONS:
        return False
    largest = _standing_out(measured, rules)[0][family].max(0)
    allowed = rules.draws - math.ceil((1 - rules.false_alarms) * (rules.draws + 1)) + 1
    return int((largest[1:] >= largest[0]).sum()) > allowed


def _measure_divisions(
    coded: Sequence[CodedColumn], rows: tuple[int, int], rules: Rules, seed: int
) -> dict[tuple[str, str], Measured]:
    """Every measure, by column and name: first as the rows are, then of divisions by chance."""
    # One matrix of all columns' bins, by rows of data: where they all are read once, and what is
    # added to stays in the processor's cache, this takes a quarter of the time.
    bins = scipy.sparse.vstack([column.one_hot() for column in coded]).tocsc()
    ends = np.cumsum([column.places for column in coded])[:-1]
    everything = np.asarray(bins.sum(1), np.float64)
    chunk = max(1, min(_CHUNK, _CHUNK_COUNTS // len(everything)))
    found: dict[tuple[str, str], Measured] = {}
    for members in _divide(rows, rules, seed, chunk):
        of_batch = (bins @ members).astype(np.float64)
        of_reference = everything - of_batch
        for column, *counts in zip(
            coded, np.split(of_reference, ends), np.split(of_batch, ends), strict=True
        ):
            for each in measure_column(column, *counts):
                if each.name == SHIFT and not rules.shifts:
                    continue
                key = column.name, each.name
                found[key] = _joined(found[key], each) if key in found else each
        if rules.hasty and _nothing_can_drift(found, rules):
            break
    return found


def _joined(earlier: Measured, later: Measured) -> Measured:
    """The measure of more divisions; the first of all of them are the rows as they are."""
    score = np.concatenate([earlier.score, later.score])
    return dataclasses.replace(
        earlier, score=score, effect=np.concatenate([earlier.effect, later.effect])
    )


def _divide(rows: tuple[int, int], rules: Rules, seed: int, chunk: int) -> Iterator[np.ndarray]:
    """float32 [rows, divisions]: 1 where a row is of the batch; first as they are."""
    random = np.random.Generator(np.random.PCG64(seed))
    (total, size), start = (sum(rows), rows[1]), 0
    while start <= rules.draws:
        # The rows as they are say most; then a few divisions are enough for most of the rest.
        most = min(chunk, (1, _LEAST_DIVISIONS)[start > 0]) if rules.hasty else chunk
        members = np.zeros((min(most, rules.draws + 1 - start), total), bool)
        for index in range(len(members)):
            if start + index == 0:
                members[0, rows[0] :] = True
            else:
                members[index, random.choice(total, size, replace=False, shuffle=False)] = True
        yield np.ascontiguousarray(members.T).astype(np.float32)
        start += len(members)


def _upper_bound(largest: np.ndarray, share: float) -> float:
    """What at most this share of unchanged batches passes: a rank, and so exact at any size."""
    rank = math.ceil((1 - share) * (len(largest) + 1))
    if rank > len(largest):
        return math.inf
    return max(0.0, float(np.sort(largest)[rank - 1]))


def _is_fixed(rules: Rules, column: str, measure: str) -> bool:
    return measure in DISTANCES and rules.of(column).distance is not None


def _judge(
    column: CodedColumn, measured: Measured, rules: Rules, score: float, chance: float
) -> Measure:
    """Holds what was measured against its threshold; see `Measure` for the units."""
    value, effect = float(measured.score[0]), float(measured.effect[0])
    least, fixed = rules.least(measured.name), _is_fixed(rules, column.name, measured.name)
    if measured.name == JENSEN_SHANNON:
        value, score = value**2, score**2
    if fixed:
        threshold = rules.of(column.name).distance
        assert threshold is not None
        drifted = bool(value > threshold)
    else:
        # Of a share the two conditions are one; of these the effect has another unit.
        other_unit = measured.name in (JENSEN_SHANNON, SHIFT)
        threshold = score if other_unit else max(score, least)
        drifted = bool(value > score + _ROUNDING and effect >= least)
    return Measure(
        name=measured.name,
        value=value,
        threshold=threshold,
        reference=measured.shares[0],
        batch=measured.shares[1],
        where=_where(column, measured),
        least=None if fixed else least,
        chance=None if fixed else chance,
        drifted=drifted,
    )


def _where(column: CodedColumn, measured: Measured) -> Any:
    """The value that the shares are of, in text its bytes."""
    if measured.place is None:
        return None
    label, place = divmod(measured.place, len(column.names))
    where: Any = column.names[place]
    where = where.decode("utf-8", "backslashreplace") if isinstance(where, bytes) else where
    if measured.name == BY_LABEL:
        assert column.label is not None
        name: Any = column.label.names[label]
        name = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
        return f"{where} with label {name}"
    # JSON has no infinity.
    return str(where) if isinstance(where, float) and not math.isfinite(where) else where
