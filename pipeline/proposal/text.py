"""Writes a settings file for a table, every value with its evidence, and the schema beside it.

Called by `runners.own_data`.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from data.profile.facts import LIST, OTHER
from data.profile.kinds import LABEL, PERSONAL, TIME
from data.profile.profile import Column, Profile, spellings_of
from data.profile.target import BINARY, MULTICLASS, REGRESSION
from data.reading.batches import UNKNOWN
from data.reading.csv_header import COMMAS
from data.splitting.text_times import parse_time
from fareline.errors import DataError
from fareline.kinds import STRING
from fareline.printable import printable
from pipeline.proposal.features import (
    CATEGORICAL,
    NUMERIC,
    VOCABULARY,
    features,
    kind_in_schema,
    propose_buckets,
    propose_feature,
    propose_slices,
)
from pipeline.proposal.thresholds import propose_thresholds, rows_to_judge
from schema.review.of_columns import Shape, write_schema_of

_MOST_TEXTS = 100  # of a domain in the schema
_EVIDENCE = 110  # characters


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the table is, as settings say it.

    Attributes:
        setting: `csv`, `files` or `sql`.
        value: Its value, of JSON types.
        name: Name for a reader.
    """

    setting: str
    value: Any
    name: str


def write_settings(name: str, profile: Profile, source: Source, schema: str) -> str:
    """Returns the text of a settings file.

    Args:
        name: Name of the pipeline.
        profile: Profile of the table.
        source: Source of the table.
        schema: Path of the schema, from the settings.

    Raises:
        DataError: No column is left to learn from.
    """
    if not features(profile):
        raise DataError.explain(
            source.name,
            "has no column to learn from",
            "expected a number or a category beside the label",
            "`--json` says what each column is; name another label, or keep a column with --keep",
        )
    blocks = [
        _head(name, profile, source),
        _data(profile, source),
        [f"schema: {quoted(schema)}", ""],
        list(_features(profile)),
        _label(profile),
        _training(profile),
        list(_evaluation(profile)),
    ]
    return "\n".join(line for block in blocks for line in block)


def write_schema(profile: Profile, source: Source) -> str:
    """Returns the text of the schema: all columns that reach a run."""
    return write_schema_of(
        [_shape(column) for column in profile.columns if _is_read(column)],
        profile.rows,
        source.name,
    )


def _is_read(column: Column) -> bool:
    """Whether examples have it: all but what is personal, and structs and the like."""
    return column.judgement.kind != PERSONAL and column.facts.type != OTHER


def _shape(column: Column) -> Shape:
    facts, kind = column.facts, kind_in_schema(column)
    served = column.judgement.is_feature or column.judgement.kind == TIME
    is_domain = kind == STRING and facts.distinct <= _MOST_TEXTS and facts.length <= 60
    is_domain = is_domain and (column.judgement.is_feature or column.judgement.kind == LABEL)
    texts = [str(value) for value in facts.counts] if is_domain else None
    if kind == LIST:
        return Shape(facts.name, facts.held, None, None, None, None, 0, False)
    if kind == UNKNOWN:  # of what type the nothing is says nothing
        return Shape(facts.name, STRING, 0.0, None, None, None, 0, False)
    return Shape(
        facts.name, kind, facts.present / facts.rows, texts, facts.low, facts.high,
        facts.distinct, served,
    )  # fmt: skip


