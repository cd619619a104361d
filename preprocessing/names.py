"""Names for files and TensorFlow, derived from column names, which can be any text.

Two columns never get the same name. A name that needs no change gets none. Must import nothing but
the standard library.
"""

import hashlib
import re

# TensorFlow Transform leaves these as they are: it would make `x_y` of `x.y`.
_PLAIN = re.compile(r"(?=.{1,100}$)[A-Za-z0-9_]+(-[A-Za-z0-9_]+)*")
_STRANGE = re.compile(r"[^A-Za-z0-9_]+")
_DIGEST_LENGTH = 12
# What `_with_digest` makes; a column that is called so gets a digest of its own.
_HAS_DIGEST = re.compile(rf".*-[0-9a-f]{{{_DIGEST_LENGTH}}}", re.DOTALL)


def file_name(column: str) -> str:
    """The name of a column's own file, such as its vocabulary: letters, digits, `_`, `-`.

    A plain column name is the file name. Other names get a digest, because `pay type` and
    `pay-type` would be the same file.
    """
    if _PLAIN.fullmatch(column) and not _HAS_DIGEST.fullmatch(column):
        return column
    return _with_digest(_STRANGE.sub("-", column)[:60].strip("-") or "column", column)


def transformed_stem(column: str) -> str:
    """Prefix of the transformed names of a column: the column, without `/`.

    Keras allows any text but `/` in the name of an input.
    """
    if "/" not in column and not _HAS_DIGEST.fullmatch(column):
        return column
    return _with_digest(column.replace("/", "-"), column)


def _with_digest(readable: str, column: str) -> str:
    return f"{readable}-{hashlib.sha256(column.encode()).hexdigest()[:_DIGEST_LENGTH]}"
