"""`fareline schema accept`: change the schema as proposed."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    JsonOption,
    ReasonOption,
    SchemaOption,
    StoreOption,
    WorkspaceOption,
    only_option,
)
from fareline.errors import UserMistake


def accept(
    proposal: Annotated[
        Path | None,
        typer.Argument(
            metavar="PROPOSAL", help="File from `schema propose`.", show_default="what diff says"
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        only_option("COLUMN", "Apply the change of this column only; repeatable."),
    ] = None,
    reason: ReasonOption = "",
    config: ConfigOption = None,
    schema: SchemaOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Apply a proposal to the schema. Comments stay, and the change is recorded in the history."""
    from runners.contract import read_contract, review_data_of
    from schema.review.acceptance import accept_columns, choose_columns, columns_to_accept
    from schema.review.history import require_writable
    from schema.review.proposal import read_proposal

    said = " ".join(reason.split())
    if not said:
        raise UserMistake.explain(
            "schema accept",
            "without a reason",
            "expected --reason TEXT",
            "say in a few words why; the reason is recorded",
        )
    contract = read_contract(config, schema)
    require_writable(contract.path)
    if proposal is not None:
        columns = columns_to_accept(read_proposal(proposal), contract.sha256, only or (), proposal)
    else:
        review, _, _ = review_data_of(contract, None, workspace, store)
        from schema.review.review import split_into_columns

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
