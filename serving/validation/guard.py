"""Runs a program that must not outlive its owner.

`python guard.py OWNER_PID COMMAND…` starts COMMAND as a process group of its own, writes its pid as
one line on stdout, and ends it when its own stdin closes or the owner is gone: SIGTERM, then
SIGKILL to the group. Its exit code is the command's, 128 + n for signal n. Started by
`serving.validation.process`, for any model server alike; a server that is stuck in a loop, with
Python's lock held or not, ends all the same, which no watcher thread inside it could promise.

Runs as a script without site-packages (`python -I -S`, 15 ms): imports nothing but a little of the
standard library. It is the parent, not a sibling, of the server, so that it can reap it: a
container's first process often reaps no children.
"""

import contextlib
import os
import select
import signal
import sys
import time

GRACE_SECONDS = 2.0
_LOOK_SECONDS = 1.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Starts the command, waits for its end or the owner's, and returns the exit code to use."""
    owner, command = int(arguments[0]), arguments[1:]
    signals = _signals_as_bytes()
    child = _start(command)
    os.write(sys.stdout.fileno(), f"{child}\n".encode())
    code = _ended(child)
    while code is None:
        ready, _, _ = select.select([sys.stdin, signals], [], [], _LOOK_SECONDS)
        received = os.read(signals, 64) if signals in ready else b""
        code = _ended(child)
        asked = any(number in received for number in _STOP_SIGNALS)
        if code is None and (asked or sys.stdin in ready or not _exists(owner)):
            code = _end(child, signals)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)  # What the command itself has started.
    return code


def _signals_as_bytes() -> int:
    """Makes every signal that matters readable as a byte; returns the descriptor to read."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in (signal.SIGCHLD, *_STOP_SIGNALS):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer)
    return reader


def _start(command: list[str]) -> int:
    """Starts the command with no stdin and this process's stderr for both outputs."""
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGCHLD, *_STOP_SIGNALS):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    finally:
        os._exit(127)  # The shell's code for a command that cannot be run.


def _ended(child: int) -> int | None:
    """Reaps the child if it has ended; returns its exit code, 128 + n for signal n, or None."""
    pid, status = os.waitpid(child, os.WNOHANG)
    if not pid:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _exists(pid: int) -> bool:
    # The pipe alone does not tell: a fork of the owner may have inherited the other end.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _end(child: int, signals: int) -> int:
    """Asks the child to end, then makes it; returns its exit code."""
    os.kill(child, signal.SIGTERM)
    patience = time.monotonic() + GRACE_SECONDS
    while (code := _ended(child)) is None:
        if time.monotonic() > patience:
            os.kill(child, signal.SIGKILL)
        if select.select([signals], [], [], 0.1)[0]:
            os.read(signals, 64)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
