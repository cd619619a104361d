"""`fareline init`: from any table to settings and a schema that can be run.

Called by `cli.init`. Imports no TFX, and TensorFlow for TFRecord alone.
"""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.profile.facts import Facts
from data.profile.profile import Column, Profile, facts_of_table, profile_table
from data.profile.table import Table, read_answer, read_table
from data.reading.csv_header import COMMAS
from data.reading.pieces import CSV, format_of
from data.sources.local_query import LocalQuery
from data.sources.query import find_tables
from data.sources.span_patterns import has_span
from fareline.errors import UserMistake
from fareline.files import write_text
from pipeline.proposal.difference import find_differences
from pipeline.proposal.text import Source, write_schema, write_settings
from pipeline.settings.load import load_settings
from pipeline.source.check import check_request
from runners.pii_key import read_pii_key
from runners.publishing.live_model import quieten_tensorflow


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request for `fareline init`.

    Attributes:
        data: A file, a folder, a pattern of spans; or None, with `sql`.
        name: Name of the pipeline; None: after the data.
        folder: Folder for the files.
        sql: A query over tables.
        tables: Name to path, of the query.
    """

    data: str | None
    name: str | None
    folder: Path
    sql: str | None = None
    tables: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def pipeline(self) -> str:
        """The name of the pipeline."""
        if self.name is not None:
            return self.name
        first = self.data or next(iter(self.tables), "")
        plain = [part for part in Path(first).parts if "{" not in part]
        stem = plain[-1].partition(".")[0] if plain else ""
        name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:100]
        return re.sub(r"(-data)+$", "", name) or "my-table"  # NAME-data is a data pipeline

    @property
    def settings_path(self) -> Path:
        """The settings file."""
        return self.folder / f"{self.pipeline}.yaml"

    @property
    def schema_path(self) -> Path:
        """The schema."""
        return self.folder / f"{self.pipeline}.schema.pbtxt"


@dataclasses.dataclass(frozen=True)
class Proposal:
    """The profile of a table, and the files to write.

    Attributes:
        asked: The request.
        profile: Profile of the table.
        settings: Text of the settings.
        schema: Text of the schema.
    """

    asked: Asked
    profile: Profile
    settings: str
    schema: str


def read_asked(asked: Asked) -> tuple[Table, list[Facts]]:
    """Reads the table, and looks at each column.

    Raises:
        UserMistake: There is no table, or nothing in it.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", asked.pipeline):
        raise UserMistake.explain(
            "--name",
            f"found {asked.name}",
            "expected lower-case letters, digits and hyphens, not first a hyphen",
            "name it for example my-table",
        )
    quieten_tensorflow()  # which reads TFRecords
    if asked.sql is None:
        if asked.data is None:
            raise UserMistake.explain(
                "fareline init", "no data", "expected a file, a folder or --sql", "name DATA"
            )
        table = read_table(_place(asked.data))
    else:
        if not asked.tables:
            raise UserMistake.explain(
                "--sql", "has no table", "expected files to ask", "name DATA, or --table NAME=PATH"
            )
        paths = {name: Path(os.path.abspath(path)) for name, path in asked.tables.items()}
        found = find_tables(paths, "--table")
        files = {name: tuple(map(str, each)) for name, each in found.files.items()}
        table = read_answer(LocalQuery(asked.sql, files, (), "--sql", COMMAS))
    return table, facts_of_table(table)


def _place(data: str) -> Path:
    if "://" in data:
        raise UserMistake.explain(
            data, "is an address", "expected a file or folder of this machine", "copy it here first"
        )
    path = os.path.expanduser(data)
    return Path(os.path.abspath(path) if has_span(path) else path)


def propose(
    asked: Asked, table: Table, facts: Sequence[Facts], label: str, keep: Sequence[str]
) -> Proposal:
    """Determines the kinds of all columns and writes settings and schema as texts.

    Raises:
        UserMistake: The table has no column to learn from.
    """
    profile = profile_table(table, facts, label, keep)
    source = _source(asked, table)
    settings = write_settings(asked.pipeline, profile, source, f"./{asked.schema_path.name}")
    return Proposal(asked, profile, settings, write_schema(profile, source))


def _source(asked: Asked, table: Table) -> Source:
    if asked.sql is not None:
        files = {name: _from_folder(path, asked.folder) for name, path in asked.tables.items()}
        return Source("sql", {"query": asked.sql, "files": files}, "a query")
    data = str(asked.data)
    setting = "csv" if format_of(table.files[0].name) == CSV else "files"
    return Source(setting, _from_folder(data, asked.folder), Path(data).name or data)


def _from_folder(path: str, folder: Path) -> str:
    """A path as a settings file in the folder names it."""
    path = os.path.expanduser(path)
    return path if os.path.isabs(path) else os.path.relpath(path, folder)


def differences(proposal: Proposal) -> list[str] | None:
    """Differences of the existing files; None without files."""
    paths = (proposal.asked.settings_path, proposal.asked.schema_path)
    if not any(path.exists() for path in paths):
        return None
    old = [path.read_text(encoding="utf-8") if path.exists() else None for path in paths]
    return find_differences((old[0], proposal.settings), (old[1], proposal.schema))


def write(proposal: Proposal) -> list[str]:
    """Writes both files, and checks that a run would accept them.

    Returns:
        What a run would warn of.

    Raises:
        UserMistake: They cannot be written; or a run would not accept them, and they are removed.
    """
    asked = proposal.asked
    hint = "name another folder with --output"
    written = []
    try:
        for path, text in (
            (asked.schema_path, proposal.schema),
            (asked.settings_path, proposal.settings),
        ):
            write_text(path, text, hint=hint)
            written.append(path)
        return list(check_request(load_settings(asked.settings_path), read_pii_key).notes)
    except UserMistake:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def as_json(column: Column) -> dict[str, Any]:
    """A column and its kind, as JSON types."""
    facts, judged = column.facts, column.judgement
    return {
        "name": facts.name,
        "kind": judged.kind,
        "confidence": judged.confidence,
        "evidence": judged.evidence,
        "type": facts.type,
        "distinct": facts.distinct,
        "missing": facts.missing / facts.rows,
        "spellings": facts.spellings,
        "examples": facts.examples,
        "tells_label": column.power,
        "is_feature": judged.is_feature,
    }
