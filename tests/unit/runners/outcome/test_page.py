"""The page and the card that a run leaves: where they are, and that they fail no run."""

import logging

import pytest
from ml_metadata.metadata_store import metadata_store

from lineage.graph.graph import Graph
from lineage.store.open import sqlite_connection
from runners.outcome import page as pages
from runners.outcome.page import Page, write_page
from runners.workspace import Workspace
from tests.stores.of_report import write_run
from tests.stores.writer import CACHED, StoreWriter


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def store_of(workspace):
    return metadata_store.MetadataStore(sqlite_connection(workspace.metadata_path))


def add_cached_run(workspace, run):
    """A run that took everything of run-1 from the cache; its resolver looked, as ever."""
    graph = Graph(store_of(workspace))
    reused = {
        e.place.node: [(key, a.id) for key, found in graph.outputs(e).items() for a in found]
        for e in graph.executions_of_run("run-1")
    }
    writer = StoreWriter(workspace.metadata_path)
    for node, outputs in reused.items():
        writer.add_execution("taxi", run, node, CACHED, reused=outputs)
    writer.add_execution("taxi", run, "Resolver")


def test_the_page_is_beside_the_run_and_the_card_beside_the_version(workspace):
    version = workspace.serving_dir("taxi") / "7"
    version.mkdir(parents=True)
    write_run(workspace.root, destination=version)
    page = write_page(store_of(workspace), "run-1", workspace)
    path = page.path
    assert (page.same_as, page.previous, page.changes) == (None, None, {})
    assert path == workspace.root / "reports" / "run-1.html"
    assert path.read_text().startswith("<!doctype html>")
    card = version.with_name("7.md").read_text()
    assert card.startswith("# Model card: Model:")
    assert list(version.iterdir()) == []


def test_a_refused_model_and_a_remote_push_have_no_card(workspace):
    write_run(workspace.root, destination="gs://bucket/taxi/7")
    write_run(workspace.root, "run-2", pushed=False)
    for run in ("run-1", "run-2"):
        assert write_page(store_of(workspace), run, workspace).path.is_file()
    assert list(workspace.root.rglob("*.md")) == []


def test_of_an_unchanged_run_the_page_is_that_of_the_run_that_made_it(workspace, monkeypatch):
    write_run(workspace.root)
    made = write_page(store_of(workspace), "run-1", workspace).path
    add_cached_run(workspace, "run-2")
    with monkeypatch.context() as patch:
        patch.setattr(pages, "_write", pytest.fail)
        assert write_page(store_of(workspace), "run-2", workspace) == Page(made, "run-1")
    made.unlink()  # then its own
    again = write_page(store_of(workspace), "run-2", workspace).path
    assert again == workspace.report_path("run-2") and again.is_file()


def test_a_run_that_did_something_has_a_page_of_its_own(workspace):
    write_run(workspace.root)
    write_page(store_of(workspace), "run-1", workspace)
    add_cached_run(workspace, "run-2")
    StoreWriter(workspace.metadata_path).add_execution("taxi", "run-2", "Pusher")
    page = write_page(store_of(workspace), "run-2", workspace)
    assert (page.path, page.previous) == (workspace.report_path("run-2"), "run-1")


def test_what_goes_wrong_is_said_in_the_log(workspace, caplog):
    write_run(workspace.root)
    workspace.report_path("run-1").parent.write_text("no folder")
    with caplog.at_level(logging.ERROR):
        assert write_page(store_of(workspace), "run-1", workspace) is None
    assert "the page of run-1 was not written" in caplog.text
