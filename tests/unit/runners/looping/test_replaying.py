"""runners.looping.replaying: the past played to a loop; runs and predictions are played as well.

Outcomes, spans and decisions are real. The whole is measured in docs/monitoring.md.
"""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cli import app as cli
from fareline.errors import FarelineError, Interrupted
from fareline.prediction_ids import milliseconds_of
from fareline.recorded.feedback import LoggedPrediction
from lineage.text.times import read_time
from monitoring.feedback.past import read_change, read_period
from runners.looping import replaying
from runners.looping.children import Answered, Children, Stopped
from runners.looping.loop import Loop
from runners.looping.replaying import Asked, ReplayFailed, replay

DAY_MS = 86_400_000
WINDOW_DAYS, WAIT_DAYS = 60, 6
EVERY_MS = DAY_MS // 2  # a row
BEGIN_MS = read_time("2013-01-01")
ALARM = {
    "kind": "performance",
    "slice": "overall",
    "subject": "AUC",
    "said": "0.956 -> 0.090",
    "start_ms": 0,
    "windows": 1,
}


class Played:
    """A workspace to be, rows of a year, and commands that answer as is planned."""

    def __init__(self, tmp_path, monkeypatch):
        self.folder, self.root = tmp_path, tmp_path / "ws-replay"
        self.ran, self.passes, self.told = [], [], []
        self.alarm_at, self.run_answer = (), Answered(0, {"status": "pushed"}, "")
        self.trained = []
        self.rows = self.write_rows(tmp_path / "trips.csv")
        monkeypatch.setattr(Children, "run", lambda _, *words: self._run(*words))

    def write_rows(self, path):
        rows = [((BEGIN_MS + EVERY_MS * n) // 1000, n % 7 + 1, n % 3) for n in range(2 * 365)]
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["trip_start_timestamp", "fare", "tips"])
            writer.writerows(rows[::-1])
        return rows

    def overrides(self, *more):
        return (
            f"data.source={{csv: {self.folder / 'trips.csv'}}}",
            "features={numeric: {fare: {}}}",
            "evaluation.slices=[]",
            f"monitoring.window_hours={24 * WINDOW_DAYS}",
            f"feedback.wait_hours={24 * WAIT_DAYS}",
            *more,
        )

    def play(self, period="2013..2013", change=None, more=(), sample=None):
        planted = None if change is None else read_change(change)
        given = self.overrides(*more), read_period(period), planted, sample
        asked = Asked(self.folder / "ws", None, *given)
        replay(asked, self.passes.append, self.told.append)

    def _run(self, *words):
        self.ran.append(words)
        place = Path(words[words.index("--workspace") + 1])
        if words[0] == "run":
            return self._train(place, words)
        if words[0] == "predict":
            return self._predict(place, words)
        if words[0] == "monitor":
            at = words[words.index("--as-of") + 1]
            is_alarm = len([ran for ran in self.ran if ran[0] == "monitor"]) in self.alarm_at
            alarms = [ALARM] if is_alarm else []
            return Answered(0, {"alarms": alarms, "report": str(self.folder / at)}, "")
        answer = CliRunner().invoke(cli.app, [*words, "--json"])
        assert answer.exit_code == 0, answer.output
        return Answered(0, json.loads(answer.stdout), "")

    def _train(self, place, words):
        [source] = [word for word in words if word.startswith("data.source=") and "ws-re" in word]
        self.trained.append((place, source))
        if self.run_answer.code == 0:
            number = 1 + len(self.trained)
            folder = place / "serving" / "chicago-taxi" / str(number)
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").write_text("")
        return self.run_answer

    def _predict(self, place, words):
        given, answered, base = (
            Path(words[words.index(f"--{name}") + 1]) for name in ("input", "output", "model-dir")
        )
        version = max(int(each.name) for each in base.iterdir())
        log = place / "serving_logs"
        log.mkdir(parents=True, exist_ok=True)
        lines, rows = [], []
        for number, row in enumerate(csv.DictReader(given.open())):
            row[replaying._ROW] = int(row[replaying._ROW])
            score = 0.9 if float(row["tips"]) > 0.2 * float(row["fare"]) else 0.1
            features = {"fare": float(row["fare"])}
            line = LoggedPrediction(
                f"p-{number}", "2026-11-30T12:00:00.000+00:00", "chicago-taxi", version,
                f"sha-{version}", "batch", 1.0, [score], features,
            )  # fmt: skip
            lines.append(line.line())
            rows.append(json.dumps({**row, "prediction_id": f"p-{number}"}) + "\n")
        (log / "predictions-2026-11-30T12-x.jsonl").write_text("".join(lines))
        answered.write_text("".join(rows))
        return Answered(0, {}, "")

    def logged(self):
        files = sorted((self.root / "serving_logs").glob("predictions-*.jsonl"))
        return [[json.loads(line) for line in file.read_text().splitlines()] for file in files]

    def states(self):
        return {
            path.parent.parent.name: json.loads(path.read_text())
            for path in sorted(self.root.glob("feedback/spans/*/*/span.json"))
        }


@pytest.fixture
def played(tmp_path, monkeypatch):
    return Played(tmp_path, monkeypatch)


def test_the_past_is_played_window_by_window_and_the_change_retrains(played):
    played.alarm_at = (2,)
    played.play(change="2013-07")
    assert [passed.event for passed in played.passes] == [None, "pushed", None, None, None]
    # A pass is when the labels of its window are complete.
    window_ms = WINDOW_DAYS * DAY_MS
    ends = [passed.at_ms - WAIT_DAYS * DAY_MS for passed in played.passes]
    assert ends == [ends[0] + place * window_ms for place in range(5)]
    assert ends[0] % window_ms == 0
    # Every row is logged once, with its time, and answered by what was live then.
    files = played.logged()
    lines = [line for file in files for line in file]
    times = [read_time(line["time"]) for line in lines]
    first_ms = ends[0] - window_ms
    expected = [at * 1000 for at, _, _ in played.rows if at * 1000 >= first_ms]
    assert times == expected[: len(times)] and len(times) >= len(expected) - 1
    assert [milliseconds_of(line["id"]) for line in lines] == times
    retrained_ms = played.passes[1].at_ms
    assert {line["version"] for line in lines if read_time(line["time"]) < retrained_ms} == {2}
    assert {line["version"] for line in lines if read_time(line["time"]) >= retrained_ms} == {3}
    # The spans are the windows.
    until = [span["until_ms"] for span in played.states().values()]
    assert until[:4] == [pytest.approx(end, abs=EVERY_MS) for end in ends[:4]]
    # What is trained: what was before; then the spans; and what the change is measured by.
    assert [source.rpartition("/")[2] for _, source in played.trained] == [
        'first.csv"}',
        'rows.parquet"}',
        'reference.csv"}',
    ]
    assert [place for place, _ in played.trained] == [
        played.root,
        played.root,
        played.root / "replay" / "reference",
    ]
    assert "AUC of the live model" in played.passes[3].notes[-1]
    compared = json.loads((played.root / "replay" / "compared.json").read_text())
    assert compared["rows"] == 2 * WINDOW_DAYS and compared["reference"] == 1.0


def test_without_a_change_nothing_is_compared(played):
    played.play()
    assert len(played.trained) == 1
    assert all(passed.notes == () or "AUC" not in passed.notes[-1] for passed in played.passes)


def test_a_model_ages_by_the_clock_of_the_replay(played, monkeypatch):
    def find_live(self):
        return SimpleNamespace(made_ms=1_796_000_000_000 + len(played.trained))

    monkeypatch.setattr(Loop, "_find_live", find_live)
    hours = 24 * (WINDOW_DAYS + WAIT_DAYS + 1)
    policy = f"monitoring.policy={{age: retrain, freshness_hours: {hours}, cooldown_hours: 1}}"
    played.play(more=[policy])
    # The first model is 66 and then 126 days old, the next one 60 and then 120.
    assert [passed.event for passed in played.passes] == [None, "pushed", None, "pushed", None]
    assert [cause.kind for cause in played.passes[1].decision.causes] == ["age"]
    assert played.passes[1].decision.causes[0].said.startswith("the live model is 3,024.0 h old")


def test_a_sample_has_so_many_rows_of_each_window(played):
    played.play(sample=50)
    counts = [len(file) for file in played.logged()]
    assert max(counts) <= 2 * 50 and sum(counts) <= 50 * len(played.passes)
    words = next(ran for ran in played.ran if ran[0] == "run")
    assert "training.steps=240" in words


def test_a_replay_keeps_to_itself(played):
    elsewhere = played.folder / "elsewhere"
    more = [f"push.destination={elsewhere}", "loop.port=8790", "metadata.store=mysql://a@b/c",
            "loop.hooks=[{events: [pushed], command: [touch, gone]}]"]  # fmt: skip
    played.play("2013-01..2013-05", more=more)
    assert not elsewhere.exists() and not (played.folder / "ws").exists()
    words = next(ran for ran in played.ran if ran[0] == "run")
    for last in ("push.destination=null", "loop.hooks=[]", "metadata.store=null"):
        key = last.partition("=")[0] + "="
        assert [word for word in words if word.startswith(key)][-1] == last


@pytest.mark.parametrize(
    ("period", "change", "said"),
    [
        ("2012..2012", None, "--replay: the data is of 2013-01-01 00:00:00 to 2013-12-31"),
        ("2013-01..2013-02", None, "expected rows in a first window"),
        ("2013..2013", "2012-01", "--change 2012-01-01: is not within the windows"),
        ("2013..2013", "2014-01", "--change 2014-01-01: is not within the windows"),
        ("2013..2013", "2013-07:driver=7", "the data has no column 'driver'"),
    ],
)
def test_what_cannot_be_played_is_one_line_and_leaves_nothing(played, period, change, said):
    with pytest.raises(FarelineError, match=said) as caught:
        played.play(period, change)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)
    assert not played.root.exists() and played.ran == []


