"""`fareline schema propose`: what the data would change, as a file to read and correct."""

from pathlib import Path
from typing import Annotated

from cli.answer import answer
from cli.options import (
    DEFAULT_WORKSPACE,
    ConfigOption,
    DataArgument,
    JsonOption,
    SchemaOption,
    StoreOption,
    WorkspaceOption,
    output_option,
)
from fareline.files import require_place


def propose(
    data: DataArgument = None,
    output: Annotated[Path, output_option("FILE", "File for the proposal.")] = Path(
        "schema-proposal.yaml"
    ),
    config: ConfigOption = None,
    schema: SchemaOption = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the changes of `schema diff` to a file that you can edit and accept."""
    from runners.contract import read_contract, review_data_of

    require_place(output, "name another --output")
    contract = read_contract(config, schema)
    review, what, rows = review_data_of(contract, data, workspace, store)
    from schema.review.proposal import Proposal, write_proposal
    from schema.review.review import split_into_columns

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
