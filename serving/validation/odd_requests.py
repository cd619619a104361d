"""Examples that no training data holds and that clients send all the same.

Called by `serving.validation.interview`. Must not import TFX.
"""

from collections.abc import Iterator, Sequence

from tensorflow.core.example import example_pb2, feature_pb2

_NEVER_SEEN = ("never seen: ☂".encode(), b"", b"\xff\xfe not UTF-8", b"x" * 10_000)
# Kind of a feature -> the values that are tried: far outside, and what logarithms, divisions and
# places in a table are wrong for.
_VALUES = {
    "bytes_list": _NEVER_SEEN,
    "float_list": (1e12, -1e12, 0.0),
    "int64_list": (2**62, -(2**62), 0, -1),
}


def odd_requests(examples: Sequence[bytes]) -> dict[str, bytes]:
    """Makes odd examples from good ones.

    Args:
        examples: Serialized tf.Examples, as clients send them.

    Returns:
        What is odd, in words -> the serialized example: each feature missing in turn, all of them;
        texts never seen and numbers far outside, in each feature in turn and in all of them, since
        two that are far outside may hide each other.
    """
    parsed = [example_pb2.Example.FromString(each) for each in examples]
    # The one with most features, so that most can be missing.
    full = max(parsed, key=lambda each: sum(map(_has_values, each.features.feature.values())))
    return {what: odd.SerializeToString(deterministic=True) for what, odd in _make(full)}


def _make(full: example_pb2.Example) -> Iterator[tuple[str, example_pb2.Example]]:
    for name in sorted(full.features.feature):
        odd = _copy(full)
        del odd.features.feature[name]
        yield f"without {name!r}", odd
    yield "without any feature", example_pb2.Example()
    for kind, values in _VALUES.items():
        names = [name for name in sorted(full.features.feature) if _kind(full, name) == kind]
        for value in values:
            said = repr(value[:16]) if isinstance(value, bytes) else f"{value:g}"
            for name in names:
                yield f"with {said} in {name!r}", _replaced(full, [name], kind, value)
            if len(names) > 1:
                yield f"with {said} in {len(names)} features", _replaced(full, names, kind, value)


def _has_values(feature: feature_pb2.Feature) -> bool:
    return feature.WhichOneof("kind") is not None


def _copy(example: example_pb2.Example) -> example_pb2.Example:
    copy = example_pb2.Example()
    copy.CopyFrom(example)
    return copy


def _kind(example: example_pb2.Example, name: str) -> str | None:
    return example.features.feature[name].WhichOneof("kind")


def _replaced(
    full: example_pb2.Example, names: Sequence[str], kind: str, value: bytes | float
) -> example_pb2.Example:
    """Puts the value where values of these features are."""
    odd = _copy(full)
    for name in names:
        values = getattr(odd.features.feature[name], kind).value
        values[:] = [value] * len(values)
    return odd
