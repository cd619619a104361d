"""A command that a message or an answer names is asked of the same place when it is pasted."""

import json
import re
import shlex

import pytest
import typer.main

from cli import app as cli
from cli.again import completed, completed_hints, remember
from cli.answer import answer
from fareline.recorded.run import RunRecord
from lineage.facts.runs import command_of, log_command
from tests.stores.writer import COMPLETE, StoreWriter
from tests.unit.cli.test_habits import COMMANDS, type_line  # noqa: F401 - a fixture

ROOT = typer.main.get_command(cli.app)
WORKSPACE = "my work"


def call(command, *words):
    """As if a line was typed and is carried out now."""
    above = ROOT.make_context("fareline", [command])
    remember(COMMANDS[command].make_context(command, [*words], parent=above))


@pytest.fixture(autouse=True)
def nothing_else_was_typed():
    call("version")


@pytest.fixture
def workspace(tmp_path):
    """With one run, and its log."""
    (tmp_path / WORKSPACE / "logs").mkdir(parents=True)
    (tmp_path / WORKSPACE / "logs" / "run-1.log").touch()
    writer = StoreWriter(tmp_path / WORKSPACE / "metadata.db")
    writer.add_execution("taxi", "run-1", "Gen", state=COMPLETE)


# What is typed, and what its hint says to type.
HINTS = [
    ("runs -w 'no where'", "fareline run --workspace 'no where'"),
    ("-w'no where' status", "fareline run --workspace 'no where'"),
    ("logs run-9 -w 'my work'", "fareline lineage runs --workspace 'my work'"),
    ("lineage diff xyz qqq -w 'my work'", "fareline lineage runs --workspace 'my work'"),
    (
        "step run Trainer --run nightly --workspace 'my work'",
        "fareline step begin --run nightly --workspace 'my work'",
    ),
    ("compile vertx -c 'my.yaml' --set a.b=1", "fareline run --config my.yaml --set a.b=1"),
    # Where nothing was said, or what holds anyway, nothing is added.
    ("runs", "fareline run"),
    ("runs -w workspace", "fareline run"),
    ("submit vertx", "fareline run"),
]


@pytest.mark.parametrize(("line", "command"), HINTS, ids=[h[0] for h in HINTS])
def test_a_hint_can_be_pasted(type_line, workspace, line, command):  # noqa: F811
    code, said, complained = type_line(*shlex.split(line))
    assert (code, complained.count("\n")) == (2, 1)
    found = re.search(" Hint: .*?`(.*?)`", complained)[1]
    assert found == command
    # The line of a step says the same.
    assert json.loads(said)["error"] in complained if line.startswith("step run") else not said
    _, *words = shlex.split(found)
    count = 2 if " ".join(words[:2]) in COMMANDS else 1
    COMMANDS[" ".join(words[:count])].make_context("", words[count:])  # raises what it cannot take


def test_what_the_environment_says_is_said_too(type_line, workspace, monkeypatch):  # noqa: F811
    monkeypatch.setenv("FARELINE_WORKSPACE", WORKSPACE)
    hint = "Hint: `fareline lineage runs --workspace 'my work'` lists them."
    assert type_line("logs", "run-9")[2].strip().endswith(hint)


TOLD = [
    ("`fareline promote` undoes it", "`fareline promote --workspace 'a b'` undoes it"),
    ("`fareline step end --workspace x`", "`fareline step end --workspace x`"),
    ("`fareline settings`", "`fareline settings --config 'c d.yaml' --set a=1 --set b=2`"),
    (
        "`fareline submit vertex`",
        "`fareline submit vertex --config 'c d.yaml' --set a=1 --set b=2`",
    ),
    ("`fareline version`; `fareline lineage`", "`fareline version`; `fareline lineage`"),
    ("`fareline run --help`, fareline runs", "`fareline run --help`, fareline runs"),
    ("`make setup`", "`make setup`"),
]


@pytest.mark.parametrize(("text", "expected"), TOLD)
def test_each_command_gets_what_it_takes(text, expected, capsys):
    call("run", "-w", "a b", "-c", "c d.yaml", "--set", "a=1", "--set", "b=2")
    assert completed(text).startswith(expected)
    before_hints = f"x: as {text}; expected y. Hint: {text}.\nz: {text}"
    found = completed_hints(before_hints)
    assert found == f"x: as {text}; expected y. Hint: {completed(text)}.\nz: {text}"
    answer(False, None, text)
    answer(False, None, lambda console: console.print(text, markup=False, soft_wrap=True))
    assert capsys.readouterr().out == f"{completed(text)}\n" * 2


def test_a_page_names_the_workspace_for_the_log_and_for_the_run_again():
    record = RunRecord({"runner": "local", "overrides": '["a=1"]'}, "run-1")
    for place, added in [
        (("--workspace", "/a b"), " --workspace '/a b'"),
        (("--store", "sqlite:/x.db"), ""),  # which has no logs, and cannot be run in
        ((), ""),
    ]:
        assert log_command("run-1", "Trainer", place) == f"fareline logs run-1 Trainer{added}"
        assert command_of(record, place) == f"fareline run --set a=1{added}"
