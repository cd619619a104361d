"""What is installed: the packages and data in the wheel, and the files of pins."""

import os
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fareline.packages import CHECKOUT, PACKAGES, find_packages

REQUIREMENTS = CHECKOUT / "requirements"
NOT_SHIPPED = ("tests", "benchmarks")
WEB = "report/explorer/web"
SETUP = runpy.run_path(str(CHECKOUT / "setup.py"), run_name="setup")


def packages_on_disk():
    found = set()
    for init in CHECKOUT.rglob("__init__.py"):
        parts = init.parent.relative_to(CHECKOUT).parts
        if parts[0].startswith(".") or parts[0] in (*NOT_SHIPPED, "build", "dist", "workspace"):
            continue
        found.add(".".join(parts))
    return found


def test_setup_lists_the_packages_that_are_there():
    assert set(find_packages()) == packages_on_disk()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names in a wheel built from a copy, so that nothing is left in the checkout."""
    copy = tmp_path_factory.mktemp("source")
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (CHECKOUT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((CHECKOUT / name).read_bytes())
    # What `pip wheel --no-build-isolation --no-deps` asks of the build backend; .venv has no pip.
    subprocess.run(
        [sys.executable, "-c", "from setuptools import build_meta as b; b.build_wheel('built')"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        check=True,
    )
    (path,) = (copy / "built").glob("fareline-*-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_wheel_holds_the_data_that_the_code_reads(wheel):
    assert "schema/taxi/schema.pbtxt" in wheel
    assert "pipeline/configs/taxi.yaml" in wheel
    web = {f"report/explorer/web/{path.name}" for path in (CHECKOUT / WEB).iterdir()}
    assert len(web) > 20 and web <= set(wheel)


def test_the_wheel_holds_our_packages_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel if ".dist-info/" not in name}
    assert tops == {*PACKAGES, "fareline_script.py"}
    assert not [name for name in wheel if Path(name).name.startswith(("test_", "conftest"))]


def test_the_wheel_says_what_it_is(wheel):
    (metadata,) = [text for name, text in wheel.items() if name.endswith("/METADATA")]
    version = re.search(r'__version__ = "(.+)"', wheel["fareline/__init__.py"]).group(1)
    assert f"\nVersion: {version}\n" in metadata
    assert re.search(r"^Requires-Python: (>=3.10,<3.14|<3.14,>=3.10)$", metadata, re.MULTILINE)
    (scripts,) = [text for name, text in wheel.items() if name.endswith("/entry_points.txt")]
    assert "fareline = fareline_script:main" in scripts


def stated_names(lines):
    return {
        re.split(r"[\[<>=!~ #]", line.strip())[0].lower()
        for line in lines
        if line.strip() and not line.startswith(("#", "-"))
    }


def test_what_setup_requires_is_what_the_pins_are_made_from():
    required = SETUP["STEP_REQUIRES"] + SETUP["EXTRAS"]["all"]
    common = (REQUIREMENTS / "common.in").read_text().splitlines()
    assert stated_names(common) <= stated_names(required)
    pins = (REQUIREMENTS / "compat.txt").read_text().splitlines()
    assert stated_names(required) <= stated_names(line for line in pins if "==" in line)


def test_setup_and_the_set_up_agree_on_the_stacks(monkeypatch):
    monkeypatch.syspath_prepend(str(REQUIREMENTS))
    from stacks import STACKS

    assert SETUP["SUPPORTED"] == [
        (f"{stack.name}: TFX {stack.tfx}", set(stack.pythons), stack.glibc, stack.macos_arm64)
        for stack in STACKS
    ]


@pytest.mark.parametrize(
    ("python", "system", "machine", "glibc"),
    [
        ((3, 10), "Linux", "x86_64", (2, 36)),
        ((3, 13), "Linux", "x86_64", (2, 39)),
        ((3, 12), "Darwin", "arm64", None),
    ],
)
def test_a_platform_of_either_stack_is_accepted(python, system, machine, glibc):
    assert SETUP["explain_unsupported"](python, system, machine, glibc) is None


@pytest.mark.parametrize(
    ("python", "system", "machine", "glibc", "found"),
    [
        ((3, 11), "Linux", "x86_64", (2, 36), "Python 3.11 on Linux x86_64 with glibc 2.36"),
        ((3, 14), "Linux", "x86_64", (2, 41), "Python 3.14 on Linux x86_64 with glibc 2.41"),
        ((3, 10), "Linux", "x86_64", None, "Python 3.10 on Linux x86_64;"),
        ((3, 10), "Darwin", "x86_64", None, "Python 3.10 on Darwin x86_64;"),
    ],
)
def test_any_other_platform_is_refused_in_words(python, system, machine, glibc, found):
    message = SETUP["explain_unsupported"](python, system, machine, glibc)
    assert message.startswith(f"fareline: this is {found}")
    assert "TFX has wheels for Python 3.10 on Linux x86_64 with glibc 2.17" in message
    assert "Hint: in a checkout, `make setup` finds the right Python." in message


@pytest.mark.parametrize("path", sorted(REQUIREMENTS.glob("*.txt")), ids=lambda path: path.name)
def test_every_pin_is_exact_and_hashed_and_has_no_address(path):
    text = path.read_text()
    assert "://" not in text
    entries = re.split(r"(?<!\\)\n", text.strip())
    assert len(entries) > 0
    for entry in entries:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==[^\s\\]+ ", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