def test_a_workspace_that_holds_something_is_left_alone(played):
    played.root.mkdir()
    (played.root / "metadata.db").write_text("mine")
    with pytest.raises(FarelineError, match="ws-replay: is not empty") as caught:
        played.play()
    assert caught.value.exit_code == 2
    assert [path.name for path in played.root.iterdir()] == ["metadata.db"]


def test_a_first_model_that_is_refused_ends_the_replay(played):
    played.run_answer = Answered(3, {"status": "refused", "reasons": ["auc 0.5"]}, "")
    with pytest.raises(ReplayFailed, match=r"no model was pushed \(auc 0.5\)"):
        played.play()
    assert played.passes == []


def test_a_signal_ends_it(played, monkeypatch):
    def stop(*words):
        raise Stopped

    monkeypatch.setattr(Children, "run", stop)
    with pytest.raises(Interrupted, match="stopped before its end"):
        played.play()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--change", "2014-07"], "found --change alone"),
        (["--sample", "500"], "found --sample alone"),
        (["--replay", "2013..2016", "--once"], "found --replay and --once"),
        (["--replay", "2013..2016", "--dry-run"], "found --replay and --dry-run"),
        (["--replay", "2016..2013"], "ends before it begins"),
        (["--replay", "2013..2016", "--change", "soon"], "'soon' is not a time"),
        (["--replay", "2013..2016", "--set", "task=regression"], "--set task"),
    ],
)
def test_a_mistake_on_the_line_is_one_line_and_exit_code_2(tmp_path, words, said):
    answer = CliRunner().invoke(cli.app, ["loop", "-w", str(tmp_path / "ws"), *words])
    error = answer.exception
    assert isinstance(error, FarelineError) and error.exit_code == 2
    assert said in str(error)
    assert list(tmp_path.iterdir()) == []
