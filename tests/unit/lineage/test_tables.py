"""Tables fit any width, cut no word, and name what they leave out."""

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from fareline.packages import CHECKOUT
from lineage.text.harmless import text
from lineage.text.tables import Column, below, fitted, print_line, print_table

COLUMNS = (
    Column("model"),
    Column("run", 3),
    Column("auc", 2, right=True),
    Column("place", 4, is_path=True),
    Column("hyperparameters", 1),
)
ROWS = (
    ("Model:7", "run-20261130-072425-630120", "0.9557", "artifacts/Trainer/model/7", "a=1 b=22"),
    ("Model:12", "run-1", "-", "gs://bucket/x", "learning_rate=0.002382 width=64 depth=1"),
)


def drawn(width, columns=COLUMNS, rows=ROWS):
    return fitted(columns, [[*map(text, row)] for row in rows], width).plain.splitlines()


def test_with_room_for_all_a_row_is_a_line():
    assert drawn(200)[:2] == [
        "model     run                            auc  place                      hyperparameters",
        "Model:7   run-20261130-072425-630120  0.9557  artifacts/Trainer/model/7  a=1 b=22",
    ]
    assert len(drawn(200)) == 3


def test_cells_wrap_between_words_and_behind_slashes():
    assert drawn(88) == [
        "model     run                            auc  place               hyperparameters",
        "Model:7   run-20261130-072425-630120  0.9557  artifacts/Trainer/  a=1 b=22",
        "                                              model/7",
        "Model:12  run-1                            -  gs://bucket/x       learning_rate=0.002382",
        "                                                                  width=64 depth=1",
    ]


def test_what_has_no_room_is_left_out_by_rank_and_named():
    lines = drawn(60)
    assert lines[0].split() == ["model", "auc", "place", "hyperparameters"]
    assert lines[-1] == "Left out for lack of width: run; --json has all."
    lines = drawn(40)
    assert lines[0].split() == ["model", "auc", "hyperparameters"]
    assert lines[-2:] == ["Left out for lack of width: run, place;", "--json has all."]


def test_a_word_that_is_too_long_for_the_terminal_goes_on_in_the_next_line():
    lines = drawn(10, [Column("id")], [("Model:123456789",)])
    assert lines == ["id", "Model:1234", "56789"]


def test_no_rows_and_no_room():
    assert drawn(80, COLUMNS, []) == ["model  run  auc  place  hyperparameters"]
    assert drawn(1, [Column("a"), Column("b")], [("x", "y")])


WORD = st.text("abcé0=./[-]<\x1b", min_size=1, max_size=9)
CELL = st.lists(WORD, max_size=5).map(" ".join)


@given(
    rows=st.lists(st.lists(CELL, min_size=4, max_size=4), max_size=5),
    ranks=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    width=st.integers(12, 120),
)
def test_any_table_fits_and_every_shown_word_is_whole(rows, ranks, width):
    columns = [Column(f"c{i}", rank) for i, rank in enumerate(ranks)]
    lines = drawn(width, columns, rows)
    assert all(cell_len(line) <= width for line in lines)
    note = " ".join(line for line in lines if line)
    named = re.search(r"Left out for lack of width: (.*?);", note)
    left_out = named[1].split(", ") if named else []
    assert all(columns[int(name[1:])].rank for name in left_out)
    kept = [i for i in range(4) if f"c{i}" not in left_out]
    words = {i: [w for row in rows for w in text(row[i], limit=None).plain.split()] for i in kept}
    longest = {i: max(map(cell_len, words[i]), default=2) for i in kept}
    if sum(max(2, longest[i]) for i in kept) + 2 * (len(kept) - 1) <= width:
        shown = set(" ".join(lines).split())
        assert shown >= {w for i in kept for w in words[i]}


def test_no_answer_is_a_rich_table_which_cuts_words():
    """What is drawn anew while a run goes on may be one: it is no answer, and is left behind."""
    rich = {
        str(path.relative_to(CHECKOUT))
        for room in ("cli", "lineage", "monitoring", "runners")
        for path in (CHECKOUT / room).rglob("*.py")
        if "rich.table" in path.read_text(encoding="utf-8")
    }
    assert rich == {"runners/progress.py", "runners/outcome/summary.py"}


@pytest.mark.parametrize("terminal", [False, True])
def test_a_line_is_wrapped_between_words_in_a_terminal_and_whole_in_a_pipe(terminal):
    out = io.StringIO()
    console = Console(file=out, width=20, force_terminal=terminal, color_system=None)
    print_line(console, text("pushed as 1796005319, LIVE"))
    expected = ["pushed as", "1796005319, LIVE"] if terminal else ["pushed as 1796005319, LIVE"]
    assert [line.rstrip() for line in out.getvalue().splitlines()] == expected


def test_cells_of_a_table_are_texts_of_others():
    out = io.StringIO()
    console = Console(file=out, width=20, color_system=None)
    print_table(console, ("what", Column("value", 1)), [("[bold]a\x1b", text("1"))])
    assert out.getvalue().splitlines() == ["what         value", "[bold]a\\x1b  1"]


@pytest.mark.parametrize(
    ("path", "root", "shown"),
    [
        ("/ws/artifacts/a", Path("/ws"), "artifacts/a"),
        ("/ws2/artifacts/a", Path("/ws"), "/ws2/artifacts/a"),
        ("gs://ws/artifacts/a", Path("/ws"), "gs://ws/artifacts/a"),
        ("/ws", Path("/ws"), "/ws"),
        ("/ws/a", None, "/ws/a"),
    ],
)
def test_a_path_is_shown_without_the_folder_that_it_is_below(path, root, shown):
    assert below(path, root) == shown
