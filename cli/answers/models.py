"""Answers of the commands about published models."""

from typing_extensions import NotRequired

from cli.answers.base import Answer, Later, Metrics, Number, Values
from cli.answers.runs import BaselineDecision as Decision

__all__ = ["Baseline", "Changed", "ChangedOnVertex", "Decision", "Models", "Monitored",
           "Predicted"]  # fmt: skip


class Baseline(Answer):
    """The baseline of new models; `left_out`: models withdrawn by a rollback."""

    pipeline: str
    in_force: Decision | None
    left_out: list[str]
    decisions: list[Decision]


class Withheld(Answer):
    """Why a version is not to be live."""

    version: int
    reason: str
    by: str
    when: str


class Version(Answer):
    """A published version; `state`: live, there, gone, or null where it cannot be looked at.

    `verdicts` are those under which it was pushed, by node; `copy_of`, `change`, `by` and `reason`
    tell of rollback or promote.
    """

    version: int
    state: str | None
    recorded: bool
    model: str | None
    run: str | None
    pushed: str | None
    metrics: Metrics | None
    blessed: bool | None
    verdicts: dict[str, bool | None]
    later_verdicts: list[Later]
    spans: list[int | str] | None
    copy_of: int | None
    change: str | None
    by: str | None
    reason: str | None
    withheld: Withheld | None
    pinned: bool
    traffic: Number


class Destination(Answer):
    """A place that models are pushed to; the newest version first."""

    destination: str
    live: int | None
    versions: list[Version]


class Deployed(Answer):
    """A version that is deployed on Vertex AI; `predictions`: of the last 24 hours."""

    endpoint: str
    version: str | int
    percent: Number
    machine_type: str
    replicas: int
    since: str
    node_hours: float
    predictions: int | None
    idle: bool


class Model(Answer):
    """A model; `blessed` as it was last pushed, else by the latest verdicts; `sample`: its rows."""

    model: str
    pipeline: str | None
    run: str | None
    runs: list[str]
    created: str
    spans: list[int | str]
    examples: list[str]
    hyperparameters: Values | None
    metrics: Metrics | None
    blessed: bool | None
    was_blessed: bool | None
    later_verdicts: list[Later]
    pushed_versions: list[str]
    live: bool | None
    sample: int | None


class Models(Answer):
    """All models, and all that is published; `metrics`: names of all; `deployed` with --vertex."""

    sorted_by: str
    metrics: list[str]
    models: list[Model]
    destinations: list[Destination]
    deployed: NotRequired[list[Deployed]]
    predictions_unknown_because: NotRequired[str | None]


class Cause(Answer):
    """Why a decision was taken."""

    kind: str
    said: str


class MonitorDecision(Answer):
    """Actions for alarms, by `monitoring.policy`; `held_until` null: no cooldown."""

    action: str
    causes: list[Cause]
    held_until: str | None


class Alarm(Answer):
    """Found in enough windows, and in the last one that can tell, which begins at `start`."""

    kind: str
    slice: str
    subject: str
    said: str
    start: str
    start_ms: int
    windows: int


class Figure(Answer):
    """An AUC with its bounds at 95 %, and the rows that it is of."""

    value: Number
    low: Number
    high: Number
    error: Number
    rows: int


class Finding(Answer):
    """What differs in a window."""

    kind: str
    subject: str
    said: str


class SliceWindow(Answer):
    """A slice in a window; `estimate`: what the scores let expect, `truth`: by labels."""

    slice: str
    rows: int
    state: str
    score: Number
    estimate: Figure | None
    truth: Figure | None
    difference: Number
    findings: list[Finding]


class Window(Answer):
    """A window of the log; `mature`: whether its labels are complete; the first slice is all."""

    start_ms: int
    end_ms: int
    mature: bool
    labelled: Number
    slices: list[SliceWindow]


class Monitored(Answer):
    """Windows of the prediction log, compared with the evaluation; see docs/monitoring.md."""

    version: int
    state: str
    alarms: list[Alarm]
    decision: MonitorDecision
    reference: dict[str, Figure | None]
    windows: list[Window]
    broken_lines: int
    report: str
    execution: str | int | None


class LoopPassed(Answer):
    """One pass of the loop; `event` null: nothing was done."""

    at: str
    action: str
    causes: list[Values]
    held_until: str | None
    execution: str | None
    event: str | None
    notes: list[str]


class Predicted(Answer):
    """A file that was predicted; `quarantine`: the file of the bad rows, null if there are none.

    `job`: of Vertex AI, null if this machine predicted.
    """

    input: str
    output: str
    model_version: int
    model: str
    job: str | None
    rows: int
    predicted: int
    quarantined: int
    reasons: dict[str, int]
    quarantine: str | None
    blank_lines: int
    seconds: float
    rows_per_second: int


class Changed(Answer):
    """Another version is live."""

    change: str
    destination: str
    from_version: int | None
    to_version: int
    version: int
    path: str
    model: str | None
    reason: str | None
    user: str
    execution: str | int
    pushed_model: str | int


class ChangedOnVertex(Answer):
    """A change of the deployment on Vertex AI; `traffic`: percent of requests by version.

    `left_alone`: versions that the store has not recorded, so that nothing was done with them.
    """

    change: str
    destination: str
    from_version: int | str | None
    version: int | str | None
    traffic: dict[str, int]
    left_alone: list[int]
    execution: str | int | None
    pushed_model: str | int | None
