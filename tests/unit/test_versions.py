"""serving.versions: a reader sees whole versions only, whatever the publishers do or suffer."""

import json
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import time

import pytest

from serving import versions
from serving.versions import PublishError, Version, latest_version, list_versions, publish

_FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data", "assets/vocab")
_ROOT = pathlib.Path(versions.__file__).parent.parent

# Publishers in processes of their own, which pytest's modules cannot be imported in.
_HANG_IN_THE_MIDDLE = """
import os, sys, time
from serving import versions
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
from serving import versions
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
    real = versions._copy_tree

    def change_then_copy(source, target):
        (model / "assets/vocab").write_text("later")
        real(source, target)

    monkeypatch.setattr(versions, "_copy_tree", change_then_copy)
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
