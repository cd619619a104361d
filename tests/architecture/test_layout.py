"""The layout that docs/architecture.md describes: folders, command files, options, the one list."""

import ast
import json
import re
import subprocess
import sys
from collections import Counter

import pytest
import typer.main

from cli import app
from fareline.packages import CHECKOUT, PACKAGES, find_packages
from pipeline.settings.runners import RUNNER_NAMES, Runners
from runners.platforms.registry import PLATFORMS, Adapter

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_FILES = 15
# A file for each command, however many there are.
ONE_FILE_A_COMMAND = ("cli", "cli/lineage")
# Of cli/: what is no command.
SHARED = {"again", "__init__", "app", "options", "answer", "parser", "examples", "failures"}
APART = ("views/", "answers/")


def folders_of_python():
    files = [
        f for name in (*PACKAGES, "tests", "benchmarks") for f in (CHECKOUT / name).rglob("*.py")
    ]
    return Counter(
        f.parent.relative_to(CHECKOUT).as_posix() for f in files if f.name != "__init__.py"
    )


def test_no_folder_has_more_files_than_a_reader_takes_in():
    counted = folders_of_python()
    assert counted["pipeline/components"] > 10
    crowded = {folder: n for folder, n in counted.items() if n > MOST_FILES}
    assert {folder for folder in crowded if folder not in ONE_FILE_A_COMMAND} == set()


@pytest.mark.parametrize("package", find_packages())
def test_a_package_says_what_it_is_for_in_a_sentence_or_two(package):
    text = (CHECKOUT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(text))
    assert said
    assert len(said) < 400


def commands(group, words=()):
    """Words of each command, such as `("lineage", "diff")`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name)


def test_the_file_of_a_command_has_its_name():
    known = {
        "/".join(words).replace("-", "_") for words in commands(typer.main.get_command(app.app))
    }
    assert {"run", "lineage/diff", "lineage/explain_cache", "schema/accept"} <= known
    files = {
        f.relative_to(CHECKOUT / "cli").with_suffix("").as_posix()
        for f in (CHECKOUT / "cli").rglob("*.py")
    }
    files = {f for f in files if f.rpartition("/")[2] not in SHARED and not f.startswith(APART)}
    assert files == known


def test_an_answer_of_lineage_has_the_folder_that_its_command_names():
    answers = {f.parent.name for f in (CHECKOUT / "lineage" / "answers").glob("*/__init__.py")}
    shared = {"upstream": "chain", "downstream": "chain", "path": "chain", "explain_cache": "cache"}
    asked = {f.stem for f in (CHECKOUT / "cli" / "lineage").glob("*.py")} - SHARED
    others = {"export", "ui"}  # which write or show the whole of a store
    assert answers == {shared.get(name, name) for name in asked - others} | {"why"}


# Notes where each option of the command line is made, whatever makes it, and what parameters have.
OPTIONS_MADE = """
import json, sys
import typer.models
made, begin = [], typer.models.OptionInfo.__init__
def noted(self, *args, **kwargs):
    begin(self, *args, **kwargs)
    frame = sys._getframe(1)
    while frame.f_globals["__name__"].partition(".")[0] == "typer":
        frame = frame.f_back
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    said = [a for a in (self.default, *(self.param_decls or ())) if str(a).startswith("-")]
    made.extend((flag, where) for each in said or ["unnamed"] for flag in each.split("/"))
typer.models.OptionInfo.__init__ = noted
from cli import app
def flags(command):
    for each in getattr(command, "commands", {}).values():
        yield from flags(each)
    yield from (f for p in command.params for f in (*p.opts, *p.secondary_opts) if f[0] == "-")
