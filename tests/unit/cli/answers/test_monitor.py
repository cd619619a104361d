"""What `fareline monitor --json` and the two servers of pages print is of the declared type.

Whatever is printed as JSON is held against its type by tests/answers.py.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli import app as cli
from monitoring.live.decision import RETRAIN, Cause, Decision
from report.server import PageServer
from runners.watching import watching
from tests.stores.writer import COMPLETE, StoreWriter
from tests.unit.monitoring.live.test_watch import made, two_quiet_then_two, watched


@pytest.mark.parametrize(
    ("weeks", "state"),
    [
        (two_quiet_then_two(1000, zeros=0.2), "alarm"),
        ([made(150, 1)], "too small"),
        ([made(0, 1)], "too small"),
    ],
)
def test_all_that_a_watch_finds_has_a_declared_type(weeks, state, monkeypatch):
    found = watched(weeks)
    decision = Decision(RETRAIN, (Cause("performance", "AUC: 0.956 -> 0.588"),), 1_796_000_000_000)
    live = SimpleNamespace(version=SimpleNamespace(number=1796005143))
    told = watching.Monitored(live, found, 0, Path("report.json"), decision, None)
    monkeypatch.setattr(watching, "monitor", lambda *_: told)
    answer = CliRunner().invoke(cli.app, ["monitor", "--json"])
    assert answer.exit_code == 3, answer.exception  # retraining is news
    content = json.loads(answer.stdout)
    assert content["state"] == found.state == state
    assert len(content["windows"]) == len(found.windows)
    assert bool(content["alarms"]) == (state == "alarm")
    assert content["decision"]["held_until"] == "2026-11-30T00:53:20+00:00"


@pytest.mark.parametrize("command", ["ui", "lineage ui"])
def test_a_server_prints_its_address_alone(command, monkeypatch, tmp_path):
    def interrupt(self):
        raise KeyboardInterrupt

    StoreWriter(tmp_path / "metadata.db").add_execution("taxi", "run-1", "Gen", state=COMPLETE)
    monkeypatch.setattr(PageServer, "serve_forever", interrupt)
    line = [*command.split(), "--port", "0", "--json", "-w", str(tmp_path)]
    answer = CliRunner().invoke(cli.app, line)
    assert answer.exit_code == 0, answer.exception
    [(name, address)] = json.loads(answer.stdout).items()
    assert name == "url" and address.startswith("http://127.0.0.1:")
