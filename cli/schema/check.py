"""`fareline schema check`: compares rows with the schema."""

from pathlib import Path
from typing import Annotated

import typer

from cli.answer import answer
from cli.options import EXIT_FOUND, ConfigOption, JsonOption, SchemaOption


def check(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A file, or a folder of them.")],
    environment: Annotated[
        str,
        typer.Option(
            "--environment", metavar="NAME", help="Environment of the rows: TRAINING or SERVING."
        ),
    ] = "TRAINING",
    config: ConfigOption = None,
    schema: SchemaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare rows with the schema and print each anomaly. Exit code 3: there is an anomaly."""
    from runners.contract import read_contract, read_rows, statistics_of
    from schema.curated import columns_in_environment

    contract = read_contract(config, schema)
    columns_in_environment(contract.schema, environment)
    sample = read_rows(data, contract.schema, contract.settings)
    statistics = statistics_of(sample)
    from cli.views.schema import check_as_json, draw_check, hide_personal, unreadable_rows
    from schema.gate.check import check_rows

    misfits = {name: (each.rows, each.example) for name, each in sample.misfits.items()}
    found = check_rows(contract.schema, environment, statistics, sample.columns(), misfits)
    found += unreadable_rows(sample, contract.settings.data.max_bad_share)
    found = hide_personal(found, contract.settings.data.personal_columns())
    content = check_as_json(contract, data, environment, sample.rows, found)
    answer(as_json, content, lambda console: draw_check(console, content, found))
    raise typer.Exit(EXIT_FOUND if found else 0)
