"""The Beam part of a query over files: one element, since the rows of one query are one stream.

Called by `pipeline.components.columnar_example_gen`.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
from tfx.dsl.io import fileio

from data.sources.local_query import QUERY, LocalQuery, count_rows, read_query
from fareline.digests import sha256_of_stream
from fareline.scratch import scratch_folder
from pipeline.ingest.beam_files import (
    Reading,
    lowest_ranks,
    open_source,
    write_batches,
    write_report,
)


def read_answer(pipeline: beam.Pipeline, query: LocalQuery, reading: Reading) -> Any:
    """Builds the pipeline.

    Args:
        pipeline: To add to.
        query: Its files may be anywhere; they are copied where the query is answered.
        reading: Task of the execution.

    Returns:
        PCollection of None.
    """
    return pipeline | "Query" >> beam.Create([query]) | "Read" >> beam.Map(_read, reading=reading)


def _read(query: LocalQuery, reading: Reading) -> None:
    files = _describe_files(query.tables)
    # A personal column is whatever DuckDB says; of a CSV file text.
    personal = reading.protection.privacy.columns
    kinds = {name: kind for name, kind in reading.kinds.items() if name not in personal}
    with scratch_folder("fareline-tables-") as folder:
        places = _bring_here([file["path"] for file in files], folder)
        tables = {name: [places[p] for p in paths] for name, paths in query.tables.items()}
        keys = {places[path]: found for path, found in query.keys.items()}
        here = dataclasses.replace(query, tables=tables, keys=keys)
        rows = count_rows(here)
        if (sampling := reading.sampling) is not None:  # the query runs twice
            lowest = lowest_ranks(read_query(here, kinds), 0, sampling)
            reading = dataclasses.replace(reading, chosen=sampling.choose(lowest))
        batches = read_query(here, kinds)
        written = write_batches(batches, (0, 1), QUERY, reading)
    counted = [file | {"rows": rows[places[file["path"]]]} for file in files]
    write_report(counted, [written], reading.splitting.starts, reading)


def _describe_files(tables: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """`path`, `bytes`, `sha256` of each file, and `table`, or several with commas."""
    named: dict[str, list[str]] = {}
    for table, paths in sorted(tables.items()):
        for path in paths:
            named.setdefault(path, []).append(table)
    found = []
    for path, names in sorted(named.items()):
        with open_source(path) as stream:
            digest = sha256_of_stream(stream)
            size = stream.tell()
        found.append({"path": path, "bytes": size, "sha256": digest, "table": ", ".join(names)})
    return found


def _bring_here(paths: list[str], folder: str) -> Mapping[str, str]:
    """Copies what is elsewhere, since DuckDB is kept from the network; says where each file is."""
    places = {}
    for number, path in enumerate(paths):
        places[path] = path
        if "://" in path:
            places[path] = os.path.join(folder, f"{number:05d}-{os.path.basename(path)}")
            fileio.copy(path, places[path])
    return places
