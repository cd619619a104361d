"""Answers where the terminal, the locale or the shell is not what one is used to."""

import json
import os
import subprocess
import sys

import pytest

from fareline.packages import CHECKOUT
from tests.stores.writer import StoreWriter, artifact


@pytest.fixture
def store(tmp_path):
    writer = StoreWriter(tmp_path / "metadata.db")
    examples = artifact(tmp_path / "examples", note="año → \u2028")
    writer.add_execution("taxi", "run-1", "Gen", outputs={"examples": [examples]})
    [examples] = writer.artifact_ids
    model = {"model": [artifact(tmp_path / "model")]}
    writer.add_execution("taxi", "run-1", "Trainer", outputs=model, inputs=[("examples", examples)])
    return tmp_path / "metadata.db"


def ask(*words, shell="", **environment):
    command = f'exec "$0" -m cli.app lineage "$@" {shell}'
    return subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, *words],
        cwd=CHECKOUT,
        env=os.environ | environment,
        capture_output=True,
        timeout=60,
    )


def test_a_locale_without_arrows_gets_question_marks(store):
    place = ("--store", f"sqlite:{store}")
    answer = ask("path", "Examples:1", "Model:2", *place, PYTHONIOENCODING="ascii")
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert b"  ? Trainer@run-1 (examples)" in answer.stdout

    as_json = ask("show", "Examples:1", "--json", *place, PYTHONIOENCODING="latin-1")
    assert json.loads(as_json.stdout)["properties"]["note"] == "año → \u2028"


def test_stdout_may_be_closed(store):
    answer = ask("runs", "--store", f"sqlite:{store}", shell=">&-")
    assert b"Traceback" not in answer.stderr


def test_an_empty_store_option_is_not_the_workspace(store):
    answer = ask("runs", "--workspace", str(store.parent), "--store", "")
    assert (answer.returncode, answer.stdout) == (2, b"")
    said = answer.stderr.decode()
    assert said == "fareline: --store: is empty; expected a URI. Hint: leave --store out.\n"


def test_ids_are_whole_in_a_narrow_pipe(store):
    answer = ask(
        "inputs", "Trainer@run-1", "--store", f"sqlite:{store}",
        COLUMNS="40", TERM="xterm", FORCE_COLOR="1",
    )  # fmt: skip
    assert answer.returncode == 3  # the payload is not there
    assert "…".encode() not in answer.stdout
