"""Files on their way into a bucket of Google Cloud Storage, and back.

Only what is missing there, or differs, is sent. Credentials are Application Default Credentials;
STORAGE_EMULATOR_HOST, which Google's client knows, names a server that wants none. Imports
google.cloud when a command needs it.
"""

import base64
import contextlib
import dataclasses
import hashlib
import os
import warnings
from pathlib import Path
from typing import Any

from runners.platforms.errors import Advice
from runners.platforms.vertex.errors import api_errors, explained

_RETRY_SECONDS = 20.0


@dataclasses.dataclass(frozen=True)
class Upload:
    """One file and where it goes.

    Attributes:
        path: On this machine.
        uri: `gs://BUCKET/NAME`.
    """

    path: Path
    uri: str


def upload(uploads: list[Upload]) -> list[Upload]:
    """Sends the files that are not in the bucket as they are here.

    Returns:
        Those that were sent.

    Raises:
        PlatformError, UnreachableError, RefusedRequestError: One line.
    """
    sent = []
    for one in uploads:
        with explained(bucket_advice(_parts(one.uri)[0]), storage_address(), one.uri):
            if _send(one):
                sent.append(one)
    return sent


def files_below(folder: str) -> list[str]:
    """Lists the objects below `gs://BUCKET/NAME`, by their addresses, sorted.

    Raises:
        PlatformError, UnreachableError, RefusedRequestError: One line.
    """
    bucket_uri, name = _parts(folder)
    with explained(bucket_advice(bucket_uri), storage_address(), folder):
        bucket = connect_bucket(bucket_uri)
        found = bucket.client.list_blobs(bucket, prefix=f"{name.rstrip('/')}/")
        return sorted(f"{bucket_uri}/{each.name}" for each in found)


def download(uri: str, path: Path) -> None:
    """Fetches an object of the bucket into a file.

    Raises:
        PlatformError, UnreachableError, RefusedRequestError: One line.
    """
    bucket_uri, name = _parts(uri)
    with explained(bucket_advice(bucket_uri), storage_address(), uri):
        connect_bucket(bucket_uri).blob(name).download_to_filename(str(path))


def remove_below(folder: str) -> None:
    """Deletes the objects below `gs://BUCKET/NAME`, the last one by its name first.

    Raises:
        PlatformError, UnreachableError, RefusedRequestError: One line.
    """
    for uri in reversed(files_below(folder)):
        bucket_uri, name = _parts(uri)
        with (
            explained(bucket_advice(bucket_uri), storage_address(), uri),
            contextlib.suppress(api_errors().NotFound),
        ):
            connect_bucket(bucket_uri).blob(name).delete()


def connect_bucket(bucket: str, project: str | None = None) -> Any:
    """Google's client of a bucket, `gs://NAME`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on the age of the Python that TFX needs
        from google.cloud import storage
    return storage.Client(project=project).bucket(bucket.removeprefix("gs://"))


def _send(one: Upload) -> bool:
    bucket_uri, name = _parts(one.uri)
    bucket = connect_bucket(bucket_uri)
    from google.cloud.storage.retry import DEFAULT_RETRY

    retry = DEFAULT_RETRY.with_timeout(_RETRY_SECONDS)
    there = bucket.get_blob(name, retry=retry)
    if there is not None and there.md5_hash == _md5(one.path):
        return False
    bucket.blob(name).upload_from_filename(str(one.path), retry=retry)
    return True


def _parts(uri: str) -> tuple[str, str]:
    """`gs://BUCKET/NAME` to `gs://BUCKET` and the name."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return f"gs://{bucket}", name


def _md5(path: Path) -> str:
    """As Cloud Storage tells it; it names content here and guards nothing."""
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while block := file.read(1 << 20):
            digest.update(block)
    return base64.b64encode(digest.digest()).decode()


def storage_address() -> str:
    """Where Cloud Storage is asked."""
    return os.environ.get("STORAGE_EMULATOR_HOST", "https://storage.googleapis.com")


def bucket_advice(bucket: str) -> Advice:
    """The error for a bucket, `gs://NAME`, that refuses access."""
    return Advice(
        platform=bucket,
        account="Application Default Credentials of an account that may write to the bucket",
        role="roles/storage.objectAdmin on the bucket",
        sign_in="run `gcloud auth application-default login`",
        roles="docs/vertex.md lists the roles",
        place=f"`gcloud storage buckets create {bucket}` makes a bucket",
        room="wait a moment",
        address="STORAGE_EMULATOR_HOST if it is set",
    )
