"""Caches results that Beam and TFT compute repeatedly for one pipeline.

Building the pipelines of a run looks 2,000 times at Beam's options, each time with a new parser of
arguments; it asks each DoFn several times for its state, method by method; and it traces
`preprocessing_fn` for each question about its columns. The remembered answers are those that Beam
and TFT gave, so results are the same. Called by `runners.beam.engine`; imports Beam and TFT.
"""

import types
import weakref
from collections.abc import Callable

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import userstate

from runners.beam.replacing import is_known, replaces


def remember_what_stays_the_same() -> None:
    """Replaces functions of Beam and TFT by ones that remember; once per process.

    Where one of them is not as this module knows it, it stays as it is, and the log says so.
    """
    if is_known(PipelineOptions, "view_as", "self", "cls"):
        PipelineOptions.view_as = _remember_views(PipelineOptions.view_as)
    if is_known(userstate, "get_dofn_specs", "dofn"):
        userstate.get_dofn_specs = _remember_specs(userstate.get_dofn_specs)
    from tensorflow_transform import impl_helper, inspect_preprocessing_fn

    name = "trace_preprocessing_function"
    known = ("preprocessing_fn", "input_specs", "use_tf_compat_v1", "base_temp_dir")
    # There, the graph is looked at and left as it is; what builds an analysis of it uses it up.
    asks_there = getattr(inspect_preprocessing_fn, "impl_helper", None) is impl_helper
    if asks_there and is_known(impl_helper, name, *known):
        remembering = {name: _remember_traces(getattr(impl_helper, name))}
        inspect_preprocessing_fn.impl_helper = types.SimpleNamespace(
            **{**vars(impl_helper), **remembering}
        )


def _remember_views(look: Callable) -> Callable:
    """Of each options object, the view by class; both share their values, as Beam has it."""
    known = weakref.WeakKeyDictionary()

    @replaces(look)
    def view_as(self, cls):
        views = known.setdefault(self, {})
        view = views.get(cls)
        if view is None or view._all_options is not self._all_options:
            view = views[cls] = look(self, cls)
        return view

    return view_as


def _remember_specs(look: Callable) -> Callable:
    """Of each class of DoFns, which state and timers the methods ask for."""
    known = weakref.WeakKeyDictionary()

    @replaces(look)
    def get_dofn_specs(dofn):
        kind = type(dofn)
        # Methods that the instance got beside those of its class: `beam.Map(something.method)`.
        if any(isinstance(each, types.MethodType) for each in vars(dofn).values()):
            return look(dofn)
        if kind not in known:
            known[kind] = look(dofn)
        states, timers = known[kind]
        return set(states), set(timers)

    return get_dofn_specs


def _remember_traces(trace: Callable) -> Callable:
    """Of each `preprocessing_fn`, the last trace for a question about its columns."""
    known = weakref.WeakKeyDictionary()

    @replaces(trace)
    def trace_preprocessing_function(
        preprocessing_fn, input_specs, use_tf_compat_v1, base_temp_dir=None
    ):
        asked = (dict(input_specs), use_tf_compat_v1, base_temp_dir)
        last, traced = known.get(preprocessing_fn, (None, None))
        if last != asked:
            traced = trace(preprocessing_fn, input_specs, use_tf_compat_v1, base_temp_dir)
            known[preprocessing_fn] = (asked, traced)
        return traced

    return trace_preprocessing_function
