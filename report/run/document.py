"""Content of the page of a run as plain typed values: `fareline report --json` prints it.

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
    """The outcome of the run.

    Attributes:
        outcome: `pushed`, `refused`, `failed`, `interrupted`, `completed`, or the run's state.
        headline: In a sentence.
        reasons: Why it was not pushed; empty if it was.
        judgement: Results of all checks, one per line.
        model: Printable id; None without a model.
        baseline: Baseline of the comparison; None without a baseline.
        version: Pushed version.
        destination: Destination of the push.
        spans: Spans of the data, in words; empty where data has none.
        rows: Number of rows that were read; None if not recorded.
        previous: Previous run of the same pipeline; None without one.
        changes: Differences from the previous run, by group: path, before, now.
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
        low: Lower end of the bin.
        high: Upper end of the bin.
        count: Number of values.
    """

    low: float
    high: float
    count: float


@dataclasses.dataclass(frozen=True)
class ColumnStats:
    """A column in one split.

    Attributes:
        missing: Share of the rows.
        count: Number of values.
        zeros: Share of the rows that are 0; None of texts.
        mean: Mean; None for texts, like the following fields.
        deviation: Standard deviation.
        low: Smallest value.
        median: The middle one.
        high: Largest value.
        quantiles: Ends of parts with as many values, ascending.
        bins: Bins of equal width.
        distinct: Number of different texts.
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
        """The lowest decile; None if quantiles are not in tenths."""
        return self.quantiles[1] if len(self.quantiles) == _ENDS_OF_TENTHS else None

    @property
    def nine_tenths(self) -> float | None:
        """The highest decile; None if quantiles are not in tenths."""
        return self.quantiles[-2] if len(self.quantiles) == _ENDS_OF_TENTHS else None


