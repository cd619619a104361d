"""Starts a module of this room with as little of TensorFlow's company as it can do without.

    python -m serving.start serving.server --model_name=taxi …

TensorFlow imports Keras, and the two import IPython, pandas, Google's API client and others if they
are installed, which takes a third of the start; both do without where they are not, and a server
has no use for any of them. Called by `serving.process`, `serving.reference` and `fareline serve`.
"""

import runpy
import sys

# All of them are imported in a `try` that has an `except ImportError`.
_LEFT_OUT = ("IPython", "pandas", "googleapiclient", "h5py", "sklearn", "matplotlib", "tensorboard")


def leave_out_optional_packages() -> None:
    """Makes them look as if they were not installed, unless they are loaded already."""
    for name in _LEFT_OUT:
        sys.modules.setdefault(name, None)


if __name__ == "__main__":
    leave_out_optional_packages()
    sys.argv.pop(0)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
