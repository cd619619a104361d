"""`fareline schema infer`: a first curated schema for new data."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.answer import answer
from cli.options import ConfigOption, JsonOption, label_option, output_option
from fareline.errors import UserMistake
from fareline.files import require_place
from fareline.near import listed


def infer(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A file, or a folder of them.")],
    output: Annotated[Path, output_option("FILE", "New file to write.")] = Path("schema.pbtxt"),
    label: Annotated[
        str | None,
        label_option("Label column, which requests do not have.", "that of the settings"),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a first curated schema for new data, with environments TRAINING and SERVING."""
    from runners.contract import read_rows, read_settings, require_readable, statistics_of

    if os.path.exists(output):
        raise UserMistake.explain(
            str(output),
            "already exists",
            "expected a new file",
            "name another --output; `fareline schema diff DATA` compares with one that is there",
        )
    require_place(output, "name another --output", makes_folders=True)
    settings = read_settings(config)
    sample = read_rows(data, None, settings)
    require_readable(sample, data, settings)
    label = label or settings.label.column
    if label not in sample.kinds:
        raise UserMistake.explain(
            str(data),
            f"has no column {label!r}, the label",
            f"expected one of {listed(sample.kinds) or 'none'}",
            "name it with --label",
        )
    statistics = statistics_of(sample)
    from schema.review.first import write_first_schema
    from schema.review.history import record

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
