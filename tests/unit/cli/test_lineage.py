"""`lineage` inputs, verify, prune, explain-cache, reproduce: exit codes, JSON, what is drawn."""

import json
import signal
import subprocess
import sys

import filelock
import pytest
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import UserMistake
from fareline.packages import CHECKOUT
from lineage.store.open import open_store
from tests.stores.writer import FAILED, RUNNING, StoreWriter, artifact


class Asked:
    """A workspace with three runs of one node, and its answers."""

    def __init__(self, folder):
        self.folder = folder
        self.writer = StoreWriter(folder / "metadata.db")
        for number in (1, 2, 3):
            uri = folder / "artifacts" / "Gen" / "examples" / str(number)
            uri.mkdir(parents=True)
            (uri / "file").write_text("payload")
            execution = self.writer.add_execution(
                "taxi",
                f"run-{number}",
                "Gen",
                outputs={"examples": [artifact(uri)]},
                note=f"[bold]{number}",
            )
            self.writer.add_cache_key(execution, f"key {number}")

    def ask(self, *words, workspace=True):
        place = ["--workspace", str(self.folder)] if workspace else []
        return CliRunner().invoke(cli.app, ["lineage", *words, *place])

    def json(self, *words):
        return json.loads(self.ask(*words, "--json").stdout)

    def states(self):
        artifacts = open_store(self.folder / "metadata.db").get_artifacts()
        return [found.state for found in sorted(artifacts, key=lambda a: a.id)]


@pytest.fixture
def asked(tmp_path):
    return Asked(tmp_path)


def test_prune_shows_first_and_does_when_told(asked):
    shown = asked.ask("prune", "--keep", "1")
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[-2:] == [
        "runs kept: 1, older ones: 2; artifacts to remove: 2, bytes: 14",
        "No payload was deleted; --yes deletes them.",
    ]
    assert shown.stdout.splitlines()[1].split() == [
        "Examples:1",
        "run-1",
        "7",
        "artifacts/Gen/examples/1",
    ]
    assert asked.states() == [2, 2, 2]

    done = asked.json("prune", "--keep", "1", "--yes")
    folder = asked.folder / "artifacts" / "Gen" / "examples"
    assert done == {
        "done": True,
        "bytes": 14,
        "kept_runs": ["run-3"],
        "pruned_runs": ["run-1", "run-2"],
        "artifacts": [
            {"id": f"Examples:{n}", "runs": [f"run-{n}"], "uri": f"{folder}/{n}", "bytes": 7}
            for n in (1, 2)
        ],
        "unfinished": [],
        "quarantines": [],
        "checkpoints": [],
        "protected": [],
        "left": [],
        "failed": [],
    }
    assert [path.name for path in folder.iterdir()] == ["3"]
    assert asked.states() == [4, 4, 2]
    assert asked.json("prune", "--keep", "1")["artifacts"] == []


def test_prune_takes_the_quarantine_of_failed_runs_with_it(asked):
    folder = asked.folder / "artifacts" / "Gen" / "quarantine"
    folder.mkdir()
    old, new = (asked.writer.add_execution("taxi", f"run-{n}", "Gen", FAILED) for n in (4, 5))
    names = [f"{old}.jsonl", f"{new}.jsonl", "notes.jsonl"]
    for name in names:
        (folder / name).write_text("a row\n")
    expected = [{"path": f"{folder}/{old}.jsonl", "run": "run-4", "bytes": 6}]
    shown = asked.ask("prune", "--keep", "1").stdout
    assert shown.splitlines()[-2] == (
        "runs kept: 1, older ones: 4; artifacts to remove: 3, bytes: 27; "
        "files of quarantined rows: 1"
    )
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    done = asked.json("prune", "--keep", "1", "--yes")
    assert (done["quarantines"], done["failed"]) == (expected, [])
    assert sorted(path.name for path in folder.iterdir()) == sorted(names[1:])
    assert asked.json("prune", "--keep", "1")["quarantines"] == []


def test_prune_takes_the_checkpoint_of_a_killed_trainer_of_an_old_run(asked):
    folder = asked.folder / "artifacts" / "Trainer" / "checkpoints"
    folder.mkdir(parents=True)
    old, new = (asked.writer.add_execution("taxi", f"run-{n}", "Trainer", FAILED) for n in (4, 5))
    names = [f"{old}-abc.npz", f"{new}-abc.npz", f"{old}.npz", f".pruned-{old}-cut.npz"]
    for name in names:
        (folder / name).write_text("weights")
    shown = asked.ask("prune", "--keep", "1").stdout
    assert shown.splitlines()[-2].endswith("; checkpoints: 2")
    done = asked.json("prune", "--keep", "1", "--yes")
    assert [file["path"] for file in done["checkpoints"]] == [
        f"{folder}/{old}-abc.npz",
        f"{folder}/{old}-cut.npz",
    ]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names[1:3])


