"""`fareline schema infer`, `propose` and `accept`: what writes a schema, or a change of one.

Registered in `runners.schema_command`. Imports what it needs inside the functions.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from fareline.errors import UserMistake
from runners.lineage_commands.app import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    answer,
)
from runners.schema_options import ConfigOption, DataArgument, SchemaOption


def infer(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A file, or a folder of them.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="A new file.")
    ] = Path("schema.pbtxt"),
    label: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Not in SERVING. [default: that of the settings]"),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a first curated schema for new data, with environments TRAINING and SERVING."""
    from runners.schema_source import read_rows, read_settings, statistics_of

    if output.exists():
        raise UserMistake.explain(
            str(output),
            "is there already",
            "expected a new file",
            "name another --output; `fareline schema diff DATA` compares with one that is there",
        )
    settings = read_settings(config)
    sample = read_rows(data, None, settings)
    label = label or settings.label.column
    if label not in sample.kinds:
        raise UserMistake.explain(
            str(data),
            f"has no column {label!r}, the label",
            f"expected one of {', '.join(sample.kinds)}",
            "name it with --label",
        )
    statistics = statistics_of(sample)
    from schema.first import write_first_schema
    from schema.history import record

    text = write_first_schema(statistics, label, data.name)
    output.parent.mkdir(parents=True, exist_ok=True)
    version = record(output, text, list(sample.kinds), [], f"inferred from {data}")
    content = {
        "schema": str(output),
        "sha256": version.sha256,
        "columns": list(sample.kinds),
        "rows": sample.rows,
        "label": label,
    }

    def draw(console) -> None:
        for line in (
            f"{len(sample.kinds)} columns of {sample.rows:,} rows: {output}",
            f"SERVING has all but {label}. Bounds are for you to set: read it column by column.",
        ):
            console.print(line, markup=False, soft_wrap=True)

    answer(as_json, content, draw)


def propose(
    data: DataArgument = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the proposal goes.")
    ] = Path("schema-proposal.yaml"),
    config: ConfigOption = None,
    schema: SchemaOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write what `schema diff` says as a file, to be read, corrected and accepted."""
    from runners.schema_source import read_contract, review_data_of

    contract = read_contract(config, schema)
    review, what, rows = review_data_of(contract, data, workspace, store)
    from schema.proposal import Proposal, write_proposal
    from schema.review import split_into_columns

    columns = split_into_columns(contract.schema, review.updated)
    if columns:
        told = f"{what}, {rows:,} rows"
        proposal = Proposal(str(contract.path), contract.sha256, told, columns)
        write_proposal(output, proposal, review.unreviewed)
    content = {
        "schema": str(contract.path),
        "sha256": contract.sha256,
        "data": what,
        "rows": rows,
        "columns": list(columns),
        "proposal": str(output) if columns else None,
    }

    def draw(console) -> None:
        line = f"Nothing to propose: {what} keeps {contract.path}."
        if columns:
            line = f"{', '.join(columns)}: {output}"
        console.print(line, markup=False, soft_wrap=True)

    answer(as_json, content, draw)


def accept(
    proposal: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PROPOSAL]", help="From `schema propose`. [default: what diff says]"
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="COLUMN", help="Only this column; repeatable."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded.")] = "",
    config: ConfigOption = None,
    schema: SchemaOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the schema as proposed: its comments stay, and the change goes into its history."""
    from runners.schema_source import read_contract, review_data_of
    from schema.acceptance import accept_columns, choose_columns, columns_to_accept
    from schema.history import require_writable
    from schema.proposal import read_proposal

    said = " ".join(reason.split())
    if not said:
        raise UserMistake.explain(
            "schema accept",
            "without a reason",
            "expected --reason TEXT",
            "say in a few words why; whoever asks why the schema is as it is will read it",
        )
    contract = read_contract(config, schema)
    require_writable(contract.path)
    if proposal is not None:
        columns = columns_to_accept(read_proposal(proposal), contract.sha256, only or (), proposal)
    else:
        review, _, _ = review_data_of(contract, None, workspace, store)
        from schema.review import split_into_columns

        found = split_into_columns(contract.schema, review.updated)
        columns = choose_columns(found, only or (), "the difference")
    done = accept_columns(contract.path, contract.text, columns, said)
    if done is None:
        content: dict[str, Any] = {"schema": str(contract.path), "version": None, "changes": []}
    else:
        content = {
            "schema": str(contract.path),
            "version": done.version,
            "columns": done.columns,
            "changes": done.changes,
            "reason": done.reason,
            "previous": done.previous,
            "sha256": done.sha256,
        }

    def draw(console) -> None:
        lines = [f"Nothing to accept: {contract.path} stays as it is."]
        if done is not None:
            lines = [*done.changes, f"Version {done.version} of {contract.path}: {done.reason}"]
        for line in lines:
            console.print(line, markup=False, soft_wrap=True)

    answer(as_json, content, draw)
