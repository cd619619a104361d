"""The command line as a user meets it: answers on stdout, one line per mistake, exit codes.

Most tests run the command itself, as the `fareline` script does.
"""

import json
import os
import re
import subprocess
import sys

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import fareline
from cli import app as cli
from cli.answers import answers
from data.taxi import taxi_csv_path
from fareline.errors import FarelineError, UserMistake
from fareline.packages import CHECKOUT
from pipeline.settings.settings import DEFAULT_PATH
from runners.workspace import Workspace
from tests.forked import run_forked
from tests.stores.writer import CACHED, COMPLETE, StoreWriter

HEADER = (
    "pickup_community_area,fare,trip_start_month,trip_start_hour,trip_start_day,"
    "trip_start_timestamp,pickup_latitude,pickup_longitude,dropoff_latitude,dropoff_longitude,"
    "trip_miles,dropoff_community_area,payment_type,company,trip_seconds,tips"
)


def fareline_(*arguments, folder):
    """Runs the command in a folder."""
    return run_forked(
        [sys.executable, "-m", "cli.app", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "100", "NO_COLOR": "1"},
    )


def refusal(ran):
    """What was said of a mistake: one message on stderr, and nothing else anywhere."""
    assert ran.returncode == 2, ran.stderr
    assert ran.stdout == ""
    assert ran.stderr.startswith("fareline: ")
    assert ran.stderr.count("fareline: ") == 1
    assert "Traceback" not in ran.stderr
    return ran.stderr.removeprefix("fareline: ").removesuffix("\n")


# Mistakes: one line, exit code 2, nothing started.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "training.step=5"],
            "--set training.step: unknown setting; did you mean steps? "
            "expected one of steps, batch_size, evaluate_every, patience, warm_start.",
        ),
        (
            ["--set", "training.steps=many"],
            "--set training.steps: found 'many'; expected a whole number.",
        ),
        (
            ["--set", "evaluation.thresholds.auc.at_least=94"],
            "--set evaluation.thresholds.auc.at_least: found 94; expected at most 1.",
        ),
        (
            ["--set", "seed=-1", "--set", "name=A"],
            "--set name: found 'A'; expected lower-case letters, digits and hyphens, "
            "not first a hyphen.\n--set seed: found -1; expected at least 0.",
        ),
        (
            ["--set", "features.numeric.fares={}"],
            "--set features.numeric.fares: no column fares in the schema; "
            "expected one of its columns. Hint: did you mean fare.",
        ),
        (
            ["--set", "schema=taxy"],
            "schema 'taxy': there is no curated schema of that name; expected one of taxi, "
            "or a path. Hint: the nearest is 'taxi'.",
        ),
        (
            ["--config", "mine.yaml"],
            "mine.yaml: cannot be read (No such file or directory); expected a settings file. "
            "Hint: copy pipeline/configs/taxi.yaml and change that.",
        ),
    ],
)
def test_wrong_settings(tmp_path, arguments, message):
    ran = fareline_("run", "--json", *arguments, folder=tmp_path)
    assert refusal(ran) == message
    assert list(tmp_path.iterdir()) == []


def csv_refusal(folder, name):
    ran = fareline_("run", "--set", f"data.source.csv={name}", folder=folder)
    assert not (folder / "workspace").exists()
    return refusal(ran)


def test_data_that_is_not_there(tmp_path):
    assert csv_refusal(tmp_path, "trips") == (
        f"{tmp_path}/trips: there is no such file or folder; expected a CSV file or a folder of "
        "*.csv. Hint: check the source's path."
    )


def test_an_empty_folder_of_data(tmp_path):
    (tmp_path / "trips").mkdir()
    assert csv_refusal(tmp_path, "trips") == (
        f"{tmp_path}/trips: the folder holds no file named *.csv; expected a CSV file or a folder "
        "of *.csv. Hint: put the files directly into the folder, with names that end in .csv."
    )


