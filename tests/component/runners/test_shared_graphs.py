"""TFT loads a transform graph once for all that apply it alike (runners.beam.shared_graphs)."""

import gc

import pyarrow as pa
import pytest
from tensorflow_transform.beam import impl
from tfx_bsl.tfxio import tensor_adapter

from runners.beam.shared_graphs import share_graphs


class Graph:
    """Stands for a loaded one."""


@pytest.fixture
def loaded(monkeypatch):
    """What TFT was asked to load."""
    loaded = []

    def _make_graph_state(self, saved_model_dir):
        loaded.append((saved_model_dir, *sorted(self._exclude_outputs)))
        return Graph()

    monkeypatch.setattr(impl._RunMetaGraphDoFn, "_make_graph_state", _make_graph_state)
    share_graphs()
    assert impl._RunMetaGraphDoFn._make_graph_state.replaces is _make_graph_state
    return loaded


def applying(columns=("a",), left_out=(), compat=False):
    schema = pa.schema([(name, pa.large_list(pa.float32())) for name in columns])
    return impl._RunMetaGraphDoFn(
        None,
        shared_graph_state_handle=None,
        passthrough_keys=(),
        use_tf_compat_v1=compat,
        input_tensor_adapter_config=tensor_adapter.TensorAdapterConfig(schema, {}),
        exclude_outputs=left_out,
    )


def test_one_graph_for_the_same_use(loaded):
    first = applying()._make_graph_state("/a")
    assert applying()._make_graph_state("/a") is first
    assert loaded == [("/a",)]


@pytest.mark.parametrize(
    ("directory", "others"),
    [
        ("/b", {}),
        ("/a", {"left_out": ("label_xf",)}),
        ("/a", {"compat": True}),
    ],
)
def test_another_graph_for_another_use(directory, others, loaded):
    first = applying()._make_graph_state("/a")
    assert applying(**others)._make_graph_state(directory) is not first
    assert len(loaded) == 2


def test_another_graph_for_other_columns(loaded, monkeypatch):
    first = applying()
    kept = first._make_graph_state("/a")
    monkeypatch.setattr(impl._RunMetaGraphDoFn, "_get_input_tensor_names", lambda self: {"b"})
    assert applying()._make_graph_state("/a") is not kept


def test_a_graph_is_not_kept(loaded):
    state = applying()._make_graph_state("/a")
    del state
    gc.collect()
    applying()._make_graph_state("/a")
    assert len(loaded) == 2


def test_what_is_not_as_expected_stays_as_it_is(monkeypatch):
    def _make_graph_state(self, saved_model_dir, more):
        return None

    monkeypatch.setattr(impl._RunMetaGraphDoFn, "_make_graph_state", _make_graph_state)
    share_graphs()
    assert impl._RunMetaGraphDoFn._make_graph_state is _make_graph_state
    monkeypatch.delattr(impl, "_RunMetaGraphDoFn")
    share_graphs()
