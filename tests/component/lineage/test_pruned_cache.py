"""TFX's own cache on a store in which artifacts were pruned: it must execute, not reuse."""

import pytest
from tfx.orchestration import metadata
from tfx.orchestration.portable import cache_utils

from lineage.answers.prune.payloads import Boundary, mark_deleted, remove_payloads
from lineage.store.open import open_store_to_write, sqlite_connection
from tests.stores.writer import CACHED, StoreWriter, artifact


@pytest.fixture
def store(tmp_path):
    """An execution with two outputs, and a later one that took both from the cache."""
    writer = StoreWriter(tmp_path / "metadata.db")
    outputs = {}
    for key in ("transform_graph", "transformed_examples"):
        (tmp_path / "artifacts" / key).mkdir(parents=True)
        outputs[key] = [artifact(tmp_path / "artifacts" / key)]
    first = writer.add_execution("taxi", "run-1", "Transform", outputs=outputs)
    ids = writer.artifact_ids
    second = writer.add_execution(
        "taxi", "run-2", "Transform", CACHED, reused=list(zip(outputs, ids, strict=True))
    )
    for execution in (first, second):
        writer.add_cache_key(execution, "key")
    return writer


def cached_outputs(store):
    with metadata.Metadata(sqlite_connection(store.path)) as handle:
        context = handle.store.get_context_by_type_and_name("execution_cache", "key")
        return cache_utils.get_cached_outputs(handle, context)


def test_tfx_reuses_what_is_there(store):
    assert set(cached_outputs(store)) == {"transform_graph", "transformed_examples"}


def test_tfx_executes_where_one_output_of_two_is_marked(store):
    mark_deleted(open_store_to_write(store.path), [2])

    assert cached_outputs(store) is None


def test_tfx_executes_where_a_payload_is_gone(store, tmp_path):
    uri = str(tmp_path / "artifacts" / "transform_graph")
    assert remove_payloads([uri], Boundary([tmp_path / "artifacts"])) == []

    assert cached_outputs(store) is None
