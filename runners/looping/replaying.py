"""Plays months of the past to a loop as if they were now, in a workspace of its own.

The rows before the first window train the first model. Then, window after window: the live model
predicts the rows of the window, which are logged with their own times; their outcomes are added,
each with the time at which it arrives; and when the labels of the window are complete, the loop
makes a pass, with its clock at that time. Sealing, watching, deciding, training and pushing are
those of a live loop.

Called by `cli.loop`. No TensorFlow is loaded here.
"""

import dataclasses
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.reading.csv_header import COMMAS
from fareline.errors import FarelineError, Interrupted, UserMistake, WorkspaceError
from fareline.files import write_json, write_text
from fareline.prediction_ids import IdMaker
from fareline.recorded.feedback import LoggedPrediction
from lineage.text.times import clock, iso, utc
from monitoring.feedback.folders import PATTERN
from monitoring.feedback.past import Change, Past, outcome_records, require_two_labels
from monitoring.live.estimate import measured_auc
from monitoring.live.series import HOUR_MS
from pipeline.settings.load import load_settings
from pipeline.source.check import check_request
from preprocessing.labels import parse_label
from runners.feedback.handing_in import folder_of
from runners.looping.children import Answered, Children, Stopped
from runners.looping.hooks import Outbox
from runners.looping.loop import PUSHED, Loop, Passed, Wish, event_of
from runners.looping.state import LoopFolder
from runners.pii_key import read_pii_key
from runners.publishing.live_model import push_folder
from runners.stopping import told_of_signals
from runners.workspace import Workspace
from serving.server.log_files import closed_files
from serving.versions.publish import latest_version

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings

# What `--set` may change. Windows of 4,383 hours are half years: they begin in January and in July.
_PLAYED = (
    "schema=null",
    "evaluation.thresholds.auc.at_least=0.9",
    "monitoring.window_hours=4383",
    "monitoring.needed=1",
    "monitoring.among=1",
    "monitoring.policy.performance=retrain",
    "loop.new_data=false",
)
# The same of the taxi pipeline: no column that says which half of a year it is, and no search.
_TAXI = (
    "features={numeric: {fare: {log: true}, trip_miles: {log: true}, trip_seconds: {log: true}}, "
    "bucketized: {fare: 40, trip_miles: 10, trip_seconds: 10}, "
    "vocabulary: {payment_type: {size: 10, oov_buckets: 1}, company: {size: 60, oov_buckets: 4}}, "
    "categorical: {trip_start_hour: 24}}",
    "tuning.policy=never",
    "tuning.hyperparameters={learning_rate: 0.003, dropout: 0.2, width: 64, depth: 1, "
    "embedding_size: 8}",
)
# With `--sample`: what a training on so few rows can do with.
_QUICK = ("training.steps=240",)
# What keeps a replay to itself, whatever the settings say.
_OWN = (
    "pipeline=whole",
    "data.span=null",
    "push.destination=null",
    "push.destinations=[folder]",
    "push.vertex=null",
    "metadata.store=null",
    "loop.hooks=[]",
    "loop.port=null",
)
_ROW = "fareline_row"
_TIME_COLUMN = "trip_start_timestamp"
_SEED = 0
_ALL = ("--log-share", "1", "--max-bad-share", "1")  # a server would refuse the bad ones alone
_LATER = 2  # windows after the one whose alarm has retrained: there it is compared


class ReplayFailed(FarelineError, RuntimeError):
    """A step of a replay has failed; exit code 1."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request for a replay.

    Attributes:
        workspace: The workspace that it is a replay of; the replay has one beside it.
        config: Settings file; None: the taxi pipeline.
        overrides: Texts of `--set`.
        period: Begin and end, milliseconds since 1970.
        change: Change of concept that is planted; None: there is none.
        sample: Highest number of rows in a window; None: all rows.
    """

    workspace: Path
    config: Path | None
    overrides: Sequence[str]
    period: tuple[int, int]
    change: Change | None
    sample: int | None = None

    @property
    def root(self) -> Path:
        """The workspace of the replay."""
        return self.workspace.with_name(f"{self.workspace.name}-replay")

    @property
    def overridden(self) -> list[str]:
        """Texts of `--set` for everything that the replay starts, but for the source."""
        taxi = _TAXI if self.config is None else ()
        quick = () if self.sample is None else _QUICK
        return [*_PLAYED, *taxi, *quick, *self.overrides, *_OWN]

    def words(self, source: str) -> list[str]:
        """The same as words of a command."""
        words = [] if self.config is None else ["--config", str(self.config.resolve())]
        for each in [*self.overridden, source]:
            words += ["--set", each]
        return words