def quoted(value: Any) -> str:
    """A value as YAML in one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=math.inf, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _comment(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _EVIDENCE else f"{text[: _EVIDENCE - 3]}..."


def _line(text: str, why: str = "") -> str:
    return f"{text:<38} # {_comment(why)}" if why else text


def _head(name: str, profile: Profile, source: Source) -> list[str]:
    target = profile.target
    return [
        f"# Proposed by `fareline init` from {profile.rows:,} rows of {_comment(source.name)}.",
        "# Each value has its reason beside it. `fareline settings` prints those that are left to",
        "# the defaults; pipeline/configs/taxi.yaml says what each of them means.",
        "",
        f"name: {quoted(name)}",
        _line(f"task: {target.task}", f"{target.column}: {target.why}"),
        "",
    ]


def _data(profile: Profile, source: Source) -> list[str]:
    lines = ["data:", "  source:", f"    {source.setting}: {quoted(source.value)}"]
    found = profile.table.csv_format
    if found is not None and found != COMMAS:
        written = {
            key: getattr(found, key)
            for key in ("separator", "decimal", "encoding")
            if getattr(found, key) != getattr(COMMAS, key)
        }
        lines.append(_line(f"    csv_format: {quoted(written)}", "as the file is written"))
    spelled = spellings_of(profile.columns) if source.setting != "sql" else {}
    if spelled:
        lines.append("    missing:                           # spellings of a missing value")
        lines += [_spelling(text, names, profile.columns) for text, names in spelled.items()]
    if profile.table.bad:
        share = min(1.0, round(2 * profile.table.bad / (profile.rows + profile.table.bad), 4))
        why = f"{profile.table.bad:,} rows have not as many cells as the header"
        lines.append(_line(f"  max_bad_share: {max(share, 0.001)}", why))
    personal = profile.of_kind(PERSONAL)
    if personal:
        lines.append("  columns:                             # never reach the examples")
        lines += [
            _line(f"    {quoted(c.facts.name)}: {{pii: true}}", c.judgement.evidence)
            for c in personal
        ]
    lines += _split_by(profile)
    return [*lines, ""]


def _spelling(text: str, names: Sequence[str], columns: Sequence[Column]) -> str:
    rows = sum(c.facts.spellings.get(text, 0) for c in columns if c.facts.name in names)
    key = quoted(text)
    key = key if key[0] in "'\"" else f'"{key}"'
    return _line(f"      {key}: {quoted(list(names))}", f"{rows:,} rows")


def _split_by(profile: Profile) -> Iterator[str]:
    for column in profile.of_kind(TIME):
        facts = column.facts
        texts = () if facts.is_number else facts.counts
        readable = all(parse_time(str(text)) is not None for text in texts)
        if readable and facts.missing < 0.01 * facts.rows:
            name = quoted({"time": facts.name})
            yield _line(f"  # split_by: {name}", "the oldest train, the newest evaluate")
            return


def _features(profile: Profile) -> Iterator[str]:
    sections: Mapping[str, list[str]] = {NUMERIC: [], VOCABULARY: [], CATEGORICAL: []}
    for column in features(profile):
        section, value = propose_feature(column)
        sections[section].append(
            _line(f"    {quoted(column.facts.name)}: {value}", _evidence(column))
        )
    yield "features:"
    says = {
        NUMERIC: "z-score. Missing: the mean",
        VOCABULARY: "frequent values, the rest hashed. Missing: an entry of its own",
        CATEGORICAL: "integers from 0 to N - 1. Missing: an entry of its own",
    }
    for section, lines in sections.items():
        if lines:
            yield _line(f"  {section}:", says[section])
            yield from lines
    buckets = propose_buckets(profile)
    if buckets:
        yield "  # The same numbers in quantile buckets as well. Missing: a bucket of its own"
        yield f"  bucketized: {quoted(dict.fromkeys(buckets, 10))}"
    out = [
        c
        for c in profile.columns
        if not c.judgement.is_feature and c.judgement.kind not in (LABEL, PERSONAL)
    ]
    if out:
        yield "  # Left out:"
        yield from (
            f"  #   {_comment(f'{c.facts.name}: {c.judgement.kind}; {c.judgement.evidence}')}"
            for c in out
        )
    yield ""


def _evidence(column: Column) -> str:
    facts, judged = column.facts, column.judgement
    missing = f"; {facts.missing / facts.rows:.1%} missing" if facts.missing else ""
    return f"{judged.kind} ({judged.confidence}): {judged.evidence}{missing}"


def _label(profile: Profile) -> list[str]:
    target = profile.target
    facts = next(c.facts for c in profile.columns if c.judgement.kind == LABEL)
    label: dict[str, Any] = {"column": target.column}
    if target.task == MULTICLASS:
        label["classes"] = list(target.values)
    elif target.names_values:
        label["positive"], label["negative"] = target.values
    if target.task == REGRESSION and target.has_tail:
        label["log"] = True
    if facts.missing:
        label["other"] = "drop"
    why = f"{facts.missing:,} rows have none and are left out" if facts.missing else ""
    if target.task == BINARY:
        positive = f"{target.values[0]!r} in {target.shares[0]:.2%} of the rows"
        why = f"{positive}; {why}" if why else positive
    lines = [_line("label:", why), *(f"  {key}: {quoted(value)}" for key, value in label.items())]
    if target.is_imbalanced:
        rare = min(target.shares)
        lines += ["weighting:", _line("  classes: balanced", f"the rarer label: {rare:.2%}")]
    return [*lines, ""]


def _training(profile: Profile) -> list[str]:
    """Batches for the number of rows: some twenty passes, and a look after each."""
    rows = profile.target.labelled * 8 / 15
    batch = min(1024, max(16, 2 ** round(math.log2(max(rows, 1) / 32))))
    every = min(200, max(8, round(rows / batch)))
    steps = min(4000, max(400, 20 * every))
    return [
        _line("training:", f"about {rows:,.0f} rows to learn from"),
        f"  batch_size: {batch}",
        f"  steps: {steps}",
        _line(f"  evaluate_every: {every}", "batches; about one pass, if it is not too short"),
        f"  patience: {6 if rows > 2_000 else 10}",
        "",
    ]


def _evaluation(profile: Profile) -> Iterator[str]:
    yield "evaluation:"
    slices = propose_slices(profile)
    if slices:
        yield "  slices:"
        for name, why in slices:
            yield _line(f"    - {quoted([name])}", why)
    rows = rows_to_judge(profile.target)
    if profile.target.task == BINARY and min(profile.target.shares) * rows < 20:
        least = max(1, int(min(profile.target.shares) * rows / 2))
        yield _line(f"  min_label_examples: {least}", "of so few rows the eval split has no more")
    yield "  thresholds:                          # better than an answer without a model"
    for threshold in propose_thresholds(profile.target):
        yield f"    {threshold.metric}: {threshold.bounds}"
        yield f"    #   {_comment(threshold.why)}"
    if rows < 64:
        yield "serving:"
        yield f"  examples: {max(1, int(rows / 2))}"
    yield ""
