"""Folders that appear whole or not at all. Called by `data.generate`."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from fareline.disk import naming_disk, with_room
from fareline.errors import DataError


@contextlib.contextmanager
def folder_written_beside(folder: Path) -> Iterator[Path]:
    """Gives a folder that becomes `folder` if the block ends well, and is removed if not.

    Raises:
        DataError: There is something at its place, or nothing to put it into.
    """
    folder = folder.absolute()
    require_new(folder)
    with _part_of(folder) as part:
        yield part
        os.replace(part, folder)  # an empty folder gives way


@contextlib.contextmanager
def folders_added(folder: Path) -> Iterator[Path]:
    """Gives a folder whose innermost folders move below `folder` if the block ends well.

    Each moves at once, so that no reader sees half of one. Files at the top move last.

    Raises:
        DataError: One of them is there already; nothing has moved then.
    """
    folder = folder.absolute()
    with _part_of(folder) as part:
        yield part
        leaves = [Path(place) for place, below, _ in os.walk(part) if not below]
        moves = [(leaf, folder / leaf.relative_to(part)) for leaf in sorted(leaves)]
        for _, place in moves:
            if place.exists():
                raise DataError.explain(
                    str(place),
                    "already exists",
                    "expected a version that is not there yet",
                    "name another --version",
                )
        for leaf, place in moves:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(leaf, place)
        for file in sorted(part.iterdir()):
            if file.is_file():
                os.replace(file, folder / file.name)


def require_new(folder: Path) -> None:
    """Refuses a folder that has something in it, or that cannot be made.

    Raises:
        DataError: The folder cannot be used.
    """
    found = None
    if folder.is_dir() and not folder.is_symlink():
        found = "is not empty" if any(folder.iterdir()) else None
    elif os.path.lexists(folder):
        found = "already exists and is not a folder"
    elif not folder.parent.is_dir():
        found = "would be in a folder that is not there"
    if found is not None:
        expected = "expected a new folder, in one that is there"
        raise DataError.explain(str(folder), found, expected, "name another folder")


@contextlib.contextmanager
def _part_of(folder: Path) -> Iterator[Path]:
    part = folder.with_name(f".{folder.name}.part-{os.getpid()}")
    try:
        part.mkdir()
    except OSError as error:
        raise DataError.explain(
            str(folder.parent),
            f"cannot be written ({error.strerror}){with_room(error, folder)}",
            "expected a folder to write to",
            "name another folder",
        ) from error
    try:
        with naming_disk(folder):
            yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
