"""Answers of the commands about rows, schemas and feedback."""

from typing import Any

from cli.answers.base import Answer, Number, Values


class Sample(Answer):
    """The taxi data, as a file."""

    output: str
    rows: int
    bytes: int


class GeneratedFile(Answer):
    """One file of generated rows."""

    path: str
    rows: int
    bytes: int
    sha256: str


class Generated(Answer):
    """A folder of generated rows, and how it is made again; `broken_rows`: reason to number."""

    folder: str
    rows: int
    seed: int
    shards: int
    format: str
    options: Values
    source_sha256: str
    broken_rows: dict[str, int]
    files: list[GeneratedFile]


class Span(Answer):
    """One span; `end` is the day after the last."""

    span: int
    version: int
    period: str
    begin: str
    end: str
    rows: int
    path: str
    sha256: str


class Spans(Answer):
    """A folder of spans; `pattern` is what a source names."""

    folder: str
    by: str
    column: str
    layout: str
    pattern: str
    rows: int
    spans: list[Span]


class QuerySplit(Answer):
    """A split: how many of its examples are meant, and some of them by feature."""

    count: int
    of: int
    examples: list[Values]


class QueryArtifact(Answer):
    """Examples that were asked."""

    artifact: str
    made_by: str | None
    uri: str
    spans: str | None
    splits: dict[str, QuerySplit]


class Query(Answer):
    """The examples for which a condition is true."""

    condition: str
    artifacts: list[QueryArtifact]


class ProposedColumn(Answer):
    """A column of a table, what it is taken for, and why."""

    name: str
    kind: str
    confidence: str
    evidence: str
    type: str
    distinct: int
    missing: float
    spellings: Any
    examples: list[Any]
    tells_label: Number
    is_feature: bool


class Proposed(Answer):
    """Settings and a schema for a table; `written` is false where files that differ are there."""

    name: str
    rows: int
    unreadable_rows: int
    label: str
    task: str
    values: list[Any]
    sampled_for_leaks: Any
    columns: list[ProposedColumn]
    settings: str
    schema: str
    written: bool
    differences: list[Any]


class CodeWritten(Answer):
    """A package of own functions."""

    package: str
    settings: str
    written: list[str]


class Difference(Answer):
    """A difference between two schemas; `severity`: breaking, notable or informative."""

    column: str
    aspect: str
    before: str
    after: str
    severity: str


class Version(Answer):
    """A version of a schema."""

    version: int
    date: str
    columns: list[str]
    changes: list[str]
    reason: str
    previous: str | None
    sha256: str


class Finding(Answer):
    """Why rows break a schema; `rows` null: no single row does."""

    column: str
    kind: str
    found: str
    expected: str
    rows: int | None
    example: str | None


class SchemaAccepted(Answer):
    """The version that was recorded."""

    schema: str
    version: int
    columns: list[str]
    changes: list[str]
    reason: str
    previous: str | None
    sha256: str


class NothingAccepted(Answer):
    """The schema has not changed since the last version."""

    schema: str
    version: None
    changes: list[str]


class SchemaChecked(Answer):
    """Rows compared with the schema."""

    schema: str
    sha256: str
    data: str
    environment: str
    rows: int
    anomalies: list[Finding]


class SchemaReviewed(Answer):
    """Changes that data suggests for the schema; `unreviewed`: changes without a record."""

    schema: str
    sha256: str
    data: str
    rows: int
    differences: list[Difference]
    unreviewed: int


class SchemaVersions(Answer):
    """Changes since an older version."""

    schema: str
    sha256: str
    version: Version
    differences: list[Difference]


class SchemaInferred(Answer):
    """A schema that was written."""

    schema: str
    sha256: str
    columns: list[str]
    rows: int
    label: str | None


class SchemaLog(Answer):
    """All versions; `recorded`: whether the file is the last of them."""

    schema: str
    sha256: str
    versions: list[Version]
    recorded: bool


class SchemaProposed(Answer):
    """A proposal that was written; `proposal` null: there is nothing to propose."""

    schema: str
    sha256: str
    data: str
    rows: int
    columns: list[str]
    proposal: str | None


class OutcomesAdded(Answer):
    """Outcomes that were kept, and those that were not, by reason."""

    kept: int
    again: bool
    file: str | None
    refused: int
    reasons: dict[str, int]
    set_apart: str | None


class Delay(Answer):
    """Number of outcomes that arrived within a number of hours after their predictions."""

    hours: float
    arrived: int
    of_labels: float
    of_predictions: float


class SealedSpan(Answer):
    """A span that was sealed; `after` null: it is the first."""

    span: int
    version: int
    predictions: int
    rows: int
    after: str | None
    until: str
    delays: list[Delay]
    folder: str


class FeedbackBuilt(Answer):
    """Predictions joined with outcomes, by state, and the spans that were sealed."""

    as_of: str
    states: dict[str, int]
    in_span: dict[str, int]
    outcomes: int
    counted: dict[str, int]
    broken: dict[str, int]
    open_rows: int
    pattern: str
    notes: list[str]
    sealed: list[SealedSpan]


class SpanVersion(Answer):
    """A version of a span."""

    span: int
    version: int


class Erased(Answer):
    """The erased records of an entity, and the models that read them before."""

    predictions: int
    lines: int
    outcomes: int
    sealed: list[SpanVersion]
    removed: list[SpanVersion]
    read_by: list[Any]
    open_files: Any


class LogFile(Answer):
    """A log that was taken up; `skipped`: reason to number."""

    file: str
    rows: int
    skipped: dict[str, int]
