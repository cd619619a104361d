"""Builds `.venv`: picks the stack and the Python for this machine, and installs the pins.

Run by make as `python3 requirements/install.py`, with any Python from 3.8 on. Standard library
only, since it runs before anything is installed. Safe to interrupt and to repeat: the environment
is built under `.uv/`, stamped, and only then takes the place of `.venv`. One that is up to date is
left alone.
"""

import sys

if sys.version_info < (3, 8):
    sys.exit(
        "set-up: this is Python %d.%d; the set-up needs 3.8 or newer to run. Hint: put a newer "
        "python3 first on PATH, and run `make setup` again." % sys.version_info[:2]
    )

import argparse
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time
from typing import Dict, Iterator, List, Optional

from interpreters import Interpreter
from selection import check_compiler, find_stack_and_python
from stacks import STACKS, Choice, describe_machine, detect_machine
from stamp import is_current, write_stamp
from uv_tool import SetupError, child_environment, get_uv, say

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def build(
    choice: Choice, python: Interpreter, asked: Optional[str], environment: Dict[str, str]
) -> None:
    """Builds an environment beside `.venv` and puts it there when it is whole.

    Args:
        choice: The stack and the version of Python.
        python: The interpreter to stand on.
        asked: The interpreter that the user named, or None.
        environment: The variables to run programs with.
    """
    check_compiler(choice, environment)
    uv = get_uv(CHECKOUT, environment, [python.path])
    _delete_builds()
    # A name of its own for each attempt: a uv that outlived a killed set-up may still be writing.
    folder = tempfile.mkdtemp(prefix="build-", dir=os.path.join(CHECKOUT, ".uv"))
    venv = os.path.join(folder, "venv")
    try:
        _fill(uv, venv, choice, python, environment)
        _warn_of_missing_bytecode(venv)
        write_stamp(venv, CHECKOUT, choice, python.path, asked)
        target = os.path.join(CHECKOUT, ".venv")
        if os.path.lexists(target):
            os.rename(target, os.path.join(folder, "previous"))
        os.rename(venv, target)
    finally:
        _delete_builds()


def _delete_builds() -> None:
    """Deletes what this set-up, or killed ones before it, did not finish, and what was replaced."""
    for folder in glob.glob(os.path.join(glob.escape(CHECKOUT), ".uv", "build-*")):
        shutil.rmtree(folder, ignore_errors=True)


def _fill(uv: str, venv: str, choice: Choice, python: Interpreter, env: Dict[str, str]) -> None:
    # Relocatable, because it is built elsewhere and moved.
    make = [uv, "venv", "--relocatable", "--no-project", "--python", python.path, venv]
    _run(make, env, "making the environment")
    locks = [
        os.path.join(CHECKOUT, "requirements", name)
        for name in choice.stack.lock_files(choice.version)
    ]
    with open(locks[0], encoding="utf-8") as file:
        packages = sum(1 for line in file if "==" in line)
    say("installing %d packages (the first time downloads more than a gigabyte)" % packages)
    into = [uv, "pip", "install", "--python", os.path.join(venv, "bin", "python")]
    pins = [word for lock in locks for word in ("-r", lock)]
    # The pins are whole, and in places deliberately not what a package asks for
    # (current-overrides.in): --no-deps. Packages without a wheel are built with the pinned
    # setuptools, not with tomorrow's.
    pins += ["--no-deps", "--require-hashes", "--build-constraints", locks[0]]
    _run(into + pins + ["--compile-bytecode"], env, "installing the packages")
    ours = ["--no-deps", "--no-build-isolation", "--no-index", "--editable", CHECKOUT]
    _run(into + ours, env, "installing fareline itself")


