"""Takes a proposed change into the schema's file and its history. Called by `runners`."""

from collections.abc import Collection, Mapping
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from fareline.errors import UserMistake
from schema.review.differences import compare_schemas
from schema.review.history import Version, record, sha256_of_text
from schema.review.proposal import Proposal
from schema.review.review import merge_columns
from schema.review.text_edit import edit_schema_text

Columns = Mapping[str, schema_pb2.Schema | None]


def columns_to_accept(
    proposal: Proposal, sha256: str, only: Collection[str], where: object
) -> dict[str, schema_pb2.Schema | None]:
    """The columns of a proposal that are to be accepted.

    Args:
        proposal: Proposal after a person's edits.
        sha256: SHA-256 of the schema's file today.
        only: Columns; none: all that the proposal has.
        where: Its file, for messages.

    Raises:
        UserMistake: The proposal is for another version of the schema, or lacks a column.
    """
    if proposal.sha256 != sha256:
        raise UserMistake.explain(
            str(where),
            f"was written against SHA-256 {proposal.sha256[:12]}… of {proposal.schema}",
            f"expected {sha256[:12]}…, as the schema is today",
            "write it anew with `fareline schema propose`",
        )
    return choose_columns(proposal.columns, only, where)


def choose_columns(
    columns: Columns, only: Collection[str], where: object
) -> dict[str, schema_pb2.Schema | None]:
    """Those of the columns that were named; all of them if none was.

    Raises:
        UserMistake: A column that was named is not among them.
    """
    for name in only:
        if name not in columns:
            raise UserMistake.explain(
                f"--only {name}",
                f"{where} does not change that column",
                f"expected one of {', '.join(columns) or 'none: nothing differs'}",
                "name another column, or leave it out",
            )
    chosen = {name: part for name, part in columns.items() if not only or name in only}
    return {name: part and _with_domain(part, columns) for name, part in chosen.items()}


def _with_domain(part: schema_pb2.Schema, columns: Columns) -> schema_pb2.Schema:
    """A column with the domain that a proposal states with another column that shares it."""
    wanted = {f.domain for f in part.feature if f.HasField("domain")}
    wanted -= {domain.name for domain in part.string_domain}
    shared = (d for other in columns.values() if other for d in other.string_domain)
    whole = schema_pb2.Schema()
    whole.CopyFrom(part)
    whole.string_domain.extend(domain for domain in shared if domain.name in wanted)
    return whole


def accept_columns(path: Path, text: str, columns: Columns, reason: str) -> Version | None:
    """Changes the schema's file and writes the change into its history.

    Args:
        path: The schema's file.
        text: Its content, which the change was made against.
        columns: New text of each column; None: the column is removed.
        reason: Reason of the change.

    Returns:
        The new version; None where nothing differs.

    Raises:
        UserMistake: The file has changed meanwhile, or cannot be written, or would hold no column.
    """
    before = text_format.Parse(text, schema_pb2.Schema())
    after = merge_columns(before, columns)
    differences = compare_schemas(before, after)
    if not differences:
        return None
    if not after.feature:
        expected = "expected a schema with one column at least"
        raise UserMistake.explain(str(path), "would hold no column", expected, "keep one of them")
    new = edit_schema_text(text, after)
    if sha256_of_text(path.read_bytes().decode()) != sha256_of_text(text):
        raise UserMistake.explain(
            str(path), "has changed meanwhile", "expected it as it was a moment ago", "try again"
        )
    changed = list(dict.fromkeys(difference.column for difference in differences))
    return record(path, new, changed, [str(difference) for difference in differences], reason)
