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


class AbsentColumnError(KeyError):
    """A function asks for a column that a row does not have."""


class _Row(dict):
    """A row; what is absent from it is no other key that a function may lack."""

    def __missing__(self, name: object) -> Any:
        raise AbsentColumnError(name)


def slice_of_row(function: str, cells: Mapping[str, Sequence[Any] | None]) -> str | None:
    """The slice that a function of the user puts a row into; None: into none.

    Args:
        function: Dotted path of `function(row) -> str | None`.
        cells: Column to the values of the row. The function gets one value as it is, texts as
            `str`, several values as a list, and None for a missing one.

    Raises:
        UserMistake: The function returns something else.
        AbsentColumnError: It asks for a column that is not there.
    """
    found = resolve(function)(_Row({name: _cell(values) for name, values in cells.items()}))
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
    function = inspect.unwrap(resolve(path))
    code = getattr(function, "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}" if code else path
    what = f"{path.rpartition('.')[2]} returned {found!r:.60}, a {type(found).__name__}"
    return UserMistake.explain(place, what, f"expected {expected}", hint)
