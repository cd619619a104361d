"""The set-up: which stack and Python a machine gets, what it says if none fits, and the stamp."""

import importlib
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fareline.packages import CHECKOUT

REQUIREMENTS = CHECKOUT / "requirements"
sys.path.insert(0, str(REQUIREMENTS))  # the scripts are no package: they run before anything exists

stacks = importlib.import_module("stacks")
interpreters = importlib.import_module("interpreters")
selection = importlib.import_module("selection")
stamp = importlib.import_module("stamp")
uv_tool = importlib.import_module("uv_tool")
install = importlib.import_module("install")

DEBIAN_12 = stacks.Machine("Linux", "x86_64", (2, 36))
DEBIAN_13 = stacks.Machine("Linux", "x86_64", (2, 41))
UBUNTU_24 = stacks.Machine("Linux", "x86_64", (2, 39))
MACBOOK = stacks.Machine("Darwin", "arm64", None)
ALPINE = stacks.Machine("Linux", "x86_64", None)
RASPBERRY = stacks.Machine("Linux", "aarch64", (2, 41))

COMPAT_PINS = ["compat.txt", "compat-dev.txt"]
CURRENT_PINS = [f"current-py31{n}{dev}.txt" for n in range(4) for dev in ("", "-dev")]
ALL_PINS = COMPAT_PINS + CURRENT_PINS


def python(*version, problem="", headers=True):
    path = "/made/up/python{}.{}".format(*version)
    return interpreters.Interpreter(path, path, version, problem, headers)


def pick(machine, pins, *found, only=None):
    """Returns what `choose` makes of it as, for example, `compat 3.10`, or None."""
    choices, _ = stacks.list_choices(machine, pins, only)
    chosen = selection.choose(choices, list(found))
    return chosen and "{} {}.{}".format(chosen[0].stack.name, *chosen[1].version)


@pytest.mark.parametrize(
    ("machine", "pins", "found", "expected"),
    [
        (DEBIAN_12, ALL_PINS, [python(3, 11), python(3, 10)], "compat 3.10"),
        (DEBIAN_12, ALL_PINS, [python(3, 11), python(3, 13)], None),
        (DEBIAN_13, ALL_PINS, [python(3, 10), python(3, 13)], "current 3.13"),
        (DEBIAN_13, COMPAT_PINS, [python(3, 13), python(3, 10)], "compat 3.10"),
        (DEBIAN_13, COMPAT_PINS + CURRENT_PINS[:2], [python(3, 10)], "current 3.10"),
        (UBUNTU_24, ALL_PINS, [python(3, 12), python(3, 10)], "current 3.12"),
        (UBUNTU_24, ALL_PINS, [python(3, 14), python(3, 9)], None),
        (MACBOOK, ALL_PINS, [python(3, 10), python(3, 11)], "current 3.11"),
        (MACBOOK, COMPAT_PINS, [python(3, 10)], None),
        (ALPINE, ALL_PINS, [python(3, 10)], None),
        (RASPBERRY, ALL_PINS, [python(3, 10)], None),
    ],
)
def test_the_newest_stack_that_fits_with_its_newest_python(machine, pins, found, expected):
    assert pick(machine, pins, *found) == expected


def test_the_stack_that_was_asked_for_is_used():
    assert pick(DEBIAN_13, ALL_PINS, python(3, 13), python(3, 10), only="compat") == "compat 3.10"
    assert pick(DEBIAN_12, ALL_PINS, python(3, 10), only="current") is None


def test_half_a_set_of_pins_is_none():
    assert pick(DEBIAN_13, ["current-py313.txt"], python(3, 13)) is None


def test_a_stack_without_pins_is_passed_over_in_words():
    _, passed_over = stacks.list_choices(DEBIAN_13, COMPAT_PINS)
    assert passed_over == [
        "the current stack (TFX 1.21.0) has no pins yet for Python 3.13, 3.12, 3.11 or 3.10"
    ]


def test_python_without_headers_serves_only_where_nothing_is_compiled():
    bare = python(3, 10, headers=False)
    assert pick(DEBIAN_12, ALL_PINS, bare) is None
    assert pick(DEBIAN_12, ALL_PINS, bare, python(3, 10)) == "compat 3.10"
    assert pick(DEBIAN_13, ALL_PINS, bare) is None
    for minor in (11, 12, 13):
        bare_too = python(3, minor, headers=False)
        assert pick(DEBIAN_13, ALL_PINS, bare_too) == f"current 3.{minor}"
    compat = stacks.Choice(stacks.STACKS[1], (3, 10))
    assert "python3.10-dev" in bare.misfit(compat)


