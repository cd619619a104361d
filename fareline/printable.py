"""Text of others in one line, without what a terminal or a file would obey."""


def printable(text: str, instead: str = "?") -> str:
    """Returns the text with another sign in place of each that cannot be printed.

    `lineage.text.harmless` shows such signs as escapes, for answers from a store.

    Args:
        text: Any.
        instead: The other sign.
    """
    return "".join(sign if sign.isprintable() else instead for sign in text)
