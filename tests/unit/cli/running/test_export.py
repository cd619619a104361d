"""`fareline lineage export`: where it writes, what it refuses, and that it never half writes."""

import json
import os

import pytest
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import UserMistake
from tests.stores.of_exports import two_runs

FORMATS = ("dot", "mermaid", "json", "openlineage")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return two_runs(tmp_path_factory.mktemp("export") / "metadata.db")


def export(store, *arguments):
    result = CliRunner().invoke(cli.app, ["lineage", "export", "--store", store, *arguments])
    if isinstance(result.exception, UserMistake):
        raise result.exception
    return result


@pytest.fixture
def run(store):
    return lambda *arguments: export(str(store), *map(str, arguments))


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_holds_what_stdout_would(run, tmp_path, name):
    on_stdout = run("--format", name, "--all")
    path = tmp_path / "out"
    path.write_text("what was there before")
    written = run("--format", name, "--all", "-o", path)
    assert (on_stdout.exit_code, written.exit_code) == (0, 0)
    assert path.read_bytes() == on_stdout.stdout_bytes
    assert written.stdout == ""
    assert written.stderr == f"{path}: {path.stat().st_size:,} bytes\n"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("name", ["html", *FORMATS])
def test_json_says_what_was_written(run, tmp_path, name):
    path = tmp_path / "out"
    written = run("--format", name, "-o", path, "--json")
    size = path.stat().st_size
    assert json.loads(written.stdout) == {"format": name, "output": str(path), "bytes": size}
    assert written.stderr == ""
    if name == "json":
        assert json.loads(run("--json").stdout) == json.loads(path.read_text())
        return
    with pytest.raises(UserMistake, match=f"--json: given with {name} on stdout; expected nothing"):
        run("--format", name, "--json")


def test_json_of_the_last_run_is_the_default(run):
    content = json.loads(run().stdout)
    assert content["scope"] == "run-2"
    assert json.loads(run("run-1").stdout)["scope"] == "run-1"
    assert json.loads(run("Trainer@run-1").stdout)["scope"] == "Trainer@run-1"
    assert json.loads(run("--all").stdout)["scope"] == "store"


def test_a_link_stays_a_link_to_what_is_replaced(run, tmp_path):
    (tmp_path / "real.dot").write_text("old")
    (tmp_path / "link.dot").symlink_to("real.dot")
    assert run("--format", "dot", "-o", tmp_path / "link.dot").exit_code == 0
    assert (tmp_path / "link.dot").is_symlink()
    assert (tmp_path / "real.dot").read_text().startswith("// run-2\ndigraph {")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "{folder}/none/x.dot"], "none: no such folder; expected one."),
        (["-o", "{folder}"], "is not a file; expected one to replace. Hint: name a file in it."),
        (["-o", "/dev/null"], "/dev/null: is not a file; expected one to replace."),
        (["run-1", "--all"], "run-1: given with --all; expected one of them."),
        (["Model:9"], "Model:9: is not in the store"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(run, tmp_path, arguments, said):
    with pytest.raises(UserMistake) as mistake:
        run(*(argument.format(folder=tmp_path) for argument in arguments))
    assert said in str(mistake.value)
    assert "\n" not in str(mistake.value)
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_written_leaves_the_old_file(run, tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    path.write_text("old")

    def refuse(part, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(UserMistake, match=r"cannot be written \(No space left on device\)"):
        run("-o", path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["run.json"]
