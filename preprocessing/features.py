"""Feature kinds, transformed names and category counts, read from settings.

Plain Python without TensorFlow. The settings, the transform, the network and the checks all use
this module, so that each name and size is defined once. Must import only the standard library and
preprocessing.names.

Category indices of every embedded feature share one layout, so that a network can be built from
the settings alone, before any data is seen:

    0                      the value is missing
    1 … size               buckets, vocabulary entries or categories
    size + 1 …             out of vocabulary, or outside the declared categories
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from preprocessing.names import file_name, transformed_stem

MISSING_INDEX = 0


@dataclasses.dataclass(frozen=True)
class Numeric:
    """A number scaled to mean 0 and standard deviation 1. A missing value becomes the mean, 0.

    Attributes:
        column: Raw column, int or float.
        log: Whether log(1 + max(x, 0)) is applied first, for amounts with a long tail.
    """

    column: str
    log: bool = False

    @property
    def output(self) -> str:
        """Transformed name, float32 [batch, 1], no unit."""
        return f"{transformed_stem(self.column)}_scaled_xf"


@dataclasses.dataclass(frozen=True)
class Categories:
    """A column turned into a category index, int64 [batch, 1], by its `kind`.

    Attributes:
        column: Raw column.
        kind: `bucket` (quantiles of a number), `vocab` (most frequent values) or `category`
            (the integers 0 … size - 1 as they are).
        size: Largest number of buckets, vocabulary entries or categories.
        oov_buckets: Number of indices for other values: hash buckets for `vocab`, 1 for
            `category`, 0 for `bucket`, because every number is in a bucket.
    """

    column: str
    kind: str
    size: int
    oov_buckets: int

    @property
    def output(self) -> str:
        """Transformed name, int64 [batch, 1]."""
        return f"{transformed_stem(self.column)}_{self.kind}_xf"

    @property
    def file_name(self) -> str:
        """File name of its vocabulary, in the assets of the transform graph."""
        return file_name(self.column)

    @property
    def index_count(self) -> int:
        """The number of possible indices, which is the input size of an embedding."""
        return 1 + self.size + self.oov_buckets


@dataclasses.dataclass(frozen=True)
class Features:
    """All features of a pipeline, in the order in which the network concatenates them."""

    numeric: tuple[Numeric, ...]
    categories: tuple[Categories, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns, each once, in order of first use."""
        used = [f.column for f in (*self.numeric, *self.categories)]
        return tuple(dict.fromkeys(used))


def parse_features(settings: Mapping[str, Any]) -> Features:
    """Reads the `features` section of the settings, already validated.

    Args:
        settings: `{numeric: {col: {log: bool}}, bucketized: {col: count},
            vocabulary: {col: {size, oov_buckets}}, categorical: {col: count}}`; each may be absent.

    Returns:
        The features, numbers first, each kind in alphabetical order of columns. The order of lines
        in a settings file therefore has no effect.
    """

    def section(name: str) -> list[tuple[str, Any]]:
        return sorted((settings.get(name) or {}).items())

    numeric = tuple(Numeric(col, bool(how.get("log"))) for col, how in section("numeric"))
    buckets = [Categories(col, "bucket", int(n), 0) for col, n in section("bucketized")]
    vocabularies = [
        Categories(col, "vocab", int(how["size"]), int(how["oov_buckets"]))
        for col, how in section("vocabulary")
    ]
    plain = [Categories(col, "category", int(n), 1) for col, n in section("categorical")]
    return Features(numeric, (*buckets, *vocabularies, *plain))
