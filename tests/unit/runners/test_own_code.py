"""Functions of the user's own: what is refused before anything runs, and with which line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fareline.errors import SettingsError
from fareline.packages import CHECKOUT
from fareline.start import offer_packages
from lineage.facts.failures import place_in, users_place_in
from pipeline.rules.code import find_code_mistakes
from pipeline.settings.load import load_settings
from pipeline.settings.settings import DEFAULT_PATH
from pipeline.user_code import MODEL_SOURCES, RUN_FN, choose_function, fingerprint_sources
from runners.own_code import on_python_path, require_own_code, require_whole_packages
from runners.own_package import write_own_package
from runners.provenance import collect_provenance, write_settings


@pytest.fixture
def folder(tmp_path):
    """A folder with a package `taxicode` that imports nothing heavy."""
    package = tmp_path / "taxicode"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "steps.py").write_text(
        "from taxicode.other import WIDTH\n\n\n"
        "def preprocessing_fn(inputs, custom_config):\n    return {}\n\n\n"
        "def run_fn(fn_args):\n    return WIDTH\n"
    )
    (package / "other.py").write_text("WIDTH = 8\n")
    (package / "unused.py").write_text("NOTHING = 0\n")
    yield tmp_path
    offer_packages((), "")
    for name in [name for name in sys.modules if name.partition(".")[0] == "taxicode"]:
        del sys.modules[name]


def settings_of(folder, run_fn="taxicode.steps.run_fn", name="run_fn"):
    overrides = [f"code.folder={folder}", f"code.{name}={run_fn}"]
    return load_settings(DEFAULT_PATH, overrides)


def problems(folder, *arguments):
    return list(find_code_mistakes(settings_of(folder, *arguments)))


def test_a_sound_package_is_importable_and_nothing_beside_it(folder):
    (folder / "yaml.py").write_text("raise RuntimeError")
    (folder / "beside.py").write_text("")
    assert problems(folder) == []
    require_own_code(settings_of(folder))
    code = "import importlib.util as u; print(u.find_spec('taxicode.steps').origin)\nimport yaml"
    settings = settings_of(folder)
    with on_python_path(settings, folder / "links"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert (done.stdout, done.stderr) == (f"{folder}/links/taxicode/steps.py\n", "")
    assert str(folder) not in os.environ.get("PYTHONPATH", "")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "models.trainer.run_fn",
            "found the name models, which is one of Fareline's packages; expected one of its own. "
            "Hint: rename FOLDER/models.",
        ),
        (
            "json.decoder.run_fn",
            "found the name json, which is a module of Python; expected one of its own. "
            "Hint: rename FOLDER/json.",
        ),
        (
            "yaml.loader.run_fn",
            "found the name yaml, which is installed here already, as SITE/yaml/__init__.py; "
            "expected one of its own. Hint: set code.folder to SITE if it is meant.",
        ),
        (
            "__main__.run_fn",
            "found the name __main__, which is a module of Python; expected one of its own. "
            "Hint: rename FOLDER/__main__.",
        ),
        (
            "taxycode.steps.run_fn",
            "FOLDER/taxycode: there is no such folder; expected a package. Hint: put it beside the "
            "settings file, with an empty __init__.py, or name its folder in code.folder; "
            "`fareline init --code` writes one.",
        ),
        (
            "taxicode.step.run_fn",
            "there is no FOLDER/taxicode/step.py; expected a module taxicode.step. "
            "Hint: did you mean steps.",
        ),
        (
            "taxicode.steps.run_fm",
            "FOLDER/taxicode/steps.py has no run_fm; expected a function of that name. "
            "Hint: did you mean run_fn.",
        ),
    ],
)
def test_a_path_that_names_no_function_is_one_line(folder, path, message):
    [line] = problems(folder, path)
    import yaml

    site = str(Path(yaml.__file__).parents[1])
    expected = message.replace("FOLDER", str(folder)).replace("SITE", site)
    assert line == f"code.run_fn: {expected}"


@pytest.mark.parametrize("path", ["run_fn", "taxicode..run_fn", "taxi-code.steps.run_fn", ".a.b"])
def test_a_path_is_dotted_names(folder, path):
    with pytest.raises(SettingsError, match=r"expected PACKAGE\.MODULE\.FUNCTION"):
        settings_of(folder, path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def run_fn(fn_args)\n    pass\n", "FILE:1: expected ':'; expected Python."),
        ("x = '\0'\ndef run_fn(a): pass\n", "FILE: source code string cannot contain null bytes"),
    ],
)
def test_a_source_that_is_no_python_is_named_with_its_line(folder, source, message):
    file = folder / "taxicode" / "steps.py"
    file.write_text(source)
    [line] = problems(folder)
    assert line.startswith(f"code.run_fn: {message.replace('FILE', str(file))}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "import os\nimport no_such_thing\n\n\ndef run_fn(fn_args): pass\n",
            "FILE:2: ModuleNotFoundError: No module named 'no_such_thing'; expected a module that "
            "can be imported. Hint: correct that line.",
        ),
        (
            "def run_fn(fn_args): pass\n\n\nrun_fn(1 / 0)\n",
            "FILE:4: ZeroDivisionError: division by zero; expected a module that can be imported. "
            "Hint: correct that line.",
        ),
        (
            "import sys\nsys.exit(3)\ndef run_fn(fn_args): pass\n",
            "FILE:2: SystemExit: 3; expected a module that can be imported. "
            "Hint: correct that line.",
        ),
        (
            "run_fn = 3\n",
            "FILE: run_fn is a int; expected a function. Hint: correct the dotted path.",
        ),
        (
            "\ndef run_fn(fn_args, width): pass\n",
            "FILE:2: found run_fn(fn_args, width); expected run_fn(fn_args), as TFX calls it. "
            "Hint: give other parameters a default.",
        ),
        (
            "def run_fn(): pass\n",
            "FILE:1: found run_fn(); expected run_fn(fn_args), as TFX calls it. "
            "Hint: give other parameters a default.",
        ),
        (
            "import functools\nrun_fn = functools.partial(lambda a, b, c: None, 1)\n",
            "FILE: found run_fn(b, c); expected run_fn(fn_args), as TFX calls it. "
            "Hint: give other parameters a default.",
        ),
        (
            "def run_fn(fn_args):\n    yield fn_args\n",
            "FILE:1: run_fn is async or has a yield, so that a call of it does nothing; expected a "
            "function that returns. Hint: let it call the other one.",
        ),
        (
            "class E(Exception):\n    def __str__(self): return self.no\nraise E()\n"
            "def run_fn(fn_args): pass\n",
            "FILE:3: E: UNPRINTABLE; expected a module that can be imported. "
            "Hint: correct that line.",
        ),
        (
            "import sys\nsys.modules[__name__] = 3\ndef run_fn(fn_args): pass\n",
            "taxicode.steps has no run_fn; expected a function of that name. "
            "Hint: correct the dotted path.",
        ),
    ],
)
def test_what_shows_on_import_is_named_with_its_line(folder, source, message):
    file = folder / "taxicode" / "steps.py"
    file.write_text(source)
    settings = settings_of(folder)
    assert list(find_code_mistakes(settings)) == []
    with pytest.raises(SettingsError) as refusal:
        require_own_code(settings)
    expected = message.replace("FILE", str(file))
    found = re.sub(
        r"<\w+ \w* ?str\(\) failed>|<unprintable \w+ object>", "UNPRINTABLE", str(refusal.value)
    )
    assert found == f"--set code.run_fn: {expected}"


def test_the_place_is_in_a_file_also_where_the_command_is_typed_beside_it(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "taxicode" / "other.py").write_bytes(b"WIDTH = 8\0")
    with pytest.raises(SettingsError, match=r"/taxicode/\w+\.py:\d: \w+Error: source code"):
        require_own_code(settings_of(folder))


def test_a_package_that_is_a_link_is_as_good_as_one_that_lies_there(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "taxicode"
    (folder / "taxicode").rename(elsewhere)
    (folder / "taxicode").symlink_to(elsewhere)
    settings = settings_of(folder)
    assert problems(folder) == []
    require_own_code(settings)
    loaded = sys.modules["taxicode.steps"]
    require_own_code(settings)
    assert sys.modules["taxicode.steps"] is loaded
    del sys.modules["taxicode.other"], sys.modules["taxicode.steps"]
    (elsewhere / "other.py").write_text("\nWIDTH = 8 / 0\n")
    with pytest.raises(SettingsError, match=r"/taxicode/other\.py:2: ZeroDivisionError"):
        require_own_code(settings)


def test_preprocessing_may_leave_out_its_settings(folder):
    (folder / "taxicode" / "steps.py").write_text("def preprocessing_fn(inputs): return {}\n")
    require_own_code(settings_of(folder, "taxicode.steps.preprocessing_fn", "preprocessing_fn"))


def test_a_compiled_spec_needs_what_the_image_has(folder):
    require_whole_packages(settings_of(folder))
    (folder / "helpers.py").write_text("")
    file = folder / "taxicode" / "other.py"
    file.write_text("import json\nimport helpers\nWIDTH = 8\n")
    with pytest.raises(SettingsError) as refusal:
        require_whole_packages(settings_of(folder))
    assert str(refusal.value) == (
        f"{DEFAULT_PATH}: code: {file}:2 imports helpers, which is in {folder} and in no package "
        "that code names; expected what the image has: Fareline, its libraries and taxicode. "
        "Hint: move helpers into taxicode."
    )


def test_an_installed_package_may_import_what_is_installed_beside_it(folder, monkeypatch):
    (folder / "helpers.py").write_text("")
    (folder / "taxicode" / "other.py").write_text("import helpers\nWIDTH = 8\n")
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(SettingsError, match="imports helpers, which is in"):
        require_whole_packages(settings_of(folder))
    monkeypatch.setattr("runners.own_code._SITE", str(folder))
    require_whole_packages(settings_of(folder))


def test_an_edit_changes_the_fingerprint_of_what_imports_it_alone(folder):
    settings = settings_of(folder)
    require_own_code(settings)
    path, sources = choose_function("run_fn", settings.code.run_fn)
    assert (path, sources) == ("taxicode.steps.run_fn", ("taxicode.steps",))
    assert choose_function("run_fn", None) == (RUN_FN, MODEL_SOURCES)
    before = fingerprint_sources(sources)
    (folder / "taxicode" / "unused.py").write_text("NOTHING = 1\n")
    assert fingerprint_sources(sources) == before
    (folder / "taxicode" / "other.py").write_text("WIDTH = 9\n")
    assert fingerprint_sources(sources) != before


def test_a_run_records_the_code_that_it_used_and_where_it_lies(folder):
    ours = collect_provenance(None)
    settings = settings_of(folder)
    require_own_code(settings)
    with_own = collect_provenance(settings)
    assert with_own.properties["code_fingerprint"] != ours.properties["code_fingerprint"]
    assert with_own.code_version == with_own.properties["code_fingerprint"]
    beside = folder / "beside.yaml"
    beside.write_text(
        write_settings(settings).replace(f"folder: {folder}", "folder: null"), encoding="utf-8"
    )
    assert load_settings(beside).code.folder is None
    assert f"folder: {folder}\n" in write_settings(load_settings(beside))


def test_the_place_of_an_error_in_the_users_code_is_found_where_ours_raised_it():
    text = (
        "Traceback (most recent call last):\n"
        f'  File "{CHECKOUT}/runners/local/runner.py", line 3, in _launch\n'
        '  File "/home/me/taxicode/steps.py", line 7, in run_fn\n'
        f'  File "{CHECKOUT}/models/signatures.py", line 9, in export_model\n'
        '  File "/usr/lib/python3/dist-packages/x.py", line 1, in x\n'
        "ValueError: no\n"
    )
    assert place_in(text) == "models/signatures.py:9, in export_model"
    assert users_place_in(text) == "/home/me/taxicode/steps.py:7, in run_fn"
    assert users_place_in(text.replace("/home/me/taxicode", f"{CHECKOUT}/models")) is None
    assert users_place_in(text.replace("in run_fn", "in <module>")) is None


@pytest.mark.parametrize("name", ["1st", "class", "data", "a b", "json", "numpy", "__main__"])
def test_a_package_has_a_name_of_its_own(tmp_path, name):
    with pytest.raises(SettingsError.__mro__[1], match="expected a name for a Python package"):
        write_own_package(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_written_package_is_taken_as_it_is_and_never_overwritten(tmp_path):
    package, paths = write_own_package(tmp_path / "new", "my-code")
    assert package == "my_code"
    settings = load_settings(paths[0])
    assert list(find_code_mistakes(settings)) == []
    assert settings.code.packages == ("my_code",)
    before = {path: path.read_bytes() for path in paths}
    with pytest.raises(SettingsError.__mro__[1], match="already exists"):
        write_own_package(tmp_path / "new", "my-code")
    assert {path: path.read_bytes() for path in paths} == before