def test_data_with_a_header_only(tmp_path):
    (tmp_path / "trips.csv").write_text(f"{HEADER}\n")
    assert csv_refusal(tmp_path, "trips.csv") == (
        f"{tmp_path}/trips.csv: the file has a header and no row; expected at least one row. "
        "Hint: export the file again, or take it out of the source."
    )


def test_data_without_the_columns_of_the_label(tmp_path):
    header = HEADER.replace(",tips", ",tip")
    (tmp_path / "trips.csv").write_text(f"{header}\n{'1,' * 15}1\n")
    assert csv_refusal(tmp_path, "trips.csv") == (
        f"{tmp_path}/trips.csv: lacks the required column 'tips'; expected it among the columns "
        "found (16). Hint: nearest to 'tips' is 'tip'."
    )


def test_a_workspace_that_cannot_be_written(tmp_path):
    (tmp_path / "ws").write_text("a file")
    assert refusal(fareline_("run", "--workspace", "ws", folder=tmp_path)) == (
        f"{tmp_path}/ws: cannot be written (File exists); expected a folder to write to. "
        "Hint: name another --workspace."
    )


def test_a_workspace_that_is_in_use(tmp_path):
    with Workspace(tmp_path / "ws").locked():
        before = sorted(tmp_path.rglob("*"))
        ran = fareline_("run", "--json", "--workspace", "ws", folder=tmp_path)
        assert refusal(ran) == (
            f"{tmp_path}/ws: another run is using it (process {os.getpid()}); expected a workspace "
            "of its own for each run at a time. Hint: wait for it to end, or name another "
            "--workspace."
        )
        assert sorted(tmp_path.rglob("*")) == before


