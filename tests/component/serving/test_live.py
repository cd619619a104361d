"""The server follows versions whatever happens while it looks for them."""

import asyncio
import contextlib
import os

import pytest

from serving.server import live

POLL_SECONDS = 0.001


class Loaded:
    """In place of a model."""

    def __init__(self, name, version, path):
        assert os.path.isfile(os.path.join(path, "saved_model.pb"))
        self.version = version

    def close(self):
        pass


def add(base, version):
    (base / str(version)).mkdir(parents=True)
    (base / str(version) / "saved_model.pb").touch()


async def following(model, act):
    """Follows while `act` goes on, which is to find it following still."""
    await model.start()
    task = asyncio.ensure_future(model.follow(POLL_SECONDS))
    try:
        await asyncio.wait_for(act(), 30)
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition):
    while not condition():
        await asyncio.sleep(POLL_SECONDS)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("os.listdir", PermissionError(13, "Permission denied")),
        ("os.listdir", OSError(5, "Input/output error")),
        ("os.listdir", NotADirectoryError(20, "Not a directory")),
        ("serving.server.live.latest_version", ValueError("anything else")),
    ],
)
def test_a_look_that_fails_costs_nothing_but_that_look(tmp_path, monkeypatch, place, error):
    monkeypatch.setattr(live, "Servable", Loaded)
    lines, looks = [], []
    model = live.LiveModel("taxi", str(tmp_path), lines.append)
    add(tmp_path, 1)

    def fail(*_):
        looks.append(1)
        raise error

    async def act():
        with monkeypatch.context() as broken:
            broken.setattr(place, fail)
            await until(lambda: len(looks) > 3)
        add(tmp_path, 2)
        await until(lambda: model.statuses()[0].version == 2 and len(lines) == 3)

    asyncio.run(following(model, act))
    assert lines == [
        f"version 1 stays in use: {tmp_path}: cannot be looked at for a new version "
        f"({type(error).__name__}: {error}); expected a folder that can be listed. Hint: check the "
        "disk and the permissions; the server keeps trying.",
        "version 2 has taken over from 1",
        "version 1 is unloaded",
    ]
