"""A first curated schema for new data: what TFDV infers, with environments and what was seen.

Called by `fareline schema infer`. What is written is a start: bounds that only a person knows are
not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.review.bounds import say_number
from schema.review.statistics import SERVING, TRAINING, count_rows, describe_columns, infer
from schema.review.text_edit import print_block

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

_HEADER = """\
# The contract for the data, as TFDV inferred it from {rows:,} rows of {name}. It says what these
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


def write_first_schema(statistics: DatasetFeatureStatisticsList, label: str, name: str) -> str:
    """Returns the text of a schema.

    Args:
        statistics: Statistics of the rows.
        label: The column that is not known when a prediction is asked for.
        name: Name of the data, for the reader.
    """
    inferred = infer([statistics])
    rows = count_rows([statistics])
    seen = describe_columns(statistics)
    blocks = [
        _HEADER.format(rows=rows, name=name, training=TRAINING, serving=SERVING),
    ]
    for feature in inferred.feature:
        if feature.name == label:
            feature.not_in_environment.append(SERVING)
        blocks.append(f"# {_say_seen(*seen[feature.name])}\n{print_block('feature', feature)}")
    blocks += [print_block("string_domain", domain) for domain in inferred.string_domain]
    text = "\n".join(blocks)
    text_format.Parse(text, schema_pb2.Schema())
    return text


def _say_seen(share: float, low: float | None, high: float | None, distinct: int | None) -> str:
    parts = [f"Seen in {share * 100:.4g} % of the rows"]
    if low is not None and high is not None:
        parts.append(f"from {say_number(low)} to {say_number(high)}")
    if distinct is not None:
        parts.append(f"{distinct:,} different texts")
    return ", ".join(parts) + "."
