"""Where an answer is to be written is looked at before the work whose end it is."""

import os
import re

import pytest
from typer.testing import CliRunner

from cli import app as cli
from cli import compile as compile_command
from fareline.errors import UserMistake
from lineage.exports import scope
from runners import contract

COMMANDS = {
    "compile kubeflow": ["-o", "{place}.yaml"],
    "compile vertex": ["-o", "{place}.json"],
    "data sample": ["-o", "{place}"],
    "lineage export": ["-o", "{place}", "--workspace", "{folder}/ws"],
    "schema infer": ["-o", "{place}", "{folder}/rows.csv"],
    "schema propose": ["-o", "{place}", "{folder}/rows.csv"],
}
# A place that cannot be written, and what is said of it.
PLACES = {
    "missing/x": "no such folder; expected one",
    "file/x": "is not a folder; expected one",
    "n" * 300: "is too long (255 at most); expected a shorter one",
}


def mistake_of(words):
    ran = CliRunner().invoke(cli.app, words)
    assert isinstance(ran.exception, UserMistake), ran.exception
    return str(ran.exception)


@pytest.fixture
def no_work(monkeypatch):
    """What takes long may not begin."""

    def begun(*_, **__):
        raise AssertionError("the work has begun")

    monkeypatch.setattr(compile_command, "compile_quietly", begun)
    for name in ("read_rows", "read_contract"):
        monkeypatch.setattr(contract, name, begun)
    monkeypatch.setattr(scope, "around", begun)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path, no_work, command, place):
    (tmp_path / "file").write_text("x")
    given = [w.format(place=tmp_path / place, folder=tmp_path) for w in COMMANDS[command]]
    if command == "schema infer" and place == "missing/x":
        pytest.skip("it makes the folder")
    said = mistake_of([*command.split(), *given])
    assert PLACES[place] in said
    assert "\n" not in said
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("place", [".", "..", "/", "", "made/"])
@pytest.mark.parametrize(
    "command", [*COMMANDS, "export airflow", "export argo", "export luigi", "export celery"]
)
def test_a_folder_is_no_file_to_write(tmp_path, no_work, monkeypatch, command, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()
    given = [
        word.replace("{place}.yaml", place).replace("{place}.json", place)
        for word in COMMANDS.get(command, ["-o", "{place}"])
    ]
    said = mistake_of([*command.split(), *(w.format(place=place, folder=tmp_path) for w in given)])
    assert re.search("(is a folder|is not a file|already exists); expected ", said)
    assert "\n" not in said


@pytest.mark.parametrize("command", ["compile kubeflow", "compile vertex"])
def test_the_default_place_is_looked_at_as_well(tmp_path, no_work, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    for ending in ("yaml", "json"):
        (tmp_path / f"chicago-taxi.{ending}").mkdir()
    (tmp_path / "chicago-taxi").mkdir()  # in nobody's way
    assert "chicago-taxi" in (said := mistake_of(command.split()))
    assert "is a folder; expected a file" in said


def test_predict_and_generated_data_refuse_at_once_too(tmp_path):
    (tmp_path / "in.csv").write_text("a\n1\n")
    (tmp_path / "ws/serving/chicago-taxi/1").mkdir(parents=True)
    (tmp_path / "ws/serving/chicago-taxi/1/saved_model.pb").write_text("no model")
    words = ["predict", "--input", tmp_path / "in.csv", "--workspace", tmp_path / "ws"]
    said = mistake_of([*map(str, words), "-o", f"{tmp_path}/none/out.csv"])
    assert "its folder is not there" in said
    said = mistake_of(["data", "generate", "--rows", "1", "-o", f"{tmp_path}/none/rows"])
    assert "would be in a folder that is not there" in said
