"""Answers of the questions to a store."""

from typing import Any

from typing_extensions import NotRequired, TypedDict

from cli.answers.base import CLOSED, Answer, Later, Metrics, Node, Number, Values
from cli.answers.runs import ExamplesOfRun, PushedOfRun

Ids = dict[str, list[str]]


class DiffSide(Answer):
    """One of two things that are compared."""

    asked: str
    run: str | None
    model: str | None
    created: str | None
    pushed_versions: list[str]
    live: bool


class DiffChange(Answer):
    """A value that differs."""

    path: str
    a: Any
    b: Any
    difference: Any


class DiffGroup(Answer):
    """Differences and equal groups; a group that cannot be compared has notes only."""

    changes: list[DiffChange]
    same: list[str]
    notes: list[str]


class Diff(Answer):
    """Two runs, models or artifacts; `differs` and `same` are names of groups."""

    a: DiffSide
    b: DiffSide
    differs: list[str]
    same: list[str]
    groups: dict[str, DiffGroup]


class ChainNode(Answer):
    """An artifact or an execution; `followed` is false where its own lineage was left out."""

    id: str
    number: int
    kind: str
    depth: int
    followed: bool
    state: str
    type: NotRequired[str]
    uri: NotRequired[str]
    span: NotRequired[int | None]
    cached: NotRequired[int]
    node: NotRequired[str]
    run: NotRequired[str | None]
    pipeline: NotRequired[str | None]


# `from` is a word of Python.
Edge = TypedDict("Edge", {"from": str, "to": str, "keys": list[str], "baseline": bool})
Edge.__doc__ = "A step in the direction of the data flow."
Edge.__pydantic_config__ = CLOSED  # type: ignore[attr-defined]


class Source(Answer):
    """Data that an execution read from outside the store."""

    execution: str
    artifact: str
    place: str
    sha256: str | None
    files: int | None
    bytes: int | None
    times_checksum: str | None


class LiveChange(Answer):
    """A push, promotion, rollback or undeployment that changed what a destination serves."""

    destination: str
    change: str
    execution: str
    pushed_model: str
    when: str
    live: int | None
    traffic: dict[str, int] | None
    withheld: int | None
    by: str | None
    reason: str | None


class Chain(Answer):
    """Everything upstream or downstream of an element."""

    start: str
    direction: str
    starts: list[str]
    type: str | None
    nodes: list[ChainNode]
    edges: list[Edge]
    sources: list[Source]
    history: list[LiveChange]
    earlier_changes: int


Paths = TypedDict(
    "Paths", {"from": str, "to": str, "swapped": bool, "same": bool, "paths": list[list[Edge]]}
)
Paths.__doc__ = "The shortest paths between two elements; `swapped`: in the opposite order."
Paths.__pydantic_config__ = CLOSED  # type: ignore[attr-defined]


class CacheDifference(Answer):
    """Why an execution was no copy of an earlier one."""

    kind: str
    name: str
    was: Any
    now: Any
    text: str
    upstream: str | None


class CacheStep(Answer):
    """Why one execution was executed."""

    execution: str
    state: str
    reason: str
    text: str
    compared_with: str | None
    differences: list[CacheDifference]


class CacheExplained(Answer):
    """Why an execution was executed or cached; `chain`: the root causes first."""

    execution: str
    state: str
    reason: str
    root_causes: list[str]
    chain: list[CacheStep]


class Exported(Answer):
    """A file that was written."""

    format: str
    output: str
    bytes: int


class Dump(Answer):
    """All that the store says, as docs/lineage.md documents it."""

    format: str
    version: int
    scope: str
    pipelines: list[str]
    runs: list[Values]
    executions: list[Values]
    artifacts: list[Values]
    links: list[Values]


class ImpactStart(Answer):
    """The requested element."""

    id: str
    type: str
    uri: str


class ImpactCounts(Answer):
    """Models by relation."""

    learned: int
    live: int
    evaluated: int
    baseline: int


class Blessing(Answer):
    """A verdict."""

    id: str
    by: str
    blessed: bool | None


class Push(Answer):
    """A version that was published."""

    id: str
    by: str
    run: str | None
    destination: str
    version: str
    pushed: str
    live: bool | None


class ImpactModel(Answer):
    """A model that data has reached; `relation` is the closest of `relations`."""

    model: str
    uri: str
    pipeline: str
    run: str | None
    runs: list[str]
    created: str
    relation: str
    relations: list[str]
    distance: int | None
    learned: bool
    live: bool
    blessed: bool | None
    was_blessed: bool | None
    later_verdicts: list[Later]
    blessings: list[Blessing]
    pushes: list[Push]


class Unfinished(Answer):
    """An execution that has not ended."""

    id: str
    state: str


class Impact(Answer):
    """The models that data has reached; `reached`: artifact type to number."""

    asked: str
    matched_by: str
    notes: list[str]
    starts: list[ImpactStart]
    verdict: str
    live: bool
    counts: ImpactCounts
    models: list[ImpactModel]
    reached: dict[str, int]
    unfinished: list[Unfinished]


