"""`fareline data spans`: rows cut by time into spans."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from cli.answer import answer
from cli.options import JsonOption, from_option, output_option, version_option


class Period(str, enum.Enum):
    """Lengths of a span."""

    month = "month"
    quarter = "quarter"
    year = "year"


class Layout(str, enum.Enum):
    """Naming schemes for the folders of spans."""

    span = "span"
    date = "date"


def spans(
    output: Annotated[
        Path,
        output_option("DIR", "New folder, or a folder that `data spans` wrote."),
    ],
    by: Annotated[Period, typer.Option("--by", help="Length of a span.")],
    source: Annotated[
        Path | None,
        from_option("FILE|DIR", "CSV file or folder.", "the taxi data"),
    ] = None,
    column: Annotated[
        str,
        typer.Option("--column", metavar="COLUMN", help="Column with seconds since 1970 (UTC)."),
    ] = "trip_start_timestamp",
    layout: Annotated[
        Layout, typer.Option("--layout", help="Names of the folders: span-1, span-2, …, or dates.")
    ] = Layout.span,
    version: Annotated[int, version_option("Version number of the written spans.", min=1)] = 1,
    as_json: JsonOption = False,
) -> None:
    """Cut rows by time into span folders, every row into exactly one."""
    from data.generate.cut_spans import Cut, cut_into_spans
    from data.sources.csv import check_csv_source
    from data.taxi import taxi_csv_path

    files = check_csv_source(source or taxi_csv_path(), [column]).files
    cut = Cut(by.value, column, layout.value, version)
    listing = cut_into_spans(files, cut, output)

    def draw(console) -> None:
        from lineage.text.tables import print_table

        names = ("span", "version", "period", "begin")
        rows = [
            [*(str(span[name]) for name in names), f"{span['rows']:,}"] for span in listing["spans"]
        ]
        print_table(console, (*names, "rows"), rows)
        console.print(
            f"{listing['rows']:,} rows in {len(listing['spans'])} spans; the source is "
            f"{output}/{listing['pattern']}",
            markup=False,
            soft_wrap=True,
        )

    answer(as_json, {"folder": str(output), **listing}, draw)
