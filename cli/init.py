"""`fareline init`: settings and a schema for a table of your own."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answer import answer
from cli.options import (
    EXIT_FOUND,
    JsonOption,
    keep_option,
    label_option,
    name_option,
    output_option,
    yes_option,
)
from fareline.errors import UserMistake
from fareline.printable import printable

if TYPE_CHECKING:
    from data.profile.facts import Facts
    from runners.own_data import Proposal


def init(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="A file or folder: CSV, Parquet, Arrow, TFRecord; or a path with {SPAN}.",
        ),
    ] = None,
    label: Annotated[str | None, label_option("Column to predict.")] = None,
    name: Annotated[
        str | None,
        name_option("Name of the pipeline.", "that of the data"),
    ] = None,
    output: Annotated[Path, output_option("DIR", "Folder for the two files.")] = Path(),
    sql: Annotated[
        str | None,
        typer.Option(
            "--sql",
            metavar="QUERY",
            help="SQL query that selects the rows from `data`, which is DATA.",
        ),
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table", metavar="NAME=PATH", help="With --sql: one more table; repeatable."
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        keep_option("Column that is known when a prediction is requested.", metavar="COLUMN"),
    ] = None,
    code: Annotated[
        bool,
        typer.Option("--code", help="Write a package of your own functions to begin with."),
    ] = False,
    yes: Annotated[bool, yes_option("Ask no questions.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write settings and a schema for a table. Exit code 3: the files exist already."""
    if code:
        _refuse_beside_code({"DATA": data, "--label": label, "--sql": sql, "--table": table})
        _write_code(output, name, as_json)
        return
    from data.profile.profile import require_label
    from runners import own_data

    asked = own_data.Asked(data, name, output, sql, _tables(data, sql, table or ()))
    found, facts = own_data.read_asked(asked)
    asks = _is_terminal() and not (yes or as_json)
    if label is None and asks:
        label = _ask_label(facts)
    label = require_label(facts, label, data or "the query")
    _require_columns([column.name for column in facts], keep or ())
    proposal = own_data.propose(asked, found, facts, label, keep or ())
    if asks and (kept := _ask_known_in_time(proposal)):
        proposal = own_data.propose(asked, found, facts, label, [*(keep or ()), *kept])
    differences = own_data.differences(proposal)
    notes = own_data.write(proposal) if differences is None else []
    for note in notes:
        typer.echo(f"fareline: {note}", err=True)
    content = _content(proposal, differences)
    answer(as_json, content, lambda console: _draw(console, proposal, differences))
    if differences:
        raise typer.Exit(EXIT_FOUND)


def _refuse_beside_code(given: dict[str, Any]) -> None:
    for option, value in given.items():
        if value:
            raise UserMistake.explain(
                "--code",
                f"found together with {option}",
                "expected one of them: a package is written without a table",
                "call `fareline init` once for each",
            )


def _write_code(folder: Path, name: str | None, as_json: bool) -> None:
    from runners.own_package import settings_lines, write_own_package

    package, paths = write_own_package(folder, name)
    content = {"package": package, "settings": str(paths[0]), "written": list(map(str, paths))}
    lines = [f"wrote {printable(str(path))}" for path in paths]
    lines += [
        "In other settings beside it:",
        *(f"  {line}" for line in settings_lines(package).splitlines()),
        f"Next: fareline run --config {shlex.quote(str(paths[0]))} --workspace {package}-workspace",
    ]
    answer(as_json, content, "\n".join(lines))


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _require_columns(known: Sequence[str], keep: Sequence[str]) -> None:
    for column in keep:
        if column not in known:
            raise UserMistake.explain(
                f"--keep {column}",
                "no such column",
                f"expected one of {', '.join(known)}",
                "correct the name",
            )


def _tables(data: str | None, sql: str | None, named: Sequence[str]) -> dict[str, str]:
    if sql is None:
        if named:
            raise UserMistake.explain(
                "--table", "given without --sql", "expected a query of it", "add --sql QUERY"
            )
        return {}
    tables = {} if data is None else {"data": data}
    for text in named:
        table, equals, path = text.partition("=")
        if not equals or not table.isidentifier() or not path:
            raise UserMistake.explain(
                f"--table {text}", "found no NAME=PATH", "expected a table with its files",
                "write for example --table trips=trips.csv",
            )  # fmt: skip
        tables[table] = path
    return tables


def _ask_label(facts: "Sequence[Facts]") -> str:
    from data.profile.profile import find_candidates

    candidates = find_candidates(facts)
    typer.echo(f"Columns: {', '.join(column.name for column in facts)}", err=True)
    return typer.prompt("Which is to be predicted?", default=(candidates or [None])[0], err=True)


def _ask_known_in_time(proposal: "Proposal") -> list[str]:
    """The columns that are known when a prediction is asked for, of those that may not be."""
    from data.profile.kinds import AFTERWARDS

    return [
        column.facts.name
        for column in proposal.profile.of_kind(AFTERWARDS)
        if typer.confirm(f"{column.facts.name}: {column.judgement.evidence}", err=True)
    ]


def _content(proposal: "Proposal", differences: Sequence[str] | None) -> dict[str, Any]:
    from runners.own_data import as_json

    profile, asked = proposal.profile, proposal.asked
    return {
        "name": asked.pipeline,
        "rows": profile.rows,
        "unreadable_rows": profile.table.bad,
        "label": profile.target.column,
        "task": profile.target.task,
        "values": list(profile.target.values),
        "sampled_for_leaks": profile.sampled,
        "columns": [as_json(column) for column in profile.columns],
        "settings": str(asked.settings_path),
        "schema": str(asked.schema_path),
        "written": differences is None,
        "differences": differences or [],
    }


def _draw(console, proposal: "Proposal", differences: Sequence[str] | None) -> None:
    from lineage.text.tables import Column, print_table

    profile, asked = proposal.profile, proposal.asked
    columns = (
        *("column", "kind", Column("sure", 2), Column("distinct", 3, True)),
        *(Column("missing", 1, True), Column("examples", 4), "why"),
    )
    rows = []
    for column in profile.columns:
        facts, judged = column.facts, column.judgement
        spelled = f" ({', '.join(facts.spellings)})" if facts.spellings else ""
        cells = (
            facts.name,
            judged.kind,
            judged.confidence,
            f"{facts.distinct:,}",
            f"{facts.missing / facts.rows:.1%}{spelled}",
            ", ".join(text[:16] for text in facts.examples),
            judged.evidence,
        )
        rows.append([*map(printable, cells)])
    print_table(console, columns, rows, "")
    lines = []
    if bad := profile.table.bad:
        lines.append(
            f"{bad:,} more rows cannot be read, {bad / (profile.rows + bad):.2%} of all: "
            "a run stops where that is more than `data.max_bad_share`"
        )
    lines += [
        f"{profile.rows:,} rows; {profile.sampled:,} of them were searched for leaks",
        f"task: {profile.target.task}, of {profile.target.column} ({profile.target.why})",
    ]
    if differences is None:
        lines += [
            f"wrote {asked.settings_path} and {asked.schema_path}",
            f"Next: fareline run --config {shlex.quote(str(asked.settings_path))} "
            f"--workspace {asked.pipeline}-workspace",
        ]
    elif differences:
        lines += [f"{asked.settings_path} is there and stays; what would differ:", *differences]
    else:
        lines.append(f"{asked.settings_path} and {asked.schema_path} are there, and still fit")
    for line in lines:
        console.print(printable(line), markup=False, soft_wrap=True)
