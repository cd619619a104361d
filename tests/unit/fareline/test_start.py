"""Packages of others have our names: ours are found, or one line says what is in the way."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
import types

import pytest

from fareline import __version__, start
from fareline.errors import UserMistake
from fareline.packages import CHECKOUT, PACKAGES
from runners.replay import processes
from serving.validation import warm

# Prints where each name of ours leads to.
PROBE = f"""
import importlib, json, os
places = {{}}
for name in {PACKAGES!r}:
    places[name] = os.path.dirname(importlib.import_module(name).__file__)
print(json.dumps(places))
def main(argv):
    return 0
"""
OURS = {name: str(CHECKOUT / name) for name in PACKAGES}


@pytest.fixture(scope="module", params=["packages", "modules"])
def foreign(tmp_path_factory, request):
    """A folder with a package, or a module, of each of our names; and the probe."""
    folder = tmp_path_factory.mktemp("foreign")
    for name in PACKAGES:
        file = folder / (f"{name}/__init__.py" if request.param == "packages" else f"{name}.py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"raise SystemExit('the {name} of another')")
    (folder / "probe.py").write_text(PROBE)
    return folder


@pytest.fixture
def with_foreign(foreign, monkeypatch):
    """They are on PYTHONPATH and in the current folder."""
    monkeypatch.chdir(foreign)
    monkeypatch.setenv("PYTHONPATH", str(foreign))
    return foreign


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def places(command, **options):
    return json.loads(run(command, **options).stdout)


def test_without_us_those_of_others_are_found(with_foreign):
    done = subprocess.run([sys.executable, "-m", "probe"], capture_output=True, text=True)
    assert "the fareline of another" in done.stderr


def test_a_process_that_we_start_finds_ours(with_foreign):
    assert places(start.command_for("probe")) == OURS
    assert places(start.command_for("json.tool", "--json-lines"), input="1\n") == 1


def without_ours(foreign, tmp_path, *names):
    """A folder like the foreign one that lacks some names, so that Python gets as far as ours."""
    folder = tmp_path / "some"
    ignored = [pattern for name in names for pattern in (name, f"{name}.py")]
    shutil.copytree(foreign, folder, ignore=shutil.ignore_patterns(*ignored, "__pycache__"))
    return folder, {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(CHECKOUT)))}


COMMAND_LINES = {
    "the script": "from fareline.start import main\nmain()",
    "python -m fareline": "import runpy\nrunpy.run_module('fareline', run_name='__main__')",
    "python -m cli.app": "import runpy\nrunpy.run_module('cli.app', run_name='__main__')",
    "python -m runners.submit.smoke": "import runners\nraise SystemExit",
}


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_the_command_line_finds_ours(foreign, tmp_path, line):
    # Who starts it by name has found the first of these already.
    folder, environment = without_ours(foreign, tmp_path, "fareline", "cli", "runners")
    program = f"""
import sys
sys.argv[1:] = ["version"]
try:
{textwrap.indent(COMMAND_LINES[line], "    ")}
except SystemExit as ended:
    assert not ended.code, ended.code
sys.stdout = sys.__stdout__
import probe
"""
    ran = run([sys.executable, "-c", program], cwd=folder, env=environment)
    assert json.loads(ran.stdout.splitlines()[-1]) == OURS


def test_the_script_finds_ours(with_foreign):
    line = "import sys; from fareline_script import main; sys.exit(main())"
    # As an installed script is started: its own folder first, PYTHONPATH next, ours last.
    program = f"import sys; sys.path.append({str(CHECKOUT)!r}); sys.argv[1:] = ['version']; {line}"
    assert run([sys.executable, "-c", program]).stdout.strip() == __version__


def test_a_server_process_finds_ours(with_foreign, tmp_path):
    child = warm.start_program("probe", [], str(tmp_path / "log"), None)
    try:
        deadline = time.monotonic() + 60
        while child.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert child.exit_code == 0, child.log_tail()
        assert json.loads(child.log_tail()) == OURS
    finally:
        child.stop()


def test_a_step_of_a_replayed_spec_finds_ours(with_foreign, tmp_path):
    """Preloaded ones, and Beam's workers: tests/component/runners/replay/test_preloaded.py."""
    log = tmp_path / "log"
    command = processes.Command(("python", "-m", "probe"), {}, with_foreign, log)
    with processes.Processes([], tmp_path / "preload.log", threading.Event()) as running:
        assert running.run(command) == 0, log.read_text()
    assert json.loads(log.read_text()) == OURS
    command.write_script(tmp_path / "again.sh")
    assert places(["sh", str(tmp_path / "again.sh")]) == OURS


