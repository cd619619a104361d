"""Keeps a model fresh on one machine: seal, watch, decide, run or roll back, notify.

Called by `cli.loop`. Heavy steps are commands in separate processes (`children`): this process does
not load TensorFlow.
"""

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fareline.errors import FarelineError, UserMistake, WorkspaceError
from fareline.files import write_json
from lineage.text.times import iso, now, utc
from monitoring.live.decision import (
    NOTHING,
    RECORD,
    RETRAIN,
    Cause,
    Decision,
    decide,
)
from monitoring.live.report import Alarm
from runners.looping import requests
from runners.looping.children import Answered, Children, Stopped
from runners.looping.hooks import Outbox
from runners.looping.schedule import cause_of_cron, cause_of_data, digest_of_data, next_due_ms
from runners.looping.state import LoopFolder, State
from runners.publishing.live_model import push_folder
from runners.stopping import told_of_signals
from runners.stores import open_graph
from runners.watching.deciding import cause_of, causes_of_age, record, rules_of
from runners.watching.live_model import Live, find_live
from runners.workspace import Workspace
from serving.versions.publish import latest_version

if TYPE_CHECKING:
    from pipeline.settings.settings import Settings

_BUSY_SECONDS = 30.0  # until it is looked again whether another run has ended
_HOOK_SECONDS = 60.0  # that `--once` waits for hooks
_END_SECONDS = 2.0  # the same of a loop that is to end
_GATE = "DataGate"
_MONITOR = "monitor: "  # before what this command says when it fails
_TOLD_OF_RUNS = ("run_id", "pushed_to", "reasons", "metrics", "path", "job_id", "link")
PUSHED, REFUSED, STOPPED, FAILED, ROLLED_BACK = (
    "pushed",
    "refused",
    "stopped",
    "failed",
    "rolled_back",
)
SUCCEEDED = "succeeded"  # of a job on a cluster, which alone knows whether it has pushed
ALARM = "alarm"


@dataclasses.dataclass(frozen=True)
class Wish:
    """Inputs of a loop.

    Attributes:
        workspace: Workspace of the model.
        settings: Settings of the loop.
        words: `--config` and `--set` of the settings, for the commands that it starts.
        secret: Secret of signatures; None where neither requests nor addresses are in the settings.
        clock: Milliseconds since 1970 of a replay; None: now.
        pages: Folder that gets the page of each pass; None: there are no pages.
        born: Finds the time of a model's training on the clock of a replay, by the real time of
            its training; None: the real time.
    """

    workspace: Workspace
    settings: "Settings"
    words: tuple[str, ...]
    secret: bytes | None
    clock: Callable[[], int] | None = None
    pages: Path | None = None
    born: Callable[[int], int] | None = None

    def at(self, at_ms: int) -> tuple[str, ...]:
        """Words that say to a command which time it is."""
        return () if self.clock is None else ("--as-of", iso(at_ms))


