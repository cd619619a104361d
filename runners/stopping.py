"""Signals that stop a command: of Ctrl-C, of systemd and Kubernetes, of a terminal that closes.

SIGINT, SIGTERM and SIGHUP end it alike: finished work is kept and recorded, nothing stays marked as
running. The exit code
is 128 and the number of the signal, as shells have it.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

_END_SECONDS = 60.0  # for a run to record that it was interrupted
_OTHERS = (signal.SIGTERM, signal.SIGHUP)  # Python makes a KeyboardInterrupt of SIGINT itself


class _Noted:
    """The signal that came last."""

    number = signal.SIGINT


def heed_signals() -> None:
    """Has SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread, unless they are ignored.

    `nohup` ignores SIGHUP for a command that is to outlive its terminal.
    """
    for number in _OTHERS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupt)


@contextlib.contextmanager
def told_of_signals(tell: Callable[[], Any]) -> Iterator[None]:
    """Has the signals call a function in place of raising, as long as the block lasts."""

    def note(number: int, frame: Any) -> None:
        _Noted.number = signal.Signals(number)
        tell()

    heeded = [signal.SIGINT, *(n for n in _OTHERS if signal.getsignal(n) is not signal.SIG_IGN)]
    before = {number: signal.signal(number, note) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code() -> int:
    """Exit code of a stopped command: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + _Noted.number


def end_child(process: subprocess.Popen) -> None:
    """Ends a command that leads a session of its own, so that no signal but this reaches it."""
    process.terminate()
    try:
        process.communicate(timeout=_END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _interrupt(number: int, frame: Any) -> None:
    _Noted.number = signal.Signals(number)
    raise KeyboardInterrupt
