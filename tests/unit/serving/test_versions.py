"""serving.versions.publish: a reader sees whole versions only, whatever publishers do or suffer."""

import json
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import time

import pytest

from fareline.digests import sha256_of_folder
from serving.versions import files as version_files
from serving.versions import publish as versions
from serving.versions.decisions import Withheld, model_digest
from serving.versions.publish import (
    PublishError,
    Return,
    Version,
    WithheldError,
    latest_version,
    list_versions,
    publish,
)

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"

_FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data", "assets/vocab")
_ROOT = pathlib.Path(versions.__file__).parents[2]

# Publishers in processes of their own, which pytest's modules cannot be imported in.
_HANG_IN_THE_MIDDLE = """
import os, sys, time
from serving.versions import publish as versions
model, base = sys.argv[1:]
real, calls = os.fsync, []
def hang_at_the_third_file(descriptor):
    calls.append(descriptor)
    if len(calls) == 3:
        open(os.path.join(base, "hanging"), "w").close()
        time.sleep(600)
    real(descriptor)
versions.os.fsync = hang_at_the_third_file
versions.publish(model, base)
"""
_PUBLISH_SLOWLY = """
import json, os, sys, time
from serving.versions import publish as versions
base, *models = sys.argv[1:]
real = os.fsync
def slow(descriptor):
    real(descriptor)
    time.sleep(0.003)
versions.os.fsync = slow
print(json.dumps([versions.publish(model, base).number for model in models]))
"""


def _start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], cwd=_ROOT, stdout=subprocess.PIPE
    )


def _write_model(folder, content="one"):
    for name in _FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}: {content}")
    return str(folder)


def _read_tree(folder):
    paths = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in paths}


def _leftovers(base):
    return [name for name in os.listdir(base) if name.startswith(".incoming")]


def test_publish_copies_every_file_under_the_time(tmp_path):
    model = _write_model(tmp_path / "model")
    base = str(tmp_path / "a" / "serving")
    before = int(time.time())

    version = publish(model, base)

    assert version.created
    assert before <= version.number <= int(time.time())
    assert version.path == os.path.join(base, str(version.number))
    assert _read_tree(version.path) == {name: f"{name}: one" for name in _FILES}
    assert list_versions(base) == [version.number] and latest_version(base) == version.number
    assert _leftovers(base) == []


def test_empty_or_missing_base_has_no_version(tmp_path):
    assert list_versions(str(tmp_path / "nowhere")) == []
    assert latest_version(str(tmp_path)) is None


def test_versions_grow_within_one_second_and_past_a_clock_set_back(tmp_path, monkeypatch):
    base = str(tmp_path / "serving")
    monkeypatch.setattr(versions.time, "time", lambda: 1000.9)
    numbers = [
        publish(_write_model(tmp_path / text, text), base).number
        for text in ("one", "two", "three")
    ]
    monkeypatch.setattr(versions.time, "time", lambda: 10.0)
    numbers.append(publish(_write_model(tmp_path / "four", "four"), base).number)
    assert numbers == [1000, 1001, 1002, 1003]


def test_a_number_taken_by_an_incomplete_version_is_not_reused(tmp_path, monkeypatch):
    base = tmp_path / "serving"
    (base / "5000").mkdir(parents=True)
    (base / "005").mkdir()
    (base / "notes").mkdir()
    monkeypatch.setattr(versions.time, "time", lambda: 1000.0)
    assert list_versions(str(base)) == []
    assert publish(_write_model(tmp_path / "model"), str(base)).number == 5001
    assert list_versions(str(base)) == [5001]


def test_same_content_is_not_published_again(tmp_path):
    base = str(tmp_path / "serving")
    first = publish(_write_model(tmp_path / "model"), base, version=1)
    inodes = {name: os.stat(os.path.join(first.path, name)).st_ino for name in _FILES}

    again = publish(_write_model(tmp_path / "equal"), base)

    assert again == Version(1, first.path, created=False)
    assert {name: os.stat(os.path.join(first.path, name)).st_ino for name in _FILES} == inodes
    assert list_versions(base) == [1]


def test_going_back_to_an_older_model_is_a_new_version(tmp_path):
    base = str(tmp_path / "serving")
    old, new = _write_model(tmp_path / "old", "old"), _write_model(tmp_path / "new", "new")
    publish(old, base, version=1)
    publish(new, base, version=2)
    assert publish(old, base, version=3) == Version(3, os.path.join(base, "3"), created=True)


@pytest.mark.parametrize("change", ["byte", "name", "moved bytes"])
def test_any_difference_is_new_content(tmp_path, change):
    base = str(tmp_path / "serving")
    publish(_write_model(tmp_path / "model"), base, version=1)
    other = tmp_path / "other"
    _write_model(other)
    if change == "byte":
        (other / "assets/vocab").write_text("assets/vocab: onE")
    elif change == "name":
        (other / "assets/vocab").rename(other / "assets/vocab2")
    else:  # The same bytes in the same order, cut elsewhere.
        index = (other / "variables/variables.data").read_text()
        (other / "variables/variables.data").write_text(index[:-1])
        (other / "variables/variables.index").write_text(
            index[-1] + (other / "variables/variables.index").read_text()
        )
    assert publish(str(other), base, version=2).created


