"""The bounds that a schema sets on one column, in plain words.

Called by `schema.review.differences` and `schema.gate.evidence`. Imports tensorflow_metadata and no
TensorFlow.
"""

import dataclasses

from tensorflow_metadata.proto.v0 import schema_pb2


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Numbers that a column may hold.

    Attributes:
        low: The least; None: no bound.
        high: The greatest; None: no bound.
        nan: Whether NaN is allowed.
        inf: Whether the infinities are.
    """

    low: float | None = None
    high: float | None = None
    nan: bool = True
    inf: bool = True

    @property
    def is_bounded(self) -> bool:
        """Whether there is a least or a greatest number."""
        return self.low is not None or self.high is not None

    def is_wider_than(self, other: "Numbers") -> bool:
        """Whether a number is within these bounds that is not within the others."""
        lower = other.low is not None and (self.low is None or self.low < other.low)
        return lower or (other.high is not None and (self.high is None or self.high > other.high))

    def say(self) -> str:
        """Such as `0 to 86,400`, `0 or more`, `any number`."""
        if self.low is None:
            return "any number" if self.high is None else f"{say_number(self.high)} or less"
        low = say_number(self.low)
        return f"{low} or more" if self.high is None else f"{low} to {say_number(self.high)}"


def numbers_of(feature: schema_pb2.Feature) -> Numbers:
    """The bounds of a column of numbers; none of another column."""
    for name in ("int_domain", "float_domain"):
        if feature.HasField(name):
            domain = getattr(feature, name)
            low, high = (
                getattr(domain, end) if domain.HasField(end) else None for end in ("min", "max")
            )
            if name == "int_domain":
                return Numbers(low, high)
            return Numbers(low, high, not domain.disallow_nan, not domain.disallow_inf)
    return Numbers()


def say_number(number: float) -> str:
    """A number of float32 or int64 without digits that it does not have."""
    return f"{number:,}" if isinstance(number, int) else f"{number:,.7g}"


def say_presence(feature: schema_pb2.Feature) -> str:
    """In how many rows a column must be."""
    share, count = feature.presence.min_fraction, feature.presence.min_count
    if share >= 1:
        return "in every row"
    if share > 0:
        said = f"{share:.3g}" if share < 0.9995 else f"{share:.7g}"  # never 1 of what is less
        return f"in at least {said} of the rows"
    return f"in at least {count:,} row{'s' * (count != 1)}" if count else "may be missing"


def say_number_of_values(feature: schema_pb2.Feature) -> str:
    """Number of values that a row with the column may have."""
    if feature.HasField("value_counts"):
        levels = (_say_count(count) for count in feature.value_counts.value_count)
        return f"nested: {'; '.join(levels)}"
    if not feature.HasField("value_count"):
        return "any number of values"
    return _say_count(feature.value_count)


def _say_count(count: schema_pb2.ValueCount) -> str:
    low, high = count.min, count.max
    if not high:
        return f"at least {low} value{'s' * (low != 1)}" if low else "any number of values"
    if low == high:
        return f"exactly {low} value{'s' * (low != 1)}"
    return f"{low} to {high} values" if low else f"at most {high} value{'s' * (high != 1)}"


def say_shape(feature: schema_pb2.Feature) -> str:
    """The shape that the parser makes of it."""
    if not feature.HasField("shape"):
        return "no fixed shape"
    return f"[{', '.join(str(dim.size) for dim in feature.shape.dim)}]"
