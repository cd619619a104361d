"""runners.publishing.interrupted: a push or rollback that is killed anywhere is settled next."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd
from typer.testing import CliRunner

from cli import app as cli
from fareline.digests import sha256_of_folder
from fareline.packages import CHECKOUT
from fareline.recorded import PUSHER
from lineage.store.open import open_store_to_write
from runners.publishing import interrupted
from runners.publishing.interrupted import settle, settle_own
from runners.workspace import Workspace
from serving.versions import files as version_files
from serving.versions import publish as publishing
from serving.versions.notes import Pushing, read_notes
from serving.versions.publish import list_versions, publish
from tests.stores.published import PublishedWorkspace, make_workspace
from tests.stores.writer import RUNNING, StoreWriter, artifact

PUSH = "the Pusher of run-4"


@pytest.fixture
def place(tmp_path):
    return make_workspace(tmp_path / "workspace")


def ask(place, *words):
    ran = CliRunner().invoke(cli.app, [*words, "--json", "--workspace", str(place.root)])
    return json.loads(ran.stdout), ran.stderr


def listed(place):
    answer, said = ask(place, "models")
    return answer["destinations"][0]["versions"], said


def unrecorded(place):
    found, _ = ask(place, "lineage", "verify")
    return [
        (f["severity"], f["id"]) for f in found["findings"] if f["check"] == "version_not_recorded"
    ]


def killed(function):
    """Calls a function in a process that is killed in it."""
    pid = os.fork()
    if not pid:
        try:
            function()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)


def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def then_killed(function):
    def call(*arguments, **more):
        function(*arguments, **more)
        kill()

    return call


def begin_push(place, folder=None):
    """What TFX records before a Pusher is at work; and the copy that the artifact keeps."""
    stem = place.root / "artifacts"
    for part in ("model/4", "Pusher/pushed_model/99"):
        (stem / part).mkdir(parents=True)
        (stem / part / "saved_model.pb").write_text("model 4")
    add = place.writer.add_execution
    add("taxi", "run-4", "Trainer", outputs={"model": [artifact(stem / "model/4")]})
    told = {"filesystem": {"base_directory": str(folder or place.base)}}
    add(
        "taxi",
        "run-4",
        "Pusher",
        RUNNING,
        inputs=[("model", place.writer.artifact_ids[0])],
        push_destination=json.dumps(told),
    )
    copy = stem / "Pusher/pushed_model/99"
    return copy, Pushing(PUSHER, str(copy), str(stem / "model/4"))


# Where a Pusher is killed: module, what it calls there, before or after that, and whether the
# version is there then.
PUSH_POINTS = {
    "before the note": (publishing, "write_note", kill, False),
    "before the copy": (publishing, "write_note", then_killed, False),
    "in the copy": (version_files.shutil, "copyfileobj", kill, False),
    "before the rename": (version_files.os, "rename", kill, False),
    "after the rename": (version_files.os, "rename", then_killed, True),
}


@pytest.mark.parametrize("point", PUSH_POINTS)
def test_a_push_that_is_killed_leaves_no_version_or_a_recorded_one(place, monkeypatch, point):
    copy, pushing = begin_push(place)
    where, name, how, there = PUSH_POINTS[point]
    with monkeypatch.context() as patched:
        instead = how(getattr(where, name)) if how is then_killed else how
        patched.setattr(where, name, instead)
        killed(lambda: publish(str(copy), str(place.base), version=4, pushing=pushing))
    assert list_versions(str(place.base)) == [1, 2, 3] + [4] * there
    assert unrecorded(place) == [("error", f"{place.base}/4")] * there
    versions, said = listed(place)
    if there:
        assert "/4 was published by Pusher@run-4, which was stopped before" in said
        top = versions[0]
        assert (top["version"], top["recorded"], top["run"]) == (4, True, "run-4")
        [recorded] = [
            a
            for a in place.graph().artifacts_of_type("PushedModel")
            if a.properties["pushed_version"] == "4"
        ]
        assert (recorded.uri, recorded.state) == (str(copy), "live")
        assert recorded.properties["sha256"] == sha256_of_folder(copy)
        [pusher] = place.graph().producers(recorded)
        assert (pusher.key, pusher.state) == ("Pusher@run-4", "executed")
    assert unrecorded(place) == []
    with version_files.hold(str(place.base), "looking"):  # as the next push does
        left = [name for name in os.listdir(place.base) if not name.isdigit()]
    assert left == [".publish.lock"]
    assert listed(place) == (versions, "")


def test_a_note_whose_version_was_recorded_is_removed_without_a_word(place):
    copy, pushing = begin_push(place)
    publish(str(copy), str(place.base), version=4, pushing=pushing)
    assert [note.version for note in read_notes(str(place.base))] == [4]
    assert "PushedModel" in listed(place)[1]
    publish_again = place.push(5, "run-5")
    assert publish_again == 5 and read_notes(str(place.base)) == []


@pytest.mark.parametrize("what", ["other files", "another store", "a run is at work"])
def test_what_cannot_be_settled_stays_as_it_is(place, what):
    copy, pushing = begin_push(place)
    if what == "another store":
        pushing = Pushing(PUSHER, str(copy), "/elsewhere/model")
    publish(str(copy), str(place.base), version=4, pushing=pushing)
    if what == "other files":
        (place.base / "4" / "saved_model.pb").write_text("changed since")
    if what == "a run is at work":
        with Workspace(place.root).locked():
            versions, said = listed(place)
    else:
        versions, said = listed(place)
    assert said.count("is not what Pusher@run-4 pushed, and is not recorded") == (
        what == "other files"
    )
    assert (versions[0]["version"], versions[0]["recorded"]) == (4, False)
    assert len(read_notes(str(place.base))) == 1
    assert unrecorded(place) == [("error", f"{place.base}/4")]


def test_a_folder_elsewhere_is_found_by_what_the_pusher_was_told(place, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    copy, pushing = begin_push(place, elsewhere)
    publish(str(copy), str(elsewhere), version=7, pushing=pushing)
    assert unrecorded(place) == [("warning", f"{elsewhere}/7")]
    _, said = listed(place)
    assert f"{elsewhere}/7 was published by Pusher@run-4" in said
    assert unrecorded(place) == []


def test_a_copy_that_was_cleared_away_is_made_again(place):
    copy, pushing = begin_push(place)
    publish(str(copy), str(place.base), version=4, pushing=pushing)
    shutil.rmtree(copy)
    assert "is recorded now" in listed(place)[1]
    assert sha256_of_folder(copy) == sha256_of_folder(place.base / "4")


def test_whoever_holds_the_workspace_settles_as_well(place):
    copy, pushing = begin_push(place)
    publish(str(copy), str(place.base), version=4, pushing=pushing)
    workspace = Workspace(place.root)
    with workspace.locked():
        [line] = settle(workspace)
        assert "recorded now, as PushedModel:" in line
        assert settle(workspace) == []


def test_the_first_push_of_all_registers_the_type_as_tfx_can_use_it(tmp_path):
    root = tmp_path / "w"
    root.mkdir()
    place = PublishedWorkspace(root, root / "serving" / "taxi", StoreWriter(root / "metadata.db"))
    copy, pushing = begin_push(place)
    publish(str(copy), str(place.base), version=1, pushing=pushing)
    assert "PushedModel:" in listed(place)[1]
    # TFX names a base type; it is added to the type that is there.
    wanted = mlmd.ArtifactType(name="PushedModel", base_type=mlmd.ArtifactType.MODEL)
    store = open_store_to_write(root / "metadata.db")
    type_id = store.put_artifact_type(wanted, can_add_fields=True, can_omit_fields=True)
    assert store.get_artifact_type("PushedModel").id == type_id


ROLL_BACK = """
import os, signal, sys
from importlib import import_module
from cli import app as cli
folder, module, name, when = sys.argv[1:]
where = import_module(module)
real = getattr(where, name)
def instead(*arguments, **more):
    if when == "after":
        real(*arguments, **more)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(where, name, instead)
