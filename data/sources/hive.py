"""Folders whose names say the value of a column: `year=2026/month=01/part.parquet`.

So Hive, Spark, DuckDB and pyarrow write tables in parts. As pyarrow reads them: the columns are int
where all values are whole numbers of 32 bits, else text; `%20` is a blank, and
`__HIVE_DEFAULT_PARTITION__` no value. Below a source whose pattern has `year=*` the keys are
columns; what a pattern of spans fills in is none. Called by the modules that look for source files.
Imports the standard library alone.
"""

import glob
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from data.sources.visible import is_hidden
from fareline.errors import DataError

_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_FOLDER = re.compile(r"([^=]+)=(.*)", re.DOTALL)
_ENDINGS = (".csv", ".gz", ".jsonl", ".parquet", ".arrow", ".feather", ".tfrecord")
_EXPECTED = "expected folders of one key at each level, such as year=2025 and year=2026, and no "
_EXPECTED += "files beside them"

Keys = Mapping[str, str | None]


def keys_of(path: str, pattern: str) -> dict[str, str | None]:
    """The columns that the folders of a file say, by the pattern that it was found with.

    Args:
        path: The file, wherever it is.
        pattern: A glob, of which the end of the path is what its last parts match.
    """
    names = reversed(path.split("/")[:-1])
    wanted = reversed(pattern.split("/")[:-1])
    pairs = [n for n, w in zip(names, wanted, strict=False) if w.endswith("=*")]
    return _keys(list(reversed(pairs)))


def keys_above(path: Path) -> dict[str, str | None]:
    """The columns that the folders right above a file say, for one that was named by itself."""
    names: list[str] = []
    for parent in path.absolute().parents:
        if not _FOLDER.fullmatch(parent.name):
            break
        names.insert(0, parent.name)
    return _keys(names)


def _keys(folders: Sequence[str]) -> dict[str, str | None]:
    pairs = [_FOLDER.fullmatch(folder).groups() for folder in folders]
    try:
        return {
            unquote(key, errors="strict"): None
            if text == _NO_VALUE
            else unquote(text, errors="strict")
            for key, text in pairs
        }
    except UnicodeDecodeError as error:
        raise DataError.explain(
            "/".join(folders),
            "the bytes after a % are not UTF-8",
            "expected names of folders in which %20 is a blank",
            "rename the folder",
        ) from error


def find_leaves(folder: Path) -> tuple[list[Path], str]:
    """The folders that hold the files of a table in parts, and a glob of them.

    Args:
        folder: Folder of the table.

    Returns:
        The folder itself and an empty glob, if no folder in it says a value; else the innermost
        folders, sorted, and for example `year=*/month=*/`.

    Raises:
        DataError: The folders say different keys, or there are files beside them.
    """
    level, pattern, keys = [folder], "", []
    while children := [child for each in level for child in _parts_in(each)]:
        found = sorted({child.name.partition("=")[0] for child in children})
        bare = next((each for each in level if _has_files(each)), folder)
        what = f"holds folders of {found[0]}="
        if len(found) > 1:
            what += f" and of {found[1]}="
        elif _has_files(bare):
            what = f"holds files, and there are folders of {found[0]}= at the level below"
        elif found[0] in keys:
            what += f" in folders of {found[0]}="
        else:
            what = ""
        if what:
            hint = "move files of other tables elsewhere"
            raise DataError.explain(str(bare), what, _EXPECTED, hint)
        keys += found
        pattern += f"{glob.escape(found[0])}=*/"
        level = children
    return level, pattern


def _parts_in(folder: Path) -> list[Path]:
    return [
        child
        for child in sorted(folder.iterdir())
        if _FOLDER.fullmatch(child.name) and not is_hidden(child.name) and child.is_dir()
    ]


def _has_files(folder: Path) -> bool:
    return any(
        each.suffix in _ENDINGS and not is_hidden(each.name) and each.is_file()
        for each in folder.iterdir()
    )
