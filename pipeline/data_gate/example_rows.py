"""The rows of an Examples artifact, as columns.

Called by the components that look into the data. Imports TFX.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from tfx.dsl.io import fileio

from data.reading.examples import read_columns


def rows_of_splits(
    uri: str, splits: Sequence[str], choose: Callable[[int], np.ndarray] | None = None
) -> Iterator[Mapping[str, pa.Array]]:
    """Reads splits, in the memory of one batch; see `data.reading.examples.read_columns`.

    Args:
        uri: URI of the artifact.
        splits: Their names.
        choose: Selects rows of each batch; None: all rows.
    """
    for split in splits:
        folder = f"{uri}/Split-{split}"
        names = sorted(name for name in fileio.listdir(folder) if not name.startswith("."))
        yield from read_columns((f"{folder}/{name}" for name in names), choose)