def test_prune_leaves_a_quarantine_that_lies_behind_a_link(asked, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (asked.folder / "artifacts" / "Gen" / "quarantine").symlink_to(elsewhere)
    execution = asked.writer.add_execution("taxi", "run-0", "Gen", FAILED)
    asked.writer.add_execution("taxi", "run-9", "Gen")
    (elsewhere / f"{execution}.jsonl").write_text("a row\n")
    assert asked.json("prune", "--keep", "1", "--yes")["quarantines"] == []
    assert [path.name for path in elsewhere.iterdir()] == [f"{execution}.jsonl"]


def test_prune_pins_by_any_id(asked):
    done = asked.json("prune", "--keep", "1", "--yes", "--pin", "Examples:1")
    assert [entry["id"] for entry in done["artifacts"]] == ["Examples:2"]
    assert done["protected"] == [{"id": "Examples:1", "why": "pinned by --pin"}]


def test_prune_refuses_while_a_run_holds_the_workspace(asked):
    (asked.folder / ".lock-owner").write_text("4711")
    with filelock.FileLock(asked.folder / ".lock"):
        assert asked.ask("prune", "--keep", "1").exit_code == 0
        refused = asked.ask("prune", "--keep", "1", "--yes")
        words = ["--store", str(asked.folder / "metadata.db")]
        words += ["--root", str(asked.folder / "artifacts")]
        also_refused = asked.ask("prune", "--keep", "1", "--yes", *words, workspace=False)

    for answer in (refused, also_refused):
        assert isinstance(answer.exception, UserMistake)
        assert "another run is using it (process 4711)" in str(answer.exception)
    assert asked.states() == [2, 2, 2]


def test_prune_of_a_named_store_wants_the_root_named(asked):
    words = ["--store", str(asked.folder / "metadata.db")]
    refused = asked.ask("prune", "--keep", "1", *words, workspace=False)
    assert str(refused.exception) == (
        "--store: it is not said where the payloads of this store are; expected --root too. "
        "Hint: name the pipeline root; nothing outside of it is touched."
    )

    refused = asked.ask("prune", "--keep", "1", "--root", str(asked.folder / "none"))
    assert "none: no such folder; expected the pipeline root" in str(refused.exception)
    refused = asked.ask("prune", "--keep", "1", "--yes", "--root", "/")
    assert "/: is the whole file system; expected the pipeline root" in str(refused.exception)

    words += ["--root", str(asked.folder / "artifacts"), "--yes"]
    assert asked.ask("prune", "--keep", "1", *words, workspace=False).exit_code == 0
    assert asked.states() == [4, 4, 2]


def test_a_prune_that_is_killed_between_marking_and_removing_is_completed(asked):
    killed_at_the_first_rename = (
        "import os, signal, sys; from cli.app import main; "
        "os.rename = lambda *paths: os.kill(os.getpid(), signal.SIGKILL); main()"
    )
    words = ["lineage", "prune", "--keep", "1", "--yes", "--workspace", str(asked.folder)]
    killed = subprocess.run(
        [sys.executable, "-c", killed_at_the_first_rename, *words], check=False, cwd=CHECKOUT
    )
    assert killed.returncode == -signal.SIGKILL
    assert asked.states() == [4, 4, 2]
    folder = asked.folder / "artifacts" / "Gen" / "examples"
    assert sorted(path.name for path in folder.iterdir()) == ["1", "2", "3"]

    found = asked.json("verify")["findings"]
    assert [(f["check"], f["id"]) for f in found] == [
        ("deleted_but_there", "Examples:1"),
        ("deleted_but_there", "Examples:2"),
    ]
    done = asked.json("prune", "--keep", "1", "--yes")
    assert [entry["id"] for entry in done["unfinished"]] == ["Examples:1", "Examples:2"]
    assert [path.name for path in folder.iterdir()] == ["3"]
    assert asked.json("verify")["findings"] == []


def test_prune_keeps_at_least_one_run(asked):
    assert asked.ask("prune", "--keep", "0", "--yes").exit_code == 2
    assert asked.ask("prune", "--yes").exit_code == 2
    assert asked.states() == [2, 2, 2]


def test_verify_ends_with_3_if_there_is_an_error(asked):
    sound = asked.ask("verify")
    assert (sound.exit_code, sound.stdout) == (
        0,
        "3 artifacts, 3 executions, 3 events; 0 compared by SHA-256\n"
        "0 errors, 0 warnings, 0 notes\n",
    )

    folder = asked.folder / "artifacts" / "Gen" / "examples" / "2"
    (folder / "file").unlink()
    folder.rmdir()
    broken = asked.ask("verify")
    assert broken.exit_code == 3
    assert broken.stdout.splitlines()[:2] == [
        f"error    Examples:2: is LIVE, and its payload is missing: {folder}",
        "         To do: restore it from a backup, or run the pipeline again, which executes "
        "what is missing.",
    ]
    assert asked.json("verify", "--no-hash")["errors"] == 1


def test_verify_knows_a_crash_at_once_where_no_run_holds_the_workspace(asked):
    asked.writer.add_execution("taxi", "run-4", "Trainer", RUNNING)
    [finding] = asked.json("verify")["findings"]
    assert (finding["check"], finding["severity"]) == ("running", "note")

    with filelock.FileLock(asked.folder / ".lock"):
        assert asked.json("verify")["findings"] == [finding]
    [finding] = asked.json("verify")["findings"]
    assert (finding["check"], finding["id"]) == ("abandoned", "Trainer@run-4")
    assert finding["what"].endswith("and a crash left it so: no run is at work here")
    assert asked.ask("verify").exit_code == 3


def test_inputs_ends_with_3_if_something_differs(asked):
    asked.writer.add_execution("taxi", "run-3", "Trainer", inputs=[("examples", 3)])
    same = asked.ask("inputs", "Trainer@run-3")
    assert (same.exit_code, same.stdout.splitlines()[-1]) == (0, "no change")

    (asked.folder / "artifacts" / "Gen" / "examples" / "3" / "file").unlink()
    (asked.folder / "artifacts" / "Gen" / "examples" / "3").rmdir()
    gone = asked.ask("inputs", "Trainer@run-3")
    assert (gone.exit_code, gone.stdout.splitlines()[-1]) == (
        3,
        "some inputs have changed or are missing",
    )
    assert asked.json("inputs", "Trainer@run-3")["inputs"][0]["payload"] == "missing"


def test_explain_cache_shows_markup_as_text(asked):
    answer = asked.ask("explain-cache", "latest", "Gen")
    assert answer.exit_code == 0
    assert answer.stdout == (
        "Gen@run-3 executed (compared with Gen@run-2)\n   note is [bold]3, was [bold]2\n"
    )
    assert asked.json("explain-cache", "run-1", "Gen")["reason"] == "first"


def test_reproduce_of_a_stock_store(asked, tmp_path):
    outputs = {"model": [artifact("/x")]}
    asked.writer.add_execution("taxi", "run-3", "Trainer", outputs=outputs)

    answer = asked.ask("reproduce", "latest")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        "Model:4, made by Trainer@run-3",
        "  not recorded: the settings",
        "  not recorded: the git commit",
        "  not recorded: the fingerprint of the code",
        "  not recorded: the stack and Python",
        "  not recorded: the data files with their SHA-256",
        "  not recorded: its metrics",
        "  its parameters and inputs: fareline lineage inputs Trainer@run-3 "
        f"--workspace {tmp_path}",
    ]

    refused = asked.ask("reproduce", "Model:4", "--check")
    assert "Model:4: the settings were not recorded" in str(refused.exception)
    refused = asked.ask("reproduce", "Model:4", "--settings-out", str(tmp_path / "out.yaml"))
    assert "Model:4: the settings were not recorded" in str(refused.exception)


def test_reproduce_writes_the_settings(asked, tmp_path):
    outputs = {"model": [artifact("/x")]}
    asked.writer.add_execution("taxi", "run-3", "Trainer", outputs=outputs)
    asked.writer.record_run("run-3", settings="name: täxi\n")

    answer = asked.ask("reproduce", "Model:4", "--settings-out", str(tmp_path / "out.yaml"))
    assert answer.exit_code == 0
    assert (tmp_path / "out.yaml").read_text(encoding="utf-8") == "name: täxi\n"

    refused = asked.ask("reproduce", "Model:4", "--settings-out", str(tmp_path))
    assert "cannot be written (Is a directory)" in str(refused.exception)
