"""Dotted paths of the user functions, and the fingerprint of their sources.

TFX's cache key holds the dotted path of a function, or of an executor, not its code (tfx issue
2247). The fingerprint is part of `custom_config`, and a separate parameter of the two validators,
so that an edit executes the component again. `pipeline` names these functions and never imports
them.
"""

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path

from fareline.packages import PACKAGES

PREPROCESSING_FN = "preprocessing.transform.preprocessing_fn"
RUN_FN = "models.trainer.run_fn"
TUNER_FN = "models.tuner.tuner_fn"
_PARTS = ("body", "orelse", "finalbody", "handlers", "cases")  # where statements hold others
# Where rows are read, this gives the key of pseudonyms: the environment is read in runners alone.
PII_KEY_FN = "runners.pii_key.read_pii_key"
# Pushes to Vertex AI: Google's clients are imported in runners alone.
VERTEX_PUSH_FN = "runners.platforms.vertex.push.push_model"

# Where the code of each begins: packages whole, so that a new module counts as well, and modules.
# What these import of ours belongs to it too, and is found in the sources.
TRANSFORM_SOURCES = ("preprocessing",)
MODEL_SOURCES = ("models",)
# What decides how a row is read, and which split it belongs to; the key is asked for by its path.
EXAMPLE_GEN_SOURCES = ("pipeline.components.columnar_example_gen", PII_KEY_FN.rpartition(".")[0])
# And what decides on anomalies.
GATE_SOURCES = ("pipeline.components.data_policy",)
# And what compares data with data.
DRIFT_SOURCES = ("pipeline.components.drift_monitor",)
# And what decides whether Tuner searches, where it does not always.
TUNER_SOURCES = ("pipeline.components.tuner",)
# And the two judges: what measures, and what decides. The slice extractor is named by its path.
EVALUATOR_SOURCES = ("pipeline.components.evaluator", "pipeline.slice_extractor")
INFRA_VALIDATOR_SOURCES = ("pipeline.components.infra_validator", "serving")

# Of each setting of `code`: our function, and where our code of it begins.
OURS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "preprocessing_fn": (PREPROCESSING_FN, TRANSFORM_SOURCES),
    "run_fn": (RUN_FN, MODEL_SOURCES),
    "tuner_fn": (TUNER_FN, MODEL_SOURCES),
}

# What an image for a cluster can import: our packages, and the library whose executors we extend.
IMAGE_PACKAGES = (*PACKAGES, "tfx")


def choose_function(name: str, own: str | None) -> tuple[str, tuple[str, ...]]:
    """The function that a node calls: the user's, if the settings name one, or ours.

    Args:
        name: Name of the setting, such as `run_fn`.
        own: Dotted path in the settings.

    Returns:
        Its dotted path, and the modules that its code begins with, for `fingerprint_sources`.
    """
    return OURS[name] if own is None else (own, (own.rpartition(".")[0],))


def fingerprint_packages(packages: Sequence[str]) -> str:
    """SHA-256 over names and contents of the sources of packages, and of nothing that they import.

    Args:
        packages: Dotted names; each stands for every `.py` file below it.

    Returns:
        64 hexadecimal digits; the same wherever the code is installed.
    """
    digest = hashlib.sha256()
    for package in packages:
        for name, path in _source_files(package):
            digest.update(f"{package}/{name}\0".encode())
            digest.update(path.read_bytes())
            digest.update(b"\0")
    return digest.hexdigest()


def fingerprint_sources(modules: Sequence[str]) -> str:
    """SHA-256 over names and contents of modules and of all that they import from the project.

    Args:
        modules: Dotted names; a package stands for every module below it.

    Returns:
        64 hexadecimal digits; the same wherever the code is installed, and on both stacks.
    """
    digest = hashlib.sha256()
    for name, path in sorted(find_sources(modules).items()):
        digest.update(f"{name}\0".encode())
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


def find_sources(modules: Sequence[str]) -> dict[str, Path]:
    """Modules and all that they import of ours, wherever in them, by what their sources say.

    Args:
        modules: Modules, as `fingerprint_sources` has them.

    Returns:
        Dotted name to file; packages above a module, whose `__init__` runs before it, are there.
    """
    ours = {name.partition(".")[0] for name in modules}.union(IMAGE_PACKAGES) - {"tfx"}
    folders = {package: _folder_of(package) for package in ours}
    waiting = [name for module in modules for name in _modules_of(module)]
    found: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        if name in found or (path := _file_of(name, folders)) is None:
            continue
        found[name] = path
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += [name.rpartition(".")[0], *_imported(path.read_bytes(), package)]
    return found


def _modules_of(module: str) -> list[str]:
    """The module itself, or the package and all below it."""
    files = [path for _, path in _source_files(module)]
    if files[0].name != "__init__.py":
        return [module]
    below = [path.relative_to(files[0].parent).with_suffix("").parts for path in files]
    return [module, *(".".join((module, *parts)) for parts in below if parts[-1] != "__init__")]


@functools.cache
def _imported(source: bytes, package: str) -> tuple[str, ...]:
    """What a source imports when it runs: modules, and names that may be modules."""
    found = []
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            try:
                module = importlib.util.resolve_name(module, package)
            except ImportError:  # beyond the package: it fails when it runs, if ever
                continue
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            waiting += node.orelse
        else:  # statements alone: no expression imports
            for part in _PARTS:
                waiting += getattr(node, part, ())
    return tuple(found)


def _folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _file_of(name: str, folders: Mapping[str, Path | None]) -> Path | None:
    """The file of a module or package of ours; None of all else, such as a name in a module."""
    top, *rest = name.split(".")
    if (folder := folders.get(top)) is None:
        return None
    path = folder.joinpath(*rest)
    candidates = [path / "__init__.py", *([path.with_suffix(".py")] if rest else [])]
    return next((each for each in candidates if each.is_file()), None)


def _source_files(module: str) -> list[tuple[str, Path]]:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module}: no source found; expected an importable module")
    origin = Path(spec.origin)
    if not spec.submodule_search_locations:
        return [(origin.name, origin)]
    folder = origin.parent
    return [(p.relative_to(folder).as_posix(), p) for p in sorted(folder.rglob("*.py"))]
