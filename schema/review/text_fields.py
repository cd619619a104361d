"""Where the fields of a protobuf text stand in it, for it to be edited and not written anew.

`google.protobuf.text_format` reads the values and loses comments, order and layout. This finds the
characters of each field, and knows nothing of what they mean. Called by `schema.review.text_edit`.
"""

import dataclasses
import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<mark>[{}<>\[\]:;,])
    |(?P<word>[^\s{}<>\[\]:;,\#"']+)""",
    re.VERBOSE,
)
_CLOSING = {"{": "}", "<": ">", "[": "]"}


@dataclasses.dataclass(frozen=True)
class TextField:
    """A field as it stands in a text.

    Attributes:
        name: Name of the field.
        start: Where its name begins.
        end: Behind its value.
        fields: Fields of a message in braces: what is in it. None for any other value.
        close: Position of the closing brace of a message; otherwise `end`.
    """

    name: str
    start: int
    end: int
    fields: "tuple[TextField, ...] | None"
    close: int


def find_fields(text: str) -> tuple[TextField, ...]:
    """Finds the fields of a message and of the messages in it.

    Args:
        text: In protobuf text form, that `text_format.Parse` takes.
    """
    return tuple(_Reader(text).read_fields(""))


class _Reader:
    def __init__(self, text: str):
        self._tokens = [
            (match.group(), match.start(), match.end())
            for match in _TOKEN.finditer(text)
            if match.lastgroup != "space"
        ]
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self) -> tuple[str, int, int]:
        self._at += 1
        return self._tokens[self._at - 1]

    def read_fields(self, closing: str) -> Iterator[TextField]:
        while self._peek() not in (closing, ""):
            if self._peek() in (",", ";"):
                self._take()
            else:
                yield self._read_field()

    def _read_field(self) -> TextField:
        name, start, end = self._take()
        if name == "[":  # an extension
            end = self._skip("[")
        if self._peek() == ":":
            _, _, end = self._take()
        mark = self._peek()
        if mark in ("{", "<"):
            self._take()
            fields = tuple(self.read_fields(_CLOSING[mark]))
            _, close, end = self._take()
            return TextField(name, start, end, fields, close)
        if mark == "[":
            self._take()
            end = self._skip("[")
        elif mark[:1] in ('"', "'"):
            while self._peek()[:1] in ('"', "'"):  # adjacent texts are one
                _, _, end = self._take()
        else:
            value, _, end = self._take()
            if value == "-":
                _, _, end = self._take()
        return TextField(name, start, end, None, end)

    def _skip(self, opening: str) -> int:
        """Passes what is in brackets; returns where they end."""
        open_marks = [opening]
        end = 0
        while open_marks:
            token, _, end = self._take()
            if token in _CLOSING:
                open_marks.append(token)
            elif token == _CLOSING[open_marks[-1]]:
                open_marks.pop()
        return end
