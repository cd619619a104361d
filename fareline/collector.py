"""Python's garbage collector while modules load, and afterwards.

TFX and TensorFlow create about a million objects that stay in memory until the end. While they
load, the collector searches them for garbage again and again, which takes a third of the time.
Later, KerasTuner starts a collection of all of them after each trial. Called by commands that load
such modules.
"""

import contextlib
import gc
from collections.abc import Iterator

# Python's own first threshold is 700 new objects, which loading a module passes many times over.
THRESHOLDS = (50_000, 20, 100)


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Pauses the collector while the block loads modules, and excludes their objects afterwards.

    Nested blocks are allowed: the end of the innermost resumes collecting. Garbage at the end of a
    block stays in memory until the process ends, so a block only loads modules.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
        gc.enable()
