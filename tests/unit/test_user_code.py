"""The fingerprint of user code follows every edit, and nothing that is no edit."""

import ast
import importlib
import os
import shutil
import sys
from pathlib import Path

import pytest

from pipeline import user_code
from pipeline.user_code import (
    EVALUATOR_SOURCES,
    INFRA_VALIDATOR_SOURCES,
    MODEL_SOURCES,
    TRANSFORM_SOURCES,
    fingerprint_sources,
)

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("fareline", "pipeline", "preprocessing", "models", "data", "schema", "runners", "lineage",
         "serving")  # fmt: skip


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The folder of an importable package `taxicode` with a module and a sub-package."""
    folder = tmp_path / "first" / "taxicode"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "model.py").write_text("WIDTH = 8\n")
    (folder / "deep" / "__init__.py").write_text("")
    (folder / "deep" / "layers.py").write_text("DEPTH = 2\n")
    monkeypatch.syspath_prepend(folder.parent)
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "taxicode"]:
        del sys.modules[name]


def test_a_fingerprint_is_a_sha256_and_stays_the_same(package):
    first = fingerprint_sources(["taxicode"])
    assert len(first) == 64
    assert set(first) <= set("0123456789abcdef")
    assert fingerprint_sources(["taxicode"]) == first


@pytest.mark.parametrize("name", ["__init__.py", "model.py", "deep/__init__.py", "deep/layers.py"])
def test_an_edit_of_any_file_changes_it(package, name):
    before = fingerprint_sources(["taxicode"])
    file = package / name
    times = file.stat()
    sound = file.read_text()
    file.write_text(sound + "#")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fingerprint_sources(["taxicode"]) != before
    file.write_text(sound)
    assert fingerprint_sources(["taxicode"]) == before


def test_a_new_module_changes_it(package):
    before = fingerprint_sources(["taxicode"])
    (package / "deep" / "new.py").write_text("")
    assert fingerprint_sources(["taxicode"]) != before


def test_a_rename_changes_it(package):
    before = fingerprint_sources(["taxicode"])
    (package / "model.py").rename(package / "network.py")
    assert fingerprint_sources(["taxicode"]) != before


def test_moving_text_from_one_file_to_the_next_changes_it(package):
    before = fingerprint_sources(["taxicode"])
    (package / "__init__.py").write_text((package / "model.py").read_text())
    (package / "model.py").write_text("")
    assert fingerprint_sources(["taxicode"]) != before


def test_a_lost_module_changes_it(package):
    before = fingerprint_sources(["taxicode"])
    (package / "model.py").unlink()
    assert fingerprint_sources(["taxicode"]) != before


def test_place_times_and_compiled_files_do_not_matter(package, tmp_path, monkeypatch):
    before = fingerprint_sources(["taxicode", "taxicode.model"])
    (package / "__pycache__").mkdir(exist_ok=True)  # Python may have made it
    (package / "__pycache__" / "model.cpython-310.pyc").write_bytes(b"compiled")
    (package / "notes.txt").write_text("not code")
    os.utime(package / "model.py", (1, 1))
    assert fingerprint_sources(["taxicode", "taxicode.model"]) == before

    shutil.move(package, tmp_path / "second" / "taxicode")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "second"), *sys.path])
    sys.modules.pop("taxicode", None)
    importlib.invalidate_caches()
    assert fingerprint_sources(["taxicode", "taxicode.model"]) == before


def test_a_module_stands_for_its_own_file_alone(package):
    before = fingerprint_sources(["taxicode.model"])
    (package / "deep" / "layers.py").write_text("DEPTH = 3\n")
    assert fingerprint_sources(["taxicode.model"]) == before
    (package / "model.py").write_text("WIDTH = 9\n")
    assert fingerprint_sources(["taxicode.model"]) != before


def test_the_same_code_under_another_name_is_other_code(package):
    shutil.copy(package / "model.py", package / "other.py")
    assert fingerprint_sources(["taxicode.model"]) != fingerprint_sources(["taxicode.other"])


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("no_such_code", "no_such_code: no source found; expected an importable module"),
        ("taxicode.absent", "taxicode.absent: no source found; expected an importable module"),
        ("no_such_code.part", "No module named 'no_such_code'"),
    ],
)
def test_unknown_module(package, module, message):
    with pytest.raises(ModuleNotFoundError) as caught:
        fingerprint_sources([module])
    assert str(caught.value) == message


def test_a_folder_without_init_has_no_source(package):
    (package / "loose").mkdir()
    with pytest.raises(ModuleNotFoundError, match="taxicode.loose: no source found"):
        fingerprint_sources(["taxicode.loose"])


# The project's own: what the user functions import of ours is in their fingerprint.


def _imports_of_ours(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in ROOMS)


@pytest.mark.parametrize(
    ("room", "sources"), [("preprocessing", TRANSFORM_SOURCES), ("models", MODEL_SOURCES)]
)
def test_the_fingerprints_cover_what_user_code_imports(room, sources):
    imported = {
        name for file in (REPOSITORY / room).rglob("*.py") for name in _imports_of_ours(file)
    }
    assert imported
    assert [
        name
        for name in sorted(imported)
        if not any(f"{name}.".startswith(f"{source}.") for source in sources)
    ] == []


def test_every_user_function_lies_in_its_fingerprint():
    assert user_code.PREPROCESSING_FN.startswith(f"{TRANSFORM_SOURCES[0]}.")
    assert user_code.RUN_FN.startswith(f"{MODEL_SOURCES[0]}.")
    assert user_code.TUNER_FN.startswith(f"{MODEL_SOURCES[0]}.")


# What the judges import and their verdict does not hang on.
NO_JUDGES = (
    "fareline",  # errors and digests
    "lineage.recorded",  # names of properties
    "pipeline.components.live_baseline",  # the same
    "pipeline.sections",  # reads settings; what is demanded reaches the Evaluator as a parameter
    "pipeline.user_code",
    "pipeline.values",  # how a setting may be written
    "preprocessing.labels",  # the same; its values are in the EvalConfig
)


def _within(name, modules):
    return any(f"{name}.".startswith(f"{module}.") for module in modules)


def _files_of(module):
    path = REPOSITORY / module.replace(".", "/")
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


@pytest.mark.parametrize("sources", [EVALUATOR_SOURCES, INFRA_VALIDATOR_SOURCES])
def test_the_fingerprints_of_the_judges_cover_what_they_import(sources):
    files = [file for module in sources for file in _files_of(module)]
    imported = {name for file in files for name in _imports_of_ours(file)}
    assert imported
    assert [n for n in sorted(imported) if not _within(n, (*sources, *NO_JUDGES))] == []


def test_no_source_of_a_judge_is_listed_for_nothing():
    imported = {
        name
        for module in EVALUATOR_SOURCES
        for file in _files_of(module)
        for name in _imports_of_ours(file)
    }
    named = {"pipeline.components.evaluator", "pipeline.slice_extractor"}  # by dotted path
    assert {m for m in EVALUATOR_SOURCES if any(_within(n, [m]) for n in imported)} | named == {
        *EVALUATOR_SOURCES
    }
