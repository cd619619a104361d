"""The version of a model in use, and the change from one to the next without a dropped request.

The new version is loaded beside the old one and warmed up; new requests go to it from one moment to
the next; the old one is unloaded when its last answer is out. All on one event loop, but for the
loading. Called by `serving.server.server` and `serving.server.predictor`. Must not import TFX.
"""

import asyncio
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2

from fareline.errors import FarelineError, UserMistake
from serving.model.servable import RefusedError, Servable, explain_op_error
from serving.versions.publish import SAVED_MODEL_FILE, latest_version

# While a version is loaded beside, Python's lock goes from thread to thread; at the default of 5 ms
# a request would wait for it several times.
_SWITCH_SECONDS = 0.0005
_State = get_model_status_pb2.ModelVersionStatus


class LoadError(FarelineError, RuntimeError):
    """A version cannot be loaded."""


class LiveModel:
    """The newest version under a folder: the highest number, as TensorFlow Serving chooses.

    Attributes:
        name: The model's name in requests.
        base: The folder above the versions.
    """

    def __init__(self, name: str, base: str, tell: Callable[[str], None] = lambda line: None):
        """Prepares; nothing is loaded.

        Args:
            name: The model's name in requests.
            base: The folder above the versions.
            tell: Gets one line when a version is taken up, let go or cannot be loaded.
        """
        self.name = name
        self.base = base
        self._tell = tell
        self._current: Servable | None = None
        self._leases: Counter[Servable] = Counter()
        self._retired: set[Servable] = set()
        self._failed: dict[int, tuple[float, str]] = {}
        self._loading: int | None = None

    @property
    def version(self) -> int:
        """The one in use; only after `start`."""
        return self._current.version

    async def start(self) -> None:
        """Loads the newest version.

        Raises:
            UserMistake: There is no version to serve.
            LoadError: The model cannot be loaded.
        """
        version = latest_version(self.base)
        if version is None:
            raise UserMistake.explain(
                self.base,
                "holds no model version",
                f"expected <number>/{SAVED_MODEL_FILE}",
                "push a model first, and pass the folder above the version",
            )
        self._current = await self._load(version)

    async def follow(self, poll_seconds: float) -> None:
        """Repeatedly loads the highest version, until cancelled.

        A failed search, for example on an unavailable network disk, is reported once for each
        cause, and the search continues.
        """
        told = None
        while True:
            await asyncio.sleep(poll_seconds)
            try:
                await self.refresh()
                told = None
            except Exception as error:  # noqa: BLE001 - the next version must be taken up
                found = f"{type(error).__name__}: {error}".partition("\n")[0]
                if found != told:
                    told = found
                    self._tell(
                        f"version {self._current.version} stays in use: {self._blind(found)}"
                    )

    async def refresh(self) -> None:
        """Searches the folder once; if a version cannot be loaded, the old one stays in use."""
        version = latest_version(self.base)
        if version in (None, self._current.version) or self._has_failed(version):
            return
        try:
            new = await self._load(version)
        except LoadError as error:
            self._failed[version] = (self._changed(version), str(error))
            self._tell(f"version {self._current.version} stays in use: {error}")
            return
        old, self._current = self._current, new
        self._failed.pop(version, None)
        self._tell(f"version {new.version} has taken over from {old.version}")
        self._retired.add(old)
        self._close_if_idle(old)

    def _blind(self, found: str) -> LoadError:
        return LoadError.explain(
            self.base,
            f"cannot be looked at for a new version ({found})",
            "expected a folder that can be listed",
            "check the disk and the permissions; the server keeps trying",
        )

    @contextlib.contextmanager
    def lease(self, spec: Any) -> Iterator[Servable]:
        """Finds what a ModelSpec names, and keeps it loaded for as long as the block lasts.

        Raises:
            RefusedError: NOT_FOUND, naming what is served.
        """
        servable = self._current
        wanted = spec.version.value if spec.HasField("version") else servable.version
        if spec.name != self.name or wanted != servable.version or spec.version_label:
            asked = f"{spec.name!r}" + (f" version {wanted}" if spec.HasField("version") else "")
            asked += f" label {spec.version_label!r}" if spec.version_label else ""
            raise RefusedError(
                grpc.StatusCode.NOT_FOUND,
                f"Servable not found: {asked}; expected {self.name!r} version {servable.version}",
            )
        self._leases[servable] += 1
        try:
            yield servable
        finally:
            self._leases[servable] -= 1
            self._close_if_idle(servable)

    def statuses(self) -> list[_State]:
        """Returns the state of each version that the server manages."""
        states = [_State(version=self._current.version, state=_State.AVAILABLE)]
        states += [_State(version=each.version, state=_State.UNLOADING) for each in self._retired]
        if self._loading is not None:
            states.append(_State(version=self._loading, state=_State.LOADING))
        for version, (_, message) in self._failed.items():
            failed = _State(version=version, state=_State.END)
            failed.status.error_code = grpc.StatusCode.INTERNAL.value[0]
            failed.status.error_message = message
            states.append(failed)
        return sorted(states, key=lambda each: -each.version)

    async def _load(self, version: int) -> Servable:
        path = os.path.join(self.base, str(version))
        self._loading = version
        usual = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_SECONDS)
        try:
            return await asyncio.to_thread(Servable, self.name, version, path)
        except Exception as error:
            telling = isinstance(error, tf.errors.OpError)
            found = explain_op_error(error) if telling else str(error).partition("\n")[0]
            raise LoadError.explain(
                path,
                f"cannot be loaded ({found})",
                "expected a SavedModel that infra validation has passed",
                "push a sound model; the folder of this version may be deleted",
            ) from error
        finally:
            sys.setswitchinterval(usual)
            self._loading = None

    def _close_if_idle(self, servable: Servable) -> None:
        if servable in self._retired and not self._leases[servable]:
            self._retired.remove(servable)
            del self._leases[servable]
            servable.close()
            self._tell(f"version {servable.version} is unloaded")

    def _has_failed(self, version: int) -> bool:
        """Whether it was tried already, and has not changed since."""
        return self._failed.get(version, (None,))[0] == self._changed(version)

    def _changed(self, version: int) -> float:
        with contextlib.suppress(OSError):
            return os.stat(os.path.join(self.base, str(version), SAVED_MODEL_FILE)).st_mtime
        return 0.0
