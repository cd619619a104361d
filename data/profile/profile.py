"""Profiles a whole table: kind and evidence of each column, target, leaks.

Called by `pipeline.proposal` and `cli.init`. No TensorFlow, save for TFRecord.
"""

import concurrent.futures
import dataclasses
import os
from collections.abc import Mapping, Sequence

import pyarrow as pa

from data.profile import names
from data.profile.facts import Facts, facts_of_cells, facts_of_values
from data.profile.kinds import (
    AFTERWARDS,
    HIGH,
    IDENTIFIER,
    LABEL,
    LEAK,
    LOW,
    MEDIUM,
    Judgement,
    families_of,
    judge,
)
from data.profile.leaks import LEAK as LEAK_POWER
from data.profile.leaks import SAMPLE, power_of, power_of_gaps, sample_rows
from data.profile.table import Table
from data.profile.target import BINARY, REGRESSION, Target, find_candidates, find_target
from fareline.errors import DataError
from fareline.near import near_names

_GAPS_LEAK = 0.9  # what emptiness alone tells of the label
_FEW = 0.005  # of the rows without any value, that say nothing


@dataclasses.dataclass(frozen=True)
class Column:
    """A column, and what it is.

    Attributes:
        facts: Facts of the column.
        judgement: Kind of the column.
        power: Predictive power of the column for the label; None: not measured.
    """

    facts: Facts
    judgement: Judgement
    power: float | None = None


@dataclasses.dataclass(frozen=True)
class Profile:
    """A table.

    Attributes:
        columns: In the order of the table.
        target: Target of the prediction.
        rows: Rows of the table.
        sampled: Rows that were looked at for leaks.
        table: Source of the profile.
    """

    columns: Sequence[Column]
    target: Target
    rows: int
    sampled: int
    table: Table

    def of_kind(self, *kinds: str) -> list[Column]:
        """The columns of some kinds."""
        return [column for column in self.columns if column.judgement.kind in kinds]


def facts_of_table(table: Table) -> list[Facts]:
    """The facts of all columns, by as many threads as there are cores."""

    def look(item: tuple[str, pa.ChunkedArray]) -> Facts:
        if table.csv_format is not None:
            return facts_of_cells(*item, table.csv_format)
        return facts_of_values(*item)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(look, table.columns.items()))


def require_label(facts: Sequence[Facts], label: str | None, where: str) -> str:
    """The label, which is a column of the table.

    Raises:
        DataError: The column does not exist, or no column was named; the message lists candidates.
    """
    candidates = find_candidates(facts)
    known = [column.name for column in facts]
    if label in known:
        return label
    likely = f"likely ones are {', '.join(candidates)}" if candidates else "none looks like one"
    if label is None:
        raise DataError.explain(
            where, "no label was named", f"expected one of its columns; {likely}",
            f"--label {candidates[0] if candidates else 'COLUMN'}",
        )  # fmt: skip
    near = near_names(label, known)
    raise DataError.explain(
        where, f"has no column {label!r}, the label", f"expected one of its columns; {likely}",
        f"did you mean {near[0]}" if near else "name one with --label",
    )  # fmt: skip


def profile_table(
    table: Table, facts: Sequence[Facts], label: str, keep: Sequence[str] = ()
) -> Profile:
    """Judges all columns.

    Args:
        table: Read.
        facts: From `facts_of_table`.
        label: A column of it.
        keep: Columns that are known in time, whatever their name suggests.

    Raises:
        DataError: The column cannot be a label.
    """
    target = find_target(next(column for column in facts if column.name == label))
    families = families_of([column.name for column in facts])
    rows = sample_rows(table.rows)

    def look(column: Facts) -> Column:
        if column.name == label:
            return Column(column, Judgement(LABEL, HIGH, f"{target.task}: {target.why}"))
        judged = judge(column, families)
        return _against_label(column, judged, target, rows, column.name in keep)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        columns = list(pool.map(look, facts))
    return Profile(columns, target, table.rows, min(table.rows, SAMPLE), table)


def _against_label(facts: Facts, judged: Judgement, target: Target, rows, is_kept: bool) -> Column:
    """The same, or that it tells the label, or that it is known too late."""
    if facts.array is None or facts.distinct < 1 or judged.kind in ("constant", "personal"):
        return Column(facts, judged)
    power = power_of(facts, target, rows)
    if judged.kind != IDENTIFIER and power > LEAK_POWER:
        of = {BINARY: "AUC", REGRESSION: "R²"}.get(target.task, "of the classes")
        why = f"predicts the label alone: {of} {power:.4f} on {len(rows):,} rows"
        return Column(facts, Judgement(LEAK, HIGH, why), power)
    if is_kept:
        return Column(facts, judged, power)
    gaps = 0.0
    if _FEW * facts.rows < facts.missing < (1 - _FEW) * facts.rows:
        gaps = power_of_gaps(facts, target, rows)
    word = names.sounds_afterwards(facts.name)
    if gaps > _GAPS_LEAK:
        why = f"missing values predict the label ({gaps:.3f}); is it known in time?"
        return Column(facts, Judgement(AFTERWARDS, MEDIUM, why), power)
    if word is not None and judged.kind != IDENTIFIER:
        why = f"its name says {word}; is it known when a prediction is asked for?"
        return Column(facts, Judgement(AFTERWARDS, LOW, why), power)
    return Column(facts, judged, power)


def spellings_of(columns: Sequence[Column]) -> Mapping[str, list[str]]:
    """Spelling of missing to the columns that have it."""
    found: dict[str, list[str]] = {}
    for column in columns:
        for text in column.facts.spellings:
            found.setdefault(text, []).append(column.facts.name)
    return found