@dataclasses.dataclass(frozen=True)
class Passed:
    """The result of one pass.

    Attributes:
        at_ms: Start of the pass.
        decision: Decision; None if the workspace was in use.
        execution: Printable id of its record.
        event: `pushed`, `refused`, `stopped`, `failed`, `rolled_back`; None if nothing was done.
        notes: Further remarks.
    """

    at_ms: int
    decision: Decision | None
    execution: str | None = None
    event: str | None = None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Keys: at, action, causes, held_until, execution, event, notes."""
        decision = self.decision or Decision("wait", ())
        until = decision.held_until_ms
        return {
            "at": iso(self.at_ms),
            "action": decision.action,
            "causes": [vars(cause) for cause in decision.causes],
            "held_until": None if until is None else iso(until),
            "execution": self.execution,
            "event": self.event,
            "notes": list(self.notes),
        }


class Loop:
    """Passes, one after the other; the caller holds the folder.

    Args:
        wish: Inputs of the loop.
        folder: Folder with the state.
        outbox: For events.
        stop: Set when it is to end.
    """

    def __init__(self, wish: Wish, folder: LoopFolder, outbox: Outbox, stop: threading.Event):
        self._wish, self._folder, self._outbox = wish, folder, outbox
        self._children = Children(folder.log, stop)
        self._notes: list[str] = []

    def make_pass(self, dry_run: bool = False) -> Passed:
        """Seals, watches, decides, and does what was decided.

        Args:
            dry_run: Whether it only decides.

        Raises:
            Stopped: The loop is to end; what was under way is done again at the next start.
        """
        self._notes = []
        at_ms, state = (self._wish.clock or now)(), self._folder.read()
        if busy := self._busy():
            return Passed(at_ms, None, notes=(busy,))
        if state.under_way and not dry_run:
            self._notes.append(f"{state.under_way['execution']} is done again: it was cut off")
            return self._carry_out(state, _decision_of(state.under_way), at_ms)
        alarms, report = self._watch(dry_run, at_ms)
        live = self._find_live()
        if live is not None:
            made_ms = live.made_ms if self._wish.born is None else self._wish.born(live.made_ms)
            alarms |= {c.kind: c for c in causes_of_age(made_ms, self._wish.settings, at_ms)}
        data = self._look_at_data()
        if not state.data and latest_version(self._base) is not None:
            state.data = data  # the model has been trained on what was there before the loop
        asked = requests.waiting(self._folder.requests)
        due, cron_ms = cause_of_cron(self._wish.settings.loop.cron, state.cron_ms, at_ms)
        causes = [*alarms.values(), *due, *asked.values()]
        if self._wish.settings.loop.new_data:
            causes += cause_of_data(state.data, data)
        decision = decide(causes, rules_of(self._wish.settings), at_ms, state.acted_ms)
        if dry_run:
            return Passed(at_ms, decision, notes=tuple(self._notes))
        execution = self._record(decision, self._news(alarms, state), live, report, at_ms)
        _give_way(state, report, execution is None)
        if not decision.acts:
            state.cron_ms = cron_ms
            self._folder.write(state)
            return Passed(at_ms, decision, execution, notes=tuple(self._notes))
        retrains = decision.action == RETRAIN  # what a rollback does not do, is still to be done
        state.under_way = {
            "action": decision.action,
            "causes": [vars(cause) for cause in decision.causes],
            "execution": execution,
            "version": latest_version(self._base),
            "data": data if retrains else state.data,
            "requests": list(asked) if retrains else [],
            "cron_ms": cron_ms if retrains else state.cron_ms,
        }
        state.acted_ms = at_ms
        self._folder.write(state)
        return self._carry_out(state, decision, at_ms)

    def _watch(self, dry_run: bool, at_ms: int) -> tuple[dict[str, Cause], Path | None]:
        """Seals what is complete and watches the live model.

        Returns:
            What is alarming, by what it is about; and the report.
        """
        if not self._wish.workspace.prediction_log_dir.is_dir():
            return {}, None
        if not dry_run:
            sealed = self._fareline("feedback", "build", *self._wish.at(at_ms))
            if sealed.code:
                self._notes.append(f"feedback build: {sealed.said}")
        pages = self._wish.pages
        page = () if pages is None else ("--output", str(pages / f"{utc(at_ms):%Y-%m-%d}.html"))
        found = self._fareline("monitor", "--dry-run", *self._wish.at(at_ms), *page)
        if found.content is None:
            self._notes.append(f"{_MONITOR}{found.said}")
            return {}, None
        names = [field.name for field in dataclasses.fields(Alarm)]
        alarms = [Alarm(*(told[name] for name in names)) for told in found.content["alarms"]]
        by_subject = {f"{a.kind}: {a.slice}: {a.subject}": cause_of(a) for a in alarms}
        return by_subject, Path(found.content["report"])

    def _fareline(self, *words: str) -> Answered:
        where = ("--workspace", str(self._wish.workspace.root))
        return self._children.run(*words, *where, *self._wish.words)

    def _busy(self) -> str | None:
        """Why nothing can be done now; None if it can."""
        try:
            with self._wish.workspace.locked():
                return None
        except WorkspaceError as error:
            return str(error)

    @property
    def _base(self) -> str:
        """The folder above the versions."""
        settings = self._wish.settings
        return str(push_folder(settings, self._wish.workspace, settings.name))

    def _find_live(self) -> Live | None:
        root = self._wish.workspace.root
        try:
            return find_live(self._wish.workspace, self._wish.settings, open_graph(root, None))
        except UserMistake as error:
            if not any(note.startswith(_MONITOR) for note in self._notes):  # which says the same
                self._notes.append(str(error))
            return None

    def _look_at_data(self) -> str:
        try:
            return digest_of_data(self._wish.settings)
        except UserMistake as error:
            self._notes.append(str(error))
            return ""

    def _news(self, alarms: Mapping[str, Cause], state: State) -> list[Cause]:
        """What was not alarming in the pass before."""
        fresh = [cause for subject, cause in alarms.items() if subject not in state.told]
        state.told = sorted(alarms)
        return fresh

    def _record(
        self,
        decision: Decision,
        news: Sequence[Cause],
        live: Live | None,
        report: Path | None,
        at_ms: int,
    ) -> str | None:
        """Records what acts or is new, and has it told."""
        if decision.action == NOTHING or not (decision.acts or news):
            return None
        path = self._folder.evidence / f"{at_ms}.json"
        write_json(path, {"at": iso(at_ms), "decision": dataclasses.asdict(decision)}, indent=1)
        evidence = {"causes": path, **({"report": report} if report else {})}
        settings, workspace = self._wish.settings, self._wish.workspace
        if "://" not in workspace.store_location and not workspace.metadata_path.is_file():
            return None  # there was no run yet
        execution = record(workspace, settings, decision, live, evidence, at_ms)
        actions = rules_of(settings).actions
        told = [f"{c.kind}: {c.said}" for c in news if actions[c.kind] != RECORD]
        if told:
            self._tell(ALARM, execution, {"causes": told}, at_ms)
        return execution

    def _carry_out(self, state: State, decision: Decision, at_ms: int) -> Passed:
        assert state.under_way is not None
        under_way, execution = state.under_way, state.under_way["execution"]
        why = "; ".join(f"{cause.kind}: {cause.said}" for cause in decision.causes)
        note = f"{execution}: {why}" if execution else why
        if decision.action == RETRAIN:
            answered, event = self._retrain(state, note)
            if event is None:
                return Passed(at_ms, None, notes=(answered.said,))
        else:
            answered = self._roll_back(note, under_way["version"])
            event = FAILED if answered.code else ROLLED_BACK
        if event == FAILED and (busy := self._busy()):  # another run was quicker
            return Passed(at_ms, None, notes=(busy,))
        content = answered.content or {}
        told = {name: content.get(name) for name in _TOLD_OF_RUNS}
        said = content.get("error") or (answered.said if event == FAILED else None)
        if said:
            self._notes.append(said)
        self._tell(event, execution, {**told, "why": why, "error": said}, at_ms)
        if event != FAILED:  # what has failed is done again when the cooldown is over
            state.data = under_way["data"]
        state.cron_ms = under_way["cron_ms"]
        state.under_way = None
        requests.finish(self._folder.requests, under_way["requests"])
        self._folder.write(state)
        return Passed(at_ms, decision, execution, event, tuple(self._notes))

    def _retrain(self, state: State, note: str) -> tuple[Answered, str | None]:
        """Runs the pipeline, here or on a cluster; its answer, and the event, if it has ended."""
        runner = self._wish.settings.loop.runner
        if runner is None:
            answered = self._fareline("run", "--note", note, "--tag", "loop")
            return answered, event_of(answered)
        assert state.under_way is not None
        words = self._wish.words
        if "job" not in state.under_way:
            # A loop that was cut off may have sent it, and not noted it: the job has the name of
            # its decision, by which it is found.
            from runners.submit.submission import new_job_id

            name = new_job_id(self._wish.settings.name, state.acted_ms)
            once = ("--job-id", name, "--unless-sent")
            sent = self._children.run("submit", runner, *once, *words)
            if sent.code or sent.content is None:
                return sent, FAILED
            state.under_way["job"] = sent.content["job_id"]
            self._folder.write(state)
        job = state.under_way["job"]
        answered = self._children.run("submit", runner, "--follow", job, *words)
        if answered.content is None and answered.code != UserMistake.exit_code:
            return answered, None  # the platform is silent, and the job goes on
        return answered, FAILED if answered.code else SUCCEEDED

    def _roll_back(self, reason: str, version: int | None) -> Answered:
        """Rolls back from a version, unless a loop that was cut off has done it already."""
        base = self._base
        if latest_version(base) != version:
            return Answered(0, None, "")
        where = ("--workspace", str(self._wish.workspace.root), "--destination", base)
        return self._children.run("rollback", "--reason", reason, *where)

    def _tell(
        self, event: str, execution: str | None, content: Mapping[str, Any], at_ms: int
    ) -> None:
        pipeline = {"pipeline": self._wish.settings.name, "at": iso(at_ms)}
        event_id = execution.replace("#", "-") if execution else f"pass-{at_ms}"
        self._outbox.put(event, event_id, {**pipeline, **content})


def _give_way(state: State, report: Path | None, is_spare: bool) -> None:
    """Removes the report of the pass before, if no record points at it."""
    if report is None:
        return
    if state.spare and state.spare != str(report):
        Path(state.spare).unlink(missing_ok=True)
    state.spare = str(report) if is_spare else ""


def _decision_of(under_way: Mapping[str, Any]) -> Decision:
    return Decision(under_way["action"], tuple(Cause(**cause) for cause in under_way["causes"]))


def event_of(answered: Answered) -> str:
    """What came of a run."""
    content = answered.content or {}
    if content.get("status") in (PUSHED, REFUSED):
        return content["status"]
    failed = [node["name"] for node in content.get("nodes", ()) if node["state"] == FAILED]
    return STOPPED if failed == [_GATE] else FAILED


def keep(
    wish: Wish,
    once: bool,
    dry_run: bool,
    show: Callable[[Passed], None],
    tell: Callable[[str], None],
) -> Passed:
    """Passes once, or again and again until a signal ends it; the last pass.

    Args:
        wish: Inputs of the loop.
        once: One pass, and an end.
        dry_run: Whether that one only decides.
        show: Called with each pass.
        tell: Called with a line for each other event.

    Raises:
        WorkspaceError: Another loop is at work there.
        UserMistake: The address for requests cannot be bound, or a retraining would read no new
            data or train no model.
    """
    from pipeline.settings.settings import WHOLE

    if wish.settings.pipeline != WHOLE:
        raise wish.settings.wrong(
            [
                f"pipeline: found {wish.settings.pipeline}; expected whole, since a retraining "
                "reads new data and trains on it. Hint: add --set pipeline=whole."
            ]
        )
    folder, stop, wake = LoopFolder(wish.workspace.root), threading.Event(), threading.Event()
    told = wish.settings.loop

    def end() -> None:
        stop.set()
        wake.set()

    outbox = Outbox(folder.outbox, told.hooks, wish.secret, tell)
    loop = Loop(wish, folder, outbox, stop)
    if dry_run:  # also beside a loop that is at work
        folder.path.mkdir(parents=True, exist_ok=True)
        return loop.make_pass(dry_run=True)
    with folder.locked(), told_of_signals(end):
        folder.read()  # a mistake in it is to end this, and not each pass
        outbox.start()
        try:
            if once:
                return loop.make_pass()
            if told.port is not None:
                server = requests.listen(
                    (told.host, told.port), wish.secret or b"", folder.requests, wake.set
                )
                tell(f"requests: http://{told.host}:{server.server_address[1]}/")
            return _keep_on(loop, wish, (stop, wake), show)
        except Stopped:
            return Passed(now(), Decision(NOTHING, ()), notes=("stopped by a signal",))
        finally:
            outbox.close(_HOOK_SECONDS if once and not stop.is_set() else _END_SECONDS)


def _keep_on(
    loop: Loop,
    wish: Wish,
    events: tuple[threading.Event, threading.Event],
    show: Callable[[Passed], None],
) -> Passed:
    stop, wake = events
    while True:
        wake.clear()
        try:
            passed = loop.make_pass()
        except FarelineError as error:  # such as a run that has begun meanwhile
            passed = Passed(now(), None, notes=(str(error),))
        show(passed)
        if not stop.is_set():
            wake.wait(_seconds_to_wait(wish, passed))
        if stop.is_set():
            return passed


def _seconds_to_wait(wish: Wish, passed: Passed) -> float:
    """Until the next pass, or until the schedule is due."""
    told = wish.settings.loop
    seconds = told.every_minutes * 60
    if passed.decision is None:
        return min(seconds, _BUSY_SECONDS)
    if told.cron is not None:
        seconds = min(seconds, (next_due_ms(told.cron, now()) - now()) / 1000)
    return max(seconds, 0.0)
