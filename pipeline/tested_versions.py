"""Versions of TFX's libraries whose inner functions were compared with what replaces them.

A function with the same name and parameters may do something else in another version, so nothing
is replaced there. Called by `pipeline.evaluation` and `runners.beam`.
"""

import functools
import importlib.metadata

# Distribution to major and minor versions; those of requirements/*.txt, as a test says.
TESTED = {
    "tensorflow-data-validation": ("1.16", "1.21"),
    "tensorflow-model-analysis": ("0.47", "0.52"),
    "tensorflow-transform": ("1.16", "1.21"),
    "tfx": ("1.16", "1.21"),
    "tfx-bsl": ("1.16", "1.21"),
}


@functools.cache
def untested(module: str) -> str | None:
    """Says that a library is installed in a version that was not tested.

    Args:
        module: Dotted name of a module, such as `tfx_bsl.tfxio.tf_example_record`.

    Returns:
        A clause; None if the version was tested, or for other libraries.
    """
    name = module.partition(".")[0].replace("_", "-")
    if name not in TESTED:
        return None
    version = importlib.metadata.version(name)
    if ".".join(version.split(".")[:2]) in TESTED[name]:
        return None
    return f"{name} {version} was not tested; expected {' or '.join(TESTED[name])}"
