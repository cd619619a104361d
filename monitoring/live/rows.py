"""Rows of a model in use, or of the split that it was evaluated on: features, score, label.

Called by `monitoring.live.watch` and by `runners.monitoring`, which reads them. Imports NumPy,
Arrow and the samples of `monitoring.drift`.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from monitoring.drift.samples import Sample, joined

SCORE = "(score)"  # the column that stands for the score


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows, in the order of their time.

    Attributes:
        columns: By name, one value of each row, null where missing, as `Sample` has them.
        ms: When each was answered, milliseconds since 1970; 0 of a split.
        scores: float64, NaN where the log has none; an infinite one becomes NaN.
        labels: float64, 0 or 1; NaN where it is not known.
    """

    columns: Mapping[str, pa.Array]
    ms: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        """Makes infinite scores missing: they have no mean and no calibration."""
        finite = np.where(np.isinf(self.scores), np.nan, self.scores)
        object.__setattr__(self, "scores", finite)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.ms)

    def take(self, chosen: np.ndarray) -> "Rows":
        """Some of them.

        Args:
            chosen: bool [rows], or indices.
        """
        places = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        columns = {name: array.take(pa.array(places)) for name, array in self.columns.items()}
        return Rows(columns, self.ms[places], self.scores[places], self.labels[places])

    def sample(self, most: int, seed: int = 0) -> Sample:
        """Features and score, for a comparison: all rows, or so many of them by chance."""
        rows = self
        if len(self) > most:
            random = np.random.Generator(np.random.PCG64(seed))
            rows = self.take(np.sort(random.choice(len(self), most, replace=False)))
        score = pa.array(rows.scores, pa.float64(), mask=np.isnan(rows.scores))
        return Sample({**rows.columns, SCORE: score}, len(rows), len(self))

    @property
    def labelled(self) -> "Rows":
        """Those whose label and score are known."""
        return self.take(~np.isnan(self.labels) & ~np.isnan(self.scores))


def together(parts: list[Rows]) -> Rows:
    """Several one after the other; a column that one lacks is missing there."""
    names = dict.fromkeys(name for part in parts for name in part.columns)
    columns = {
        name: joined(part.columns.get(name, pa.nulls(len(part))) for part in parts)
        for name in names
    }
    arrays = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("ms", "scores", "labels")
    )
    return Rows(columns, *arrays)
