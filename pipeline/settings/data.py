"""The typed section `data`: where rows come from, how they are read, which split each belongs to.

Called by pipeline.settings.settings. Imports no TFX and no TensorFlow.
"""

import codecs
import dataclasses
import re
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from data.reading.csv_header import COMMAS, CsvFormat, as_missing, number_spelling
from data.sources.span_patterns import has_span
from pipeline.settings.values import Count, Section, Share, Start

SOURCE_KINDS = ("dataset", "csv", "files", "sql", "bigquery")  # of which a source is one
SPLIT_NAMES = ("train", "validate", "eval")
MOST_SAMPLED = 10_000_000  # rows, whose ranks one worker sorts
LATEST = "latest"  # of what the data pipeline has prepared
COLUMNAR, CSV_EXAMPLE_GEN = "columnar", "csv_example_gen"
_SplitName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


def _no_span(path: str) -> str:
    if has_span(path):
        raise ValueError("expected a path without {SPAN} and the like: tables have no spans")
    return path


def _table_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?", name):
        raise ValueError("expected NAME or DATASET.NAME, of letters, digits and underscores")
    return name


def _some_table(files: dict[str, str]) -> dict[str, str]:
    if not files:
        raise ValueError("expected tables, each with its files")
    return files


# Files: one, a folder of files of one kind, or a glob.
_TableFiles = dict[
    Annotated[str, pydantic.AfterValidator(_table_name)],
    Annotated[str, pydantic.AfterValidator(_no_span)],
]
_QueryText = Annotated[str, Field(min_length=1)]


class Sql(Section):
    """A query over Parquet or CSV files, which DuckDB answers.

    Attributes:
        query: One SELECT.
        files: Table to its files: one, a folder of files of one kind, or a glob.
    """

    query: _QueryText
    files: Annotated[_TableFiles, pydantic.AfterValidator(_some_table)]


class BigQuery(Section):
    """A query that BigQuery answers, in a cluster.

    Attributes:
        query: In its dialect.
        project: Project that pays for the query; None: on Vertex the project of the job.
        cache: Whether the same query gives the same rows, so that they need not be read again.
        files: Local files in place of its tables; see `Sql`.
    """

    query: _QueryText
    project: str | None = None
    cache: bool = False
    files: _TableFiles = Field(default_factory=dict)


def _separator(text: str) -> str:
    if len(text) != 1 or not text.isascii() or text.isalnum() or text in "\"\r\n\0'.+-_":
        raise ValueError('expected one character such as ";", "|" or "\\t" (a tab)')
    return text


def _encoding(name: str) -> str:
    try:
        found = codecs.lookup(name)
        found.incrementaldecoder().decode(b"", final=True)
        "".encode(name)
    except (LookupError, TypeError, ValueError):
        raise ValueError("expected an encoding such as utf-8, utf-16 or windows-1252") from None
    return name


class CsvFormatSection(Section):
    """The format of CSV files.

    Attributes:
        separator: The character between cells.
        decimal: The character before the fraction of a number.
        encoding: Encoding of the text, as Python names it.
    """

    separator: Annotated[str, pydantic.AfterValidator(_separator)] = ","
    decimal: Literal[".", ","] = "."
    encoding: Annotated[str, pydantic.AfterValidator(_encoding)] = "utf-8"

    @pydantic.model_validator(mode="after")
    def _differ(self) -> "CsvFormatSection":
        if self.separator == self.decimal:
            raise ValueError('expected another separator than the decimal mark, such as ";"')
        return self

    def as_read(self) -> CsvFormat:
        """Options of the readers."""
        return CsvFormat(self.separator, self.decimal, self.encoding)


def _spelling(value: Any) -> Any:
    # YAML reads an unquoted -999 as a number, null as nothing, and an unquoted no as false.
    if not isinstance(value, dict):
        return value
    if any(isinstance(k, bool) or not isinstance(k, str | int | float) for k in value):
        raise ValueError("expected spellings as texts. Hint: put them in quotes")
    return {k if isinstance(k, str) else number_spelling(k): inner for k, inner in value.items()}


Spellings = Annotated[
    dict[str, Literal["all"] | Annotated[list[str], Field(min_length=1)]],
    pydantic.BeforeValidator(_spelling),
]