sys.argv = ["fareline", "rollback", "--reason", "planted", "--workspace", folder]
cli.main()
"""
# Module, what it calls, before or after that, whether the rollback has taken place then, and
# whether the next command has to record it.
ROLLBACK_POINTS = [
    ("runners.publishing.rollback", "begin_change", "after", False, False),
    ("serving.versions.publish", "write_note", "after", False, False),
    ("serving.versions.publish", "write_decisions", "after", False, False),
    ("serving.versions.publish", "copy_in", "before", False, False),
    ("serving.versions.publish", "copy_in", "after", True, True),
    ("runners.publishing.rollback", "complete_change", "before", True, True),
    ("runners.publishing.rollback", "complete_change", "after", True, False),
]


@pytest.mark.parametrize(("module", "name", "when", "done", "late"), ROLLBACK_POINTS)
def test_a_rollback_that_is_killed_has_taken_place_or_not(place, module, name, when, done, late):
    command = [sys.executable, "-c", ROLL_BACK, str(place.root), module, name, when]
    ended = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    versions, said = listed(place)
    assert ("was published by rollback#" in said) is late
    assert [v["recorded"] for v in versions] == [True] * (3 + done)
    assert [v["version"] for v in versions if v["withheld"]] == [3] * done
    assert [v["version"] for v in versions if v["pinned"]] == [2] * done
    assert unrecorded(place) == []
    assert read_notes(str(place.base)) == []
    if done:
        top = versions[0]
        assert (top["copy_of"], top["reason"], top["state"]) == (2, "planted", "live")
        copy = Path(place.graph().artifacts_of_type("PushedModel")[-1].uri)
        assert sha256_of_folder(copy) == sha256_of_folder(place.base / str(top["version"]))


def test_after_a_push_nothing_fails_any_more(place, monkeypatch):
    copy, pushing = begin_push(place)
    publish(str(copy), str(place.base), version=4, pushing=pushing)

    def full(*_, **__):
        raise publishing.PublishError("no room")

    monkeypatch.setattr(interrupted, "hold", full)
    settle_own(Workspace(place.root))
    monkeypatch.undo()
    assert "is recorded now" in listed(place)[1]