def test_debug_shows_where_a_mistake_was_found_before_the_line(tmp_path):
    ran = fareline_("--debug", "run", "--set", "seed=-1", folder=tmp_path)
    assert ran.returncode == 2
    lines = ran.stderr.splitlines()
    assert "Traceback (most recent call last):" in lines
    assert any(line.startswith("fareline.errors.SettingsError: ") for line in lines)
    assert lines[-1] == "fareline: --set seed: found -1; expected at least 0."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--sett", "a=1"], "No such option: --sett"),
        (["runn"], "No such command 'runn'"),
        (["lineage", "run"], "No such command 'run'"),
        (["run", "--set"], "Option '--set' requires an argument"),
        (["run", "surplus"], "unexpected extra argument"),
    ],
)
def test_a_mistyped_command_line(tmp_path, arguments, said):
    ran = fareline_(*arguments, folder=tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


# Answers.


@pytest.fixture
def workspace(tmp_path):
    """A workspace with one recorded run."""
    (tmp_path / "workspace").mkdir()
    writer = StoreWriter(tmp_path / "workspace" / "metadata.db")
    nodes = {"ExampleGen": (CACHED, 0.125), "Trainer": (COMPLETE, 30)}
    writer.add_run("taxi", "run-1", 1_767_268_800_000, nodes)
    return tmp_path / "workspace"


@pytest.mark.parametrize("named", [True, False])
def test_lineage_runs_as_json(workspace, named):
    option = ["--workspace", workspace.name] if named else []
    ran = fareline_("lineage", "runs", "--json", *option, folder=workspace.parent)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == [
        {
            "run_id": "run-1",
            "pipeline": "taxi",
            "started": "2026-01-01T12:00:00+00:00",
            "ended": "2026-01-01T12:00:30+00:00",
            "seconds": 30.0,
            "status": "complete",
            "outcome": None,
            "nodes": [
                {"name": "ExampleGen", "state": "cached", "seconds": 0.125},
                {"name": "Trainer", "state": "executed", "seconds": 30.0},
            ],
            "missing": [],
            "examples": [],
            "models": [],
            "blessed": None,
            "refused_by": [],
            "pushed": [],
            "sample": None,
            "graph": None,
            "is_part": False,
        }
    ]


def test_lineage_runs_as_a_table(workspace):
    ran = fareline_("lineage", "runs", folder=workspace.parent)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [" ".join(line.split()) for line in ran.stdout.splitlines()] == [
        "run pipeline started (UTC) took status executed cached failed span model blessed pushed",
        "run-1 taxi 2026-01-01 12:00:00 30 s complete 1 1 0 - - - -",
    ]


def test_lineage_of_a_workspace_without_a_store(tmp_path):
    assert refusal(fareline_("lineage", "runs", "--json", folder=tmp_path)) == (
        f"{tmp_path}/workspace/metadata.db: no such file; expected a metadata store. "
        "Hint: run `fareline run` first, or name another --workspace."
    )
    assert list(tmp_path.iterdir()) == []


def test_version(tmp_path):
    ran = fareline_("version", folder=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{fareline.__version__}\n", "")


def test_streams_that_are_closed_are_no_failure():
    line = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-m", "fareline", "version"]
    assert subprocess.run(line, cwd=CHECKOUT, timeout=60).returncode == 0


def test_doctor_as_json(tmp_path):
    ran = fareline_("doctor", "--json", folder=tmp_path)
    answer = json.loads(ran.stdout)
    assert ran.returncode == (0 if answer["can_run"] else 1)
    assert ran.stderr == ""
    assert [f["what"] for f in answer["findings"]][:3] == ["python", "C library", "tfx"]


def all_commands(group=None, words=()):
    """The words of every command, groups included."""
    import typer.main

    group = group or typer.main.get_command(cli.app)
    yield words
    for name, command in getattr(group, "commands", {}).items():
        yield from all_commands(command, (*words, name))


def test_the_commands_are_found():
    assert {(), ("run",), ("doctor",), ("version",), ("lineage",), ("lineage", "runs")} <= set(
        all_commands()
    )


@pytest.mark.parametrize("words", list(all_commands()), ids=" ".join)
def test_help_of_every_command_says_what_it_does(words):
    shown = CliRunner().invoke(cli.app, [*words, "--help"], prog_name="fareline")
    assert shown.exit_code == 0
    usage, _, rest = shown.output.strip().partition("\n")
    assert " ".join(usage.split()).startswith(" ".join(["Usage: fareline", *words]))
    said = rest.strip().splitlines()[0].strip()
    assert said.endswith(".") or len(said) > 60  # a sentence, or its first line


@pytest.mark.parametrize("words", [(), ("lineage",)])
def test_without_a_command_there_is_help(words, tmp_path):
    ran = fareline_(*words, folder=tmp_path)
    assert "Usage: fareline" in ran.stdout + ran.stderr
    assert re.search(r"─ (Commands|Run) ─", ran.stdout)


# `run` with the run itself put aside: what it is asked for, what it prints, how it ends.


class FakeOutcome:
    def __init__(self, status):
        self.status = status

    def as_json(self):
        return {"status": self.status}


@pytest.fixture
def fake_run(monkeypatch):
    """Replaces the run by an outcome of a status; collects what was requested."""
    # What it answers is no whole answer.
    monkeypatch.setitem(answers.ANSWERS, "run", dict[str, str])
    from runners.local import run

    requests = []

    def install(status):
        def run_locally(request, source):
            requests.append((request, source))
            return FakeOutcome(status), Console(stderr=True)

        monkeypatch.setattr(run, "run_locally", run_locally)
        return requests

    return install


@pytest.mark.parametrize(("status", "code"), [("pushed", 0), ("refused", 3), ("failed", 1)])
def test_run_ends_with_the_exit_code_of_its_outcome(fake_run, tmp_path, status, code):
    requests = fake_run(status)
    arguments = ["run", "--json", "--workspace", str(tmp_path), "--set", "seed=7"]
    ran = CliRunner().invoke(cli.app, arguments)
    assert (ran.exit_code, json.loads(ran.stdout)) == (code, {"status": status})
    [(request, source)] = requests
    assert request.settings.seed == 7
    assert (request.workspace.root, request.use_cache) == (tmp_path, True)
    assert [file.name for file in source.files] == ["data.csv"]


def test_no_cache_and_other_settings_are_passed_on(fake_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine.yaml"
    mine.write_text(DEFAULT_PATH.read_text().replace("name: chicago-taxi", "name: mine"))
    requests = fake_run("pushed")
    CliRunner().invoke(cli.app, ["run", "--json", "--no-cache", "--config", "mine.yaml"])
    [(request, _)] = requests
    assert (request.settings.name, request.settings.path) == ("mine", mine)
    assert (request.workspace.root, request.use_cache) == (tmp_path / "workspace", False)


def test_a_span_is_a_setting_like_others_and_wins_over_them(fake_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        (tmp_path / f"span-{number}").mkdir()
        (tmp_path / f"span-{number}" / "trips.csv").write_bytes(taxi_csv_path().read_bytes())
    source = ["--set", "data.source.csv=span-{SPAN}/*.csv"]
    requests = fake_run("pushed")
    for words, span in (
        (["--span", "2"], 2),
        (["--set", "data.span=2", "--span", "1"], 1),
        ([], None),
    ):
        ran = CliRunner().invoke(cli.app, ["run", "--json", *source, *words])
        assert ran.exit_code == 0, ran.output
        request, found = requests[-1]
        assert request.settings.data.span == span
        assert ("data.span=1" in request.overrides) == (span == 1)
        # The latest, where nobody says which.
        assert [file.parent.name for file in found.files] == [f"span-{span or 2}"]


def test_a_span_that_is_not_there_starts_nothing(fake_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "span-1").mkdir()
    (tmp_path / "span-1" / "trips.csv").write_bytes(taxi_csv_path().read_bytes())
    requests = fake_run("pushed")
    words = ["run", "--set", "data.source.csv=span-{SPAN}/*.csv", "--span"]
    ran = CliRunner().invoke(cli.app, [*words, "3"])
    assert isinstance(ran.exception, UserMistake)
    assert str(ran.exception) == (
        f"{tmp_path}/span-{{SPAN}}/*.csv, span 3: is not there; expected one of 1. Hint: name one "
        "of these with data.span, or leave it out for the latest."
    )
    assert CliRunner().invoke(cli.app, [*words, "-1"]).exit_code == 2
    assert requests == []


# What ends a command otherwise.


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserMistake("a: found b; expected c."), 2, "fareline: a: found b; expected c."),
        (FarelineError("a failed."), 1, "fareline: a failed."),
        (KeyboardInterrupt(), 130, "fareline: interrupted"),
        (typer.Abort(), 130, "fareline: interrupted"),
        (
            ZeroDivisionError("by zero"),
            1,
            "fareline: ZeroDivisionError: by zero "
            "(a defect; `fareline --debug …` shows the traceback)",
        ),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_errors_become_one_line_and_a_code(monkeypatch, capsys, error, code, line, debug):
    def fail(**options):
        raise error

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(cli._Debug, "on", debug)
    assert cli._run_app() == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == line
    shown = debug and not isinstance(error, KeyboardInterrupt | typer.Abort)
    assert ("Traceback (most recent call last):" in err) == shown
    assert (err.splitlines() == [line]) == (not shown)


def test_a_file_that_is_given_up_at_its_first_line_ends_with_one_line_each_time(tmp_path):
    model = tmp_path / "serving" / "chicago-taxi" / "1"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"never loaded")
    (tmp_path / "rows.csv").write_text("this is no table at all\n")
    command = [sys.executable, "-m", "cli.app", "predict", "--workspace", str(tmp_path)]
    command += ["--input", str(tmp_path / "rows.csv"), "--output", str(tmp_path / "out.csv")]
    # At the interpreter's own end pyarrow aborted every fourth of these processes.
    for _ in range(8):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert "rows.csv: lacks the columns " in done.stderr
