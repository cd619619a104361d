"""The Beam part of the columnar ExampleGen: files to pieces, pieces to files of examples.

An element is a file or a piece of one, never a row, since Beam's cost per element is that of many
rows. Every piece writes files of its own, whose names depend on the data alone: a piece that is
read twice writes the same files twice. Called by `pipeline.components.columnar_example_gen`.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import apache_beam as beam
import pyarrow as pa
from tfx.dsl.io import fileio

from data.reading.batches import UNKNOWN, Batch
from data.reading.column_types import require_single_values
from data.reading.csv_header import COMMAS, CsvFormat
from data.reading.kinds import merge_kinds
from data.reading.pieces import JSON, Piece, SourceFile, kinds_in, plan_file, read_piece
from data.sources.hive import Keys
from data.splitting.hash import Splitting, assign, require_column
from data.splitting.sample import Chosen, Lowest, Sampling
from data.splitting.time import TimeCounts, count_times, find_starts, merge_times
from data.writing.example_files import ROWS_AT_ONCE, SplitWriter, open_split_files
from data.writing.quarantine import SHOWN, merge_counts
from fareline.errors import DataError
from pipeline.ingest.piece_files import PARTS, PROGRESS, ReadingProgress, quarantine_of_piece
from pipeline.ingest.protection import Protection


@dataclasses.dataclass(frozen=True)
class Reading:
    """The task of one execution.

    Attributes:
        kinds: Kinds of the columns that a schema describes; see `data.reading.batches`.
        splitting: Rules for the split of a row.
        split_dirs: Folder or URI of each split.
        tmp_dir: Folder or URI for reports and quarantined rows.
        file_format: One of `data.reading.pieces.FORMATS`; None: by each file's name.
        protection: Protection of personal columns.
        single: Columns that are used as one value a row.
        csv_format: Format of the CSV files.
        keys: File to the columns that its folders say.
        sampling: The sample to read; None: all rows.
        chosen: The rows of the sample, once they are known.
    """

    kinds: Mapping[str, str]
    splitting: Splitting
    split_dirs: Sequence[str]
    tmp_dir: str
    file_format: str | None = None
    protection: Protection = dataclasses.field(default_factory=Protection)
    single: Sequence[str] = ()
    csv_format: CsvFormat = COMMAS
    keys: Mapping[str, Keys] = dataclasses.field(default_factory=dict)
    sampling: Sampling | None = None
    chosen: Chosen | None = None

    def kinds_of(self, piece: Piece, found: Mapping[str, str]) -> dict[str, str]:
        """Types of the columns of a piece, from the schema and from the data."""
        return self.protection.kinds({**found, **self.kinds}, piece.format)


def open_source(path: str) -> BinaryIO:
    """Opens a file for reading bytes, wherever TFX can."""
    if "://" in path:
        return fileio.open(path, "rb")
    return open(path, "rb")


def read_files(pipeline: beam.Pipeline, paths: Sequence[str], reading: Reading) -> Any:
    """Builds the pipeline.

    Args:
        pipeline: To add to.
        paths: Paths of the source files.
        reading: Task of the execution.

    Returns:
        PCollection of dict, one per piece; see `_ReadPiece`.
    """
    planned = (
        pipeline
        | "Files" >> beam.Create(list(paths))
        | "SpreadFiles" >> beam.Reshuffle()
        | "Plan" >> beam.ParDo(_Plan(reading)).with_outputs("files", main="pieces")
    )
    numbered = beam.pvalue.AsList(planned.pieces)
    pieces = (
        pipeline
        | "Once" >> beam.Create([None])
        | "Number" >> beam.FlatMap(_number, numbered)
        | "SpreadPieces" >> beam.Reshuffle()
    )
    kinds = (
        pieces
        | "LookAtKinds" >> beam.Map(_look_at_kinds, dict(reading.kinds))
        | "MergeKinds" >> beam.CombineGlobally(merge_kinds)
    )
    found = beam.pvalue.AsSingleton(kinds)
    starts = beam.pvalue.AsSingleton(_starts(pipeline, pieces, found, reading))
    chosen = None
    if reading.sampling is not None:
        chosen = beam.pvalue.AsSingleton(_chosen(pieces, found, reading))
    reports = pieces | "Read" >> beam.ParDo(_ReadPiece(reading), found, starts, chosen)
    _ = (
        pipeline
        | "AtTheEnd" >> beam.Create([None])
        | "Report"
        >> beam.Map(
            _write_report,
            beam.pvalue.AsList(planned.files),
            beam.pvalue.AsList(reports),
            starts,
            reading,
        )
    )
    return reports


class _Plan(beam.DoFn):
    """Path to pieces, and to what the file is."""

    def __init__(self, reading: Reading):
        self._reading = reading

    def process(self, path: str) -> Iterator[Any]:
        reading = self._reading
        keys = reading.keys.get(path, {})
        file, pieces = plan_file(path, open_source, reading.file_format, reading.csv_format, keys)
        yield beam.pvalue.TaggedOutput("files", file)
        yield from pieces


def _number(_: None, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, int, int]]:
    """Numbers the pieces of all files; refuses files that differ in their columns."""
    ordered = sorted(pieces, key=lambda piece: (piece.path, piece.number))
    named = [piece for piece in ordered if piece.names and piece.format != JSON]
    for piece in named:
        if set(piece.names) != set(named[0].names):
            differ = sorted(set(piece.names) ^ set(named[0].names))
            raise DataError.explain(
                piece.path,
                f"its columns differ from those of {named[0].path} by "
                f"{', '.join(map(repr, differ))}",
                "expected the same columns in all files, in any order",
                "read them as sources of their own, or give them the same columns",
            )
    for number, piece in enumerate(ordered):
        yield piece, number, len(ordered)


def _look_at_kinds(numbered: tuple[Piece, int, int], known: Mapping[str, str]) -> dict[str, str]:
    return kinds_in(numbered[0], known, open_source)


def _starts(pipeline: beam.Pipeline, pieces: Any, found: Any, reading: Reading) -> Any:
    """PCollection of one list: when the splits begin; by shares after a look at all times."""
    if not reading.splitting.needs_starts:
        return pipeline | "Starts" >> beam.Create([list(reading.splitting.starts)])
    return (
        pieces
        | "LookAtTimes" >> beam.Map(_look_at_times, found, reading)
        | "MergeTimes" >> beam.CombineGlobally(merge_times)
        | "Starts" >> beam.Map(find_starts, reading.splitting.shares, reading.splitting.time)
    )


def _look_at_times(
    numbered: tuple[Piece, int, int], found: Mapping[str, str], reading: Reading
) -> TimeCounts:
    """Of the rows that will be read, and so not of those that are set apart."""
    piece, name = numbered[0], reading.splitting.time
    total = merge_times([])
    for batch in read_piece(piece, reading.kinds_of(piece, found), open_source):
        require_column(batch.columns, name)
        total = merge_times([total, count_times(batch.columns[name], name)])
    return total


def _chosen(pieces: Any, found: Any, reading: Reading) -> Any:
    """PCollection of the rows of the sample, after a look at the ranks of all."""
    return (
        pieces
        | "LookAtRanks" >> beam.Map(_look_at_ranks, found, reading)
        | "MergeRanks" >> beam.CombineGlobally(reading.sampling.merge_lowest)
        | "Choose" >> beam.Map(reading.sampling.choose)
    )


def _look_at_ranks(
    numbered: tuple[Piece, int, int], found: Mapping[str, str], reading: Reading
) -> Lowest:
    piece, number, _ = numbered
    batches = read_piece(piece, reading.kinds_of(piece, found), open_source)
    return lowest_ranks(batches, number, reading.sampling)


def lowest_ranks(batches: Iterable[Batch], number: int, sampling: Sampling) -> Lowest:
    """The lowest ranks of what was read as one piece."""
    return sampling.lowest((sampling.ranks(b.columns, b.rows) for b in batches), number)


class _ReadPiece(beam.DoFn):
    """Piece to files of examples; yields `path`, `rows`, `splits`, `reasons` and `first`."""

    def __init__(self, reading: Reading):
        self._reading = reading

    def process(
        self,
        numbered: tuple[Piece, int, int],
        found: Mapping[str, str],
        starts: Sequence[float | int | str],
        chosen: Chosen | None,
    ) -> Iterator[dict[str, Any]]:
        piece, number, total = numbered
        reading = self._reading
        reading = dataclasses.replace(
            reading,
            splitting=dataclasses.replace(reading.splitting, starts=starts),
            chosen=chosen,
        )
        kinds = reading.kinds_of(piece, found)
        batches = read_piece(piece, kinds, open_source)
        written = write_batches(batches, (number, total), piece.path, reading)
        yield written | {"kinds": {name: kind for name, kind in kinds.items() if kind != UNKNOWN}}


def write_batches(
    batches: Iterable[Batch], numbered: tuple[int, int], source: str, reading: Reading
) -> dict[str, Any]:
    """Writes what was read as one piece into files of its own, one for each split.

    Args:
        batches: From a reader.
        numbered: Number of the piece, from 0, and number of pieces.
        source: Where its rows come from.
        reading: Task of the execution.

    Returns:
        `path`, `number`, `rows`, `splits`, `reasons` and `first`, as plain JSON types.
    """
    number, total = numbered
    protect = reading.protection.protector()
    name = f"data_tfrecord-{number:05d}-of-{total:05d}.gz"
    paths = [os.path.join(folder, name) for folder in reading.split_dirs]
    part = quarantine_of_piece(os.path.join(reading.tmp_dir, PARTS, f"{number:05d}.jsonl"), source)
    progress = ReadingProgress(os.path.join(reading.tmp_dir, PROGRESS, f"{number:05d}"))
    pick = reading.chosen.picker(number) if reading.chosen else None
    rows = 0
    with open_split_files(paths) as writer, part:
        for read in batches:
            batch = protect(read)
            require_single_values(source, batch.columns, reading.single)
            part.take(batch.bad)
            rows += len(batch.bad)
            if pick is not None:  # by the values as they were read: they need no key
                batch = batch.take(pa.array(pick(read.columns, read.rows)))
                rows += read.rows - batch.rows
            for slice_ in batch.slices(ROWS_AT_ONCE):
                write_rows(writer, slice_, reading.splitting)
                rows += slice_.rows
                progress.tell(rows)
    splits = dict(zip(reading.splitting.names, writer.counts.tolist(), strict=True))
    return {
        "path": source,
        "number": number,
        "rows": rows,
        "splits": splits,
        "reasons": part.reasons,
        "first": part.first,
    }


def write_rows(writer: SplitWriter, batch: Any, splitting: Splitting) -> None:
    """Puts the rows of a batch into the files of their splits."""
    writer.write(batch, assign(batch.columns, batch.rows, splitting))


def _write_report(
    _: None,
    files: Sequence[SourceFile],
    reports: Sequence[Mapping[str, Any]],
    starts: Sequence[float | int | str],
    reading: Reading,
) -> None:
    """Sums up what was read, for the executor, which may run elsewhere than the workers."""
    rows: dict[str, int] = {}
    for report in reports:
        rows[report["path"]] = rows.get(report["path"], 0) + report["rows"]
    counted = [dataclasses.asdict(file) | {"rows": rows[file.path]} for file in files]
    write_report(counted, reports, starts, reading)


def write_report(
    files: Sequence[Mapping[str, Any]],
    reports: Sequence[Mapping[str, Any]],
    starts: Sequence[float | int | str],
    reading: Reading,
) -> None:
    """Sums up what was read.

    Args:
        files: `path`, `bytes`, `sha256` and `rows` of each.
        reports: From `write_batches`.
        starts: When the splits begin, where they are split by time.
        reading: In whose folder `report.json` is written.
    """
    ordered = sorted(reports, key=lambda report: report["number"])
    content = {
        "files": sorted(files, key=lambda file: file["path"]),
        "rows": sum(report["rows"] for report in ordered),
        "splits": merge_counts(report["splits"] for report in ordered),
        "starts": dict(zip(reading.splitting.names[1:], starts, strict=True)) if starts else None,
        "reasons": merge_counts(report["reasons"] for report in ordered),
        "first": [line for report in ordered for line in report["first"]][:SHOWN],
    }
    with fileio.open(os.path.join(reading.tmp_dir, "report.json"), "w") as file:
        file.write(json.dumps(content))