def test_this_machine_is_recognised():
    machine = stacks.detect_machine()
    assert machine.system == os.uname().sysname
    if machine.system == "Linux" and machine.glibc:
        assert re.match(r"Linux \w+ with glibc 2\.\d+$", stacks.describe_machine(machine))


def test_no_stack_says_what_the_machine_is_and_what_was_needed():
    _, passed_over = stacks.list_choices(RASPBERRY, ALL_PINS)
    message = selection.explain_no_stack(RASPBERRY, passed_over)
    assert message.startswith("set-up: this machine is Linux aarch64 with glibc 2.41; ")
    assert "the compat stack (TFX 1.16.0) needs glibc 2.17 or newer on Linux x86_64" in message
    assert "Hint: use Linux x86_64 with glibc" in message


def test_no_python_says_what_was_wanted_where_it_looked_and_what_was_there():
    choices, _ = stacks.list_choices(DEBIAN_12, ALL_PINS)
    shim = interpreters.Interpreter(
        "/shims/python3.10", "/shims/python3.10", None, "does not run (pyenv: not found)", False
    )
    message = selection.explain_no_python(
        choices, [shim, python(3, 11)], {"HOME": "/home/ada", "PYENV_ROOT": "/pyenv"}
    )
    assert "needs Python 3.10. Hint: install one (`pyenv install 3.10`" in message
    assert "FARELINE_PYTHON=/path/to/python make setup" in message
    assert "under /pyenv/versions and /home/ada/.pyenv/versions, and asked uv" in message
    assert message.splitlines()[-2:] == [
        "  /shims/python3.10 does not run (pyenv: not found)",
        "  /made/up/python3.11 is Python 3.11",
    ]


def test_no_compiler_is_said_before_anything_is_built(tmp_path):
    compat = stacks.Choice(stacks.STACKS[1], (3, 10))
    with pytest.raises(
        uv_tool.SetupError, match="no C.. compiler on PATH.*apt install g.."
    ) as info:
        selection.check_compiler(compat, {"PATH": str(tmp_path)})
    assert info.value.exit_code == 2
    program(tmp_path / "g++", "#!/bin/sh\n")
    selection.check_compiler(compat, {"PATH": str(tmp_path)})


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_shim_that_fails_when_run_is_skipped(tmp_path):
    shim = program(
        tmp_path / "shims" / "python3.10",
        "#!/bin/sh\necho 'pyenv: python3.10: command not found' >&2\nexit 127\n",
    )
    real = program(
        tmp_path / "pyenv" / "versions" / "3.10.9" / "bin" / "python",
        f'#!/bin/sh\nexec "{sys.executable}" "$@"\n',
    )
    environment = {"PATH": str(tmp_path / "shims"), "HOME": str(tmp_path)}
    environment["PYENV_ROOT"] = str(tmp_path / "pyenv")
    candidates = interpreters.list_candidates([(3, 10)], environment)
    assert candidates[:2] == [shim, real]

    processor = os.uname().machine
    tried = [interpreters.try_interpreter(path, processor, environment) for path in candidates]
    assert tried[0].problem == "does not run (pyenv: python3.10: command not found)"
    assert tried[1].problem == ""
    assert tried[1].version == sys.version_info[:2]


def test_an_environment_stands_for_the_interpreter_behind_it():
    tried = interpreters.try_interpreter(sys.executable, os.uname().machine, dict(os.environ))
    assert Path(tried.path).parent.parent == Path(sys.base_prefix)


def test_an_interpreter_for_another_processor_is_refused():
    tried = interpreters.try_interpreter(sys.executable, "riscv64", dict(os.environ))
    assert tried.problem.endswith(f"for {os.uname().machine}, 64 bits")


def test_the_newest_build_under_pyenv_comes_first(tmp_path):
    for version in ("3.10.9", "3.10.13"):
        program(tmp_path / ".pyenv" / "versions" / version / "bin" / "python", "#!/bin/sh\n")
    candidates = interpreters.list_candidates([(3, 10)], {"HOME": str(tmp_path)})
    assert [Path(path).parts[-3] for path in candidates[:2]] == ["3.10.13", "3.10.9"]