@dataclasses.dataclass(frozen=True)
class _Answer:
    """A row that the live model has answered, and that is not logged yet."""

    row: int
    line: LoggedPrediction


def replay(asked: Asked, show: Callable[[Passed], None], tell: Callable[[str], None]) -> None:
    """Plays a period.

    Args:
        asked: Request.
        show: Called with each pass.
        tell: Called with a line for each other event.

    Raises:
        UserMistake: The period, the change, the data or the workspace cannot be used.
        ReplayFailed: A step has failed.
        Interrupted: A signal has ended it.
    """
    settings = load_settings(asked.config, asked.overridden)
    past = _read_past(asked, settings)
    windows = _windows(asked, settings, past)
    if asked.sample is not None:
        past.keep([asked.period[0], *windows, asked.period[1]], asked.sample)
    folder, stop = LoopFolder(asked.root), threading.Event()
    _require_new(asked.root)
    with folder.locked(), told_of_signals(stop.set):
        try:
            _Replay(asked, past, windows, stop, tell).play(show)
        except Stopped as error:
            raise Interrupted(f"{asked.root}: the replay was stopped before its end") from error


def _read_past(asked: Asked, settings: "Settings") -> Past:
    label = parse_label(settings.section("label")["label"], settings.task)
    require_two_labels(label, settings.task)
    files = [Path(file) for file in check_request(settings, read_pii_key).files]
    is_csv = settings.data.source.files is None and settings.data.source.local_query is None
    if not is_csv or settings.data.source.dialect != COMMAS:
        raise UserMistake.explain(
            "loop --replay",
            "data.source is not CSV with commas",
            "expected such files, or the taxi data",
            "write the rows as CSV",
        )
    split_by = settings.data.split_by
    time_column = getattr(split_by, "time", None) or _TIME_COLUMN
    return Past(files, time_column, label, asked.change)


