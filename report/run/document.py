"""What the page of a run shows, as plain typed values: `fareline report --json` prints it.

Filled by `report.run.gather` and its neighbours, drawn by `report.run.page`. What a store does not
say is None or empty, and `Document.absent` says why a whole section is. Imports nothing that takes
long: no pydantic, no TFX.
"""

import dataclasses
from typing import Any

_ENDS_OF_TENTHS = 11

Number = int | float


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came of the run.

    Attributes:
        outcome: `pushed`, `refused`, `failed`, `interrupted`, `completed`, or the run's state.
        headline: In a sentence.
        reasons: Why it was not pushed; empty if it was.
        judgement: Every judge's words, a line each.
        model: Printable id; None if there is none.
        baseline: That it was compared with; None if with nothing.
        version: That was pushed.
        destination: Where it was pushed to.
        spans: Of the data, in words; empty where data has none.
        rows: That were read; None if not recorded.
        previous: The run before of the same pipeline; None if there is none.
        changes: What differs from it, by group: path, before, now.
    """

    outcome: str
    headline: str
    reasons: list[str]
    judgement: list[str]
    model: str | None
    baseline: str | None
    version: str | None
    destination: str | None
    spans: str
    rows: int | None
    previous: str | None
    changes: dict[str, list[tuple[str, Any, Any]]]


@dataclasses.dataclass(frozen=True)
class Bin:
    """A bin of a histogram.

    Attributes:
        low: Of its values.
        high: Of its values.
        count: Of values.
    """

    low: float
    high: float
    count: float


@dataclasses.dataclass(frozen=True)
class ColumnStats:
    """A column in one split.

    Attributes:
        missing: Share of the rows.
        count: Of values.
        zeros: Share of the rows that are 0; None of texts.
        mean: None of texts, as the following.
        deviation: Standard deviation.
        low: Smallest value.
        median: The middle one.
        high: Largest value.
        quantiles: Ends of parts with as many values, ascending.
        bins: Of equal width.
        distinct: Of texts, how many different ones.
        top: The most frequent ones and how often each is there.
    """

    missing: float
    count: int
    zeros: float | None = None
    mean: float | None = None
    deviation: float | None = None
    low: float | None = None
    median: float | None = None
    high: float | None = None
    quantiles: list[float] = dataclasses.field(default_factory=list)
    bins: list[Bin] = dataclasses.field(default_factory=list)
    distinct: int | None = None
    top: list[tuple[str, float]] = dataclasses.field(default_factory=list)

    @property
    def tenth(self) -> float | None:
        """What a tenth of the values does not exceed; None if quantiles are not in tenths."""
        return self.quantiles[1] if len(self.quantiles) == _ENDS_OF_TENTHS else None

    @property
    def nine_tenths(self) -> float | None:
        """The same of nine tenths of them."""
        return self.quantiles[-2] if len(self.quantiles) == _ENDS_OF_TENTHS else None


@dataclasses.dataclass(frozen=True)
class Drift:
    """One measure of a column against data before it, or of requests against training.

    Attributes:
        against: `previous` or `serving`.
        measure: Such as `jensen_shannon`.
        value: What was measured.
        threshold: From which on it counts as drift.
        drifted: Whether it does.
        policy: What becomes of it.
        said: What changed, in words.
    """

    against: str
    measure: str
    value: float
    threshold: float
    drifted: bool
    policy: str
    said: str


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the data.

    Attributes:
        name: Of the column.
        kind: `INT`, `FLOAT`, `STRING` or `BYTES`.
        splits: Split to what was found in it.
        previous: The same of the training split of the data before, if there is any.
        drift: Every measure; those that have drifted first.
        roles: What the settings use it as: `label`, `numeric`, `vocabulary` …
    """

    name: str
    kind: str
    splits: dict[str, ColumnStats]
    previous: ColumnStats | None = None
    drift: list[Drift] = dataclasses.field(default_factory=list)
    roles: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Data:
    """What was read.

    Attributes:
        rows: Bad ones included; None if not recorded.
        splits: Split to number of examples.
        files: Path, rows, bytes and SHA-256 of each source file, as far as recorded.
        quarantined: Reason to number of rows.
        bad_rows: The first of each reason: source, line, reason, message.
        columns: In the order of their names.
        reference: The data that drift was measured against; None if there was none.
        before: What that was, in words: its id, run and span; empty if it is not in the store.
        decisions: Of each anomaly what became of it, as `fareline.recorded.gate.Decision`.
        proposals: How the schema that today's data suggests differs from the one in force.
        notes: What could not be read, in sentences.
    """

    rows: int | None
    splits: dict[str, int]
    files: list[dict[str, Any]]
    quarantined: dict[str, int]
    bad_rows: list[dict[str, Any]]
    columns: list[Column]
    reference: str | None
    before: str
    decisions: list[dict[str, Any]]
    proposals: list[dict[str, Any]]
    notes: list[str]


