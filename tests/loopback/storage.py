"""Cloud Storage over JSON: objects that are files of a folder."""

import base64
import contextlib
import dataclasses
import email.parser
import email.policy
import hashlib
import json
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google_crc32c

from tests.loopback.http_server import Answer, Api, Refused, Request, serving


class StorageApi(Api):
    """Buckets that are folders of a folder.

    Attributes:
        folder: Of the buckets; those that are no folder of it do not exist.
        may_write: Whether the caller may.
        uploaded: Names of the objects that were sent, in order.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder
        self.may_write = True
        self.uploaded: list[str] = []
        self._sessions: dict[str, tuple[str, str]] = {}
        objects = "/storage/v1/b/(?P<bucket>[^/]+)/o"
        self.route("GET", f"{objects}/(?P<name>.+)", self.get_object)
        self.route("POST", f"/upload{objects}", self.upload)
        self.route("PUT", f"/upload{objects}", self.resume)

    def get_object(self, request: Request) -> dict[str, Any]:
        name = urllib.parse.unquote(request.parts["name"])
        path = self._bucket(request) / name
        if not path.is_file():
            raise Refused(404, f"No such object: {request.parts['bucket']}/{name}")
        return _describe(request.parts["bucket"], name, path.read_bytes())

    def upload(self, request: Request) -> Any:
        self._bucket(request)
        if not self.may_write:
            raise Refused(
                403,
                "someone@example.com does not have storage.objects.create access to the Google "
                "Cloud Storage object. Permission 'storage.objects.create' denied on resource "
                "(or it may not exist).",
            )
        if request.query["uploadType"] == "resumable":
            session = uuid.uuid4().hex
            self._sessions[session] = (request.parts["bucket"], request.json()["name"])
            address = f"http://{request.host}{request.path}?upload_id={session}"
            return Answer(headers={"Location": address})
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
        described, content = form.iter_parts()
        name = json.loads(described.get_payload(decode=True))["name"]
        return self._write(request.parts["bucket"], name, content.get_payload(decode=True))

    def resume(self, request: Request) -> dict[str, Any]:
        bucket, name = self._sessions.pop(request.query["upload_id"])
        return self._write(bucket, name, request.body)

    def _write(self, bucket: str, name: str, content: bytes) -> dict[str, Any]:
        path = self.folder / bucket / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.uploaded.append(f"gs://{bucket}/{name}")
        return _describe(bucket, name, content)

    def _bucket(self, request: Request) -> Path:
        path = self.folder / request.parts["bucket"]
        if not path.is_dir():
            raise Refused(404, "The specified bucket does not exist.")
        return path


def _describe(bucket: str, name: str, content: bytes) -> dict[str, Any]:
    return {
        "kind": "storage#object",
        "bucket": bucket,
        "name": name,
        "size": str(len(content)),
        "generation": "1",
        "metageneration": "1",
        "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),
        "crc32c": base64.b64encode(google_crc32c.Checksum(content).digest()).decode(),
    }


@dataclasses.dataclass(frozen=True)
class Storage:
    """A server that runs."""

    api: StorageApi
    address: str

    def environment(self) -> dict[str, str]:
        """The variable that sends Google's client here."""
        return {"STORAGE_EMULATOR_HOST": self.address}


@contextlib.contextmanager
def storage_server(folder: Path) -> Iterator[Storage]:
    """Serves until the block ends."""
    api = StorageApi(folder)
    with serving(api) as address:
        yield Storage(api, address)