@dataclasses.dataclass(frozen=True)
class Drift:
    """One measure of a column against data before it, or of requests against training.

    Attributes:
        against: `previous` or `serving`.
        measure: Such as `jensen_shannon`.
        value: Measured value.
        threshold: Lowest value that counts as drift.
        drifted: Whether it does.
        policy: Consequence.
        said: The change, in words.
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
        name: Name of the column.
        kind: `INT`, `FLOAT`, `STRING` or `BYTES`.
        splits: Split to what was found in it.
        previous: Statistics of the training split of the previous data, if there is any.
        drift: Every measure; those that have drifted first.
        roles: Uses by the settings: `label`, `numeric`, `vocabulary` …
    """

    name: str
    kind: str
    splits: dict[str, ColumnStats]
    previous: ColumnStats | None = None
    drift: list[Drift] = dataclasses.field(default_factory=list)
    roles: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Data:
    """The data that was read.

    Attributes:
        rows: Bad ones included; None if not recorded.
        splits: Split to number of examples.
        files: Path, rows, bytes and SHA-256 of each source file, as far as recorded.
        quarantined: Reason to number of rows.
        bad_rows: The first of each reason: source, line, reason, message.
        columns: In the order of their names.
        reference: The data that drift was measured against; None if there was none.
        before: Description of the previous data: id, run and span; empty if not in the store.
        decisions: Decisions about anomalies, as `fareline.recorded.gate.Decision`.
        proposals: Differences between the schema that today's data suggests and the present one.
        notes: Sentences about content that could not be read.
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
        settings: Settings of the kind, such as `log` or `size`.
        mean: Mean with which a number is scaled.
        deviation: Standard deviation with which a number is scaled.
        boundaries: Boundaries between buckets, ascending.
        vocabulary: Number of entries.
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
    """The features that Transform computed.

    Attributes:
        features: In the order of the settings.
        notes: Sentences about content that could not be read.
    """

    features: list[Feature]
    notes: list[str]


@dataclasses.dataclass(frozen=True)
class Training:
    """The search of hyperparameters and the training.

    Attributes:
        decision: `searched`, `reused` or `given`, with reasons; None if not recorded.
        trials: Trials of the search: `trial_id`, `score` and the hyperparameters of each.
        chosen: The hyperparameters that were trained with.
        curves: Metric to its value at each evaluation.
        monitor: The metric that was watched; None if not recorded.
        best: The evaluation whose weights were kept, from 0; None if not recorded.
        planned: Evaluations at most.
        steps_per_evaluation: Batches before each.
        labels: Split to rows and rows without a label.
        seconds: Node to seconds that it took.
        log_dir: Folder of TensorBoard's logs; None without logs.
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
        baseline: Metric of the baseline to value.
        intervals: Metric to the ends of its 95 % interval, if requested.
    """

    name: str
    metrics: dict[str, Number | None]
    baseline: dict[str, Number | None] = dataclasses.field(default_factory=dict)
    intervals: dict[str, tuple[Number, Number]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Operating:
    """Counts of a binary score for many thresholds.

    Attributes:
        name: Name of the class; empty of a binary model.
        thresholds: From 0 to 1; a score from there on counts as positive.
        true_positives: Weight of true positives at each threshold.
        false_positives: Weight of false positives at each threshold.
        positives: Weight of all positive examples.
        negatives: Weight of all negative examples.
    """

    name: str
    thresholds: list[float]
    true_positives: list[float]
    false_positives: list[float]
    positives: float
    negatives: float


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Agreement of scores and labels.

    Attributes:
        name: Name of the class; empty of a binary model.
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
    """Data for the pictures of one model's predictions.

    Attributes:
        operating: One element for a binary model; one per class for several classes.
        calibration: One element for a binary model; one per class for several classes.
        positives: Share of the positives in each of equal bins of the score, for binary models.
        negatives: Share of the negatives in each of these bins.
        matrix: Matrix of several classes, weight by class of the label and likeliest class.
        labels: Labels of a regression, of some examples.
        predictions: Predictions of the same.
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
    """The evaluation on the eval split.

    Attributes:
        task: `binary`, `multiclass`, `regression`; empty if not recorded.
        classes: Names of the classes, in the order of the model's answer.
        main_metric: Metric that ranks the slices; empty if not recorded.
        overall: Slice of all examples.
        slices: All other slices, by name.
        checks: Each threshold with its result, as `fareline.recorded.evaluation.Check`.
        gaps: Gaps between slices, as `fareline.recorded.evaluation.Gap`.
        worst: Names of the worst slices with enough examples, the worst first.
        refusals: Refusals of TFMA or of the predictions, in sentences.
        candidate: Pictures of the candidate; None if not recorded.
        baseline: Pictures of the baseline; None if not recorded.
        notes: Sentences about missing content, with the reason.
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
    """The result of InfraValidator.

    Attributes:
        blessed: Whether the model may be served; None if it does not say.
        reason: Reason of the refusal; `ok` if there is none.
        message: Reason as a sentence.
        checks: Each in words, with what was measured and allowed, and whether it held.
        latency: Batch to percentile to milliseconds.
        quantiles: Batch to every twentieth part of the times of its last round, milliseconds.
        memory: Memory of the server after loading and after each round, MiB.
        memory_budget: Memory limit, MiB.
        server: Kind of the server.
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
        seconds: Duration.
    """

    name: str
    state: str
    start: float
    seconds: float


@dataclasses.dataclass(frozen=True)
class Record:
    """The record of the run itself.

    Attributes:
        nodes: In the order of execution, those that never began last.
        failures: Node, error, place and traceback of each that failed, and what prints its log.
        facts: Such as commit and stack: label to text.
        digests: Digests of data, code and settings: label to text.
        settings: The text of the settings, with all that was changed; empty if not recorded.
        overrides: Values of `--set`.
        command: Command that repeats the run; empty if not recorded.
        packages: Versions.
        artifacts: Outputs of each node: node, key, id, uri.
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
        facts: Facts from the store, by heading: lines.
        metrics: Rows of metric, value and threshold.
        slices: Rows of slice, examples and main metric.
        main_metric: Main metric of the task.
        limits: Sentences about the limits of the model.
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
        run_id: Run id, as TFX recorded it.
        pipeline: Name of the pipeline.
        started: ISO 8601, UTC.
        ended: End of the run, ISO 8601, UTC.
        seconds: From start to end.
        verdict: Always there.
        record: Always there.
        data: And the following: None where there is nothing to show, and `absent` says why.
        features: Features that Transform computed.
        training: Search and training.
        evaluation: On the eval split.
        serving: Result of InfraValidator.
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
