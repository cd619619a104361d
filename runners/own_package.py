"""`fareline init --code`: a package of functions of one's own, its settings and its test.

Called by `cli.init`. Imports neither TFX nor TensorFlow.
"""

import keyword
from pathlib import Path

from fareline.errors import UserMistake
from fareline.files import write_text
from pipeline.rules.code import owner_of_name
from pipeline.settings.settings import DEFAULT_PATH

_TEMPLATES = DEFAULT_PATH.parent / "own_code"
_PLACE = "PACKAGE"  # stands in the templates for the package's name


def write_own_package(folder: Path, name: str | None) -> tuple[str, list[Path]]:
    """Writes the files, none of which may be there.

    Args:
        folder: Folder for the files.
        name: Name of the package; None: `own_code`.

    Returns:
        The name, and the paths, the settings first.

    Raises:
        UserMistake: The package exists, or cannot be written, or its name is invalid.
    """
    package = (name or "own_code").replace("-", "_")
    is_name = package.isidentifier() and not keyword.iskeyword(package)
    owner = owner_of_name(package, folder) if is_name else None
    if not is_name or owner is not None:
        raise UserMistake.explain(
            "--name",
            f"found {name}" if owner is None else f"found {name}, which is {owner}",
            "expected a name for a Python package that nothing else here has",
            "name it for example taxi_code",
        )
    texts = {
        folder / f"{package}.yaml": "settings.yaml",
        folder / package / "__init__.py": "__init__.py.txt",
        folder / package / "preprocessing.py": "preprocessing.py.txt",
        folder / package / "model.py": "model.py.txt",
        folder / f"test_{package}.py": "checks.py.txt",
    }
    for path in texts:
        if path.exists():
            raise UserMistake.explain(
                str(path),
                "already exists",
                "expected a place where nothing is overwritten",
                "name another folder with --output, or another package with --name",
            )
    try:
        (folder / package).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserMistake.explain(
            str(folder / package),
            f"cannot be made ({error.strerror})",
            "expected a place for a folder",
            "name another folder with --output",
        ) from error
    for path, template in texts.items():
        text = (_TEMPLATES / template).read_text(encoding="utf-8").replace(_PLACE, package)
        if path.suffix == ".yaml":
            text += settings_lines(package)
        write_text(path, text, hint="name another folder with --output")
    return package, list(texts)


def settings_lines(package: str) -> str:
    """The section of the settings that names the functions of the package."""
    return (
        "code:\n"
        f"  preprocessing_fn: {package}.preprocessing.preprocessing_fn\n"
        f"  run_fn: {package}.model.run_fn\n"
    )
