"""Answers of the commands about runs."""

from typing import Any

from typing_extensions import NotRequired

from cli.answers.base import Answer, Failed, Metrics, Node, Number, Values


class Check(Answer):
    """Obstacles to a run; empty if there are none. `runner`: null for this machine."""

    runner: str | None
    problems: list[str]
    warnings: NotRequired[list[str]]


class ExamplesOfRun(Answer):
    """Examples that a run read or made."""

    id: str
    span: int | None
    version: int | None
    spans: list[int]


class PushedOfRun(Answer):
    """A version; `live_as`: what rollback or promote made of it, if that is live."""

    id: str
    version: str | None
    live: bool | None
    live_as: str | None


class Run(Answer):
    """One run.

    `missing`: planned nodes that never began; `blessed` null: not evaluated; `sample`: number of
    rows, null if all were read; `graph`: whole, data or training, null if not recorded; `is_part`:
    whether only a part of that graph was asked for.
    """

    run_id: str
    pipeline: str
    started: str
    ended: str | None
    seconds: float
    status: str
    outcome: str | None
    nodes: list[Node]
    missing: list[str]
    examples: list[ExamplesOfRun]
    models: list[str]
    blessed: bool | None
    refused_by: list[str]
    pushed: list[PushedOfRun]
    sample: int | None
    graph: str | None
    is_part: bool


class LivePlace(Answer):
    """A destination with a live version."""

    destination: str
    version: int
    model: str | None


class Running(Answer):
    """A node at work."""

    node: str
    seconds: float


class DriftAlarm(Answer):
    """A measure that has drifted."""

    against: str
    column: str
    policy: str
    said: str


class Status(Answer):
    """The live model, the last run, and open alarms."""

    live: list[LivePlace]
    last_run: Run | None
    running: list[Running]
    alarms: list[DriftAlarm]


class Log(Answer):
    """Where the log is; `node` null: that of the whole run."""

    run_id: str
    node: str | None
    log: str
    nodes_with_logs: list[str]


class StepBegun(Answer):
    """A run that has begun; `nodes`: each with those that it waits for."""

    run_id: str
    pipeline: str
    continues: bool
    nodes: dict[str, list[str]]


class StepGraph(Answer):
    """The graph of a pipeline; `edges`: pairs of a node and one that waits for it."""

    pipeline: str
    nodes: list[str]
    edges: list[list[str]]


class StepRun(Answer):
    """The result of a node; see `runners.steps.frozen.StepResult`."""

    run_id: str
    node: str
    state: str
    seconds: float
    gate: str | None
    refused: bool
    error: str | None
    place: str | None
    exit_code: int


class Withdrawn(Answer):
    """A model that a person rolled back from."""

    model: str
    user: str | None
    when: str | None
    reason: str | None


class BaselineDecision(Answer):
    """A person's decision about the baseline."""

    action: str
    pipeline: str
    model: str | None
    user: str
    reason: str
    created: str
    execution_id: int


class VerdictCheck(Answer):
    """One threshold and its result; `not_counted`: the reason, empty if the check counts."""

    metric: str
    slice: str
    kind: str
    bound: Number
    value: Number
    judged: Number
    interval: list[Number] | None
    baseline: Number
    examples: Number
    passed: bool
    not_counted: str
    counted: bool
    group: str
    best: list[Any] | None
    worst: list[Any] | None


class Gap(Answer):
    """The main metric between the best and the worst slice."""

    metric: str
    slices: str
    gap: Number
    best: list[Any]
    worst: list[Any]
    count: int


class SliceValues(Answer):
    """Metrics of a slice."""

    name: str
    metrics: Metrics


class Verdict(Answer):
    """The thresholds of a model; see `fareline.recorded.evaluation.VerdictRecord`."""

    checks: list[VerdictCheck]
    gaps: list[Gap]
    worst: list[SliceValues]
    main_metric: str
    min_slice_examples: int
    min_label_examples: int | None
    baseline_id: int | None
    passed: bool | None
    blessed: bool | None
    tfma_refusals: list[str]
    refusals: NotRequired[list[str]]
    warnings: NotRequired[list[str]]
    reference: NotRequired[Values]


class WhyEvaluator(Answer):
    """The result of Evaluator; `verdict` null: not recorded."""

    execution: str | None
    state: str | None
    blessed: bool | None
    baseline: str | None
    decision: BaselineDecision | None
    left_out: list[Withdrawn]
    verdict: Verdict | None


class WhyInfraValidator(Answer):
    """The result of InfraValidator."""

    execution: str | None
    state: str | None
    blessed: bool | None
    reason: str | None
    message: str | None
    measured: Metrics
    budgets: Values | None


class WhyPusher(Answer):
    """The result of Pusher; `sample`: blessed, but the model is of so many rows."""

    execution: str | None
    state: str | None
    pushed: bool | None
    destination: str | None
    version: str | None
    not_pushed_because: str | None
    sample: int | None


class WhyVertex(WhyPusher):
    """The result of the push to Vertex AI; `traffic`: percent of requests by version.

    `not_shown_because`: why Vertex lacks evaluation or lineage, null if it does not;
    `not_undone_because`: what earlier pushes have left there, null for nothing.
    `tensorboard_command`: uploads the curves; null if the store has no logs of the training.
    """

    traffic: dict[str, int] | None
    not_shown_because: str | None
    not_undone_because: str | None
    tensorboard_command: str | None


class Why(Answer):
    """Why a model was published or not.

    `failed`: nodes of the run, or those that read the model; `running`, of a run: marked so;
    `sample`: number of rows that the model is of, null: all.
    """

    run_id: str | None
    pipeline: str | None
    model: str | None
    evaluator: WhyEvaluator
    infra_validator: WhyInfraValidator
    pusher: WhyPusher
    on_vertex: WhyVertex | None
    sample: int | None
    failed: NotRequired[list[Failed]]
    running: NotRequired[list[str]]


class WarmStart(Answer):
    """The earlier model whose weights a model began with; `left`: what is new, and why."""

    model: str
    taken: list[str]
    left: dict[str, str]


class PlannedNode(Answer):
    """What a run would do with a node; `plan`: execute, cached, reused or resolve."""

    name: str
    plan: str
    why: str


class RunPlan(Answer):
    """What a run would do, in the order of the graph."""

    nodes: list[PlannedNode]


class Outcome(Answer):
    """The outcome of a run; `changes`: differences from the previous run, by group."""

    run_id: str
    status: str
    nodes: list[Node]
    data: Values | None
    anomalies: list[Values]
    drift: Values | None
    tuning: Values | None
    warm_start: WarmStart | None
    metrics: Metrics
    slices: dict[str, Metrics]
    blessed: bool
    infra_blessed: bool
    reasons: list[str]
    why: Why | None
    baseline: str | None
    pushed_to: str | None
    workspace: str
    metadata: str
    log: str
    report: str | None
    previous: str | None
    changes: dict[str, list[str]]
    error: str | None
    failed_at: str | None
    wall_seconds: Number
