"""What is remembered of Beam and TFT is what they give (runners.beam.memory)."""

import gc
import weakref

import apache_beam as beam
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam import coders
from apache_beam.options import pipeline_options
from apache_beam.transforms import core, userstate
from tensorflow_transform import impl_helper, inspect_preprocessing_fn

from runners.beam import memory as beam_memory

STATE = userstate.ReadModifyWriteStateSpec("seen", coders.BooleanCoder())
TIMER = userstate.TimerSpec("late", beam.TimeDomain.WATERMARK)
SEEN, LATE = beam.DoFn.StateParam(STATE), beam.DoFn.TimerParam(TIMER)


class Plain(beam.DoFn):
    def process(self, element):
        yield element


class Stateful(beam.DoFn):
    def process(self, element, seen=SEEN):
        yield element

    @userstate.on_timer(TIMER)
    def on_late(self, seen=SEEN):
        yield None

    def start_bundle(self):
        pass


class Timed(Plain):
    def process(self, element, timer=LATE):
        yield element


class Repeated(beam.DoFn):
    def process(self, e, a=SEEN, b=SEEN):
        yield e


class Owner:
    def stateful(self, element, seen=SEEN):
        return [element]

    def plain(self, element):
        return [element]


# Of the second of two instances of a class, each time, the answer is a remembered one.
DOFNS = [
    *(kind() for kind in (Plain, Plain, Stateful, Stateful, Timed, Timed)),
    core.CallableWrapperDoFn(Owner().plain),
    core.CallableWrapperDoFn(Owner().stateful),
    core.CallableWrapperDoFn(len),
    core.CallableWrapperDoFn(lambda e: [e]),
    core.CallableWrapperDoFn(Owner().stateful),
]


@pytest.fixture
def untouched(monkeypatch):
    """Beam and TFT as installed, whoever changed them before; and again after the test."""
    view_as = pipeline_options.PipelineOptions.view_as
    specs = userstate.get_dofn_specs
    monkeypatch.setattr(
        pipeline_options.PipelineOptions, "view_as", getattr(view_as, "replaces", view_as)
    )
    monkeypatch.setattr(userstate, "get_dofn_specs", getattr(specs, "replaces", specs))
    monkeypatch.setattr(inspect_preprocessing_fn, "impl_helper", impl_helper)


def test_state_and_timers_of_a_dofn_are_those_that_beam_finds(untouched):
    original = userstate.get_dofn_specs
    beam_memory.remember_what_stays_the_same()
    assert userstate.get_dofn_specs is not original
    for dofn in DOFNS:
        found = userstate.get_dofn_specs(dofn)
        assert found == original(dofn)
        found[0].clear()  # what a caller does with it changes no later answer
    assert userstate.get_dofn_specs(Stateful()) == ({STATE}, set())
    assert userstate.get_dofn_specs(Timed()) == (set(), {TIMER})


def test_a_class_is_asked_once(untouched, monkeypatch):
    asked = []
    original = userstate.get_dofn_specs
    monkeypatch.setattr(
        userstate, "get_dofn_specs", lambda dofn: asked.append(dofn) or original(dofn)
    )
    beam_memory.remember_what_stays_the_same()
    for dofn in (Plain(), Plain(), Plain()):
        userstate.get_dofn_specs(dofn)
    assert len(asked) == 1


def test_a_dofn_that_beam_refuses_is_refused_each_time(untouched):
    beam_memory.remember_what_stays_the_same()
    for _ in range(2):
        with pytest.raises(ValueError, match="duplicate process method parameters"):
            userstate.get_dofn_specs(Repeated())


