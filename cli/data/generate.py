"""`fareline data generate`: taxi-like rows of any number."""

import enum
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from cli.answer import answer
from cli.options import JsonOption, format_option, output_option

_TELL_SECONDS = 10.0


_SHARE = {"min": 0.0, "max": 1.0}


class Format(str, enum.Enum):
    """Formats of generated files."""

    csv = "csv"
    parquet = "parquet"


def generate(
    output: Annotated[Path, output_option("DIR", "New folder to write.")],
    rows: Annotated[int, typer.Option("--rows", min=1, help="Number of rows to write.")],
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed; the same seed gives the same rows.")
    ] = 0,
    shards: Annotated[
        int, typer.Option("--shards", min=1, max=99_999, help="Number of files.")
    ] = 1,
    file_format: Annotated[Format, format_option()] = Format.csv,
    drift: Annotated[
        float,
        typer.Option(
            "--drift", **_SHARE, help="Growth of fares and of card payments over the years."
        ),
    ] = 0.0,
    missing: Annotated[
        float, typer.Option("--missing", **_SHARE, help="Share of cells to empty.")
    ] = 0.0,
    new_categories: Annotated[
        float,
        typer.Option("--new-categories", **_SHARE, help="Share of rows with a new payment type."),
    ] = 0.0,
    broken_rows: Annotated[
        float, typer.Option("--broken-rows", **_SHARE, help="Share of rows that cannot be read.")
    ] = 0.0,
    imbalance: Annotated[
        float | None,
        typer.Option("--imbalance", **_SHARE, help="Share of trips tipped above 20 %."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Generate taxi-like rows from the joint distribution of the real ones."""
    from data.generate.generate import Plan, Shifts
    from data.generate.generate import generate as generate_rows
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
