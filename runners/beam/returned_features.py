"""What `preprocessing_fn` returns is looked at where TensorFlow Transform calls it.

TFT takes whatever comes for a dictionary of tensors and fails somewhere in itself, so that no line
of the user's is named. Called by `runners.beam.engine`; imports TFT when called.
"""

import functools
from collections.abc import Callable, Mapping

from fareline.errors import UserMistake
from pipeline.evaluation.own_slices import place_of
from runners.beam.replacing import is_known, replaces

_NAME = "get_traced_transform_fn"
_KNOWN = ("preprocessing_fn", "input_signature", "tf_graph_context", "output_keys_to_name_map")


def check_returned_features() -> None:
    """Replaces a function of TFT's; once per process.

    Where it is not as this module knows it, it stays as it is, and the log says so.
    """
    from tensorflow_transform import impl_helper

    if is_known(impl_helper, _NAME, *_KNOWN):
        setattr(impl_helper, _NAME, _check_in(getattr(impl_helper, _NAME)))


def _check_in(trace: Callable) -> Callable:
    @replaces(trace)
    def get_traced_transform_fn(preprocessing_fn, *arguments, **named):
        def checked(inputs):
            outputs = preprocessing_fn(inputs)
            _require_features(preprocessing_fn, outputs)
            return outputs

        return trace(checked, *arguments, **named)

    return get_traced_transform_fn


def _require_features(function: Callable, outputs: object) -> None:
    """Raises the mistake of a function that returned no dictionary of batches, with its line."""
    found = _describe_wrong(outputs)
    if found is None:
        return
    while isinstance(function, functools.partial):  # TFX binds custom_config
        function = function.func
    raise UserMistake.explain(
        place_of(function, "code.preprocessing_fn"),
        f"{getattr(function, '__name__', 'preprocessing_fn')} returned {found}",
        "expected a dictionary from transformed names to tensors, [batch, 1] each",
        "end it with `return outputs`, and give each name a tensor that is computed from `inputs`",
    )


def _describe_wrong(outputs: object) -> str | None:
    import tensorflow as tf

    if not isinstance(outputs, Mapping):
        return f"{outputs!r:.60}, a {type(outputs).__name__}"
    if not outputs:
        return "an empty dictionary"
    for name, value in outputs.items():
        if not isinstance(name, str):
            return f"the name {name!r:.60}, a {type(name).__name__}"
        if not tf.is_tensor(value):
            return f"{value!r:.60}, a {type(value).__name__}, as {name}"
        if value.shape.rank == 0:
            return f"one value for all rows as {name}"
    return None
