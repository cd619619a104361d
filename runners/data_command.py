"""`fareline data`: generated rows, rows cut into spans, and `runners.data_query`.

Registered in `runners.cli`.
"""

import enum
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from runners.data_query import query
from runners.lineage_commands.app import JsonOption, answer

app = typer.Typer(
    help="Generate taxi-like data; cut data into spans; ask examples.", no_args_is_help=True
)
app.command()(query)

_TELL_SECONDS = 10.0
_SHARE = {"min": 0.0, "max": 1.0}
OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder.")]


class Format(str, enum.Enum):
    """Formats of generated files."""

    csv = "csv"
    parquet = "parquet"


class Period(str, enum.Enum):
    """Lengths of a span."""

    month = "month"
    quarter = "quarter"
    year = "year"


class Layout(str, enum.Enum):
    """How the folders of spans are named."""

    span = "span"
    date = "date"


@app.command()
def generate(
    output: OutputOption,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same rows.")] = 0,
    shards: Annotated[int, typer.Option("--shards", min=1, max=99_999, help="Files.")] = 1,
    file_format: Annotated[Format, typer.Option("--format", help="Of the files.")] = Format.csv,
    drift: Annotated[
        float, typer.Option("--drift", **_SHARE, help="Growth of fares and of card payments.")
    ] = 0.0,
    missing: Annotated[
        float, typer.Option("--missing", **_SHARE, help="Share of cells that are emptied.")
    ] = 0.0,
    new_categories: Annotated[
        float,
        typer.Option("--new-categories", **_SHARE, help="Share of payment types never seen."),
    ] = 0.0,
    broken_rows: Annotated[
        float, typer.Option("--broken-rows", **_SHARE, help="Share of rows no reader can take.")
    ] = 0.0,
    imbalance: Annotated[
        float | None,
        typer.Option("--imbalance", **_SHARE, help="Share of trips tipped above 20 %."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Generate taxi-like rows from the joint distribution of the real ones."""
    from data.generate import Plan, Shifts
    from data.generate import generate as generate_rows
    from data.taxi import taxi_csv_path

    shifts = Shifts(drift, missing, new_categories, broken_rows, imbalance)
    plan = Plan(rows, seed, shards, file_format.value, shifts)
    made = generate_rows(plan, output, taxi_csv_path(), _Progress(rows).tell)

    def draw(console) -> None:
        console.print(
            f"{rows:,} rows in {shards:,} file{'s' * (shards > 1)}: {output}", soft_wrap=True
        )
        if broken := {reason: n for reason, n in made["broken_rows"].items() if n}:
            listed = ", ".join(f"{count:,} {reason}" for reason, count in broken.items())
            console.print(f"broken: {listed}", soft_wrap=True)

    answer(as_json, {"folder": str(output), **made}, draw)


@app.command()
def spans(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="A new folder, or one of such spans."),
    ],
    by: Annotated[Period, typer.Option("--by", help="Length of a span.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="PATH", help="CSV file or folder. [default: the taxi data]"),
    ] = None,
    column: Annotated[
        str, typer.Option("--column", help="Seconds since 1970, cut as UTC.")
    ] = "trip_start_timestamp",
    layout: Annotated[
        Layout, typer.Option("--layout", help="span-1, span-2, …, or folders named by a date.")
    ] = Layout.span,
    version: Annotated[int, typer.Option("--version", min=1, help="Of the spans written.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Cut rows by time into span folders, every row into exactly one."""
    from data.source import check_csv_source
    from data.spans import Cut, cut_into_spans
    from data.taxi import taxi_csv_path

    files = check_csv_source(source or taxi_csv_path(), [column]).files
    cut = Cut(by.value, column, layout.value, version)
    listing = cut_into_spans(files, cut, output)

    def draw(console) -> None:
        from rich.table import Table

        table = Table("span", "version", "period", "begin", "rows", box=None, pad_edge=False)
        for span in listing["spans"]:
            cells = ("span", "version", "period", "begin")
            table.add_row(*(str(span[cell]) for cell in cells), f"{span['rows']:,}")
        console.print(table)
        console.print(
            f"{listing['rows']:,} rows in {len(listing['spans'])} spans; the source is "
            f"{output}/{listing['pattern']}",
            markup=False,
            soft_wrap=True,
        )

    answer(as_json, {"folder": str(output), **listing}, draw)


class _Progress:
    """Says on stderr how far it is, every ten seconds."""

    def __init__(self, rows: int):
        self._rows = rows
        self._begun = self._told = time.monotonic()

    def tell(self, rows: int) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL_SECONDS:
            self._told = now
            rate = rows / (now - self._begun)
            sys.stderr.write(f"fareline: {rows:,} of {self._rows:,} rows, {rate:,.0f} rows/s\n")