class Source(Section):
    """Where the rows come from: exactly one of the first five.

    Attributes:
        dataset: A data set that the project knows by name.
        csv: A CSV file, or a folder of them with one header.
        files: A file of any format that the columnar reader knows, or a folder of files of one.
        sql: A query over files.
        bigquery: A query to BigQuery.
        csv_format: Format of the CSV files, those of a query's tables too; None: as UTF-8,
            with commas between cells and points before fractions.
        missing: Spellings of a missing value, with the columns to which each applies, or `all`.

    The paths of csv and files may be patterns of spans, see `data.sources.span_patterns`.
    """

    dataset: Literal["chicago_taxi"] | None = None
    csv: str | None = None
    files: str | None = None
    sql: Sql | None = None
    bigquery: BigQuery | None = None
    csv_format: CsvFormatSection | None = None
    missing: Spellings = Field(default_factory=dict)

    @property
    def dialect(self) -> CsvFormat:
        """The format of the files: CSV options, and spellings of missing values."""
        written = COMMAS if self.csv_format is None else self.csv_format.as_read()
        return dataclasses.replace(written, missing=as_missing(self.missing))

    @property
    def local_query(self) -> Sql | None:
        """The query for DuckDB, in a local run."""
        if self.bigquery is not None and self.bigquery.files:
            return Sql(query=self.bigquery.query, files=self.bigquery.files)
        return self.sql

    @property
    def query_setting(self) -> str:
        """The section that holds the query."""
        return "data.source.bigquery" if self.bigquery is not None else "data.source.sql"

    @property
    def path(self) -> str | None:
        """The path of files that the settings name, if they do."""
        return self.csv or self.files

    @pydantic.model_validator(mode="after")
    def _exactly_one(self) -> "Source":
        if sum(getattr(self, name) is not None for name in SOURCE_KINDS) != 1:
            raise ValueError(f"expected exactly one of {_listed(SOURCE_KINDS)}")
        return self

    @pydantic.model_validator(mode="after")
    def _has_csv_files(self) -> "Source":
        if self.csv_format is None or self.csv_format.as_read() == COMMAS:
            return self
        if self.dataset is not None:
            raise ValueError("expected csv_format with csv, files or sql")
        if self.local_query is not None and not self.dialect.is_utf8:
            raise ValueError("expected csv_format.encoding utf-8 where the source is a query")
        return self


def _listed(names) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}"


class Splits(Section):
    """Shares of the rows.

    Attributes:
        more: Other splits, by name: for a person to look at, since nothing learns from them.
    """

    train: Count = 8
    validate_: Count = Field(default=2, alias="validate")
    eval: Count = 5
    more: dict[_SplitName, Count] = Field(default_factory=dict)

    @pydantic.field_validator("more")
    @classmethod
    def _named_anew(cls, more: dict[str, int]) -> dict[str, int]:
        if taken := sorted(set(more) & set(SPLIT_NAMES)):
            raise ValueError(f"expected names other than {taken[0]}")
        return more

    def shares(self) -> list[tuple[str, int]]:
        """Split names with their shares, in a fixed order."""
        needed = zip(SPLIT_NAMES, (self.train, self.validate_, self.eval), strict=True)
        return [*needed, *sorted(self.more.items())]


class SplitBy(Section):
    """Rules for the split of a row; without them, a hash of all its values decides.

    Attributes:
        hash: Columns: rows with the same values in them are in the same split.
        time: A column of numbers, or of texts such as 2026-11-30T18:00:00: older rows are in one
            split, newer ones in another.
        starts: With `time`: the value at which each split but the oldest begins, written as the
            column has it; none: where the shares are met, `train` the oldest and `eval` the newest.
    """

    hash: list[str] | None = Field(default=None, min_length=1)
    time: str | None = None
    starts: dict[str, Start] = Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _one_of_both(self) -> "SplitBy":
        if (self.hash is None) == (self.time is None):
            raise ValueError("expected exactly one of hash and time")
        if self.hash is not None and self.starts:
            raise ValueError("expected starts with time only")
        if len(set(self.starts.values())) < len(self.starts):
            raise ValueError("expected no two splits to start at the same value")
        if len({isinstance(start, str) for start in self.starts.values()}) > 1:
            raise ValueError("expected starts that are all numbers, or all days and times")
        return self


