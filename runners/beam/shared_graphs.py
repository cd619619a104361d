"""One loaded transform graph for all that apply it with the same inputs and outputs.

Transform applies the graph to each split, and TFT loads it anew for each, which takes seconds from
some hundreds of columns on. A loaded graph may be used by several threads, as TFT itself does. It
is kept no longer than by its users. Called by `runners.beam.engine`; imports TFT when called.
"""

import weakref
from collections.abc import Callable

from absl import logging

from runners.beam.replacing import is_known, replaces

_ASKED = ("_exclude_outputs", "_use_tf_compat_v1", "_tf_config")


def share_graphs() -> None:
    """Replaces a method of TFT's; once per process.

    Where it is not as this module knows it, it stays as it is, and the log says so.
    """
    from tensorflow_transform.beam import impl

    applies = getattr(impl, "_RunMetaGraphDoFn", None)
    if applies is None:
        logging.warning("%s has no _RunMetaGraphDoFn; it stays as it is", impl.__name__)
    elif hasattr(applies, "_get_input_tensor_names") and is_known(
        applies, "_make_graph_state", "self", "saved_model_dir"
    ):
        applies._make_graph_state = _share(applies._make_graph_state)


def _share(load: Callable) -> Callable:
    known = weakref.WeakValueDictionary()

    @replaces(load)
    def _make_graph_state(self, saved_model_dir):
        if not all(hasattr(self, name) for name in _ASKED):
            return load(self, saved_model_dir)
        names, left_out = self._get_input_tensor_names(), self._exclude_outputs
        key = (
            saved_model_dir,
            frozenset(names),
            frozenset(left_out),
            bool(self._use_tf_compat_v1),
            str(self._tf_config),
        )
        state = known.get(key)
        if state is None:
            state = known[key] = load(self, saved_model_dir)
        return state

    return _make_graph_state
