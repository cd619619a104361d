"""Rules for the user's functions before they are imported: one function per rule.

Reads sources, and imports nothing of them: what shows only then is found by `runners.own_code`.
Called by pipeline.rules.settings.
"""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from fareline.near import near_names
from fareline.packages import PACKAGES
from fareline.start import is_below
from pipeline.settings.settings import Settings


def find_code_mistakes(settings: Settings) -> Iterator[str]:
    """The functions that `code` names are in a package of the user, whose sources can be read."""
    folder = settings.code_folder
    for name, path in settings.code.paths().items():
        where, package = f"code.{name}", path.partition(".")[0]
        problem = _taken(package, folder) or _missing(path, folder)
        if problem is None:
            problem = _wrong_source(path, folder)
        if problem is not None:
            yield f"{where}: {problem}"


def source_of(module: str, folder: Path) -> Path | None:
    """The file of a module or package below a folder; None if it does not exist."""
    path = folder.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((each for each in candidates if each.is_file()), None)


def owner_of_name(package: str, folder: Path) -> str | None:
    """What else has the name of a package in a folder of the user; None if nothing has."""
    if package in PACKAGES:
        return "one of Fareline's packages"
    if package in (*sys.stdlib_module_names, "__main__"):
        return "a module of Python"
    place = _installed_at(package)
    if place is None or is_below(place, str(folder)):
        return None
    return f"installed here already, as {place}"


def _installed_at(package: str) -> str | None:
    found = importlib.util.find_spec(package)
    return found.origin if found is not None else None


def _taken(package: str, folder: Path) -> str | None:
    owner = owner_of_name(package, folder)
    if owner is None:
        return None
    hint = f"rename {folder / package}"
    if owner.startswith("installed") and not (folder / package).exists():
        hint = f"set code.folder to {Path(_installed_at(package)).parents[1]} if it is meant"
    return f"found the name {package}, which is {owner}; expected one of its own. Hint: {hint}."


def _missing(path: str, folder: Path) -> str | None:
    module = path.rpartition(".")[0]
    parts = module.split(".")
    for length in range(1, len(parts)):
        package = folder.joinpath(*parts[:length])
        if not (package / "__init__.py").is_file():
            return _no_package(package)
    if len(parts) == 1 and not (folder / module / "__init__.py").is_file():
        return _no_package(folder / module)
    if source_of(module, folder) is not None:
        return None
    parent = folder.joinpath(*parts[:-1])
    files = (each for each in parent.glob("*.py") if each.is_file())
    known = sorted(each.stem for each in files if each.stem != "__init__")
    near = near_names(parts[-1], known)
    hint = f"did you mean {near[0]}" if near else "write it, or correct the dotted path"
    return f"there is no {parent / parts[-1]}.py; expected a module {module}. Hint: {hint}."


def _no_package(package: Path) -> str:
    there = "it has no __init__.py" if package.is_dir() else "there is no such folder"
    return (
        f"{package}: {there}; expected a package. Hint: put it beside the settings file, with an "
        "empty __init__.py, or name its folder in code.folder; `fareline init --code` writes one."
    )


def _wrong_source(path: str, folder: Path) -> str | None:
    """What is wrong with the text of the module that has the function, if anything."""
    module, _, function = path.rpartition(".")
    file = source_of(module, folder)
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError) as error:
        return _describe_unreadable(file, error)
    if _binds_unseen_names(tree):
        return None
    names = sorted(_bound_names(tree))
    if function in names:
        return None
    near = near_names(function, names)
    hint = f"did you mean {near[0]}" if near else "write it, or correct the dotted path"
    return f"{file} has no {function}; expected a function of that name. Hint: {hint}."


def _describe_unreadable(file: Path | str, error: Exception) -> str:
    """Returns why a source is no Python, with the line."""
    line = getattr(error, "lineno", None)
    place = f"{file}:{line}" if line else str(file)
    said = getattr(error, "msg", None) or getattr(error, "strerror", None) or str(error)
    return f"{place}: {said}; expected Python. Hint: correct that line."


def _binds_unseen_names(tree: ast.Module) -> bool:
    """Whether names come from a star import, or from `__getattr__`."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    stars = any(alias.name == "*" for node in imports for alias in node.names)
    return stars or "__getattr__" in _bound_names(tree)


def _bound_names(tree: ast.Module) -> set[str]:
    """Names that statements of a module bind, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
