"""Starts a module of this package with as few modules of TensorFlow as possible.

    python -m serving.model.start serving.server.server --model_name=taxi …
    python -m serving.model.start --wait 5 serving.server.server

The second form imports the module, calls its `load` if it has one, and waits for its arguments on
an open file (see `serving.validation.warm`).

TensorFlow imports Keras, and the two import IPython, pandas, Google's API client and others if they
are installed, which takes a third of the start; both do without where they are not, and a server
has no use for any of them. It does without Keras and most of TensorFlow as well. Called by
`serving.validation.warm` and `fareline serve`.
"""

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from fareline import collector
from serving.model.tensorflow_parts import load_parts

_WAIT_FLAG = "--wait"  # that of serving.validation.warm, which imports more than is needed here
_SERVER = "serving.server.server"
# All of them are imported in a `try` that has an `except ImportError`.
_LEFT_OUT = ("IPython", "pandas", "googleapiclient", "h5py", "sklearn", "matplotlib", "tensorboard")


def leave_out_optional_packages() -> None:
    """Hides optional packages from imports, unless they are loaded already."""
    for name in _LEFT_OUT:
        sys.modules.setdefault(name, None)


def run_and_exit(
    main: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None = None
) -> NoReturn:
    """Runs a program, and ends the process with its exit code; 1 after an exception.

    Without the interpreter's own end: a request that never ends must not keep the process, and
    TensorFlow's exit takes time and prints noise.
    """
    try:
        code = main(argv)
    except Exception:  # noqa: BLE001 - logged, and then the noisy exit is skipped
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _wait_for_arguments(descriptor: int) -> list[str]:
    """Returns the arguments when they come, with the output going to the log that comes with them.

    Ends the process if the other side closes without sending any.
    """
    with open(descriptor, "rb") as reader:
        text = reader.read()
    if not text:
        os._exit(0)
    told = json.loads(text)
    log = os.open(told["log"], os.O_WRONLY | os.O_APPEND)
    for output in (1, 2):
        os.dup2(log, output)
    os.close(log)
    return told["arguments"]


def main(words: Sequence[str]) -> NoReturn:
    """Runs the module that the command line names; see the module's docstring."""
    leave_out_optional_packages()
    waits = words[0] == _WAIT_FLAG
    module, arguments = (words[2], None) if waits else (words[0], words[1:])
    with collector.paused():
        if module == _SERVER:
            load_parts()
        program = importlib.import_module(module)
        if hasattr(program, "load"):
            program.load()
    run_and_exit(program.main, _wait_for_arguments(int(words[1])) if waits else arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
