"""The card of a published model: Markdown beside its version, where no model server looks.

It is not in the folder of the version, whose digest the store knows.
"""

import os

from fareline.files import write_text


def card_path(version_dir: str) -> str:
    """Where the card of a version is: `…/taxi/12.md` for `…/taxi/12`."""
    return f"{version_dir.rstrip('/')}.md"


def write_card(version_dir: str, text: str) -> None:
    """Writes the card of a version that is there."""
    if os.path.isdir(version_dir):
        write_text(card_path(version_dir), text)


def copy_card(version_dir: str, copy_dir: str) -> None:
    """Gives the copy of a version its card; nothing if it has none."""
    if os.path.isfile(card_path(version_dir)):
        with open(card_path(version_dir), encoding="utf-8") as reader:
            write_card(copy_dir, reader.read())


def remove_card(version_dir: str) -> None:
    """Removes the card of a version that is removed; nothing if it has none."""
    if os.path.isfile(card_path(version_dir)):
        os.unlink(card_path(version_dir))
