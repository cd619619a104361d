"""Breaks lines of a CSV file in the ways that real files are broken.

The reasons are named as `data.reading.values` and `data.reading.rows_file` name them. Must not
import TFX.
"""

from collections.abc import Callable, Sequence

import numpy as np

from data.generate.rows import BROKEN, Randomness

_OUT_OF_RANGE = str(2**63).encode()  # one more than an int64 holds


def break_lines(
    lines: list[bytes], names: Sequence[str], seed: int, block: int, share: float
) -> dict[int, str]:
    """Breaks a share of the lines of a whole block, in place.

    Args:
        lines: Lines of the block, without line ends, no cell quoted.
        names: The columns.
        seed: Seed of the generated data.
        block: Number of the block.
        share: From 0 to 1.

    Returns:
        Index of each broken line to its reason.
    """
    random = Randomness(seed, block, BROKEN)
    chosen = random.uniform() < share
    which = (random.uniform() * len(_WAYS)).astype(np.int64)
    broken = {}
    for index in np.flatnonzero(chosen).tolist():
        reason, break_cells = _WAYS[which[index]]
        cells = lines[index].split(b",")
        break_cells(cells, list(names))
        lines[index] = b",".join(cells)
        broken[index] = reason
    return broken


def _lose_fields(cells: list[bytes], names: list[str]) -> None:
    del cells[-2:]


def _gain_a_field(cells: list[bytes], names: list[str]) -> None:
    cells.append(b"0")


def _spell_out_the_fare(cells: list[bytes], names: list[str]) -> None:
    cells[names.index("fare")] = b"twelve"


def _exceed_an_integer(cells: list[bytes], names: list[str]) -> None:
    cells[names.index("trip_seconds")] = _OUT_OF_RANGE


def _break_the_encoding(cells: list[bytes], names: list[str]) -> None:
    cells[names.index("company")] = b"Caf\xe9 Cab"  # Latin-1


_WAYS: tuple[tuple[str, Callable[[list[bytes], list[str]], None]], ...] = (
    ("wrong_number_of_fields", _lose_fields),
    ("wrong_number_of_fields", _gain_a_field),
    ("not_a_number", _spell_out_the_fare),
    ("out_of_range", _exceed_an_integer),
    ("not_utf8", _break_the_encoding),
)
REASONS = tuple(dict.fromkeys(reason for reason, _ in _WAYS))
