"""Commands of this project, each in a fork of one process that has the libraries loaded already.

To load TFX, TensorFlow and Beam takes most of the time of a small command, and is the same for all
of them. A fork is a process of its own with the folder, the environment, the arguments and the exit
code that a test gives or expects, and reads the project's sources anew; of the libraries it finds
what was imported before. Tests whose claim is the start of a process, its imports or what signals
do to it start a real one.
"""

import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from unittest import mock

CHECKOUT = Path(__file__).resolve().parents[1]


_FORKS = multiprocessing.get_context("forkserver")


def run_forked(args, cwd, env, timeout=600) -> subprocess.CompletedProcess:
    """Runs a command to its end, as `subprocess.run` does with its output captured as text.

    Args:
        args: Python of this process, `-m`, a module and its arguments.
        cwd: Folder that it runs in.
        env: Environment, the whole of it.
        timeout: In seconds.

    Raises:
        subprocess.TimeoutExpired: It had not ended by then; it is killed.
    """
    with tempfile.TemporaryDirectory(prefix="fareline-forked-") as folder:
        outputs = [Path(folder, name) for name in ("stdout", "stderr")]
        with start_forked(args, cwd, env, outputs) as fork:
            fork.join(timeout)
            if fork.is_alive():
                raise subprocess.TimeoutExpired(args, timeout)
        stdout, stderr = (path.read_text(encoding="utf-8") for path in outputs)
    return subprocess.CompletedProcess(args, fork.exitcode, stdout, stderr)


@contextlib.contextmanager
def start_forked(args, cwd, env, outputs):
    """Starts a command, which does not outlive the block.

    Args:
        args: As of `run_forked`.
        cwd: Likewise.
        env: Likewise.
        outputs: Files of stdout and stderr.

    Yields:
        The process; it leads a group of its own.
    """
    python, option, *words = map(str, args)
    assert (python, option) == (sys.executable, "-m")
    _start_server()
    fork = _FORKS.Process(target=_become, args=(words, str(cwd), dict(env), outputs))
    fork.start()
    try:
        yield fork
    finally:
        kill_group(fork)


def kill_group(fork) -> None:
    """Kills a command and what it started, if it is still there."""
    if fork.is_alive():
        os.killpg(fork.pid, signal.SIGKILL)
        fork.join()


def _start_server() -> None:
    """Starts the process that forks, unless it runs; its environment is that of a command."""
    environment = {k: v for k, v in os.environ.items() if k not in _UNSET}
    with mock.patch.dict(os.environ, environment | {"PYTHONPATH": str(CHECKOUT)}, clear=True):
        _FORKS.set_forkserver_preload(["tests.libraries_for_forks"])
        multiprocessing.forkserver.ensure_running()


_UNSET = ("PYTHONDONTWRITEBYTECODE", "TF_USE_LEGACY_KERAS")


def _become(words: list[str], cwd: str, env: dict[str, str], outputs: list[Path]) -> None:
    """In the fork: is `python -m MODULE ARGUMENT…`, and never returns."""
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for target, path in zip((0, 1, 2), (os.devnull, *outputs), strict=True):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(descriptor, target)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(env)
        os.chdir(cwd)
        sources = env.get("PYTHONPATH", "").split(os.pathsep)
        libraries = [path for path in sys.path if path not in ("", str(CHECKOUT))]
        sys.path[:] = [cwd, *filter(None, sources), *libraries]
        sys.argv = words
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            sys.stderr.write(error.code + "\n")
    except BaseException:  # noqa: BLE001 - the last frame of a process: say it and go
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)  # without TensorFlow's farewell, which the product avoids likewise
