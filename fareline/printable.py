"""Text of unknown origin in one line, without control characters."""


def printable(text: str, instead: str = "?") -> str:
    """Returns the text with a replacement for each character that cannot be printed.

    `lineage.text.harmless` shows such signs as escapes, for answers from a store.

    Args:
        text: Text of any origin.
        instead: The other sign.
    """
    return "".join(sign if sign.isprintable() else instead for sign in text)