class Input(Answer):
    """An artifact that an execution read, and whether its files are as they were."""

    key: str
    id: str
    type: str
    state: str
    uri: str
    payload: str
    bytes: int | None
    checksum: Any


class InputFile(Answer):
    """A source file; `status`: same, differs, missing or not_looked_at."""

    path: str
    bytes: int
    sha256: str
    status: str


class Fingerprint(Answer):
    """TFX's fingerprint of source files."""

    recorded: str
    now: str
    status: str


class Inputs(Answer):
    """The inputs of an execution."""

    execution: str
    type: str
    state: str
    read_by: str
    inputs: list[Input]
    files: list[InputFile]
    fingerprint: Fingerprint | None
    splits: Values
    parameters: Values
    unchanged: bool


class PrunedPayload(Answer):
    """Files of an artifact."""

    id: str
    runs: list[str]
    uri: str
    bytes: int


class PrunedFile(Answer):
    """A file that a run left beside its artifacts: bad rows, a checkpoint."""

    path: str
    run: str
    bytes: int


class Kept(Answer):
    """Why something stays."""

    id: str
    why: str


class NotDeleted(Answer):
    """Why something is there still."""

    uri: str
    why: str


class Pruned(Answer):
    """The deleted payloads; `done`: whether the deletion happened."""

    done: bool
    bytes: int
    kept_runs: Any
    pruned_runs: Any
    artifacts: list[PrunedPayload]
    unfinished: list[PrunedPayload]
    quarantines: list[PrunedFile]
    checkpoints: list[PrunedFile]
    protected: list[Kept]
    left: list[Kept]
    failed: list[NotDeleted]


class Recipe(Answer):
    """The way to reproduce a model; null: not recorded."""

    model: str
    made_by: str | None
    git_commit: str | None
    git_dirty: bool | None
    code_fingerprint: str | None
    code_warning: str | None
    stack: str | None
    python: str | None
    settings_sha256: str | None
    settings_file: str | None
    overrides: Any
    settings: Any
    files: list[InputFile]
    metrics: Metrics
    not_recorded: list[str]
    commands: list[str]


class ComparedMetric(Answer):
    """A metric of the model, and of the one that was made again."""

    name: str
    recorded: Number
    again: Number
    within: bool


class Compared(Answer):
    """A model that was made again."""

    model: str
    tolerance: float
    within: bool
    metrics: list[ComparedMetric]
    workspace: str | None


class Payload(Answer):
    """The files of an artifact; `status`: there, missing or not_looked_at."""

    status: str
    files: int | None
    bytes: int | None


class UsedBy(Answer):
    """An execution that read an artifact."""

    execution: str
    node: str
    keys: list[str]
    state: str


class Artifact(Answer):
    """One artifact, with a key for its type; see docs/lineage.md."""

    kind: str
    id: str
    number: int
    type: str
    name: str | None
    state: str
    created: str
    updated: str
    uri: str
    payload: Payload
    made_by: list[str]
    cached_by: list[str]
    runs: list[str]
    model: NotRequired[Values]
    examples: NotRequired[Values]
    schema: NotRequired[Values]
    statistics: NotRequired[Values]
    blessing: NotRequired[Values]
    push: NotRequired[Values]
    properties: Values
    used_by: list[UsedBy]


class Execution(Answer):
    """One execution; `ended` null while it runs."""

    kind: str
    id: str
    number: int
    type: str
    node: str
    run: str | None
    pipeline: str | None
    state: str
    started: str
    ended: str | None
    seconds: float
    error: str | None
    failed_at: str | None
    code_fingerprint: Any
    inputs: Ids
    outputs: Ids
    baselines: list[str]
    parameters: Values


class RunNode(Node):
    """A node of a run, and its execution."""

    id: str


class RunShown(Answer):
    """One run; `recorded` null in a stock store, `missing` where the nodes were not planned."""

    kind: str
    id: str
    pipeline: str
    started: str
    ended: str | None
    seconds: float
    status: str
    outcome: str | None
    nodes: list[RunNode]
    missing: list[str] | None
    examples: list[ExamplesOfRun]
    models: list[str]
    blessed: bool | None
    refused_by: list[str]
    pushed: list[PushedOfRun]
    sample: NotRequired[int]
    outputs: dict[str, Ids]
    recorded: Values | None


class RunEnd(Answer):
    """The first or last run of a pipeline."""

    run_id: str
    started: str
    status: str


class Pipeline(Answer):
    """One pipeline; `live`: model to the destinations that serve it."""

    kind: str
    id: str
    runs: int
    statuses: dict[str, int]
    first: RunEnd | None
    last: RunEnd | None
    live: dict[str, list[str]]
    latest_runs: list[str]


class VerifyFinding(Answer):
    """A difference from the records; `severity`: error, warning or note."""

    severity: str
    check: str
    id: str
    what: str
    do: str


class Verified(Answer):
    """The checked elements and the findings."""

    errors: int
    warnings: int
    notes: int
    artifacts: int
    executions: int
    events: int
    hashed: int
    not_looked_at: int
    findings: list[VerifyFinding]
