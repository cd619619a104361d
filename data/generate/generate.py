"""Generated taxi-like data of any size, in shards, deterministic, in bounded memory.

`fareline data generate` calls it. How rows are drawn is in `data.generate.rows`. The same seed and
options give the same rows in the same order, whatever the number of shards; more rows begin with
those of fewer. Must not import TFX.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from data.generate.broken_rows import REASONS, break_lines
from data.generate.rows import BLOCK_ROWS, Donors, Shifts, draw_block
from data.generate.shifts import add_categories, empty_cells
from data.writing.folders import folder_written_beside
from fareline.digests import sha256_of_file
from fareline.errors import DataError

MANIFEST = "_generated.json"  # by the underscore, readers of whole folders leave it alone
FORMATS = ("csv", "parquet")


@dataclasses.dataclass(frozen=True)
class Plan:
    """A plan of the rows to generate.

    Attributes:
        rows: Number of rows, 1 or more.
        seed: From 0.
        shards: Files to spread them over; the rows of one follow those of the one before.
        format: One of FORMATS.
        shifts: Differences from the real rows.
    """

    rows: int
    seed: int = 0
    shards: int = 1
    format: str = "csv"
    shifts: Shifts = dataclasses.field(default_factory=Shifts)


def generate(
    plan: Plan, folder: Path, source: Path, tell: Callable[[int], None] = lambda rows: None
) -> dict[str, Any]:
    """Generates the rows into a folder, which appears whole or not at all.

    Args:
        plan: Plan of the rows to generate.
        folder: Must not be there, or be empty.
        source: The real rows, a CSV file.
        tell: Called with the number of rows written so far, at intervals.

    Returns:
        What `_generated.json` in the folder holds: rows, seed, shards, format, options, source,
        source_sha256, files (path, rows, bytes, sha256) and broken_rows by reason.

    Raises:
        DataError: The plan cannot be carried out, or the folder has something in it.
    """
    _require_sound(plan)
    donors = Donors(source)
    with folder_written_beside(folder) as part:
        writer = _Writer(plan, donors, part, tell)
        files = [writer.write_shard(shard) for shard in range(plan.shards)]
        manifest = {
            "rows": plan.rows,
            "seed": plan.seed,
            "shards": plan.shards,
            "format": plan.format,
            "options": dataclasses.asdict(plan.shifts),
            "source_sha256": sha256_of_file(source),
            "files": files,
            "broken_rows": {reason: writer.broken[reason] for reason in REASONS},
        }
        (part / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def _require_sound(plan: Plan) -> None:
    if plan.shifts.broken_rows and plan.format != "csv":
        raise DataError.explain(
            "--broken-rows",
            f"found --format {plan.format}",
            "expected csv, since typed formats cannot hold such rows",
            "leave one of them out",
        )
    if plan.shards > plan.rows:
        raise DataError.explain(
            "--shards",
            f"found {plan.shards:,} shards for {plan.rows:,} rows",
            "expected at least one row for each",
            "ask for fewer shards",
        )


class _Writer:
    """Writes shard after shard; a block that two shards share is made once."""

    def __init__(self, plan: Plan, donors: Donors, folder: Path, tell: Callable[[int], None]):
        self._plan = plan
        self._donors = donors
        self._folder = folder
        self._tell = tell
        self._block: tuple[int, Any] = (-1, None)
        self.broken: Counter[str] = Counter()

    def write_shard(self, shard: int) -> dict[str, Any]:
        """Writes one; returns its name, rows, bytes and SHA-256."""
        rows, shards = self._plan.rows, self._plan.shards
        first, end = shard * rows // shards, (shard + 1) * rows // shards
        path = self._folder / f"trips-{shard:05d}-of-{shards:05d}.{self._plan.format}"
        write = self._write_csv if self._plan.format == "csv" else self._write_parquet
        with open(path, "wb") as file:
            write(file, first, end)
        return {
            "path": path.name,
            "rows": end - first,
            "bytes": path.stat().st_size,
            "sha256": sha256_of_file(path),
        }

    def _write_csv(self, file: BinaryIO, first: int, end: int) -> None:
        file.write(",".join(self._donors.table.column_names).encode() + b"\n")
        for block, start, stop in _parts(first, end):
            lines, broken = self._made(block, self._csv_lines)
            file.write(b"\n".join(lines[start:stop]) + b"\n")
            self.broken.update(reason for i, reason in broken.items() if start <= i < stop)
            self._tell(block * BLOCK_ROWS + stop)

    def _write_parquet(self, file: BinaryIO, first: int, end: int) -> None:
        schema = self._donors.table.schema
        with pyarrow.parquet.ParquetWriter(file, schema) as writer:
            for block, start, stop in _parts(first, end):
                batch = self._made(block, self._batch).slice(start, stop - start)
                writer.write_table(pa.Table.from_batches([batch], schema))
                self._tell(block * BLOCK_ROWS + stop)

    def _made(self, block: int, make: Callable[[int], Any]) -> Any:
        if self._block[0] != block:
            self._block = (block, make(block))
        return self._block[1]

    def _batch(self, block: int) -> pa.RecordBatch:
        plan, shifts = self._plan, self._plan.shifts
        rows = draw_block(self._donors, plan.seed, block, shifts)
        if shifts.new_categories:
            rows = add_categories(rows, plan.seed, block, shifts.new_categories)
        if shifts.missing:
            rows = empty_cells(rows, plan.seed, block, shifts.missing)
        return pa.RecordBatch.from_arrays(list(rows.values()), schema=self._donors.table.schema)

    def _csv_lines(self, block: int) -> tuple[list[bytes], dict[int, str]]:
        batch = self._batch(block)
        texts = [column.cast(pa.string()) for column in batch.columns]
        # No value of this data holds a comma, a quote or a line end.
        joined = pc.binary_join_element_wise(
            *texts, ",", null_handling="replace", null_replacement=""
        )
        lines = joined.cast(pa.binary()).to_pylist()
        broken: dict[int, str] = {}
        if share := self._plan.shifts.broken_rows:
            broken = break_lines(lines, batch.schema.names, self._plan.seed, block, share)
        return lines, broken


def _parts(first: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Blocks that the rows lie in, each with where they start and stop in it."""
    for block in range(first // BLOCK_ROWS, (end - 1) // BLOCK_ROWS + 1):
        offset = block * BLOCK_ROWS
        yield block, max(first - offset, 0), min(end - offset, BLOCK_ROWS)