def test_views_of_options_share_their_values(untouched):
    flags = ["--runner=FnApiRunner", "--direct_num_workers=3", "--labels=a=b"]
    kinds = [
        getattr(pipeline_options, name)
        for name in ("StandardOptions", "DirectOptions", "TypeOptions", "SetupOptions")
    ]
    expected = [
        pipeline_options.PipelineOptions(flags).view_as(kind).get_all_options() for kind in kinds
    ]
    beam_memory.remember_what_stays_the_same()
    options = pipeline_options.PipelineOptions(flags)
    for kind, values in zip(kinds, expected, strict=True):
        view = options.view_as(kind)
        assert view.get_all_options() == values
        assert options.view_as(kind) is view
        assert type(view) is kind
    options.view_as(pipeline_options.DirectOptions).direct_num_workers = 5
    assert options.get_all_options()["direct_num_workers"] == 5
    assert (
        options.view_as(pipeline_options.StandardOptions)
        .view_as(pipeline_options.DirectOptions)
        .direct_num_workers
        == 5
    )
    other = pipeline_options.PipelineOptions(flags).view_as(pipeline_options.DirectOptions)
    assert other.direct_num_workers == 3


def test_options_that_get_other_values_are_looked_at_again(untouched):
    beam_memory.remember_what_stays_the_same()
    options = pipeline_options.PipelineOptions(["--direct_num_workers=3"])
    assert options.view_as(pipeline_options.DirectOptions).direct_num_workers == 3
    options._all_options = {"direct_num_workers": 7}
    assert options.view_as(pipeline_options.DirectOptions).direct_num_workers == 7


def test_options_are_not_kept(untouched):
    beam_memory.remember_what_stays_the_same()
    options = pipeline_options.PipelineOptions([])
    view = weakref.ref(options.view_as(pipeline_options.DirectOptions))
    gone = weakref.ref(options)
    del options
    gc.collect()
    assert gone() is None
    assert view() is None


def transform(inputs):
    transform.traced += 1
    return {"a_xf": tft.scale_to_z_score(inputs["a"]), "b_xf": inputs["b"] * 2.0}


def test_one_trace_answers_all_questions_about_columns(untouched):
    specs = {name: tf.TensorSpec([None, 1], tf.float32) for name in ("a", "b", "unused")}
    transform.traced = 0
    expected = (
        tft.get_analyze_input_columns(transform, specs),
        tft.get_transform_input_columns(transform, specs),
    )
    assert expected == (["a"], ["a", "b"])
    each = transform.traced // 2
    beam_memory.remember_what_stays_the_same()
    transform.traced = 0
    for _ in range(2):
        assert tft.get_analyze_input_columns(transform, specs) == expected[0]
        assert tft.get_transform_input_columns(transform, specs) == expected[1]
    assert transform.traced == each
    more = specs | {"more": tf.TensorSpec([None, 1], tf.float32)}
    assert tft.get_transform_input_columns(transform, more) == expected[1]
    assert transform.traced == 2 * each


def test_what_is_not_as_expected_stays_as_it_is(untouched, monkeypatch):
    def view_as(self, cls, strict=False):
        return None

    def get_dofn_specs(dofn, deep=False):
        return None

    monkeypatch.setattr(pipeline_options.PipelineOptions, "view_as", view_as)
    monkeypatch.setattr(userstate, "get_dofn_specs", get_dofn_specs)
    monkeypatch.delattr(impl_helper, "trace_preprocessing_function")
    beam_memory.remember_what_stays_the_same()
    assert pipeline_options.PipelineOptions.view_as is view_as
    assert userstate.get_dofn_specs is get_dofn_specs
    assert inspect_preprocessing_fn.impl_helper is impl_helper


def test_a_second_call_changes_nothing(untouched):
    beam_memory.remember_what_stays_the_same()
    before = (
        pipeline_options.PipelineOptions.view_as,
        userstate.get_dofn_specs,
        inspect_preprocessing_fn.impl_helper,
    )
    beam_memory.remember_what_stays_the_same()
    assert before == (
        pipeline_options.PipelineOptions.view_as,
        userstate.get_dofn_specs,
        inspect_preprocessing_fn.impl_helper,
    )
