"""Operations of Vertex AI that take minutes: started, written down, waited for."""

import concurrent.futures
import contextlib
import time
from typing import Any

from runners.platforms.jobs import UnreachableError
from runners.platforms.vertex.connection import connect
from runners.platforms.vertex.errors import api_errors, explained
from runners.platforms.vertex.lease import Lease
from runners.platforms.vertex.target import ADVICE, Target

_LIMIT_SECONDS = 3600.0  # a deployment takes 5 to 20 minutes
_POLL_SECONDS = 5.0


def wait_for(operation: Any, lease: Lease) -> Any:
    """Waits until an operation has ended, and returns its answer.

    Args:
        operation: From Google's client.
        lease: Lease that keeps the operation's name, for the next process after a kill.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: It ended in an error.
        UnreachableError: The operation has not ended within an hour.
        ValueError: What was answered is no operation.
    """
    from google.api_core.future import polling

    if operation.operation.done:
        return operation.result(timeout=_LIMIT_SECONDS)
    _require_name(operation.operation)
    lease.note(operation.operation.name)
    pace = polling.DEFAULT_POLLING.with_delay(initial=_POLL_SECONDS, maximum=60.0)
    try:
        return operation.result(timeout=_LIMIT_SECONDS, polling=pace)
    except (concurrent.futures.TimeoutError, api_errors().RetryError) as error:
        raise _too_long(operation.operation.name) from error
    finally:
        if operation.operation.done:
            lease.note("")


def wait_for_left(target: Target, lease: Lease) -> None:
    """Waits for the operation that a killed holder of the lease had started, however it ends.

    Raises:
        UnreachableError: The operation has not ended within an hour.
    """
    if not lease.operation:
        return
    operations = connect("EndpointServiceClient", target.address).transport.operations_client
    started = time.monotonic()
    with (
        explained(ADVICE, target.address, lease.operation),
        contextlib.suppress(api_errors().NotFound),
    ):
        while not _require_name(operations.get_operation(lease.operation)).done:
            if time.monotonic() - started > _LIMIT_SECONDS:
                raise _too_long(lease.operation)
            time.sleep(_POLL_SECONDS)
    with explained(ADVICE, target.address, lease.operation):
        lease.note("")


def _require_name(operation: Any) -> Any:
    if not operation.name:
        raise ValueError("an operation without a name")
    return operation


def _too_long(name: str) -> UnreachableError:
    return UnreachableError.explain(
        "vertex",
        f"{name} has not ended within an hour",
        "expected it to end",
        "look at it in the console, and run the same command again: it goes on from there",
    )