def _windows(asked: Asked, settings: "Settings", past: Past) -> list[int]:
    """Begins of the windows that are played; the rows before them train the first model."""
    length = round(settings.monitoring.window_hours * HOUR_MS)
    begin, end = asked.period
    first = -(-(begin + length) // length) * length
    played = past.rows(first, end)
    if not past.rows(begin, first) or not played:
        known = past.times_ms
        found = f"the data is of {clock(known[0])} to {clock(known[-1])}" if known else "has no row"
        raise UserMistake.explain(
            "--replay",
            found,
            f"expected rows in a first window until {clock(first)}, and after it",
            "name another period, or set a shorter monitoring.window_hours",
        )
    last_ms = past.times_ms[played[-1]]
    if asked.change is not None and not first <= asked.change.from_ms <= last_ms:
        raise UserMistake.explain(
            f"--change {utc(asked.change.from_ms):%Y-%m-%d}",
            "is not within the windows that are played",
            f"expected a time from {clock(first)} to {clock(last_ms)}",
            "name another time",
        )
    return list(range(first, last_ms + 1, length))


def _require_new(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise WorkspaceError.explain(
            str(root),
            "is not empty",
            "expected a workspace that the replay makes for itself",
            "remove it, or name another --workspace: a replay goes into the folder of that name "
            "with -replay",
        )


class _Replay:
    """A replay: its clock, and what it has answered."""

    def __init__(
        self,
        asked: Asked,
        past: Past,
        windows: Sequence[int],
        stop: threading.Event,
        tell: Callable[[str], None],
    ):
        self._asked, self._past, self._windows, self._tell = asked, past, windows, tell
        self._workspace = Workspace(asked.root)
        feedback = folder_of(asked.root)
        self._source = f"data.source={{files: {json.dumps(f'{feedback.spans}/{PATTERN}')}}}"
        words = asked.words(self._source)
        self._settings = load_settings(asked.config, [*asked.overridden, self._source])
        self._files = asked.root / "replay"
        self._files.mkdir()
        for folder in (self._pages, self._workspace.prediction_log_dir):
            folder.mkdir()
        self._length = round(self._settings.monitoring.window_hours * HOUR_MS)
        self._wait = round(self._settings.feedback.wait_hours * HOUR_MS)
        self._now = windows[0]
        self._logged_ms = windows[0]
        self._ids = IdMaker(lambda: self._logged_ms * 1_000_000)
        self._answers: list[_Answer] = []
        self._version: int | None = None
        self._trained_ms = windows[0]  # when the last model was, on the clock of the replay
        self._trainings: dict[int, int] = {}  # time of each training, by its real one
        loop_folder = LoopFolder(asked.root)
        self._children = Children(loop_folder.log, stop)
        wish = Wish(
            self._workspace,
            self._settings,
            tuple(words),
            None,
            clock=lambda: self._now,
            pages=self._pages,
            born=self._born,
        )
        outbox = Outbox(loop_folder.outbox, (), None, tell)
        self._loop = Loop(wish, loop_folder, outbox, stop)
        self._scores: dict[int, float] = {}

    @property
    def _pages(self) -> Path:
        return self._files / "pages"

    def play(self, show: Callable[[Passed], None]) -> None:
        """Plays all windows, shows each pass, and compares at the end."""
        begin = self._asked.period[0]
        self._train(self._asked.root, self._past.rows(begin, self._windows[0]), "first")
        retrained: int | None = None
        change = self._asked.change
        for place, start in enumerate(self._windows):
            end = start + self._length
            self._deliver(end + self._wait)
            self._now = end + self._wait
            passed = self._loop.make_pass()
            if passed.event == PUSHED:
                self._trained_ms = passed.at_ms
            changed = change is not None and end > change.from_ms
            if changed and passed.event == PUSHED and retrained is None:
                retrained = place
            if retrained is not None and place == retrained + _LATER:
                passed = dataclasses.replace(passed, notes=(*passed.notes, self._compare(place)))
            show(passed)

    def _born(self, made_ms: int) -> int:
        """When a model was trained, as the clock of the replay has it; a copy is as old."""
        return self._trainings.setdefault(made_ms, self._trained_ms)

    def _deliver(self, until_ms: int) -> None:
        """Logs what the live model answers until a time, and adds the outcomes."""
        base = push_folder(self._settings, self._workspace, self._settings.name)
        version = latest_version(str(base))
        if version != self._version:
            rows = self._past.rows(self._logged_ms, self._asked.period[1])
            self._answers = self._predict(rows, base, "answers") if rows else []
            self._version = version
        count = sum(self._past.times_ms[each.row] < until_ms for each in self._answers)
        now, self._answers = self._answers[:count], self._answers[count:]
        ids, lines = {}, []
        for each in now:
            self._logged_ms = self._past.times_ms[each.row]
            ids[each.row] = self._ids.make()
            when = utc(self._logged_ms).isoformat("T", "milliseconds")
            lines.append(dataclasses.replace(each.line, id=ids[each.row], time=when).line())
            self._scores[each.row] = _last(each.line.score)
        self._logged_ms = until_ms
        if not lines:
            return
        name = f"predictions-{utc(until_ms):%Y-%m-%dT%H}-{next(iter(ids.values()))}.jsonl"
        write_text(self._workspace.prediction_log_dir / name, "".join(lines))
        outcomes = self._files / "outcomes.jsonl"
        records = outcome_records(self._past, ids, self._wait, _SEED)
        write_text(outcomes, "".join(f"{json.dumps(record)}\n" for record in records))
        self._run("feedback", "add", str(outcomes), *self._words(self._source))

    def _words(self, source: str, root: Path | None = None) -> list[str]:
        return ["--workspace", str(root or self._asked.root), *self._asked.words(source)]

    def _predict(self, rows: Sequence[int], base: Path, name: str) -> list[_Answer]:
        """What a model answers to rows; in their order."""
        given, answered = self._files / f"{name}.csv", self._files / f"{name}.jsonl"
        place = self._files / name
        for old in closed_files(Workspace(place).prediction_log_dir):
            old.unlink()
        self._past.write(given, rows, _ROW)
        words = ("--input", str(given), "--output", str(answered), "--model-dir", str(base))
        self._run("predict", *words, *_ALL, "--workspace", str(place))
        by_id = {}
        for file in closed_files(Workspace(place).prediction_log_dir):
            with file.open(encoding="utf-8") as lines:
                for line in map(json.loads, lines):
                    by_id[line["id"]] = LoggedPrediction(**line)
        with answered.open(encoding="utf-8") as lines:
            found = [
                _Answer(int(row[_ROW]), by_id[row["prediction_id"]])
                for row in map(json.loads, lines)
            ]
        return sorted(found, key=lambda each: each.row)

    def _train(self, root: Path, rows: Sequence[int], name: str, *more: str) -> None:
        """Trains on rows with their true labels, in a workspace.

        Raises:
            ReplayFailed: No model was pushed.
        """
        file = self._files / f"{name}.csv"
        self._past.write(file, rows)
        source = f"data.source={{csv: {json.dumps(str(file))}}}"
        words = [*self._words(source, root), *more]
        self._tell(f"a model is trained on {len(rows):,} rows: {file}")
        answered = self._children.run("run", *words, "--tag", "replay")
        if event_of(answered) != PUSHED:
            reasons = (answered.content or {}).get("reasons") or [answered.said]
            raise ReplayFailed.explain(
                str(file),
                f"no model was pushed ({'; '.join(map(str, reasons))})",
                "expected a model that meets evaluation.thresholds",
                f"`fareline why latest -w {root}` says more; --set changes the thresholds",
            )

    def _compare(self, place: int) -> str:
        """Holds the live model against one that knows all true labels; a sentence."""
        change = self._asked.change
        assert change is not None
        start = self._windows[place]
        root = self._files / "reference"
        since = self._past.rows(change.from_ms, start)
        self._train(root, since, "reference", "--set", "evaluation.thresholds.auc.at_least=0.5")
        base = push_folder(self._settings, Workspace(root), self._settings.name)
        rows = self._past.rows(start, min(start + self._length, self._asked.period[1]))
        answers = self._predict(rows, base, "compared")
        asked = [each for each in answers if each.row in self._scores]
        labels = [self._past.label(each.row) for each in asked]
        known = [index for index, label in enumerate(labels) if label is not None]
        truth = np.array([labels[index] for index in known])
        scores = {
            "retrained": [self._scores[asked[index].row] for index in known],
            "reference": [_last(asked[index].line.score) for index in known],
        }
        aucs = {name: measured_auc(np.array(each), truth) for name, each in scores.items()}
        found = {name: None if auc is None else round(auc.value, 4) for name, auc in aucs.items()}
        told = {"window": iso(start), "rows": len(known), "trained_on": len(since), **found}
        write_json(self._files / "compared.json", told, indent=1)
        return (
            f"window of {utc(start):%Y-%m-%d}, {len(known):,} rows: AUC of the live model "
            f"{found['retrained']}, of one trained on all {len(since):,} true labels since the "
            f"change {found['reference']}"
        )

    def _run(self, *words: str) -> Answered:
        answered = self._children.run(*words)
        if answered.code:
            raise ReplayFailed(f"{' '.join(words[:2])}: {answered.said}")
        return answered


def _last(score: object) -> float:
    """One number of an answer, as the log has it: of several the last."""
    while isinstance(score, list):
        score = score[-1]
    return float(score)  # type: ignore[arg-type]