class Column(Section):
    """Special options of a column.

    Attributes:
        pii: Whether it is about persons: then it never reaches an Examples artifact.
        pseudonymize: Whether a keyed hash of it does.
    """

    pii: bool = False
    pseudonymize: bool = False

    @pydantic.model_validator(mode="after")
    def _of_persons(self) -> "Column":
        if self.pseudonymize and not self.pii:
            raise ValueError("expected pii: true where pseudonymize is true")
        return self


class Data(Section):
    """Where the data comes from, how it is read and split.

    Attributes:
        source: Where the rows come from.
        span: The newest span to read of a source with spans; None: the latest.
        window: Number of spans to read: that one and those before it.
        max_bad_share: Share of the rows that may be unreadable.
        columns: Special options of some columns.
        sample: Number of rows to read, the same ones in every run; None: all rows. The model of a
            sample is not pushed, and no later run compares with it or begins with it.
        prepared: Data of the data pipeline that the training pipeline reads: the latest that passed
            the gate, a run id, an id such as Examples:12, or in a cluster the URI of Examples.
    """

    source: Source
    span: Annotated[int, Field(ge=0, strict=True)] | None = None
    window: Count = 1
    reader: Literal["columnar", "csv_example_gen"] = COLUMNAR
    splits: Splits = Field(default_factory=Splits)
    split_by: SplitBy | None = None
    max_bad_share: Share = 0.001
    columns: dict[str, Column] = Field(default_factory=dict)
    sample: Annotated[int, Field(ge=1, le=MOST_SAMPLED, strict=True)] | None = None
    prepared: Annotated[str, Field(min_length=1)] = LATEST

    @pydantic.model_validator(mode="after")
    def _fits_reader(self) -> "Data":
        if self.reader == CSV_EXAMPLE_GEN:
            if self.source.missing:
                raise ValueError("expected reader columnar where source.missing is set")
            if self.source.dialect != COMMAS:
                raise ValueError("expected reader columnar where source.csv_format is set")
            if self.source.files is not None:
                raise ValueError("expected source.csv with reader csv_example_gen")
            if self.source.sql is not None or self.source.bigquery is not None:
                raise ValueError("expected reader columnar where the source is a query")
            if self.split_by is not None:
                raise ValueError("expected reader columnar where split_by is set")
            if self.personal_columns():
                raise ValueError("expected reader columnar where columns are personal")
            if self.sample is not None:
                raise ValueError("expected reader columnar where sample is set")
        return self

    @pydantic.model_validator(mode="after")
    def _a_query_is_read_once(self) -> "Data":
        is_query = self.source.sql is not None or self.source.bigquery is not None
        by_time = self.split_by is not None and self.split_by.time is not None
        if is_query and by_time and not self.split_by.starts:
            raise ValueError(
                "expected split_by.starts where a query is split by time: the query runs once, and "
                "the shares are known only after its last row"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _splits_have_starts(self) -> "Data":
        if self.split_by is not None and self.split_by.starts:
            names = [name for name, _ in self.splits.shares()]
            starts = self.split_by.starts
            if not set(starts) <= set(names) or len(starts) != len(names) - 1:
                raise ValueError(
                    "expected split_by.starts to name all but one, the oldest, of "
                    f"{_listed(names)}; or none, for splits by their shares"
                )
            [oldest] = set(names) - set(starts)
            if oldest in ("validate", "eval"):
                raise ValueError(
                    f"expected split_by.starts to name {oldest}, since the oldest rows, and those "
                    "without a time, are for train or for none"
                )
        return self

    def personal_columns(self, pseudonymize: bool | None = None) -> list[str]:
        """Columns about persons: all; or those that are pseudonymized, or left out."""
        return [
            name
            for name, column in self.columns.items()
            if column.pii and pseudonymize in (None, column.pseudonymize)
        ]

    def ordered_shares(self) -> list[tuple[str, int]]:
        """Splits with their shares; by time the oldest first."""
        shares = self.splits.shares()
        if self.split_by is None or self.split_by.time is None:
            return shares
        starts = self.split_by.starts
        if not starts:
            return sorted(shares, key=lambda pair: pair[0] == "eval")
        return sorted(shares, key=lambda pair: (pair[0] in starts, starts.get(pair[0])))