@dataclasses.dataclass(frozen=True)
class Feature:
    """A column as the model gets it.

    Attributes:
        column: Its name.
        kind: `numeric`, `bucketized`, `vocabulary` or `categorical`.
        settings: Of the kind, such as `log` or `size`.
        mean: That a number is scaled by.
        deviation: The same.
        boundaries: Between buckets, ascending.
        vocabulary: How many entries it has.
        head: Its first entries, the most frequent.
    """

    column: str
    kind: str
    settings: dict[str, Any]
    mean: float | None = None
    deviation: float | None = None
    boundaries: list[float] = dataclasses.field(default_factory=list)
    vocabulary: int | None = None
    head: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Features:
    """What Transform made.

    Attributes:
        features: In the order of the settings.
        notes: What could not be read, in sentences.
    """

    features: list[Feature]
    notes: list[str]


@dataclasses.dataclass(frozen=True)
class Training:
    """How hyperparameters were found and the model was trained.

    Attributes:
        decision: `searched`, `reused` or `given`, with reasons; None if not recorded.
        trials: Of the search: `trial_id`, `score` and the hyperparameters of each.
        chosen: The hyperparameters that were trained with.
        curves: Metric to its value at each evaluation.
        monitor: The metric that was watched; None if not recorded.
        best: The evaluation whose weights were kept, from 0; None if not recorded.
        planned: Evaluations at most.
        steps_per_evaluation: Batches before each.
        labels: Split to rows and rows without a label.
        seconds: Node to seconds that it took.
        log_dir: Where TensorBoard's logs are; None if they are not there.
    """

    decision: dict[str, Any] | None
    trials: list[dict[str, Any]]
    chosen: dict[str, Any]
    curves: dict[str, list[float | None]]
    monitor: str | None
    best: int | None
    planned: int | None
    steps_per_evaluation: int | None
    labels: dict[str, dict[str, Any]]
    seconds: dict[str, float]
    log_dir: str | None


