"""What a run says of its code, settings, packages, user and machine; and what it never says."""

import getpass
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from fareline import recorded
from fareline.packages import CHECKOUT, PACKAGES
from pipeline.settings.load import PATH_SETTINGS, load_settings
from pipeline.settings.settings import DEFAULT_PATH
from runners import provenance
from runners.provenance import (
    GitState,
    collect_provenance,
    describe_host,
    installed_packages,
    login_name,
    name_stack,
    read_git_state,
    write_settings,
)


def properties(*overrides):
    return collect_provenance(load_settings(overrides=overrides), overrides).properties


# The settings, to run again.


def saved_and_loaded(settings, folder):
    folder.mkdir()
    path = folder / "saved.yaml"
    path.write_text(write_settings(settings), encoding="utf-8")
    return load_settings(path)


def test_settings_come_back_as_they_were(tmp_path):
    settings = load_settings(
        overrides=[
            "training.steps=17",
            "tuning.search.learning_rate=[0.00001, 0.01]",
            "evaluation.slices=[[payment_type, trip_start_hour], [company]]",
            "features.vocabulary.company={size: 3, oov_buckets: 2}",
            "data.source.csv=/data/été 日本/*trips*.csv",
            "push.destination=gs://bucket/models",
        ]
    )
    loaded = saved_and_loaded(settings, tmp_path / "elsewhere")
    assert loaded.model_dump() == settings.model_dump()
    # The order is part of the cache key.
    assert loaded.model_dump_json() == settings.model_dump_json()
    assert loaded.training.steps == 17
    assert loaded.push.destination == "gs://bucket/models"


