"""Nothing that a store holds is obeyed by the terminal or by rich."""

import io

import pytest
from rich.console import Console
from rich.markup import render

from lineage.text.harmless import escaped, message, plain, text

MARKUP = "[bold red]x[/] [link=http://evil]y[/link] \\[z]"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Trainer", "Trainer"),
        (12, "12"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("\x9b2J\x7f\x00", "\\x9b2J\\x7f\\x00"),
        ("abc\u202edcb\u2066", "abc\\u202edcb\\u2066"),
        ("\u2028\ud800\U000e0041", "\\u2028\\ud800\\U000e0041"),
        ("שלום עולם", "שלום עולם"),
        ("می\u200cشد 👩\u200d🔬", "می\u200cشد 👩\u200d🔬"),
        (MARKUP, MARKUP),
    ],
)
def test_one_line_that_does_nothing(value, shown):
    assert plain(value) == shown


def test_what_is_cut_is_counted():
    assert plain("x" * 160) == "x" * 160
    assert plain("x" * 4096) == "x" * 160 + "… (4,096 characters)"
    assert plain("\n" * 10, limit=2) == "\\n\\n… (10 characters)"
    assert plain("x" * 4096, limit=None) == "x" * 4096


def test_rich_shows_markup_as_it_is():
    console = Console(file=io.StringIO(), width=200, record=True)
    console.print(text(MARKUP))
    console.print(f"[bold]{escaped(MARKUP)}[/]")
    assert console.export_text().splitlines() == [MARKUP, MARKUP]
    assert render(escaped("[/]")).plain == "[/]"


def test_a_text_keeps_its_style():
    assert text("a\x1b", "dim").markup == "[dim]a\\x1b[/dim]"


def test_a_message_keeps_its_lines_and_paths_and_loses_the_middle_of_a_long_name():
    path = "/".join(["x" * 255] * 15)
    assert message(f"{path}: a\nb\x1b[31m") == f"{path}: a\nb\\x1b[31m"
    cut = "y" * 99 + "…" + "y" * 19
    assert message(f"column '{'y' * 3000}' is") == f"column '{cut}' is"