@dataclasses.dataclass(frozen=True)
class Slice:
    """A part of the evaluated examples.

    Attributes:
        name: Such as `payment_type=Cash`.
        metrics: Metric to value; None where it is undefined.
        baseline: The same of the model that it was compared with.
        intervals: Metric to the ends of its 95 % interval, where one was asked for.
    """

    name: str
    metrics: dict[str, Number | None]
    baseline: dict[str, Number | None] = dataclasses.field(default_factory=dict)
    intervals: dict[str, tuple[Number, Number]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Operating:
    """What a threshold does to a score, for many thresholds.

    Attributes:
        name: Of the class; empty of a binary model.
        thresholds: From 0 to 1; a score from there on counts as positive.
        true_positives: Weight of the examples, per threshold.
        false_positives: The same.
        positives: Of all examples.
        negatives: Of all examples.
    """

    name: str
    thresholds: list[float]
    true_positives: list[float]
    false_positives: list[float]
    positives: float
    negatives: float


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How scores and what is true agree.

    Attributes:
        name: Of the class; empty of a binary model.
        scores: Mean score of a bin.
        rates: Share of positives in it.
        weights: Weight of the examples in it.
    """

    name: str
    scores: list[float]
    rates: list[float]
    weights: list[float]


@dataclasses.dataclass(frozen=True)
class ModelPicture:
    """What can be drawn of one model's predictions.

    Attributes:
        operating: Of a binary model one; of several classes one each.
        calibration: The same.
        positives: Share of the positives in each of equal bins of the score, likewise.
        negatives: The same of the others.
        matrix: Of several classes, weight by class of the label and likeliest class.
        labels: Of a regression, of some examples.
        predictions: Of the same.
        every: One of how many examples these are.
    """

    operating: list[Operating] = dataclasses.field(default_factory=list)
    calibration: list[Calibration] = dataclasses.field(default_factory=list)
    positives: list[list[float]] = dataclasses.field(default_factory=list)
    negatives: list[list[float]] = dataclasses.field(default_factory=list)
    matrix: list[list[float]] = dataclasses.field(default_factory=list)
    labels: list[float] = dataclasses.field(default_factory=list)
    predictions: list[float] = dataclasses.field(default_factory=list)
    every: int = 1


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How good the model is on the eval split.

    Attributes:
        task: `binary`, `multiclass`, `regression`; empty if not recorded.
        classes: Names of the classes, in the order of the model's answer.
        main_metric: By which slices are ranked; empty if not recorded.
        overall: Of all examples.
        slices: The others, by name.
        checks: Every demand and whether it held, as `fareline.recorded.evaluation.Check`.
        gaps: Between slices, as `fareline.recorded.evaluation.Gap`.
        worst: Names of the worst slices that count, the worst first.
        refusals: Of TFMA or of the predictions, in sentences.
        candidate: What can be drawn; None if it was not recorded.
        baseline: The same of the model that it was compared with.
        notes: What is not there and why, in sentences.
    """

    task: str
    classes: list[str]
    main_metric: str
    overall: Slice
    slices: list[Slice]
    checks: list[dict[str, Any]]
    gaps: list[dict[str, Any]]
    worst: list[str]
    refusals: list[str]
    candidate: ModelPicture | None
    baseline: ModelPicture | None
    notes: list[str]


@dataclasses.dataclass(frozen=True)
class Serving:
    """What InfraValidator found.

    Attributes:
        blessed: Whether the model may be served; None if it does not say.
        reason: Why not; `ok` if it may.
        message: The same in a sentence.
        checks: Each in words, with what was measured and allowed, and whether it held.
        latency: Batch to percentile to milliseconds.
        quantiles: Batch to every twentieth part of the times of its last round, milliseconds.
        memory: What the server held after loading and after each round, MiB.
        memory_budget: How much it may hold, MiB.
        server: Which server.
    """

    blessed: bool | None
    reason: str
    message: str
    checks: list[dict[str, Any]]
    latency: dict[str, dict[str, float | None]]
    quantiles: dict[str, list[float]]
    memory: list[float]
    memory_budget: float | None
    server: str


@dataclasses.dataclass(frozen=True)
class NodeTime:
    """A node of the run.

    Attributes:
        name: Its id.
        state: `executed`, `cached`, `failed`, `running`, `unknown`; `skipped` if it never began.
        start: Seconds from the start of the run.
        seconds: That it took.
    """

    name: str
    state: str
    start: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of the run itself.

    Attributes:
        nodes: In the order of execution, those that never began last.
        failures: Node, error, place and traceback of each that failed, and what prints its log.
        facts: Such as commit and stack: label to text.
        digests: Of data, code and settings: label to text.
        settings: The text of the settings, with all that was changed; empty if not recorded.
        overrides: What `--set` said.
        command: That makes such a run again; empty if it was not recorded.
        packages: Versions.
        artifacts: What each node put out: node, key, id, uri.
    """

    nodes: list[NodeTime]
    failures: list[dict[str, Any]]
    facts: dict[str, str]
    digests: dict[str, str]
    settings: str
    overrides: list[str]
    command: str
    packages: dict[str, str]
    artifacts: list[dict[str, str]]


@dataclasses.dataclass(frozen=True)
class Card:
    """The model card.

    Attributes:
        model: Printable id; None if the run has no model.
        texts: Free text from the settings, by heading.
        facts: What the store says, by heading: lines.
        metrics: Rows of metric, value and threshold.
        slices: Rows of slice, examples and main metric.
        main_metric: Of these.
        limits: What a reader should know, in sentences.
    """

    model: str | None
    texts: dict[str, str]
    facts: dict[str, list[str]]
    metrics: list[tuple[str, Number | None, str]]
    slices: list[tuple[str, Number | None, Number | None]]
    main_metric: str
    limits: list[str]


@dataclasses.dataclass(frozen=True)
class Document:
    """The page of a run.

    Attributes:
        run_id: As TFX recorded it.
        pipeline: Name of the pipeline.
        started: ISO 8601, UTC.
        ended: The same.
        seconds: From start to end.
        verdict: Always there.
        record: Always there.
        data: And the following: None where there is nothing to show, and `absent` says why.
        features: What Transform made.
        training: Search and training.
        evaluation: On the eval split.
        serving: What InfraValidator found.
        card: Model card.
        absent: Name of a section to why it is not there, in a sentence.
    """

    run_id: str
    pipeline: str
    started: str
    ended: str
    seconds: float
    verdict: Verdict
    record: Record
    data: Data | None = None
    features: Features | None = None
    training: Training | None = None
    evaluation: Evaluation | None = None
    serving: Serving | None = None
    card: Card | None = None
    absent: dict[str, str] = dataclasses.field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return dataclasses.asdict(self)