def test_a_version_that_is_not_larger_is_refused(tmp_path):
    base = str(tmp_path / "serving")
    publish(_write_model(tmp_path / "model"), base, version=7)
    with pytest.raises(
        PublishError, match="version 7 was asked for and 7 exists; expected a larger"
    ):
        publish(_write_model(tmp_path / "other", "two"), base, version=7)
    assert _read_tree(os.path.join(base, "7"))["assets/vocab"] == "assets/vocab: one"


def test_no_model_is_an_error_that_says_so(tmp_path):
    base = str(tmp_path / "serving")
    with pytest.raises(PublishError, match="holds no saved_model.pb; expected a SavedModel. Hint:"):
        publish(str(tmp_path), base)
    with pytest.raises(PublishError, match="no such folder; expected a SavedModel"):
        publish(str(tmp_path / "nowhere"), base)
    assert not os.path.exists(base)


def test_links_become_files(tmp_path):
    model = tmp_path / "model"
    _write_model(model)
    (model / "assets/vocab").rename(tmp_path / "vocab")
    (model / "assets/vocab").symlink_to(tmp_path / "vocab")
    version = publish(str(model), str(tmp_path / "serving"))
    copied = os.path.join(version.path, "assets/vocab")
    assert not os.path.islink(copied)
    assert _read_tree(version.path)["assets/vocab"] == "assets/vocab: one"


def test_a_full_disk_adds_nothing_and_leaves_nothing(tmp_path, monkeypatch):
    base = str(tmp_path / "serving")
    publish(_write_model(tmp_path / "model"), base, version=1)

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(versions.os, "fsync", fail)
    with pytest.raises(PublishError, match="No space left on device.*no version was added"):
        publish(_write_model(tmp_path / "other", "two"), base)
    assert list_versions(base) == [1] and _leftovers(base) == []


def test_a_model_that_changes_under_the_copy_is_refused(tmp_path, monkeypatch):
    model = tmp_path / "model"
    _write_model(model)
    real = version_files._copy_tree

    def change_then_copy(source, target):
        (model / "assets/vocab").write_text("later")
        real(source, target)

    monkeypatch.setattr(version_files, "_copy_tree", change_then_copy)
    base = str(tmp_path / "serving")
    with pytest.raises(PublishError, match="its files changed while they were copied"):
        publish(str(model), base)
    assert list_versions(base) == [] and _leftovers(base) == []


def _wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


def test_a_publisher_killed_in_the_middle_leaves_no_version_and_the_next_sweeps(tmp_path):
    base = str(tmp_path / "serving")
    publish(_write_model(tmp_path / "old", "old"), base, version=1)
    model = _write_model(tmp_path / "model", "new")
    killed = _start(_HANG_IN_THE_MIDDLE, model, base)
    _wait_for(lambda: os.path.exists(os.path.join(base, "hanging")))

    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=10)

    assert list_versions(base) == [1]
    assert len(_leftovers(base)) == 1
    version = publish(model, base)
    assert version.created and _leftovers(base) == []
    assert _read_tree(version.path) == {name: f"{name}: new" for name in _FILES}


def test_publishers_at_once_do_not_collide_and_a_reader_sees_whole_versions_only(tmp_path):
    base = str(tmp_path / "serving")
    os.makedirs(base)
    models = [
        [_write_model(tmp_path / f"{who}-{turn}", f"{who}-{turn}") for turn in range(8)]
        for who in ("a", "b", "c")
    ]
    publishers = [_start(_PUBLISH_SLOWLY, base, *mine) for mine in models]

    seen, looks = {}, 0
    while any(publisher.poll() is None for publisher in publishers):
        # A model server's own rule: every child that is a number is a version.
        for name in os.listdir(base):
            if name.isdigit() and name not in seen:
                seen[name] = _read_tree(os.path.join(base, name))
        looks += 1

    told = [publisher.communicate(timeout=5)[0] for publisher in publishers]
    assert [publisher.returncode for publisher in publishers] == [0, 0, 0]
    published = [number for numbers in told for number in json.loads(numbers)]
    assert len(published) == 24
    assert len(set(published)) == 24
    assert sorted(published) == list_versions(base)
    assert looks > 100 and len(seen) >= 20
    for tree in seen.values():
        assert sorted(tree) == sorted(_FILES)
        assert len({text.split(": ")[1] for text in tree.values()}) == 1
    assert _leftovers(base) == []


def test_the_error_survives_pickling():
    error = PublishError.explain("a", "b", "c", "d")
    assert str(pickle.loads(pickle.dumps(error))) == "a: b; c. Hint: d."
    assert isinstance(error, OSError)