# What is in the way.


@pytest.mark.parametrize("name", PACKAGES)
def test_a_name_that_is_taken_already_is_said(foreign, monkeypatch, name):
    other = types.ModuleType(name)
    other.__file__ = str(foreign / f"{name}.py")
    monkeypatch.setitem(sys.modules, name, other)
    with pytest.raises(UserMistake) as error:
        start.require_ours()
    assert str(error.value) == (
        f"{name}: imported from {other.__file__} before Fareline started; expected that of "
        f"{CHECKOUT}. Hint: look for what imports it when Python starts: a .pth file, "
        "sitecustomize."
    )


def test_ours_are_not_in_the_way():
    for name in PACKAGES:
        importlib.import_module(name)
    start.require_ours()
    assert start.what_is_in_the_way() is None


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Ours as a wheel leaves them, with the list of files of another distribution beside them."""
    folder = tmp_path_factory.mktemp("wheel") / "site-packages"
    for name in PACKAGES:
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("web"))
    for name, version in (("fareline", "0.1.0"), ("other", "2.0")):
        about = folder / f"{name}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
        (about / "RECORD").write_text("".join(f"{each}/__init__.py,,\n" for each in PACKAGES))
    return folder


@pytest.mark.parametrize("name", PACKAGES)
def test_a_distribution_over_ours_is_named(installed, name):
    (installed / "other-2.0.dist-info/RECORD").write_text(f"{name}/__init__.py,,\n")
    ours = (installed / name / "__init__.py").read_text()
    # That of `fareline` is imported before any code of ours can look.
    (installed / name / "__init__.py").write_text("" if name == "fareline" else "import missing_1")
    program = f"""
import importlib, sys
from fareline import start
sys.argv[1:] = ["version"]
start._start(lambda: importlib.import_module("{name}").__version__)
"""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    try:
        ran = subprocess.run(
            [sys.executable, "-c", program],
            cwd=installed.parent, env=environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        command = program.replace("start._start(", "start.main() or (")
        whole = subprocess.run(
            [sys.executable, "-c", command],
            cwd=installed.parent, env=environment, capture_output=True, text=True, timeout=60,
        ) if name in ("cli", "fareline", "runners") else ran  # fmt: skip
    finally:
        (installed / name / "__init__.py").write_text(ours)
    for each in (ran, whole):
        assert (each.returncode, each.stdout) == (2, "")
        assert each.stderr == (
            f"fareline: {installed / name}: other 2.0 has installed files there; expected "
            "Fareline's alone. Hint: uninstall other, and install Fareline again.\n"
        )


def test_other_errors_stay_what_they_are(with_foreign):
    (with_foreign / "broken.py").write_text("import missing_1")
    done = subprocess.run(start.command_for("broken"), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'missing_1'\n")


def test_a_name_that_is_taken_already_ends_the_command_in_one_line(foreign, tmp_path):
    folder, environment = without_ours(foreign, tmp_path, "fareline", "cli")
    (folder / "schema.py").write_text("")
    shutil.rmtree(folder / "schema", ignore_errors=True)
    program = "import schema\nfrom fareline.start import main\nmain()"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fareline: schema: imported from {folder / 'schema.py'} before ")
    assert done.stderr.count("\n") == 1


def test_mistakes_of_the_program_itself_are_its_own_to_tell(with_foreign):
    (with_foreign / "mistaken.py").write_text(
        "from fareline.errors import UserMistake\nraise UserMistake('found 3')"
    )
    done = subprocess.run(start.command_for("mistaken"), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("fareline.errors.UserMistake: found 3\n")
