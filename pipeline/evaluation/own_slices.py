"""The functions of `code.metrics` and `code.slices` by their dotted paths, and what they answer.

`slice_of_row` calls a function of `code.slices` with one row. Called by
pipeline.evaluation.own_functions, pipeline.slice_extractor, the batch evaluation and
runners.watching.slices. Imports neither TFMA nor TensorFlow.
"""

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fareline.errors import UserMistake
from fareline.near import listed


class AbsentColumnError(UserMistake):
    """A function asks for a column that a row does not have."""


class _AbsentError(KeyError):
    """The same where the function asks; no other key that it may lack."""


class _Row(dict):
    def __missing__(self, name: object) -> Any:
        raise _AbsentError(name)


def slice_of_row(function: str, cells: Mapping[str, Sequence[Any] | None]) -> str | None:
    """The slice that a function of the user puts a row into; None: into none.

    Args:
        function: Dotted path of `function(row) -> str | None`.
        cells: Column to the values of the row. The function gets one value as it is, texts as
            `str`, several values as a list, and None for a missing one.

    Raises:
        AbsentColumnError: The function asks for a column that is not there.
        UserMistake: It returns something else.
    """
    row = _Row({name: _cell(values) for name, values in cells.items()})
    try:
        found = resolve(function)(row)
    except _AbsentError as error:
        raise AbsentColumnError.explain(
            place_of(resolve(function), function),
            f"{function.rpartition('.')[2]} asks for a column {error.args[0]}",
            f"expected one of {listed(sorted(row))}",
            "correct the name, or use row.get(…), which is None where there is none",
        ) from error
    if found is not None and not isinstance(found, str):
        raise wrong_answer(
            function, found, "a text, or None for a row in no slice", "return str(…)"
        )
    return found


def _cell(values: Sequence[Any] | None) -> Any:
    given = [
        value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
        for value in values or ()
    ]
    return given if len(given) > 1 else next(iter(given), None)


@functools.cache
def resolve(path: str) -> Callable[..., Any]:
    """Imports the function of a dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def wrong_answer(path: str, found: object, expected: str, hint: str) -> UserMistake:
    """The mistake of a function that returned something else, with its file and line."""
    what = f"{path.rpartition('.')[2]} returned {found!r:.60}, a {type(found).__name__}"
    return UserMistake.explain(place_of(resolve(path), path), what, f"expected {expected}", hint)


def place_of(function: Callable[..., Any], otherwise: str) -> str:
    """File and line of a function; `otherwise` where Python does not know them."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else otherwise
