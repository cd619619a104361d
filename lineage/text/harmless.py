"""Text from a store on its way to a reader: names, URIs and properties may hold anything.

Markup, control characters, characters that change the direction of writing, lines of 4 kB: the
terminal and rich must not interpret them. Called by all views; JSON does not need it.
"""

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from fareline.errors import message_of

if TYPE_CHECKING:
    from rich.text import Text

LIMIT = 160  # characters of one value in a table or a tree
# Control characters, format characters (they turn the direction), lone surrogates, separators of
# lines and paragraphs. Private ones have no agreed look.
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # format characters that Persian, Hindi and emoji are written with
# A part of a path has at most 255 characters, and signs around it.
_LONG_WORD = re.compile(r"([^\s/]{100})[^\s/]{180,}([^\s/]{20})")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def plain(value: Any, limit: int | None = LIMIT) -> str:
    """Returns a value as one line that is safe for a terminal; a cut text ends with its length.

    For rich, put it into a `Text` (or use `text` below), or print it with `markup=False`: square
    brackets stay as they are. In a string with markup use `escaped`.

    Args:
        value: Anything; `str` of it is shown.
        limit: Length from which it is cut; None: never.

    Returns:
        Control characters as `\\n`, `\\x1b`, `\\u202e`; `abc… (4,096 characters)` if it was cut.
    """
    whole = str(value)
    if limit is not None and len(whole) > limit:
        return f"{_visible(whole[:limit])}… ({len(whole):,} characters)"
    return _visible(whole)


def message(error: Any) -> str:
    """Returns an error's message, line by line, without what a terminal would obey.

    What is longer than any part of a path, such as the name of a column of 3,000 letters, is cut.
    """
    lines = _LONG_WORD.sub(r"\1…\2", message_of(error)).split("\n")
    return "\n".join(plain(line, None) for line in lines)


def text(value: Any, style: str = "", limit: int | None = LIMIT) -> "Text":
    """Returns `plain(value)` as a rich Text: for cells of tables, labels of trees, anywhere."""
    from rich.text import Text

    return Text(plain(value, limit), style)


def escaped(value: Any, limit: int | None = LIMIT) -> str:
    """Returns `plain(value)` for the inside of a string with rich markup."""
    from rich.markup import escape

    return escape(plain(value, limit))


def _visible(line: str) -> str:
    if line.isprintable():  # the usual case, and quick
        return line
    return "".join(map(_visible_sign, line))


def _visible_sign(sign: str) -> str:
    if sign in _JOINERS or unicodedata.category(sign) not in _NOT_SHOWN:
        return sign
    if sign in _SHORT:
        return _SHORT[sign]
    code = ord(sign)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