def test_is_newest_compares_with_the_latest_version_only(tmp_path):
    base = str(tmp_path / "serving")
    models = {}
    for name in ("a", "b"):
        models[name] = tmp_path / name
        models[name].mkdir()
        (models[name] / "saved_model.pb").write_text(name)
    assert not versions.is_newest(str(models["a"]), base)
    versions.publish(str(models["a"]), base)
    assert versions.is_newest(str(models["a"]), base)
    versions.publish(str(models["b"]), base)
    assert not versions.is_newest(str(models["a"]), base)
    assert versions.is_newest(str(models["b"]), base)


def _back(base, number, model, **more):
    digest = sha256_of_folder(model)
    live = latest_version(base)
    return versions.bring_back(base, Return(number, str(model), digest, live, **more))


def _withheld(model, version=2):
    return Withheld(model_digest(model), version, "it is bad", "ann", "2026-01-02T03:04:05+00:00")


def _two(tmp_path):
    base = str(tmp_path / "serving")
    good, bad = _write_model(tmp_path / "good", "good"), _write_model(tmp_path / "bad", "bad")
    publish(good, base, version=1)
    publish(bad, base, version=2)
    return base, good, bad


def test_a_version_comes_back_under_a_new_number_and_the_one_it_replaces_is_withheld(tmp_path):
    base, good, bad = _two(tmp_path)
    version = _back(base, 1, good, withhold=_withheld(bad))
    assert version.number > 2 and latest_version(base) == version.number
    assert _read_tree(version.path) == _read_tree(good)
    with pytest.raises(WithheldError, match="ann rolled back from this model on 2026-01-02: it is"):
        publish(bad, base)
    # With other requests for the start of a server it is the same model.
    warm = pathlib.Path(bad) / WARM_UP_FILE
    warm.parent.mkdir()
    warm.write_text("requests")
    with pytest.raises(WithheldError):
        publish(bad, base)
    assert len(list_versions(base)) == 3
    warm.unlink()
    _back(base, 2, bad)
    assert publish(bad, base).created is False
    third = _write_model(tmp_path / "third", "third")
    assert publish(third, base).created
    assert publish(bad, base).created


def test_a_decision_about_another_live_version_is_refused(tmp_path):
    base, good, bad = _two(tmp_path)
    decision = Return(1, good, sha256_of_folder(good), 1, _withheld(bad))
    with pytest.raises(PublishError, match="version 2 is live by now, not 1"):
        versions.bring_back(base, decision)
    assert list_versions(base) == [1, 2]


def test_content_that_is_not_the_recorded_one_does_not_come_back_and_nothing_is_withheld(tmp_path):
    base, good, bad = _two(tmp_path)
    with pytest.raises(PublishError, match="its files changed"):
        versions.bring_back(base, Return(1, good, "0" * 64, 2, _withheld(bad)))
    assert list_versions(base) == [1, 2] and _leftovers(base) == []
    third = _write_model(tmp_path / "third", "third")
    publish(third, base)
    assert publish(bad, base).created


def test_old_versions_go_but_never_the_last_two_nor_one_that_was_rolled_back_to(tmp_path):
    base = str(tmp_path / "serving")
    models = [_write_model(tmp_path / f"m{i}", f"m{i}") for i in range(1, 7)]
    for number, model in enumerate(models, 1):
        publish(model, base, version=number)
    back = _back(base, 2, models[1], withhold=_withheld(models[5], 6)).number
    assert versions.remove_old(base, 3) == [1, 3, 4]
    assert list_versions(base) == [2, 5, 6, back]
    assert versions.remove_old(base, 1) == [5]
    assert list_versions(base) == [2, 6, back]
    assert versions.remove_old(base, 3) == []


def test_versions_are_whole_until_they_are_gone_and_remains_of_a_kill_are_swept(
    tmp_path, monkeypatch
):
    base = str(tmp_path / "serving")
    for number in (1, 2, 3):
        publish(_write_model(tmp_path / f"m{number}", f"m{number}"), base, version=number)

    def kill(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(version_files.shutil, "rmtree", kill)
    with pytest.raises(KeyboardInterrupt):
        versions.remove_old(base, 2)
    monkeypatch.undo()
    assert list_versions(base) == [2, 3]
    assert [name for name in os.listdir(base) if name.startswith(".outgoing-1-")]
    assert versions.remove_old(base, 2) == []
    assert not [name for name in os.listdir(base) if name.startswith(".outgoing")]


def test_decisions_that_cannot_be_read_stop_a_push(tmp_path):
    base, _, _ = _two(tmp_path)
    (tmp_path / "serving" / ".decisions.json").write_text("{")
    with pytest.raises(PublishError, match="decisions.json: cannot be read .* restore it"):
        publish(_write_model(tmp_path / "third", "third"), base)
    assert list_versions(base) == [1, 2]
