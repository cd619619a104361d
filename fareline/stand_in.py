"""A package placeholder that loads only the needed modules of the package.

Importing a module of a package runs the package's `__init__` first, which often loads thousands of
modules that are not needed. Where `stand_in` has put a package of the same name and place in front
of it, modules of the package can be imported without that, and so can the names that its caller
knows the modules of. As soon as anything else is asked for, the package is loaded whole; also where
a known name is not in its module. Called by `serving.model.tensorflow_parts` and
`runners.replay.light_check`; and by those who put off a package that is hardly ever used.
"""

import contextlib
import functools
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any


class StandIn(types.ModuleType):
    """A package, or a name in it that has others below it, such as `tensorflow.io`."""

    def __init__(self, package: str, parts: Mapping[str, str], path: tuple[str, ...] = ()):
        """Prepares; loads nothing.

        Args:
            package: Name of the package.
            parts: Public name to `module:name`, or to `module` if that is what it names; both
                without the package.
            path: Names that lead to this one from the package.
        """
        super().__init__(".".join((package, *path)))
        self._package, self._parts, self._names = package, parts, path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        path = (*self._names, name)
        found = self._part(".".join(path))
        if found is None:
            found = functools.reduce(getattr, path, load_whole(self._package))
        setattr(self, name, found)
        return found

    def _part(self, public: str) -> Any:
        """Finds a name without the whole package; None if it is not a known one, or not there."""
        if public in self._parts:
            module, _, name = self._parts[public].partition(":")
            try:
                loaded = importlib.import_module(f"{self._package}.{module}")
                return getattr(loaded, name) if name else loaded
            except (ImportError, AttributeError):
                return None
        if any(known.startswith(f"{public}.") for known in self._parts):
            return StandIn(self._package, self._parts, tuple(public.split(".")))
        return None


def stand_in(name: str, parts: Mapping[str, str] | None = None) -> StandIn | None:
    """Replaces a package by a stand-in; None if it is loaded already, or not installed.

    Args:
        name: Name of the package.
        parts: See `StandIn`.
    """
    if name in sys.modules:
        return None
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # of the package that it is in
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    package = StandIn(name, parts or {})
    package.__spec__, package.__file__ = spec, spec.origin
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package
    return package


@contextlib.contextmanager
def put_off(name: str) -> Iterator[None]:
    """Loads only the modules of a package that the block needs.

    Modules that are loaded in the block keep the stand-in, which loads the package when they first
    use it. An import after the block gives the package itself.

    Args:
        name: Name of the package.
    """
    placed = stand_in(name)  # None where it is loaded already
    try:
        yield
    finally:
        if placed is not None and sys.modules.get(name) is placed:
            del sys.modules[name]


def load_whole(name: str) -> types.ModuleType:
    """Loads the whole package; modules that are loaded stay as they are."""
    if isinstance(sys.modules.get(name), StandIn):
        del sys.modules[name]
    return importlib.import_module(name)