def test_what_would_lose_the_bytecode_is_kept_from_the_installer():
    child = uv_tool.child_environment({"PYTHONDONTWRITEBYTECODE": "1", "LANG": "C"}, "/checkout")
    assert "PYTHONDONTWRITEBYTECODE" not in child
    assert child["LANG"] == "C"
    assert child["UV_PYTHON_INSTALL_DIR"] == "/checkout/.uv/python"


def test_missing_bytecode_is_noticed(tmp_path):
    packages = tmp_path / "lib" / "python3.10" / "site-packages"
    for name in ("fast", "slow"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").touch()
    (packages / "fast" / "__pycache__").mkdir()
    (packages / "fast" / "__pycache__" / "__init__.cpython-310.pyc").touch()
    assert install.uncompiled_packages(str(tmp_path)) == ["slow"]


@pytest.fixture
def checkout(tmp_path):
    """A checkout with a whole `.venv`."""
    (tmp_path / "requirements").mkdir()
    for name in COMPAT_PINS:
        (tmp_path / "requirements" / name).write_text("tfx==1.16.0\n")
    (tmp_path / "setup.py").write_text("setup()\n")
    program(tmp_path / ".venv" / "bin" / "python", "#!/bin/sh\n")
    compat = stacks.Choice(stacks.STACKS[1], (3, 10))
    stamp.write_stamp(str(tmp_path / ".venv"), str(tmp_path), compat, "/usr/bin/python3.10", None)
    return tmp_path


def test_a_whole_environment_is_left_alone(checkout):
    assert stamp.is_current(str(checkout), None, None)
    assert stamp.is_current(str(checkout), "compat", "/usr/bin/python3.10")


@pytest.mark.parametrize(
    "change",
    [
        lambda here: (here / "requirements" / "compat.txt").write_text("tfx==1.16.1\n"),
        lambda here: (here / "requirements" / "compat-dev.txt").unlink(),
        lambda here: (here / "requirements" / "current-py310.txt").touch(),
        lambda here: (here / "setup.py").write_text("setup(name='x')\n"),
        lambda here: (here / ".venv" / stamp.STAMP).unlink(),
        lambda here: (here / ".venv" / stamp.STAMP).write_text('{"stack"'),
        lambda here: (here / ".venv" / "bin" / "python").unlink(),
    ],
    ids=["pins", "pins gone", "new pins", "setup.py", "no stamp", "half a stamp", "no python"],
)
def test_any_change_makes_the_environment_outdated(checkout, change):
    change(checkout)
    assert not stamp.is_current(str(checkout), None, None)


def test_another_stack_or_python_than_asked_for_is_outdated(checkout):
    assert not stamp.is_current(str(checkout), "current", None)
    assert not stamp.is_current(str(checkout), None, "/usr/bin/python3.13")


def test_a_checkout_that_was_moved_is_outdated(checkout, tmp_path):
    moved = tmp_path.parent / (tmp_path.name + " moved")
    checkout.rename(moved)
    assert not stamp.is_current(str(moved), None, None)


@pytest.fixture
def copy(tmp_path):
    """A checkout in which nothing was set up."""
    copy = tmp_path / "copy"
    (copy / "requirements").mkdir(parents=True)
    for source in [*REQUIREMENTS.glob("*.py"), *REQUIREMENTS.glob("*.txt")]:
        (copy / "requirements" / source.name).write_bytes(source.read_bytes())
    return copy


def call(copy, *arguments):
    return subprocess.run(
        [sys.executable, copy / "requirements" / "install.py", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_dry_run_says_what_fits_and_builds_nothing(copy):
    done = call(copy, "--dry-run", "--python", sys.executable)
    assert done.returncode == 0, done.stderr
    assert "stack fits: TFX 1." in done.stderr + done.stdout
    assert not (copy / ".venv").exists()
    assert [entry.name for entry in (copy / ".uv").iterdir()] == ["lock"]


def test_the_script_ends_with_code_2_and_no_traceback_for_a_python_that_does_not_serve(
    copy, tmp_path
):
    shim = program(tmp_path / "python", "#!/bin/sh\nexit 127\n")
    done = call(copy, "--python", shim)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert f"{shim}, which was asked for, does not run (no output); the stack" in done.stderr
    assert not (copy / ".venv").exists()
    assert [entry.name for entry in (copy / ".uv").iterdir()] == ["lock"]
