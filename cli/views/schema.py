"""Answers of `fareline schema`, as JSON and for a reader. Called by `cli.schema`."""

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage.text.tables import Column, print_table
from schema.gate.anomalies import DATA_SET
from schema.gate.check import Finding
from schema.review.differences import SEVERITIES, Difference

if TYPE_CHECKING:
    from rich.console import Console

    from data.sources.sample import Sample
    from runners.contract import Contract
    from schema.review.history import Version
    from schema.review.review import Review

_SHORT = 12  # digits of a SHA-256


def review_as_json(contract: "Contract", review: "Review", what: str, rows: int) -> dict[str, Any]:
    """Keys: schema, sha256, data, rows, differences, unreviewed."""
    return {
        "schema": str(contract.path),
        "sha256": contract.sha256,
        "data": what,
        "rows": rows,
        "differences": [dataclasses.asdict(each) for each in review.differences],
        "unreviewed": len(review.unreviewed),
    }


def draw_review(
    console: "Console", contract: "Contract", review: "Review", what: str, rows: int
) -> None:
    """A table of what differs, and what to do."""
    _say(console, f"{contract.path}, against {what}: {rows:,} rows")
    _draw_differences(console, review.differences, "the schema says", "the data has")
    if not review.unreviewed:
        _say(console, "The data keeps the schema: nothing to review.")
        return
    counts = [(s, sum(d.severity == s for d in review.unreviewed)) for s in SEVERITIES]
    said = ", ".join(f"{count} {severity}" for severity, count in counts if count)
    _say(console, f"To review: {said}. `fareline schema propose` writes the change as a file.")


def versions_as_json(
    contract: "Contract", version: "Version", differences: Sequence[Difference]
) -> dict[str, Any]:
    """Keys: schema, sha256, version, differences."""
    return {
        "schema": str(contract.path),
        "sha256": contract.sha256,
        "version": dataclasses.asdict(version),
        "differences": [dataclasses.asdict(each) for each in differences],
    }


def draw_versions(
    console: "Console",
    contract: "Contract",
    version: "Version",
    differences: Sequence[Difference],
) -> None:
    """A table of what differs between an older version and today's."""
    _say(console, f"{contract.path}, version {version.version} of {version.date} against today's")
    _draw_differences(console, differences, f"version {version.version}", "today")
    if not differences:
        _say(console, "No difference.")


def _draw_differences(
    console: "Console", differences: Sequence[Difference], before: str, after: str
) -> None:
    if not differences:
        return
    rows = [
        (each.severity, each.column, each.aspect, each.before, each.after) for each in differences
    ]
    print_table(console, ("severity", "column", "what", before, after), rows)


def log_as_json(contract: "Contract", versions: Sequence["Version"]) -> dict[str, Any]:
    """Keys: schema, sha256, versions, recorded: whether the file is the last of them."""
    return {
        "schema": str(contract.path),
        "sha256": contract.sha256,
        "versions": [dataclasses.asdict(each) for each in versions],
        "recorded": bool(versions) and versions[-1].sha256 == contract.sha256,
    }


def draw_log(console: "Console", contract: "Contract", versions: Sequence["Version"]) -> None:
    """A table of versions, the latest first, and whether the file is the last of them."""
    _say(console, str(contract.path))
    if not versions:
        _say(console, "No change was recorded yet: `fareline schema accept` records them.")
        return
    rows = []
    for each in reversed(versions):
        columns = ", ".join(each.columns[:4]) + (" …" if len(each.columns) > 4 else "")
        rows.append((str(each.version), each.date, each.sha256[:_SHORT], columns, each.reason))
    print_table(console, ("version", "date", Column("SHA-256", 1), "columns", "why"), rows)
    if versions[-1].sha256 != contract.sha256:
        _say(
            console,
            f"The file is not version {versions[-1].version} any more: it was changed by hand "
            f"({contract.sha256[:_SHORT]}).",
        )


def unreadable_rows(sample: "Sample", max_share: float) -> list[Finding]:
    """An anomaly of the data set, if more rows cannot be read than a run would quarantine."""
    from runners.contract import find_unreadable

    found = find_unreadable(sample, max_share)
    return [Finding(DATA_SET, "UNREADABLE_ROWS", *found)] if found else []


def hide_personal(found: Sequence[Finding], personal: Collection[str]) -> list[Finding]:
    """The diff without values of personal columns."""
    return [
        dataclasses.replace(each, example=None, found=f"{each.kind} (values are not shown)")
        if each.column in personal
        else each
        for each in found
    ]


def check_as_json(
    contract: "Contract", data: Path, environment: str, rows: int, found: Sequence[Finding]
) -> dict[str, Any]:
    """Keys: schema, sha256, data, environment, rows, anomalies."""
    return {
        "schema": str(contract.path),
        "sha256": contract.sha256,
        "data": str(data),
        "environment": environment,
        "rows": rows,
        "anomalies": [dataclasses.asdict(each) for each in found],
    }


def draw_check(console: "Console", content: dict[str, Any], found: Sequence[Finding]) -> None:
    """A line for each anomaly, and how many there are."""
    rows, where = content["rows"], f"{content['schema']} in {content['environment']}"
    for each in found:
        _say(console, each.say(rows))
    if found:
        noun = "anomaly" if len(found) == 1 else "anomalies"
        _say(console, f"{content['data']}, {rows:,} rows: {len(found)} {noun} by {where}")
    else:
        _say(console, f"{content['data']}, {rows:,} rows: keeps {where}")


def _say(console: "Console", line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
