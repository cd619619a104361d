"""Notifies receivers about decisions: a command, or a signed POST.

An event is a file in the outbox from before it is sent until it has arrived, so that neither a
hook that hangs nor a loop that is killed loses it. Sending is done in threads; the loop waits for
none of them.
"""

import contextlib
import http.client
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fareline.errors import FarelineError
from fareline.files import write_json
from pipeline.evaluation.conditions import unmet
from runners.looping.secret import VARIABLE
from runners.looping.signatures import sign

if TYPE_CHECKING:
    from pipeline.settings.live.loop import Hook

_THREADS = 4
_ATTEMPTS = 5
_FIRST_WAIT_SECONDS, _MOST_WAIT_SECONDS = 1.0, 60.0
_POST_SECONDS = 10.0
_COMMAND_SECONDS = 60.0


class NotDelivered(FarelineError, RuntimeError):
    """A hook did not take an event."""


class Outbox:
    """Events that are to be sent.

    Args:
        folder: Existing folder for the events.
        hooks: Receivers and their events.
        secret: For signatures; None where no hook is an address.
        tell: Called with a line for each event that does not arrive.
        first_wait_seconds: Before the second attempt; each later one waits twice as long.
    """

    def __init__(
        self,
        folder: Path,
        hooks: Sequence["Hook"],
        secret: bytes | None,
        tell: Callable[[str], None],
        first_wait_seconds: float = _FIRST_WAIT_SECONDS,
    ):
        self._folder, self._hooks, self._secret, self._tell = folder, hooks, secret, tell
        self._first_wait_seconds = first_wait_seconds
        self._queue: queue.Queue[Path] = queue.Queue()
        self._closing = threading.Event()

    def start(self) -> None:
        """Begins to send, also what an earlier loop has left."""
        for path in sorted(self._folder.glob("*.json")):
            self._queue.put(path)
        for _ in range(_THREADS):
            threading.Thread(target=self._work, name="hooks", daemon=True).start()

    def put(self, event: str, event_id: str, content: Mapping[str, Any]) -> None:
        """Notifies all receivers of an event; the same id again is the same event.

        Args:
            event: One of `pipeline.settings.live.loop.Event`.
            event_id: Letters, digits and hyphens.
            content: Content as plain JSON values. `metrics`, by their names over all examples,
                decide about hooks with conditions, of which a metric without a value meets none.
        """
        told = {"event": event, "id": event_id, **content}
        for place, hook in enumerate(self._hooks):
            if event in hook.events:
                where = f"loop.hooks.{place}.when"
                conditions = [each.model_dump(exclude_none=True) for each in hook.when]
                if reasons := unmet(conditions, content.get("metrics") or {}, where):
                    self._tell(f"{event} was not sent: {'; '.join(reasons)}")
                    continue
                path = self._folder / f"{event_id}-{event}-{place}.json"
                write_json(path, {"hook": hook.model_dump(mode="json"), "told": told})
                self._queue.put(path)

    def close(self, seconds: float) -> None:
        """Waits until all is sent, so long at most; the rest is left for the next loop."""
        end = time.monotonic() + seconds
        while self._queue.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.05)
        self._closing.set()

    def _work(self) -> None:
        while not self._closing.is_set():
            path = self._queue.get()
            try:
                self._deliver(path)
            finally:
                self._queue.task_done()

    def _deliver(self, path: Path) -> None:
        import tenacity

        try:
            sent = json.loads(path.read_text(encoding="utf-8"))
            hook, body = sent["hook"], json.dumps(sent["told"]).encode()
            url = hook["url"]
        except (OSError, ValueError, LookupError, TypeError):  # taken by another thread, not ours
            return
        if url is not None and self._secret is None:  # left by a loop with other settings
            found = f"needs a signature, and without a url in loop.hooks {VARIABLE} is not read"
            self._tell(str(_not_delivered(_host_of(url), found)))
            return
        wait = self._first_wait_seconds
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ATTEMPTS)
            | tenacity.stop_when_event_set(self._closing),
            wait=tenacity.wait_exponential(multiplier=wait, max=_MOST_WAIT_SECONDS),
            sleep=self._closing.wait,
            retry=tenacity.retry_if_exception_type(NotDelivered),
            reraise=True,
        )
        try:
            retrying(self._send, hook, body)
        except NotDelivered as error:
            if not self._closing.is_set():
                self._tell(str(error))
            return
        path.unlink(missing_ok=True)

    def _send(self, hook: Mapping[str, Any], body: bytes) -> None:
        if hook["command"]:
            _call(hook["command"], body)
        else:
            assert self._secret is not None
            _post(hook["url"], body, sign(self._secret, body, int(time.time())))


def _call(command: Sequence[str], body: bytes) -> None:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise _not_delivered(command[0], f"cannot be started ({error.strerror})") from error
    try:
        process.communicate(body, timeout=_COMMAND_SECONDS)
    except subprocess.TimeoutExpired as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise _not_delivered(command[0], f"runs longer than {_COMMAND_SECONDS:g} s") from error
    if process.returncode:
        raise _not_delivered(command[0], f"ended with exit code {process.returncode}")


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=_POST_SECONDS)
    where = _host_of(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # A server that answers a byte at a time would pass every timeout of a socket.
    end = threading.Timer(_POST_SECONDS, _shut, [connection])
    end.start()
    try:
        connection.request("POST", target, body, {"Content-Type": "application/json", **headers})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        found = " ".join(str(error).split()) or type(error).__name__
        raise _not_delivered(where, f"cannot be reached ({found})") from error
    finally:
        end.cancel()
        connection.close()
    if not 200 <= status < 300:
        raise _not_delivered(where, f"answered {status}")


def _host_of(url: str) -> str:
    """What a message may name: the rest of an address may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _shut(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(2)


def _not_delivered(where: str, found: str) -> NotDelivered:
    return NotDelivered.explain(
        where,
        found,
        "expected a hook that takes the event",
        "it stays in the outbox of the loop, and is sent again at the next start",
    )
