"""Google's generated clients of Vertex AI, imported when a command needs one."""

import urllib.parse
import warnings
from typing import Any

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def connect(name: str, endpoint: str) -> Any:
    """A client of google-cloud-aiplatform, over REST.

    Args:
        name: Name of its class, such as `EndpointServiceClient`.
        endpoint: Address of the API.
    """
    return getattr(api(), name)(
        credentials=credentials_for(endpoint),
        transport="rest",
        client_options={"api_endpoint": endpoint},
    )


def address_of(region: str, given: str | None) -> str:
    """The address of the API: the one that was given, or that of the region."""
    return given or f"https://{region}-aiplatform.googleapis.com"


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    return urllib.parse.urlsplit(url).hostname in _LOOPBACK


def credentials_for(endpoint: str) -> Any:
    """None, for Application Default Credentials; anonymous ones for an endpoint on this machine."""
    if not is_loopback(endpoint):
        return None
    from google.auth.credentials import AnonymousCredentials

    return AnonymousCredentials()


def api() -> Any:
    """Google's module of clients and messages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the age of the Python that TFX needs
        from google.cloud import aiplatform_v1
    return aiplatform_v1
