"""Starts Fareline's programs so that its package names refer to its own packages.

Other distributions use names like `schema` and `data` too, and a folder of such a name on
PYTHONPATH or in the current folder would come first. The `fareline` script calls `main`, by way of
fareline_script.py; processes that Fareline starts run this file by its path (`command_for`), which
nothing can shadow:

    python …/fareline/start.py -m MODULE ARGUMENT…

is `python -m MODULE ARGUMENT…` without the current folder on the path. The packages `cli` and
`runners` call `secure_names` when they are imported, for `python -m` with one of their modules. The
others do not: a program that imports them keeps its own module `data`. Imports
nothing but the standard library and `fareline.packages` before the names are secured.
"""

import importlib
import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from fareline.errors import UserMistake

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(_FOLDER)


class _OurPackages:
    """Finds our packages where this file is; the standard library is found as before."""

    def __init__(self, names: tuple[str, ...], folder: str = _ROOT):
        self._names = names
        self._folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """As an entry of `sys.meta_path` is asked for a module."""
        return PathFinder.find_spec(name, [self._folder]) if name in self._names else None


class _UserPackages(_OurPackages):
    """Finds the packages that the settings name in their folder, and nothing else of it."""


def offer_packages(names: tuple[str, ...], folder: str) -> None:
    """Makes packages of a user importable in this process, in place of those offered before.

    The folder itself does not come onto the path: a file in it that is named as a module of the
    standard library would be found in that one's place.

    Args:
        names: Names of packages or modules, the part before the first dot.
        folder: Folder with the packages.
    """
    sys.meta_path[:] = [each for each in sys.meta_path if not isinstance(each, _UserPackages)]
    for loaded, module in list(sys.modules.items()):
        place = _place_of(module) if loaded.partition(".")[0] in names else None
        if place and not is_below(place, folder):
            del sys.modules[loaded]
    if names:
        sys.meta_path.insert(0, _UserPackages(names, folder))
        importlib.invalidate_caches()


def is_below(place: str, folder: str) -> bool:
    """Whether a file is in a folder: as its path says, or links followed."""
    return any(
        absolute(place).startswith(absolute(folder) + os.sep)
        for absolute in (os.path.abspath, os.path.realpath)
    )


def secure_names() -> None:
    """Makes the package names of Fareline refer to its packages; repeated calls have no effect."""
    from fareline.packages import PACKAGES

    if not any(isinstance(finder, _OurPackages) for finder in sys.meta_path):
        sys.meta_path.insert(0, _OurPackages(PACKAGES))


def command_for(module: str, *arguments: str) -> list[str]:
    """The command that runs a module as `python -m` does, with our names secured.

    Args:
        module: Any module, ours or another's.
        arguments: For it.
    """
    return [sys.executable, os.path.join(_FOLDER, "start.py"), "-m", module, *arguments]


def import_ours(module: str) -> ModuleType:
    """Imports a module of Fareline into another program, without changing the program's names.

    Args:
        module: Its dotted name.

    Raises:
        UserMistake: A name of ours means another module there.
    """
    from fareline.packages import PACKAGES

    hint = "rename that file or folder, or start Python elsewhere"
    for name in PACKAGES:
        if name not in ("cli", "runners"):  # which secure the names, and are not asked for
            importlib.import_module(name)
    require_ours("in this program", hint)
    return importlib.import_module(module)


def require_ours(
    when: str = "before Fareline started",
    hint: str = "look for what imports it when Python starts: a .pth file, sitecustomize",
) -> None:
    """Checks the modules that were imported before the names were secured.

    Args:
        when: They were imported, in words.
        hint: Advice for the user.

    Raises:
        UserMistake: One of our names is that of another module already.
    """
    from fareline.errors import UserMistake
    from fareline.packages import PACKAGES

    for name in PACKAGES:
        place = _place_of(sys.modules[name]) if name in sys.modules else None
        if place and os.path.realpath(place) != os.path.realpath(os.path.join(_ROOT, name)):
            raise UserMistake.explain(
                name,
                f"imported from {place} {when}",
                f"expected that of {_ROOT}",
                hint,
            )


def _place_of(module: ModuleType) -> str | None:
    """Folder of a package; file of a module; None where it says neither."""
    folders = list(getattr(module, "__path__", ()))
    return folders[0] if folders else getattr(module, "__file__", None)


def what_is_in_the_way() -> "UserMistake | None":
    """The distribution whose files are in our installed packages; None if there is none.

    Reads the list of files of every distribution beside us: for an import that has failed.
    """
    from importlib.metadata import distributions

    from fareline.errors import UserMistake
    from fareline.packages import PACKAGES

    for found in distributions(path=[_ROOT]):
        name = found.metadata["Name"] or ""
        ours = {f.parts[0] for f in found.files or () if len(f.parts) > 1}.intersection(PACKAGES)
        if ours and name.lower() != "fareline":
            package = min(ours)
            return UserMistake.explain(
                os.path.join(_ROOT, package),
                f"{name} {found.version} has installed files there",
                "expected Fareline's alone",
                f"uninstall {name}, and install Fareline again",
            )
    return None


def main() -> None:
    """Entry point of the `fareline` script."""
    _start(_hand_over_or_run)


def load_command() -> Callable[[], object]:
    """Loads the command line; returns what runs the one in `sys.argv`."""
    return importlib.import_module("cli.app").main


def _hand_over_or_run() -> None:
    if "step" in sys.argv[1:3]:  # which another process may have the libraries for
        importlib.import_module("runners.steps.hand_over").hand_over()
    load_command()()


def work() -> None:
    """Entry point of the `fareline-beam-worker` script."""
    _start(lambda: importlib.import_module("runners.beam.worker").main())


def _start(program: Callable[[], object]) -> None:
    """Runs a program with the names secured; what is in their way is one line and exit code 2."""
    from fareline.errors import UserMistake

    secure_names()
    try:
        require_ours()
    except UserMistake as error:
        _end(error)
    try:
        program()
    except (ImportError, AttributeError):
        if known := what_is_in_the_way():
            _end(known)
        raise


def _end(known: "UserMistake") -> NoReturn:
    sys.stderr.write(f"fareline: {known}\n")
    sys.exit(known.exit_code)


def _start_module() -> None:
    import runpy

    module = sys.argv[2]
    del sys.argv[:2]
    _start(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True))


if __name__ == "__main__":
    # Python has put this folder first, where `files` and `errors` would be modules of their own.
    if sys.path[0] == _FOLDER:
        del sys.path[0]
    sys.meta_path.insert(0, _OurPackages(("fareline",)))
    importlib.import_module("fareline.start")._start_module()