def _run(command: List[str], environment: Dict[str, str], what: str) -> None:
    """Runs a program with its output in a log, with a sign of life every half minute.

    Raises:
        SetupError: It failed; the message ends with the end of the log.
    """
    log_path = os.path.join(CHECKOUT, ".uv", "install.log")
    start = time.monotonic()
    with open(log_path, "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=CHECKOUT
        )
        try:
            while True:
                try:
                    code = process.wait(timeout=30)
                    break
                except subprocess.TimeoutExpired:
                    say("  still %s, %.0f s so far" % (what, time.monotonic() - start))
        except BaseException:
            process.kill()
            process.wait()
            raise
    if code != 0:
        with open(log_path, encoding="utf-8", errors="replace") as log:
            end = "".join(log.readlines()[-12:]).rstrip()
        raise SetupError(
            "set-up: %s failed:\n%s\nHint: check the network (behind a mirror, set "
            "UV_DEFAULT_INDEX), and run `make setup` again; the whole output is in "
            ".uv/install.log." % (what, end),
            exit_code=1,
        )


def uncompiled_packages(venv: str) -> List[str]:
    """Names the installed packages that Python would compile anew in every process."""
    missing = []
    pattern = os.path.join(glob.escape(venv), "lib", "python*", "site-packages", "*", "__init__.py")
    for module in glob.glob(pattern):
        folder = os.path.dirname(module)
        if not glob.glob(os.path.join(glob.escape(folder), "__pycache__", "__init__.*.pyc")):
            missing.append(os.path.basename(folder))
    return sorted(missing)


def _warn_of_missing_bytecode(venv: str) -> None:
    missing = uncompiled_packages(venv)
    if missing:
        say("no bytecode for %s; every start will be slower" % ", ".join(missing))


@contextlib.contextmanager
def only_one_at_a_time(checkout: str) -> Iterator[None]:
    """Waits until no other set-up is at work in this checkout. Ends with the process, however."""
    import fcntl

    os.makedirs(os.path.join(checkout, ".uv"), exist_ok=True)
    with open(os.path.join(checkout, ".uv", "lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another set-up is at work in this checkout; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(stack: Optional[str], python: Optional[str], quiet: bool, dry_run: bool) -> None:
    """Brings `.venv` up to date.

    Args:
        stack: The stack to use, or None for the best that fits.
        python: The interpreter to use, or None to look for one.
        quiet: Whether to say nothing when there is nothing to do.
        dry_run: Whether to say what would be built, and build nothing.
    """
    if is_current(CHECKOUT, stack, python):
        if not quiet:
            say("nothing to do, .venv is up to date")
        return
    start = time.monotonic()
    environment = child_environment(dict(os.environ), CHECKOUT)
    with only_one_at_a_time(CHECKOUT):
        if is_current(CHECKOUT, stack, python):
            say("the other set-up did it all")
            return
        choice, interpreter = find_stack_and_python(CHECKOUT, stack, python, environment)
        name, tfx, tensorflow = choice.stack[:3]
        say("this is %s, Python is %s" % (describe_machine(detect_machine()), interpreter.path))
        say("the %s stack fits: TFX %s with TensorFlow %s" % (name, tfx, tensorflow))
        if dry_run:
            check_compiler(choice, environment)
            return
        build(choice, interpreter, python, environment)
    say("done in %.0f s" % (time.monotonic() - start))


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Reads the arguments, sets up, and returns the exit code."""
    parser = argparse.ArgumentParser(description="Builds .venv for this machine.")
    parser.add_argument(
        "--stack",
        choices=[stack.name for stack in STACKS],
        default=os.environ.get("FARELINE_STACK") or None,
        help="use this stack, not the best that fits (also FARELINE_STACK)",
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        default=os.environ.get("FARELINE_PYTHON") or None,
        help="use this interpreter and look for no other (also FARELINE_PYTHON)",
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing if nothing is to do")
    parser.add_argument("--dry-run", action="store_true", help="decide, and build nothing")
    arguments = parser.parse_args()
    if arguments.stack not in [None] + [stack.name for stack in STACKS]:
        parser.error("FARELINE_STACK is %r; expected compat or current" % arguments.stack)
    python = arguments.python and (shutil.which(arguments.python) or arguments.python)
    signal.signal(signal.SIGTERM, _stop)
    try:
        set_up(arguments.stack, python, arguments.quiet, arguments.dry_run)
    except SetupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(
            "\nset-up: interrupted; what was there before is unchanged. Run `make setup` to "
            "start over.",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
