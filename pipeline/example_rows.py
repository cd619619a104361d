"""The rows of an Examples artifact, as columns.

Called by the components that look into the data. Imports TFX.
"""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
from tfx.dsl.io import fileio

from data.example_records import read_columns


def rows_of_splits(uri: str, splits: Sequence[str]) -> Iterator[Mapping[str, pa.Array]]:
    """Reads splits, in the memory of one batch; see `data.example_records.read_columns`.

    Args:
        uri: Of the artifact.
        splits: Their names.
    """
    for split in splits:
        folder = f"{uri}/Split-{split}"
        names = sorted(name for name in fileio.listdir(folder) if not name.startswith("."))
        yield from read_columns(f"{folder}/{name}" for name in names)