def test_relative_paths_still_mean_the_same_files(tmp_path):
    folder = tmp_path / "mine"
    (folder / "data").mkdir(parents=True)
    shutil.copy(CHECKOUT / "schema" / "taxi" / "schema.pbtxt", folder / "my.pbtxt")
    values = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
    values["data"]["source"] = {"csv": "data/../trips.csv"}
    values["schema"] = "./my.pbtxt"
    values["push"] = {"destination": "~/models"}
    values["drift"] |= {"serving_sample": "requests.jsonl"}
    (folder / "my.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    settings = load_settings(folder / "my.yaml")
    loaded = saved_and_loaded(settings, tmp_path / "elsewhere")
    assert loaded.data.source.csv == f"{folder}/data/../trips.csv"
    assert loaded.schema_ == f"{folder}/my.pbtxt"
    assert loaded.push.destination == os.path.expanduser("~/models")
    assert loaded.drift.serving_sample == f"{folder}/requests.jsonl"
    for name in ("data.source.csv", "schema", "drift.serving_sample", "push.destination"):
        assert name in PATH_SETTINGS
    assert write_settings(loaded) == write_settings(settings)


def test_a_packaged_schema_travels_by_name_and_none_stays_none(tmp_path):
    assert saved_and_loaded(load_settings(), tmp_path / "a").schema_ == "taxi"
    assert (
        saved_and_loaded(load_settings(overrides=["schema=null"]), tmp_path / "b").schema_ is None
    )


def test_what_is_said_of_the_settings(tmp_path):
    said = properties("training.steps=17", "seed=3")
    assert yaml.safe_load(said[recorded.SETTINGS])["training"]["steps"] == 17
    text = said[recorded.SETTINGS].encode()
    assert said[recorded.SETTINGS_SHA256] == hashlib.sha256(text).hexdigest()
    assert said[recorded.SETTINGS_FILE] == "taxi.yaml"
    assert json.loads(said[recorded.OVERRIDES]) == ["training.steps=17", "seed=3"]
    assert said[recorded.USE_CACHE] == 1
    shutil.copy(DEFAULT_PATH, tmp_path / "my.yaml")
    mine = collect_provenance(load_settings(tmp_path / "my.yaml"), use_cache=False).properties
    assert mine[recorded.SETTINGS_FILE] == str(tmp_path / "my.yaml")
    assert mine[recorded.USE_CACHE] == 0
    assert json.loads(mine[recorded.OVERRIDES]) == []


def test_a_path_that_is_no_text_is_recorded_all_the_same(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    shutil.copy(DEFAULT_PATH, folder / "my.yaml")
    said = collect_provenance(load_settings(folder / "my.yaml")).properties
    assert said[recorded.SETTINGS_FILE] == f"{tmp_path}/caf?/my.yaml"


# Code.


def test_an_edit_of_any_of_our_files_changes_the_fingerprint(tmp_path):
    for room in PACKAGES:
        shutil.copytree(
            CHECKOUT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__")
        )
    script = """
import pathlib, sys
from pipeline.user_code import fingerprint_packages
from fareline.packages import PACKAGES
files, seen = [], [fingerprint_packages(PACKAGES)]
for room in PACKAGES:  # of the package alone, since all of them take time for each edit
    seen.append(fingerprint_packages((room,)))
    of_room = sorted(pathlib.Path(room).rglob("*.py"))
    for file in of_room:
        file.write_bytes(file.read_bytes() + b"#")
        seen.append(fingerprint_packages((room,)))
    files += of_room
    seen.append(fingerprint_packages(PACKAGES))
pathlib.Path("models/added.py").touch()
seen.append(fingerprint_packages(PACKAGES))
print(len(files), len(seen), len(set(seen)), seen[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    files, seen, different, first = done.stdout.split()
    assert int(files) > 80
    assert int(seen) == int(different) == int(files) + 2 * len(PACKAGES) + 2
    assert re.fullmatch("[0-9a-f]{64}", first)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A git checkout with one committed module of ours."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder = tmp_path / "checkout"
    (folder / "runners").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "runners" / "provenance.py").write_text("one\n")
    (folder / ".gitignore").write_text("__pycache__/\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    return folder


def git(folder, *arguments):
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def committed(checkout):
    git(checkout, "commit", "--quiet", "--message=one")
    return checkout


def test_a_clean_checkout(committed):
    commit = git(committed, "rev-parse", "HEAD")
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert read_git_state(committed) == GitState(commit, dirty=False)


def test_a_tracked_file_that_differs_is_dirty(committed):
    (committed / ".gitignore").write_text("*.log\n")
    assert read_git_state(committed).dirty


def test_new_code_is_dirty_and_what_runs_leave_behind_is_not(committed):
    (committed / "workspace").mkdir()
    (committed / "workspace" / "metadata.db").write_text("rows")
    (committed / "models" / "__pycache__").mkdir()
    (committed / "models" / "__pycache__" / "network.pyc").write_text("bytes")
    assert not read_git_state(committed).dirty
    (committed / "models" / "network.py").write_text("two\n")
    assert read_git_state(committed).dirty


def test_the_repository_of_a_hook_is_another_one(committed, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert read_git_state(committed) is not None


def test_where_git_does_not_know_our_sources(checkout, tmp_path, monkeypatch):
    assert read_git_state(checkout) is None  # no commit yet
    git(checkout, "commit", "--quiet", "--message=one")
    installed = checkout / "env" / "site-packages"
    (installed / "runners").mkdir(parents=True)
    (installed / "runners" / "provenance.py").write_text("one\n")
    assert read_git_state(installed) is None  # a checkout, but not of them
    assert read_git_state(tmp_path) is None  # no checkout
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_git_state(checkout) is None  # no git


def test_the_code_has_the_name_of_its_commit_only_if_that_is_what_runs(monkeypatch):
    def collected(state):
        monkeypatch.setattr(provenance, "read_git_state", lambda folder: state)
        return collect_provenance(load_settings())

    clean, dirty, without = (
        collected(GitState("c" * 40, False)),
        collected(GitState("c" * 40, True)),
        collected(None),
    )
    assert clean.code_version == "c" * 40
    assert (clean.properties[recorded.GIT_COMMIT], clean.properties[recorded.GIT_DIRTY]) == (
        "c" * 40,
        0,
    )
    assert dirty.properties[recorded.GIT_DIRTY] == 1
    fingerprint = dirty.properties[recorded.CODE_FINGERPRINT]
    assert dirty.code_version == without.code_version == fingerprint
    assert {recorded.GIT_COMMIT, recorded.GIT_DIRTY}.isdisjoint(without.properties)


# Packages, machine, user.


def test_packages_and_stack():
    packages = json.loads(properties()[recorded.PACKAGES])
    assert packages == installed_packages()
    path = [entry for entry in sys.path if not entry.endswith(provenance._VENDORED)]
    expected: dict[str, str] = {}
    for distribution in importlib.metadata.distributions(path=path):
        if distribution.metadata["Name"]:
            expected.setdefault(distribution.metadata["Name"].lower(), distribution.version)
    assert packages == expected
    assert packages["tfx"] == importlib.metadata.version("tfx")
    assert packages["pyyaml"] == yaml.__version__
    assert properties()[recorded.STACK] in ("compat", "current")
    assert name_stack({"tfx": "1.16.0", "tensorflow": "2.16.2"}) == "compat"
    assert name_stack({"tfx": "1.21.0", "tensorflow": "2.21.0"}) == "current"
    other = name_stack({"tfx": "1.17.1", "tensorflow": "2.17.1"})
    assert other == "TFX 1.17.1, TensorFlow 2.17.1"


def test_machine():
    assert properties()[recorded.PYTHON] == platform.python_version()
    assert properties()[recorded.RUNNER] == "local"
    found = properties()[recorded.HOST_KIND]
    assert found == describe_host()
    assert re.fullmatch(r"(Linux|Darwin) \w+, \d+ cores?", found)


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no name"), ImportError()])
def test_a_user_without_a_name(monkeypatch, error):
    def nameless():
        raise error

    monkeypatch.setenv("LOGNAME", "ann")
    assert login_name() == "ann"
    monkeypatch.setattr(getpass, "getuser", nameless)
    assert login_name() == f"uid {os.getuid()}"


def test_nothing_else_of_the_environment_is_recorded(monkeypatch):
    planted = {
        "METADATA_PASSWORD": "tr0ub4dor",
        "API_TOKEN": "ghp_planted",
        "GIT_ASKPASS": "/askme",
    }
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    text = json.dumps(dict(properties()))
    assert not [word for word in (*planted, *planted.values()) if word in text]
    # The names are listed here, so that whoever adds one thinks of what it may give away.
    assert set(properties()) - {recorded.GIT_COMMIT, recorded.GIT_DIRTY} == {
        "runner",
        "stack",
        "python",
        "packages",
        "code_fingerprint",
        "settings",
        "settings_sha256",
        "settings_file",
        "overrides",
        "use_cache",
        "user",
        "host_kind",
    }
