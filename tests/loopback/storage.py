"""Cloud Storage over JSON: objects that are files of a folder."""

import base64
import contextlib
import dataclasses
import datetime
import email.parser
import email.policy
import hashlib
import itertools
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
        may_write, may_delete: Whether the caller may.
        uploaded: Names of the objects that were sent, in order.
        clock: How far its clock is ahead of ours.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder
        self.may_write = self.may_delete = True
        self.uploaded: list[str] = []
        self.clock = datetime.timedelta()
        self._numbers = itertools.count(2)
        self._sessions: dict[str, tuple[str, str]] = {}
        objects = "/storage/v1/b/(?P<bucket>[^/]+)/o"
        self.generations: dict[str, int] = {}
        self.written: dict[str, str] = {}
        self.route("GET", f"/download{objects}/(?P<name>.+)", self.download)
        self.route("GET", f"{objects}/(?P<name>.+)", self.get_object)
        self.route("GET", objects, self.list_objects)
        self.route("DELETE", f"{objects}/(?P<name>.+)", self.delete)
        self.route("POST", f"/upload{objects}", self.upload)
        self.route("PUT", f"/upload{objects}", self.resume)

    def get_object(self, request: Request) -> dict[str, Any]:
        name = urllib.parse.unquote(request.parts["name"])
        path = self._bucket(request) / name
        if not path.is_file():
            raise Refused(404, f"No such object: {request.parts['bucket']}/{name}")
        return self._describe(request.parts["bucket"], name, path.read_bytes())

    def list_objects(self, request: Request) -> dict[str, Any]:
        bucket, prefix = self._bucket(request), request.query.get("prefix", "")
        files = [path for path in sorted(bucket.rglob("*")) if path.is_file()]
        names = [path.relative_to(bucket).as_posix() for path in files]
        found = [
            self._describe(request.parts["bucket"], name, (bucket / name).read_bytes())
            for name in names
            if name.startswith(prefix)
        ]
        return {"kind": "storage#objects", "items": found}

    def download(self, request: Request) -> Answer:
        self.get_object(request)
        name = urllib.parse.unquote(request.parts["name"])
        content = (self._bucket(request) / name).read_bytes()
        generation = str(self._generation(request.parts["bucket"], name))
        headers = {"X-Goog-Generation": generation}
        return Answer(content, content_type="application/octet-stream", headers=headers)

    def delete(self, request: Request) -> Answer:
        self.get_object(request)
        name = urllib.parse.unquote(request.parts["name"])
        if not self.may_delete:
            raise Refused(403, "Permission 'storage.objects.delete' denied on resource.")
        self._require_generation(request, name)
        (self._bucket(request) / name).unlink()
        self.generations.pop(f"{request.parts['bucket']}/{name}", None)
        return Answer(status=204)

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
        self._require_generation(request, name)
        return self._write(request.parts["bucket"], name, content.get_payload(decode=True))

    def resume(self, request: Request) -> dict[str, Any]:
        bucket, name = self._sessions.pop(request.query["upload_id"])
        return self._write(bucket, name, request.body)

    def _write(self, bucket: str, name: str, content: bytes) -> dict[str, Any]:
        path = self.folder / bucket / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.uploaded.append(f"gs://{bucket}/{name}")
        self.generations[f"{bucket}/{name}"] = next(self._numbers)
        time = datetime.datetime.now(datetime.timezone.utc) + self.clock
        now = time.isoformat().replace("+00:00", "Z")
        self.written[f"{bucket}/{name}"] = now
        return self._describe(bucket, name, content)

    def _generation(self, bucket: str, name: str) -> int:
        return self.generations.get(f"{bucket}/{name}", 1)

    def _require_generation(self, request: Request, name: str) -> None:
        wanted = request.query.get("ifGenerationMatch")
        there = (self._bucket(request) / name).is_file()
        now = self._generation(request.parts["bucket"], name) if there else 0
        if wanted is not None and int(wanted) != now:
            raise Refused(412, "At least one of the pre-conditions you specified did not hold.")

    def _describe(self, bucket: str, name: str, content: bytes) -> dict[str, Any]:
        written = self.written.get(f"{bucket}/{name}", "2026-01-01T00:00:00Z")
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "size": str(len(content)),
            "generation": str(self._generation(bucket, name)),
            "metageneration": "1",
            "timeCreated": written,
            "updated": written,
            "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),
            "crc32c": base64.b64encode(google_crc32c.Checksum(content).digest()).decode(),
        }

    def _bucket(self, request: Request) -> Path:
        path = self.folder / request.parts["bucket"]
        if not path.is_dir():
            raise Refused(404, "The specified bucket does not exist.")
        return path


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
