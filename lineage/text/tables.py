"""Tables that fit a terminal: words are never cut; columns without space are left out and named.

Cells wrap between words, paths also behind a slash. Where even that is too wide, the columns that
matter least are left out, and a last line says which. Not a rich Table, which cuts words in a
narrow terminal and takes a second for a thousand lines. Imports rich when a table is made.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lineage.text.harmless import text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_GAP = "  "
_WORDS = re.compile(r"\S+")
_PARTS = re.compile(r"[^\s/]*/+|[^\s/]+")  # of a path


@dataclasses.dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: Its heading.
        rank: Order of omission: the highest first, 0 never.
        right: Whether its cells are aligned to the right, as numbers are.
        is_path: Whether its cells may also wrap behind a slash.
    """

    name: str
    rank: int = 0
    right: bool = False
    is_path: bool = False


def print_table(
    console: "Console",
    columns: Iterable[Column | str],
    rows: Iterable[Sequence["str | Text"]],
    styled: str = "bold",
) -> None:
    """Prints a table that is no wider than the terminal.

    Args:
        console: To print on.
        columns: In order; a name alone is a column that is never left out.
        rows: Their cells; a `str` does nothing to the terminal.
        styled: Style of the heading.
    """
    columns = [Column(each) if isinstance(each, str) else each for each in columns]
    cells = [[text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    console.print(fitted(columns, cells, console.width, styled), soft_wrap=True)


def print_line(console: "Console", line: "Text") -> None:
    """Prints a line: wrapped between words in a terminal, whole in a pipe."""
    console.print(line, soft_wrap=not console.is_terminal)


def below(path: str, root: Path | None) -> str:
    """A path as a table shows it: without the folder that it is below.

    Args:
        path: Or a URI.
        root: The folder, of a workspace; None: whole paths.
    """
    return path.removeprefix(f"{root}/") if root else path


def fitted(
    columns: Sequence[Column], rows: Sequence[Sequence["Text"]], width: int, styled: str = "bold"
) -> "Text":
    """Lays out a table.

    Args:
        columns: In order.
        rows: Their cells, from `lineage.text.harmless.text`.
        width: Width of the terminal.
        styled: Style of the heading.
    """
    from rich.cells import cell_len
    from rich.text import Text

    heads = [Text(column.name, styled) for column in columns]
    cells = [[heads[i], *(row[i] for row in rows)] for i in range(len(columns))]
    least = [
        max((cell_len(part) for cell in column for part in _parts(cell.plain, of)), default=0)
        for column, of in zip(cells, columns, strict=True)
    ]
    most = [max(cell_len(cell.plain) for cell in column) for column in cells]
    kept = _kept(columns, least, width)
    widths = _widths([least[i] for i in kept], [most[i] for i in kept], width)
    lines = []
    for place in range(len(rows) + 1):
        wrapped = [
            _wrapped(cells[i][place], size, columns[i])
            for i, size in zip(kept, widths, strict=True)
        ]
        for number in range(max((len(cell) for cell in wrapped), default=0)):
            line = Text(overflow="fold")
            for cell, size, i in zip(wrapped, widths, kept, strict=True):
                part = cell[number] if number < len(cell) else Text("")
                gap = " " * (size - cell_len(part.plain))
                line.append_text(Text(gap) + part if columns[i].right else part + gap)
                line.append(_GAP)
            line.rstrip()
            lines.append(line)
    left_out = [column.name for i, column in enumerate(columns) if i not in kept]
    if left_out:
        said = f"Left out for lack of width: {', '.join(left_out)}; --json has all."
        lines += _wrapped(Text(said, "dim"), width, Column(""))
    return Text("\n").join(lines)


def _parts(cell: str, column: Column) -> list[str]:
    return (_PARTS if column.is_path else _WORDS).findall(cell)


def _kept(columns: Sequence[Column], least: Sequence[int], width: int) -> list[int]:
    """The places of the columns that there is room for, in order; the least rank goes first."""
    kept = [i for i, column in enumerate(columns) if not column.rank]
    used = sum(least[i] + len(_GAP) for i in kept)
    ranked = sorted(range(len(columns)), key=lambda i: (columns[i].rank, i))
    for i in ranked:
        if columns[i].rank and used + least[i] <= width:
            kept.append(i)
            used += least[i] + len(_GAP)
    return sorted(kept)


def _widths(least: Sequence[int], most: Sequence[int], width: int) -> list[int]:
    """A width for each column: whole cells for as many columns as possible."""
    widths = [*least]
    spare = width - sum(widths) - len(_GAP) * (len(widths) - 1)
    while spare < 0:  # columns that must stay have words that are too long: these are folded
        widest = max(range(len(widths)), key=lambda i: widths[i])
        if widths[widest] <= 1:
            break
        widths[widest] -= 1
        spare += 1
    for i in sorted(range(len(widths)), key=lambda i: most[i] - least[i]):
        more = min(most[i] - widths[i], spare)
        if more > 0:
            widths[i] += more
            spare -= more
    return widths


def _wrapped(cell: "Text", width: int, column: Column) -> list["Text"]:
    """The lines of a cell, in its own style."""
    from rich.cells import cell_len, chop_cells
    from rich.text import Text

    plain = cell.plain
    if cell_len(plain) <= width:
        return [cell]
    lines, line, end = [], "", 0
    pattern = _PARTS if column.is_path else _WORDS
    for match in pattern.finditer(plain):
        gap = plain[end : match.start()] if line else ""
        end = match.end()
        if cell_len(line + gap + match[0]) <= width:
            line += gap + match[0]
            continue
        if line:
            lines.append(line)
        *whole, line = chop_cells(match[0], max(width, 1))
        lines += whole
    return [Text(each, cell.style) for each in [*lines, line]]
