"""Examples that no training data holds and that clients send all the same.

Called by `serving.validation.interview`. Must not import TFX.
"""

from collections.abc import Iterator, Sequence

from tensorflow.core.example import example_pb2, feature_pb2

_NEVER_SEEN = ("never seen: ☂".encode(), b"", b"\xff\xfe not UTF-8", b"x" * 10_000)
_FAR_FLOATS = (1e12, -1e12)
_FAR_INTEGERS = (2**62, -(2**62))


def odd_requests(examples: Sequence[bytes]) -> dict[str, bytes]:
    """Makes odd examples from good ones.

    Args:
        examples: Serialized tf.Examples, as clients send them.

    Returns:
        What is odd, in words -> the serialized example: each feature missing in turn, all of them,
        texts never seen, numbers far outside.
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
    for text in _NEVER_SEEN:
        yield f"with the text {text[:16]!r}", _replaced(full, "bytes_list", text)
    for number in _FAR_FLOATS:
        yield f"with the numbers {number:g}", _replaced(full, "float_list", number)
    for number in _FAR_INTEGERS:
        yield f"with the integers {number}", _replaced(full, "int64_list", number)


def _has_values(feature: feature_pb2.Feature) -> bool:
    return feature.WhichOneof("kind") is not None


def _copy(example: example_pb2.Example) -> example_pb2.Example:
    copy = example_pb2.Example()
    copy.CopyFrom(example)
    return copy


def _replaced(full: example_pb2.Example, kind: str, value: bytes | float) -> example_pb2.Example:
    """Puts the value where values of that kind are."""
    odd = _copy(full)
    for feature in odd.features.feature.values():
        if feature.WhichOneof("kind") == kind:
            values = getattr(feature, kind).value
            values[:] = [value] * len(values)
    return odd
