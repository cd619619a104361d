"""The fingerprint of user code follows every edit, and nothing that is no edit."""

import importlib
import json
import os
import shutil
import sys

import pytest

from fareline.packages import CHECKOUT, PACKAGES
from pipeline import user_code
from pipeline.user_code import find_sources, fingerprint_sources
from tests.forked import run_forked


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


def test_a_module_that_imports_nothing_stands_for_its_own_file(package):
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


# What a module imports of ours belongs to it.


IMPORTS = [
    "import taxihelp.used",
    "import taxihelp.used as other, os",
    "from taxihelp.used import VALUE",
    "from taxihelp import used",
    "from taxihelp import (\n    used,\n)",
    "def late():\n    with open('x') as f:\n        from taxihelp import used",
    "try:\n    pass\nexcept ValueError:\n    import taxihelp.used",
    "class A:\n    if A:\n        pass\n    else:\n        import taxihelp.used",
    "from .deep.layers import DEPTH",  # which imports it
    "from . import deep",
    "if TYPE_CHECKING:\n    import os\nelse:\n    import taxihelp.used",
]


@pytest.fixture
def helper(package, monkeypatch):
    """A second package of ours."""
    monkeypatch.setattr(user_code, "IMAGE_PACKAGES", ("taxicode", "taxihelp", "tfx"))
    folder = package.parent / "taxihelp"
    folder.mkdir()
    for name in ("__init__", "used", "unused"):
        (folder / f"{name}.py").write_text("VALUE = 1\n")
    (package / "deep" / "__init__.py").write_text("import taxihelp.used\n")
    return folder


@pytest.mark.parametrize("text", IMPORTS)
def test_an_edit_of_what_is_imported_changes_it(package, helper, text):
    (package / "model.py").write_text(text)
    before = fingerprint_sources(["taxicode.model"])
    (helper / "unused.py").write_text("VALUE = 2\n")
    assert fingerprint_sources(["taxicode.model"]) == before
    for file in (helper / "used.py", helper / "__init__.py"):
        file.write_text("VALUE = 2\n")
        assert fingerprint_sources(["taxicode.model"]) != before
        file.write_text("VALUE = 1\n")
        assert fingerprint_sources(["taxicode.model"]) == before


@pytest.mark.parametrize(
    "text",
    [
        "if TYPE_CHECKING:\n    import taxihelp.used",
        "# import taxihelp.used",
        "'import taxihelp.used'",
        "import numpy, no_such_package, os.path",
        "def never():\n    from ... import beyond_the_package",
    ],
)
def test_what_is_not_imported_or_not_ours_is_no_part_of_it(package, helper, text):
    (package / "model.py").write_text(text)
    assert [*find_sources(["taxicode.model"])] == ["taxicode.model", "taxicode"]


def test_modules_that_import_each_other_are_found_once(package):
    (package / "model.py").write_text("import taxicode.deep.layers")
    (package / "deep" / "layers.py").write_text("import taxicode.model")
    names = ["taxicode", "taxicode.deep", "taxicode.deep.layers", "taxicode.model"]
    assert sorted(find_sources(["taxicode.model"])) == names
    # Of a package every module counts, whoever imports it.
    (package / "model.py").write_text("")
    assert sorted(find_sources(["taxicode"])) == names


# The project's own.

SOURCES = {name: value for name, value in vars(user_code).items() if name.endswith("_SOURCES")}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_the_fingerprint_is_of_all_that_python_loads_with_the_code(name):
    words = [sys.executable, "-m", "tests.loaded_modules", json.dumps([SOURCES[name], PACKAGES])]
    done = run_forked(words, CHECKOUT, os.environ | {"PYTHONPATH": str(CHECKOUT)})
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert len(loaded) > 2
    assert loaded - set(find_sources(SOURCES[name])) == set()


def test_what_lists_by_hand_once_lacked_is_there():
    example_gen = set(find_sources(user_code.EXAMPLE_GEN_SOURCES))
    assert example_gen >= {
        "data.reading.batches",
        "data.reading.csv_header",
        "data.privacy",
        "data.writing.quarantine",
        "data.reading.rows",
        "pipeline.ingest.protection",
        "pipeline.ingest.span_driver",
        "runners.pii_key",
    }
    assert set(find_sources(user_code.GATE_SOURCES)) >= {"schema.curated", "data.reading.rows"}
    assert set(find_sources(user_code.INFRA_VALIDATOR_SOURCES)) >= {"fareline.digests"}


def test_every_user_function_lies_in_its_fingerprint():
    for path, sources in (
        (user_code.PREPROCESSING_FN, user_code.TRANSFORM_SOURCES),
        (user_code.RUN_FN, user_code.MODEL_SOURCES),
        (user_code.TUNER_FN, user_code.MODEL_SOURCES),
        (user_code.PII_KEY_FN, user_code.EXAMPLE_GEN_SOURCES),
    ):
        assert path.rpartition(".")[0] in find_sources(sources)
