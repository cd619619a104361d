"""The user's own functions (`code` in the settings), made importable and looked at before a run.

In this process a finder knows the packages; processes of steps get a folder on PYTHONPATH that
holds nothing but links to them. Called by runners.local, runners.replay, runners.submit and
`fareline check`. The functions are imported here, by their dotted paths, and nowhere called.
"""

import ast
import contextlib
import importlib
import importlib.util
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fareline import collector
from fareline.scratch import scratch_folder
from fareline.start import is_below, offer_packages
from pipeline.settings.model.code import METRICS, SLICES
from pipeline.settings.settings import Settings
from pipeline.user_code import fingerprint_sources
from runners.progress import output_to

# How each is called: names of what it must take, and of what it may take.
_CALLS = {
    "preprocessing_fn": (("inputs",), ("custom_config",)),
    "run_fn": (("fn_args",), ()),
    "tuner_fn": (("fn_args",), ()),
    "components": (("nodes", "fingerprint"), ()),
    METRICS: (("labels", "predictions", "weights"), ()),
    SLICES: (("row",), ()),
}
_SITE = sysconfig.get_path("purelib")  # where installed packages are
_NOT_AT_ONCE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def choose_keras_3() -> None:
    """Keras 3 on TensorFlow, whatever the shell says: the network is built for nothing else."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.pop("TF_USE_LEGACY_KERAS", None)


def offer_own_code(settings: Settings) -> None:
    """Makes the packages of `code` importable in this process, and those of other settings not."""
    offer_packages(settings.code.packages, str(settings.code_folder))


def require_own_code(settings: Settings) -> None:
    """Imports the user's functions and checks their parameters.

    Raises:
        SettingsError: There are mistakes; one line per mistake, with the user's file and line.
    """
    offer_own_code(settings)
    problems = []
    for name, path in settings.code.paths().items():
        with collector.paused():
            problem = _try_import(name, path, settings.code_folder)
        if problem is not None:
            problems.append(f"code.{name}: {problem}")
    if problems:
        raise settings.wrong(dict.fromkeys(problems))


def check_own_code(settings: Settings) -> None:
    """`require_own_code` for a command that shows nothing of what libraries print.

    Raises:
        SettingsError: There are mistakes; one line per mistake.
    """
    choose_keras_3()
    with scratch_folder("fareline-check-code-") as folder, output_to(Path(folder) / "log"):
        require_own_code(settings)


def require_whole_packages(settings: Settings) -> None:
    """Checks that the packages import no modules beside them: an image has only the packages.

    Raises:
        SettingsError: There are such imports; one line per import.
    """
    problems = []
    folder = settings.code_folder
    for package in settings.code.packages:
        for file in sorted((folder / package).rglob("*.py")):
            for line, name in _outside_imports(file, folder, settings.code.packages):
                problems.append(
                    f"code: {file}:{line} imports {name}, which is in {folder} and in no package "
                    f"that code names; expected what the image has: Fareline, its libraries and "
                    f"{package}. Hint: move {name} into {package}."
                )
    if problems:
        raise settings.wrong(problems)


@contextlib.contextmanager
def on_python_path(settings: Settings | None, folder: Path) -> Iterator[None]:
    """Puts the packages on PYTHONPATH for processes that are started in the block.

    Args:
        settings: Settings with the packages; None: no packages.
        folder: Is made, and gets links to them.
    """
    if settings is None or not settings.code.packages:
        yield
        return
    folder.mkdir(parents=True)
    for package in settings.code.packages:
        (folder / package).symlink_to(settings.code_folder.resolve() / package)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{before}" if before else str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def own_components(settings: Settings) -> Callable[[Mapping[str, Any]], list[Any]] | None:
    """Adds the nodes of `code.components` to the graph; None if the settings name none.

    Returns:
        A function from the nodes by their ids to the user's own.
    """
    path = settings.code.components
    if path is None:
        return None
    module, _, name = path.rpartition(".")

    def add(nodes: Mapping[str, Any]) -> list[Any]:
        from tfx.dsl.components.base.base_node import BaseNode

        function = getattr(importlib.import_module(module), name)
        place = importlib.import_module(module).__file__
        try:
            found = function(dict(nodes), fingerprint_sources((module,)))
        except Exception as error:  # whatever the user's function raises
            said = describe_error(error, settings.code_folder)
            line = f"code.components: {said}; expected a list of nodes. Hint: correct that line."
            raise settings.wrong([line]) from error
        listed = found if isinstance(found, list | tuple) else [found]
        taken = [*nodes]
        for node in listed:
            problem = None
            if not isinstance(node, BaseNode):
                problem = (
                    f"returned a {type(node).__name__}; expected a list of TFX's nodes. "
                    "Hint: return [] where there are none."
                )
            elif node.id in taken:
                problem = (
                    f"returned a node {node.id}, and there is one; expected another id. "
                    "Hint: node.with_id(NAME) gives one."
                )
            if problem is not None:
                raise settings.wrong([f"code.components: {place}: {name} {problem}"])
            taken.append(node.id)
        return [*listed]

    return add


def _try_import(name: str, path: str, folder: Path) -> str | None:
    module, _, function = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), function, None)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's module raises
        return _describe_import(error, folder)
    file = getattr(importlib.import_module(module), "__file__", module)
    if found is None:
        return (
            f"{file} has no {function}; expected a function of that name. "
            "Hint: correct the dotted path."
        )
    if not callable(found):
        return (
            f"{file}: {function} is a {type(found).__name__}; expected a function. "
            "Hint: correct the dotted path."
        )
    return _wrong_signature(name, function, found, file)


def _describe_import(error: BaseException, folder: Path) -> str:
    said = describe_error(error, folder)
    return f"{said}; expected a module that can be imported. Hint: correct that line."


def describe_error(error: BaseException, folder: Path) -> str:
    """The last line of the user's code that an error passed through, and what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    # Not `str(error)`, which an error of the user's may fail at.
    text = str(traceback.TracebackException.from_exception(error))
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        place, text = f"{error.filename}:{error.lineno}", error.msg
    else:
        files = (each for each in frames if not each.filename.startswith("<"))  # of no file
        own = [each for each in files if is_below(each.filename, str(folder))]
        place = f"{own[-1].filename}:{own[-1].lineno}" if own else str(folder)
    return f"{place}: {type(error).__name__}: {text.partition(chr(10))[0]}".rstrip(": ")


