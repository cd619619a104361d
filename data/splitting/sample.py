"""A stable sample of rows: those with the lowest ranks, where a rank is a hash of a row's content.

The same rows are chosen in every run, whatever the order of files and batches; a larger sample
contains a smaller one. The rank does not depend on the split that the row is in. Rows with equal
content have equal ranks: of those the first are taken, by piece and position.

Pieces are read twice: `lowest` looks at the ranks of one, `merge_lowest` puts them together, and
`Chosen` says of each row of a piece whether it is in the sample. Called by
`pipeline.ingest.beam_files`.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pyarrow as pa

from data.splitting.hash import hash_rows, mix

Lowest = tuple[np.ndarray, np.ndarray]  # uint64 ranks, int64 pieces; sorted by both


@dataclasses.dataclass(frozen=True)
class Sampling:
    """The requested sample.

    Attributes:
        rows: Number of rows; all, if there are fewer.
        seed: Another one chooses other rows.
    """

    rows: int
    seed: int = 0

    def ranks(self, columns: Mapping[str, pa.Array], rows: int) -> np.ndarray:
        """Ranks of rows.

        Args:
            columns: See `data.reading.batches`.
            rows: Number of rows.

        Returns:
            uint64 [rows].
        """
        seed = mix(np.array([self.seed % 2**64], np.uint64))
        return mix(hash_rows(columns, rows) ^ seed)

    def lowest(self, ranks: Iterable[np.ndarray], piece: int) -> Lowest:
        """The lowest ranks of one piece.

        Args:
            ranks: Ranks of the rows of each batch.
            piece: Its number.
        """
        kept = np.zeros(0, np.uint64)
        for each in ranks:
            kept = np.sort(np.concatenate([kept, each]))[: self.rows]
        return kept, np.full(len(kept), piece, np.int64)

    def merge_lowest(self, found: Iterable[Lowest]) -> Lowest:
        """The lowest ranks of several pieces."""
        ranks, pieces = (np.concatenate(each) for each in zip(_NONE, *found, strict=True))
        order = np.lexsort((pieces, ranks))[: self.rows]
        return ranks[order], pieces[order]

    def choose(self, lowest: Lowest) -> "Chosen":
        """The rows of the sample, from the lowest ranks of all pieces."""
        ranks, pieces = lowest
        if len(ranks) < self.rows:
            return Chosen(self)
        last = ranks[-1]
        numbers, counts = np.unique(pieces[ranks == last], return_counts=True)
        ties = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
        return Chosen(self, int(last), ties)


_NONE: Lowest = (np.zeros(0, np.uint64), np.zeros(0, np.int64))


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The rows of a sample.

    Attributes:
        sampling: The requested sample.
        highest: Highest rank in the sample; None: it has all rows.
        ties: Piece to the number of its rows with this rank that are in the sample.
    """

    sampling: Sampling
    highest: int | None = None
    ties: Mapping[int, int] = dataclasses.field(default_factory=dict)

    def picker(self, piece: int) -> Callable[[Mapping[str, pa.Array], int], np.ndarray]:
        """What is called with the columns of each batch of a piece, in order, and its rows.

        Args:
            piece: Its number.

        Returns:
            A function that returns bool [rows], true for rows of the sample.
        """
        left = self.ties.get(piece, 0)

        def pick(columns: Mapping[str, pa.Array], rows: int) -> np.ndarray:
            nonlocal left
            if self.highest is None:
                return np.ones(rows, bool)
            ranks = self.sampling.ranks(columns, rows)
            tied = np.flatnonzero(ranks == np.uint64(self.highest))[:left]
            left -= len(tied)
            keep = ranks < np.uint64(self.highest)
            keep[tied] = True
            return keep

        return pick
