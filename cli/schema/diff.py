"""`fareline schema diff`: the schema changes that the data suggests."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    EXIT_FOUND,
    ConfigOption,
    DataArgument,
    JsonOption,
    SchemaOption,
    StoreOption,
    WorkspaceOption,
)
from fareline.errors import UserMistake

if TYPE_CHECKING:
    from runners.contract import Contract


def diff(
    data: DataArgument = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="VERSION", help="Older version of the schema to compare with."
        ),
    ] = None,
    config: ConfigOption = None,
    schema: SchemaOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the schema changes that the data of the latest run, or DATA, suggests.

    Exit code 3: there are changes to review.
    """
    from cli.views.schema import draw_review, draw_versions, review_as_json, versions_as_json
    from runners.contract import read_contract, review_data_of

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
    raise typer.Exit(EXIT_FOUND if review.unreviewed else 0)


def _compare_with(contract: "Contract", wanted: str) -> tuple[Any, list]:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    from schema.review.differences import compare_schemas
    from schema.review.history import text_of_version

    version, text = text_of_version(contract.path, wanted)
    older = text_format.Parse(text, schema_pb2.Schema())
    return version, compare_schemas(older, contract.schema)
