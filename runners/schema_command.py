"""`fareline schema`: the contract's review. Registered in `runners.cli`.

Imports what it needs inside the functions, so that other commands start at once, and what is wrong
with the input is said before TFDV is loaded, which takes seconds.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fareline.errors import UserMistake
from runners.lineage_commands.app import (
    DEFAULT_WORKSPACE,
    JsonOption,
    StoreOption,
    WorkspaceOption,
    answer,
)
from runners.schema_change_command import accept, infer, propose
from runners.schema_options import UNREVIEWED, ConfigOption, DataArgument, SchemaOption

if TYPE_CHECKING:
    from runners.schema_source import Contract

app = typer.Typer(help="Review the schema: the contract for the data.", no_args_is_help=True)


def diff(
    data: DataArgument = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="VERSION", help="Compare with this older version instead."),
    ] = None,
    config: ConfigOption = None,
    schema: SchemaOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what the latest run's data, or DATA, would change in the schema.

    Exit code 3: there is something to review.
    """
    from runners.schema_source import read_contract, review_data_of
    from runners.schema_view import draw_review, draw_versions, review_as_json, versions_as_json

    contract = read_contract(config, schema)
    if at is not None:
        if data is not None:
            expected = "expected DATA or --at, not both"
            raise UserMistake.explain("--at", at, expected, "leave one of them out")
        version, differences = _compare_with(contract, at)
        content = versions_as_json(contract, version, differences)
        answer(
            as_json, content, lambda console: draw_versions(console, contract, version, differences)
        )
        return
    review, what, rows = review_data_of(contract, data, workspace, store)
    content = review_as_json(contract, review, what, rows)
    answer(as_json, content, lambda console: draw_review(console, contract, review, what, rows))
    raise typer.Exit(UNREVIEWED if review.unreviewed else 0)


def _compare_with(contract: "Contract", wanted: str) -> tuple[Any, list]:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    from schema.differences import compare_schemas
    from schema.history import text_of_version

    version, text = text_of_version(contract.path, wanted)
    older = text_format.Parse(text, schema_pb2.Schema())
    return version, compare_schemas(older, contract.schema)


def log(
    config: ConfigOption = None, schema: SchemaOption = None, as_json: JsonOption = False
) -> None:
    """List the versions of the schema: when each was accepted, which columns, and why."""
    from runners.schema_source import read_contract
    from runners.schema_view import draw_log, log_as_json
    from schema.history import read_history

    contract = read_contract(config, schema)
    versions = read_history(contract.path)
    content = log_as_json(contract, versions)
    answer(as_json, content, lambda console: draw_log(console, contract, versions))


def check(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A file, or a folder of them.")],
    environment: Annotated[
        str, typer.Option("--environment", help="That the rows are of: TRAINING or SERVING.")
    ] = "TRAINING",
    config: ConfigOption = None,
    schema: SchemaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold rows against the schema, one line for each anomaly. Exit code 3: there is one."""
    from runners.schema_source import read_contract, read_rows, statistics_of
    from schema.curated import columns_in_environment

    contract = read_contract(config, schema)
    columns_in_environment(contract.schema, environment)
    sample = read_rows(data, contract.schema, contract.settings)
    statistics = statistics_of(sample)
    from runners.schema_view import check_as_json, draw_check, hide_personal, unreadable_rows
    from schema.check import check_rows

    misfits = {name: (each.rows, each.example) for name, each in sample.misfits.items()}
    found = check_rows(contract.schema, environment, statistics, sample.columns(), misfits)
    found += unreadable_rows(sample, contract.settings.data.max_bad_share)
    found = hide_personal(found, contract.settings.data.personal_columns())
    content = check_as_json(contract, data, environment, sample.rows, found)
    answer(as_json, content, lambda console: draw_check(console, content, found))
    raise typer.Exit(UNREVIEWED if found else 0)


for _command in (infer, diff, propose, accept, log, check):
    app.command()(_command)