had = sorted(set(flags(typer.main.get_command(app.app))))
exec(compile(PLANTED, "planted.py", "exec"))
print(json.dumps([made, had]))
"""
PLANTED = """
from functools import partial
from typer import Option as Choice
OTHER, MADE = Choice("-w", help="x"), partial(Choice, None)("--work/--workspace")
"""


def test_no_option_is_defined_twice():
    """Whatever the name of the variable, and by whatever name `typer.Option` is called."""
    code = OPTIONS_MADE.replace("PLANTED", repr(PLANTED))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    made, had = json.loads(done.stdout)
    # One that has its name from its parameter alone may have the name of another one.
    assert [where for flag, where in made if flag == "unnamed"] == []
    places = {}
    for flag, where in made:
        places.setdefault(flag.strip(), set()).add(where)
    twice = {flag for flag, where in places.items() if len(where) > 1}
    assert twice == {"-w", "--workspace"}
    assert all(len(places[flag]) == 2 and "planted.py:4" in places[flag] for flag in twice)
    assert set(had) - set(places) <= {"--install-completion", "--show-completion", "--help", "-h"}


def test_the_one_list_names_every_package():
    folders = {f.parent.name for f in CHECKOUT.glob("[!.]*/*.py")}
    assert folders - {"tests", "benchmarks", "requirements", "build"} == set(PACKAGES)
    assert {f.name for f in CHECKOUT.glob("*.py")} == {"setup.py", "fareline_script.py"}
    below = {f.parent for name in PACKAGES for f in (CHECKOUT / name).rglob("*.py")}
    assert {".".join(f.relative_to(CHECKOUT).parts) for f in below} == set(find_packages())


def test_what_cannot_read_the_one_list_agrees_with_it():
    """Configuration files hold no code: what they list is compared."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    linter = project["tool"]["importlinter"]
    assert set(linter["root_packages"]) == set(PACKAGES)
    [acyclic] = [c for c in linter["contracts"] if c["type"] == "acyclic_siblings"]
    assert set(acyclic["ancestors"]) == set(PACKAGES)
    [errors] = [w for w in project["tool"]["pytest"]["ini_options"]["filterwarnings"] if "(" in w]
    assert set(re.search(r"\((.*?)\)", errors)[1].split("|")) == set(PACKAGES)
    allowed = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in PACKAGES} <= set(allowed)
    layers = next(c for c in linter["contracts"] if c["id"] == "layers")["layers"]
    assert {name for layer in layers for name in layer.split(" | ")} == set(PACKAGES)


def test_nothing_imports_benchmarks():
    for name in (*PACKAGES, "tests"):
        for file in (CHECKOUT / name).rglob("*.py"):
            assert not re.search(
                r"^\s*(from|import) benchmarks\b", file.read_text(encoding="utf-8"), re.MULTILINE
            ), file


# Answers.


def writes_on_stdout(tree):
    """JSON made by hand, lines for stdout, consoles of one's own that are not on stderr."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        on_stderr = given.get("err") == "True" or given.get("file") == "sys.stderr"
        prints = called in ("typer.echo", "click.echo", "print", "Console") and not on_stderr
        if prints or called in ("json.dump", "json.dumps", "sys.stdout.write"):
            yield node


def test_answers_are_printed_in_one_module():
    planted = (
        "json.dumps(x)\ntyper.echo('x')\ntyper.echo('x', err=True)\nprint('x')\n"
        "print('x', file=sys.stderr)\nConsole()\nConsole(file=sys.stderr)\nconsole.print('x')"
    )
    assert [node.lineno for node in writes_on_stdout(ast.parse(planted))] == [1, 2, 4, 6]
    found = {
        file.relative_to(CHECKOUT).as_posix()
        for file in (CHECKOUT / "cli").rglob("*.py")
        if any(writes_on_stdout(ast.parse(file.read_text(encoding="utf-8"))))
    }
    assert found == {"cli/answer.py"}


# Platforms.


def test_every_platform_of_the_settings_is_in_the_registry_with_its_folder():
    assert tuple(PLATFORMS) == RUNNER_NAMES == tuple(Runners.model_fields)
    folder = CHECKOUT / "runners/platforms"
    assert {init.parent.name for init in folder.glob("*/__init__.py")} == set(PLATFORMS)
    for name, listed in PLATFORMS.items():
        asked_for = [n for n in vars(Adapter) if n in ("beam_args", "jobs", "finish", "as_text")]
        assert all(callable(getattr(listed.adapter, each)) for each in asked_for)
        assert len(asked_for) == 4
        assert isinstance(listed.adapter.BASELINE, str)
        client = ast.parse((folder / name / "client.py").read_text(encoding="utf-8"))
        assert listed.client in [n.name for n in client.body if isinstance(n, ast.ClassDef)]


# Of a compiled specification that is read, the kind is told by its text.
NAMES_OF_PLATFORMS = {"pipeline/settings/runners.py", "runners/replay/reading/document.py",
                      "runners/platforms/registry.py", "runners/submit/smoke.py"}  # fmt: skip


def test_platforms_are_told_apart_in_their_folders_only():
    named = set()
    for file in (file for package in PACKAGES for file in (CHECKOUT / package).rglob("*.py")):
        path = file.relative_to(CHECKOUT).as_posix()
        if path.startswith(tuple(f"runners/platforms/{name}/" for name in RUNNER_NAMES)):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in RUNNER_NAMES:
                named.add(path)
    assert named == NAMES_OF_PLATFORMS
