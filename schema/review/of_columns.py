"""A first curated schema from what is known of the columns, without TensorFlow.

As TFDV would infer it: what all rows had is demanded, few texts are a domain. Called by
`pipeline.proposal`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from fareline.kinds import FLOAT, INT, STRING
from fareline.printable import printable
from schema.review.bounds import say_number
from schema.review.statistics import SERVING, TRAINING
from schema.review.text_edit import print_block

_TYPES = {INT: schema_pb2.INT, FLOAT: schema_pb2.FLOAT, STRING: schema_pb2.BYTES}
_HEADER = """\
# The contract for the data, from {rows:,} rows of {name}. It says what these
# rows are like; what rows may be like is for a person to say. Column by column:
#
#   presence     the share of rows that must have the column; 1.0 where all of these had it
#   value_count  how many values a row has in it
#   domain       the texts that may be there; take it away where any text may
#   range        not inferred: float_domain {{ min: 0.0 max: 100.0 }} or int_domain {{ … }}
#
# Columns in TRAINING are there when a model is made, those in SERVING when it is asked.

default_environment: "{training}"
default_environment: "{serving}"
"""


@dataclasses.dataclass(frozen=True)
class Shape:
    """Facts about a column.

    Attributes:
        name: Name of the column.
        kind: `int`, `float` or `string`.
        share: Share of the rows that have a value; None: they have any number of them.
        texts: Allowed texts; None: any text.
        low: The least number.
        high: The greatest.
        distinct: Number of different values.
        is_served: Whether requests carry it.
    """

    name: str
    kind: str
    share: float | None
    texts: Sequence[str] | None
    low: float | None
    high: float | None
    distinct: int
    is_served: bool


def write_schema_of(columns: Sequence[Shape], rows: int, name: str) -> str:
    """Returns the text of a schema.

    Args:
        columns: In the order of the data.
        rows: Number of examined rows.
        name: Name of the data, for the reader.
    """
    header = _HEADER.format(rows=rows, name=printable(name), training=TRAINING, serving=SERVING)
    blocks = [header]
    for column in columns:
        feature = schema_pb2.Feature(name=column.name, type=_TYPES[column.kind])
        if column.share:
            feature.presence.min_count = 1
        if column.share == 1:
            feature.presence.min_fraction = 1.0
        if column.share is not None:
            # An empty cell is a list of none.
            feature.value_count.min = 1 if column.share == 1 else 0
            feature.value_count.max = 1
        if column.texts is not None:
            feature.string_domain.value.extend(sorted(column.texts))
        if not column.is_served:
            feature.not_in_environment.append(SERVING)
        blocks.append(f"# {_say_seen(column)}\n{print_block('feature', feature)}")
    text = "\n".join(blocks)
    text_format.Parse(text, schema_pb2.Schema())
    return text


def _say_seen(column: Shape) -> str:
    if column.share is None:
        return "Several values in a row."
    parts = [f"Seen in {column.share * 100:.4g} % of the rows"]
    if column.low is not None and column.high is not None:
        parts.append(f"from {say_number(column.low)} to {say_number(column.high)}")
    if column.kind == "string":
        parts.append(f"{column.distinct:,} different texts")
    return ", ".join(parts) + "."
