"""Explains errors of Google's clients, one line each.

Called by `runners.platforms.vertex.client` and `runners.platforms.vertex.bucket`. Imports no
client.
"""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from fareline.errors import FarelineError
from runners.platforms.errors import (
    Advice,
    expired,
    explain_answer,
    no_answer,
    no_credentials,
    one_line,
    unusable,
)

_MOST = 300  # characters of an answer that may be a whole page


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
    from google.protobuf.json_format import ParseError

    exceptions = api_errors()
    from google.auth import exceptions as auth

    try:
        yield
    except FarelineError:
        raise
    except exceptions.GoogleAPICallError as error:
        raise explain_answer(advice, error.code or 500, _said(error), job_id) from error
    except exceptions.RetryError as error:
        raise no_answer(advice, endpoint, error) from error
    except auth.DefaultCredentialsError as error:
        raise no_credentials(advice) from error
    except auth.RefreshError as error:
        raise expired(advice, str(error.args[0] if error.args else error)) from error
    except requests.exceptions.JSONDecodeError as error:
        raise unusable(advice, job_id, _short(str(error))) from error
    except (requests.RequestException, auth.TransportError, ConnectionError) as error:
        raise no_answer(advice, endpoint, error) from error
    # Google's clients read what they get, and what they hand out is read here.
    except (ParseError, AttributeError, KeyError, TypeError, ValueError) as error:
        said = _short(str(error))
        raise unusable(advice, job_id, f"{type(error).__name__}: {said}") from error


def _said(error: Any) -> str:
    """The platform's own words, without the request that the client puts before them."""
    try:
        return error.response.json()["error"]["message"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return _short(str(error.message))


def _short(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