def _wrong_signature(name: str, called: str, function: Callable, file: str) -> str | None:
    """What is wrong with how a function can be called, if anything.

    Args:
        name: Name of the setting.
        called: Name of the function in the settings; a partial one has none of its own.
        function: What the settings name.
        file: Path of its module.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}" if code else file
    if code and code.co_flags & _NOT_AT_ONCE:
        return (
            f"{place}: {called} is async or has a yield, so that a call of it does nothing; "
            "expected a function that returns. Hint: let it call the other one."
        )
    needed, possible = _CALLS[name.partition(".")[0]]
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # of a function in C
        return None
    with contextlib.suppress(TypeError):
        taken = {each: None for each in possible if each in parameters}
        inspect.signature(function).bind(*needed, **taken)
        return None
    takes = f"{called}({', '.join(parameters)})"
    expected = f"{name.rpartition('.')[2]}({', '.join(needed)})"
    also = "".join(f", or also with {each}" for each in possible)
    return (
        f"{place}: found {takes}; expected {expected}{also}, as TFX calls it. "
        "Hint: give other parameters a default."
    )


def _outside_imports(file: Path, folder: Path, own: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and name of what a source imports that only lies in the folder."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError):  # of a module that nothing imports
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        else:
            continue
        for top in dict.fromkeys(name.partition(".")[0] for name in names):
            lies_there = (folder / f"{top}.py").is_file() or (folder / top).is_dir()
            if lies_there and top not in own and not _is_known(top, folder):
                yield node.lineno, top


def _is_known(name: str, folder: Path) -> bool:
    """Whether a name is that of an installed package, of Python or of Fareline."""
    if name in sys.stdlib_module_names:
        return True
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    origin = found.origin if found is not None else None
    return origin is not None and (not is_below(origin, str(folder)) or is_below(origin, _SITE))
