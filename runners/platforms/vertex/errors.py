"""Explains errors of Google's clients, one line each.

Called by `runners.platforms.vertex.client` and `runners.platforms.vertex.bucket`. Imports no
client.
"""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from runners.platforms.errors import Advice, expired, explain_answer, no_answer, no_credentials


def api_errors() -> Any:
    """The module of errors that Google's clients raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the age of the Python that TFX needs
        from google.api_core import exceptions
    return exceptions


@contextlib.contextmanager
def explained(advice: Advice, endpoint: str, job_id: str) -> Iterator[None]:
    """Turns what a client raises in the block into an error of ours.

    Args:
        advice: Advice of the platform.
        endpoint: Address of the request.
        job_id: Whatever the request is about.

    Raises:
        PlatformError, UnreachableError, RefusedRequestError: One line.
    """
    import requests

    exceptions = api_errors()
    from google.auth import exceptions as auth

    try:
        yield
    except exceptions.GoogleAPICallError as error:
        raise explain_answer(advice, error.code or 500, _said(error), job_id) from error
    except exceptions.RetryError as error:
        raise no_answer(advice, endpoint, error) from error
    except auth.DefaultCredentialsError as error:
        raise no_credentials(advice) from error
    except auth.RefreshError as error:
        raise expired(advice, str(error.args[0] if error.args else error)) from error
    except (requests.RequestException, auth.TransportError, ConnectionError) as error:
        raise no_answer(advice, endpoint, error) from error


def _said(error: Any) -> str:
    """The platform's own words, without the request that the client puts before them."""
    try:
        return error.response.json()["error"]["message"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return error.message
