"""Which rows of the prediction log are in which slice, by the names that Evaluator gives them.

A slice of `code.slices` is computed by the user's function from the columns that the log has.
Called by runners.watching.watching. Imports no TensorFlow.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fareline.errors import UserMistake
from monitoring.live.rows import Rows
from pipeline.evaluation.own_slices import AbsentColumnError, slice_of_row
from pipeline.settings.slicing import bucket_name, slice_name
from runners.own_code import describe_error, offer_own_code

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings


def slicer(settings: "Settings") -> Callable[[Rows], Mapping[str, np.ndarray]]:
    """Returns what finds the rows of each slice of `evaluation.slices`, as bool [rows].

    Slices by a column that the log does not have are left out.
    """
    entries = settings.evaluation.columns_of_slices()
    sliced = {name for parts in entries for name, _ in parts}
    own = {name: path for name, path in settings.code.slices.items() if name in sliced}
    if own:
        offer_own_code(settings)

    def slices(rows: Rows) -> Mapping[str, np.ndarray]:
        wanted = {n: array for n, array in rows.columns.items() if own or n in sliced}
        cells = {name: array.to_pylist() for name, array in wanted.items()}
        computed = {name: _computed(name, path, cells, settings) for name, path in own.items()}
        known = {**cells, **{name: found for name, found in computed.items() if found is not None}}
        masks: dict[str, np.ndarray] = {}
        for parts in entries:
            if all(name in known for name, _ in parts):
                masks |= _masks(parts, known)
        return masks

    return slices


def _masks(
    parts: Sequence[tuple[str, tuple[float, ...]]], cells: Mapping[str, Sequence[Any]]
) -> dict[str, np.ndarray]:
    """The slices of one entry of the settings; a row that lacks a value is in none."""
    names = [name for name, _ in parts]
    values = [[_value(cell, bounds) for cell in cells[name]] for name, bounds in parts]
    of_rows = [
        None if None in each else slice_name(zip(names, each, strict=True))
        for each in zip(*values, strict=True)
    ]
    array = np.array(of_rows, object)
    return {name: array == name for name in sorted({each for each in of_rows if each is not None})}


def _value(cell: Any, boundaries: tuple[float, ...]) -> Any:
    if boundaries and cell is not None:
        return bucket_name(cell, boundaries)
    return cell.decode("utf-8", "backslashreplace") if isinstance(cell, bytes) else cell


def _computed(
    name: str, path: str, cells: Mapping[str, Sequence[Any]], settings: "Settings"
) -> list[str | None] | None:
    """What the user's function says of each row; None where it asks for a column that is absent.

    Raises:
        UserMistake: The function fails otherwise.
    """
    columns = {column: [[value] for value in values] for column, values in cells.items()}
    try:
        return [
            slice_of_row(path, dict(zip(columns, row, strict=True)))
            for row in zip(*columns.values(), strict=True)
        ]
    except AbsentColumnError:
        return None
    except UserMistake:
        raise
    except Exception as error:  # whatever the user's function raises
        raise UserMistake.explain(
            f"code.slices.{name}",
            describe_error(error, settings.code_folder),
            "expected the name of a slice, or None",
            "correct that line",
        ) from error
