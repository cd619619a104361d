"""Locates the Chicago taxi sample that the installed TFX package ships. Must not import TFX."""

import importlib.util
from pathlib import Path

from fareline.errors import DataError

_PATH_IN_TFX = Path("examples/chicago_taxi_pipeline/data/simple/data.csv")


def taxi_csv_path() -> Path:
    """Returns the path of the taxi CSV: 15,002 trips, 18 columns (see README.md of this folder).

    TFX is located and not imported, since the import takes ten seconds.

    Raises:
        DataError: TFX is not installed here, or was installed without its examples.

    Source:
        The data of TFX's own taxi example, examples/chicago_taxi_pipeline in the package.
    """
    spec = importlib.util.find_spec("tfx")
    if spec is None or not spec.submodule_search_locations:
        raise DataError.explain(
            "taxi data",
            "the package tfx, which ships it, is not installed in this Python",
            "expected the environment that the set-up made",
            "run the set-up, or name your own CSV as the source",
        )
    path = Path(spec.submodule_search_locations[0]) / _PATH_IN_TFX
    if not path.is_file():
        raise DataError.explain(
            "taxi data",
            f"there is no file {path}",
            "expected the sample that the package tfx ships",
            "reinstall tfx, or name your own CSV as the source",
        )
    return path
